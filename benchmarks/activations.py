"""The rows that every contender trains on: of known sparse structure, or a user's own.

    x = sum of about 24 of 8,192 unit directions, each times 1 + an exponential, + noise + offset

Direction r is chosen with a probability in proportion to r^-0.7: a few are on most rows, most on few, as features
of language models are. The coordinates have unit variance on average, noise included, which is 2% of it.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from monosema.core.config import require
from monosema.core.seeding import generator

N_DIRECTIONS = 8192
ACTIVE = 24
DECAY = 0.7
NOISE = 0.02
AT_ONCE = 8192


@dataclass(frozen=True)
class Files:
    """Where the rows are: raw float32, one row of d_in after another, in the order all contenders see."""

    rows: Path
    held_out: Path
    d_in: int
    n_rows: int


def synthetic(n: int, d_in: int, seed: int, *purpose: str, offset: float = 0.0) -> Tensor:
    """`n` rows. `purpose` tells apart what is drawn from the same directions; `offset` is the mean's norm against
    the root mean square norm of a centred row."""
    fixed = generator(seed, "directions")
    directions = torch.nn.functional.normalize(torch.randn(N_DIRECTIONS, d_in, generator=fixed), dim=1)
    mean = torch.nn.functional.normalize(torch.randn(d_in, generator=fixed), dim=0)
    probabilities = torch.arange(1.0, N_DIRECTIONS + 1) ** -DECAY
    random = generator(seed, "rows", *purpose)
    blocks = [_block(min(AT_ONCE, n - at), directions, probabilities, random) for at in range(0, n, AT_ONCE)]
    rows = torch.cat(blocks)
    sample = _block(AT_ONCE, directions, probabilities, generator(seed, "scale"))
    centre = sample.mean(0)
    scale = (1 - NOISE) ** 0.5 / (sample - centre).square().mean().sqrt()
    rows = (rows - centre) * scale + NOISE**0.5 * torch.randn(n, d_in, generator=random)
    return rows + offset * d_in**0.5 * mean


def _block(n: int, directions: Tensor, probabilities: Tensor, random: torch.Generator) -> Tensor:
    """Rows before scaling. A direction drawn twice on a row counts twice."""
    counts = torch.poisson(torch.full((n,), float(ACTIVE)), generator=random).long()
    total = int(counts.sum())
    chosen = torch.multinomial(probabilities, total, replacement=True, generator=random)
    sizes = 1 + torch.empty(total).exponential_(generator=random)
    offsets = counts.cumsum(0) - counts
    return torch.nn.functional.embedding_bag(chosen, directions, offsets, mode="sum", per_sample_weights=sizes)


def prepare(folder: Path, n: int, n_held_out: int, d_in: int, seed: int, offset: float = 0.0) -> Files:
    """Synthetic rows, written to `folder`."""
    rows, held_out = (synthetic(m, d_in, seed, name, offset=offset) for m, name in ((n, "train"), (n_held_out, "test")))
    return _written(folder, rows, held_out)


def prepare_from(folder: Path, path: Path, n_held_out: int) -> Files:
    """The rows of a safetensors file that holds one tensor [rows, d]; the last ones are held out."""
    tensors = list(load_file(path).values())
    require(
        len(tensors) == 1 and tensors[0].ndim == 2,
        f"{path} holds tensors of shapes {[list(t.shape) for t in tensors]}: it must hold one, [rows, d]",
    )
    rows = tensors[0].float()
    require(len(rows) > n_held_out, f"{path} holds {len(rows):,} rows: more than {n_held_out:,} are needed")
    return _written(folder, rows[:-n_held_out], rows[-n_held_out:])


def _written(folder: Path, rows: Tensor, held_out: Tensor) -> Files:
    for name, tensor in (("rows", rows), ("held_out", held_out)):
        tensor.contiguous().numpy().tofile(folder / name)
    return Files(folder / "rows", folder / "held_out", rows.shape[1], len(rows))

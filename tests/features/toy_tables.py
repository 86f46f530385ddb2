"""A feature table of a corpus, a model and features that can be worked out with dense code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import torch

from monosema.dictionaries import Dictionary
from monosema.features import BuildConfig, build

from .toy_models import Mixing, Numbered, Texts, blocks_of, dictionary_of

N, CONTEXT, N_BLOCKS = 12, 16, 48
SMALL = BuildConfig(
    n_top=4, n_calibration=4, n_contexts=100, n_examples=4, n_effects=2, before=3, after=2, batch_tokens=64
)


@dataclass
class Against:
    dictionaries: Mapping[str, Dictionary]
    model: Mixing
    what: str = "another model"


def corpus(fingerprint: str = "7e87") -> Texts:
    """Documents of three blocks each; token 1 is always followed by 2, and no block holds token 11 but one."""
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, N - 1, (N_BLOCKS, CONTEXT), generator=random)
    tokens[:, 4::5], tokens[:, 5::5] = 1, 2
    tokens[:, 0] = 0
    tokens[7, 3] = 11
    documents = (torch.arange(N_BLOCKS) // 3).unsqueeze(1).expand_as(tokens).clone()
    tokens[-1, -3:], documents[-1, -3:] = 0, -1
    blocks = blocks_of(tokens, documents)
    return Texts(blocks, N, fingerprint)


def model(seed: int = 0) -> Mixing:
    random = torch.Generator().manual_seed(seed)
    U = 0.5 * torch.randn(N, N, generator=random)
    U[1, 2] = 4.0 if seed == 0 else 0.0
    return Mixing(E=torch.eye(N) * 1.5, U=U, mix=0.6)


def one_a_token() -> Dictionary:
    """A feature for each token, feature 0 (the BOS) dead; feature 12 fires on all but 1; 13 and 14 on the same."""
    extra = torch.zeros(3, N)
    extra[0], extra[0, 1], extra[1, 3], extra[2, 3] = 0.5, 0, 2.0, 1.0
    encoder = torch.cat([torch.eye(N), extra])
    decoder = encoder.clone()
    decoder[14] = torch.linspace(-1, 1, N)
    return dictionary_of(encoder, decoder)


def made(out: Path, config: BuildConfig = SMALL, control: bool = True, **dictionaries: Dictionary) -> Path:
    found = dictionaries or {"d": one_a_token()}
    against = Against(found, model(seed=1)) if control else None
    return build(found, model(), corpus(), Numbered(), out, config, against)[next(iter(found))]


def rows(path: Path, rest: str = "") -> list[dict]:
    cursor = duckdb.connect().execute(f"SELECT * FROM '{path}' {rest}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def dense() -> torch.Tensor:
    """[feature, block, position]"""
    blocks, dictionary = corpus().held, one_a_token()
    acts = torch.zeros(15, N_BLOCKS, CONTEXT)
    x = model().run(blocks.tokens, read=["resid_post.0"])["resid_post.0"][blocks.usable]
    acts[:, blocks.usable] = dictionary.encode(x).dense().T
    return acts


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def is_whole(folder: Path) -> bool:
    return json.loads((folder / "table.json").read_text())["state"] == "done"

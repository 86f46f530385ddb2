"""Absorption: a feature that goes missing where something more specific fires (Chanin et al. 2024, arXiv:2409.14507).

At a row where feature p fires, with d its direction, x the row less b_dec and a_k, W_k the activation and decoder row
of latent k:

    M = a_main W_main . d                                     what p's own latent says of it
    A = sum of a_k W_k . d over the three largest others      with cos(W_k, d) >= .1 and a positive product
    absorbed = 0                          if M >= x . d or A < .4 x . d
               1                          if M <= 0
               A' / (A' + M),  A' = min(A, x . d - M)      else

as SAEBench scores it. A parent's absorption is the mean over the rows on which it fires.
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.corpus.worlds import WorldRows
from monosema.dictionaries.codes import SparseCodes

ALIGNED = 0.1
SHARE = 0.4
ABSORBERS = 3


def absorption(
    codes: SparseCodes,
    decoder: Float[Tensor, "latent d"],
    rows: WorldRows,
    directions: Float[Tensor, "feature d"],
    main: Int64[Tensor, "feature"],
    parents: Int64[Tensor, "parent"],
    b_dec: Float[Tensor, "d"],
) -> Float64[Tensor, "parent 2"]:
    """(sum of the absorbed shares, number of rows) of each parent. `main`: the latent of each feature."""
    centred = rows.x - b_dec.detach().float().cpu()
    norms = decoder.norm(dim=1)
    row_of = torch.repeat_interleave(torch.arange(len(rows.x)), rows.offsets.diff())
    found = torch.zeros(len(parents), 2, dtype=torch.float64)
    for i, parent in enumerate(parents.tolist()):
        at = row_of[rows.features == parent]
        direction = directions[parent]
        shares = absorbed(codes, at, decoder @ direction, norms, int(main[parent]), centred[at] @ direction)
        found[i, 0], found[i, 1] = shares.sum(), len(at)
    return found


def absorbed(
    codes: SparseCodes,
    at: Int64[Tensor, "row"],
    along: Float[Tensor, "latent"],
    norms: Float[Tensor, "latent"],
    main: int,
    there: Float[Tensor, "row"],
) -> Float64[Tensor, "row"]:
    """The share absorbed at the rows `at`. along: W . d of every latent; there: x . d of every row."""
    counts = codes.offsets.diff()[at]
    each = torch.repeat_interleave(torch.arange(len(at)), counts)
    start = torch.nn.functional.pad(counts.cumsum(0), (1, 0))[:-1]
    entry = codes.offsets[at][each] + torch.arange(len(each)) - start[each]
    latent, value = codes.indices[entry], codes.values[entry]
    said = (value * along[latent]).double()
    own = torch.zeros(len(at), dtype=torch.float64).index_add_(0, each, torch.where(latent == main, said, 0.0))
    absorbs = (latent != main) & (along[latent] >= ALIGNED * norms[latent]) & (said > 0)
    others = _largest(each[absorbs], said[absorbs], len(at))
    there = there.double()
    left = torch.minimum(others, there - own)
    share = torch.where(own <= 0, 1.0, left / (left + own))
    return torch.where((own >= there) | (others < SHARE * there), 0.0, share)


def _largest(row: Int64[Tensor, "entry"], value: Float64[Tensor, "entry"], n: int) -> Float64[Tensor, "row"]:
    """The sum of the ABSORBERS largest values of each row."""
    order = torch.argsort(value, descending=True)
    order = order[torch.sort(row[order], stable=True).indices]
    row, value = row[order], value[order]
    first = torch.searchsorted(row, torch.arange(n))
    rank = torch.arange(len(row)) - first[row]
    kept = rank < ABSORBERS
    return torch.zeros(n, dtype=torch.float64).index_add_(0, row[kept], value[kept])

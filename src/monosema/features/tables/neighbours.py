"""The nearest features of each feature, four ways; never a matrix of all features by all features.

decoder, encoder   cosine of the rows of W_dec, W_enc
logit              cosine of the direct effects on the logits, centred over the vocabulary
coactivation       n_ij / sqrt(n_i n_j), n the tokens on which i, j, or both fire
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.dictionaries import Dictionary
from monosema.features.effects.subjects import Model
from monosema.features.logits import why_undefined
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.ranking import largest

N_NEIGHBOURS = 8
CELLS = 2**22
"""Numbers of one matrix of similarities: 16 MB, and a few times that while the largest are found."""

PAIRS = 2**27
"""Pairs of firings counted; of a longer text, the tokens of blocks at even distances."""

ENTRIES_AT_ONCE = 2**16
"""Firings whose partners are counted at a time: each time all counts are added up, and some 50 MB of partners made."""

Nearest = Iterator[tuple[int, Float[Tensor, "feature neighbour"], Int64[Tensor, "feature neighbour"]]]


def write_neighbours(
    dictionary: Dictionary, model: Model, folder: Path, context: int, database: Database, out: Path
) -> None:
    """Write neighbours.parquet."""
    parts = [_table(kind, nearest) for kind, nearest in _kinds(dictionary, model, folder, context, database)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    query = "SELECT feature, kind::VARCHAR AS kind, rank, other, value, '' AS dictionary FROM given"
    database.write(out, f"{query} ORDER BY feature, kind, rank", columns)


def _kinds(
    dictionary: Dictionary, model: Model, folder: Path, context: int, database: Database
) -> Iterator[tuple[str, Nearest]]:
    decoder = dictionary.W_dec.detach().float().cpu()
    yield "decoder", nearest_rows(decoder)
    yield "encoder", nearest_rows(dictionary.W_enc.detach().float().cpu())
    yield "coactivation", nearest_firing(*_firings(folder, context, database), dictionary.n_features)
    if not why_undefined(dictionary.writes):
        weights = model.logit_weights().double().cpu()
        yield "logit", nearest_rows(decoder, _gram(weights - weights.mean(1, keepdim=True)))


def _gram(weights: Float[Tensor, "d_model d_vocab"]) -> Float[Tensor, "d_model d_model"]:
    return (weights @ weights.T).float()


def _table(kind: str, nearest: Nearest) -> Mapping[str, np.ndarray]:
    feature, rank, other, value = [], [], [], []
    for first, values, indices in nearest:
        rows, ranks = torch.isfinite(values).nonzero(as_tuple=True)
        feature.append((rows + first).numpy().astype(np.uint32))
        rank.append(ranks.numpy().astype(np.uint8))
        other.append(indices[rows, ranks].numpy().astype(np.uint32))
        value.append(values[rows, ranks].float().numpy())
    columns = {"feature": feature, "rank": rank, "other": other, "value": value}
    table = {name: np.concatenate(parts) for name, parts in columns.items()}
    return table | {"kind": np.full(len(table["feature"]), kind, dtype=object)}


def nearest_rows(rows: Float[Tensor, "n_features d"], metric: Float[Tensor, "d d"] | None = None) -> Nearest:
    """Largest cosines of each row with another, in the inner product x M y^T (M the identity by default).
    Rows of norm 0 have no neighbours and are none."""
    other = rows if metric is None else rows @ metric
    norms = (rows * other).sum(1).clamp(min=0).sqrt()
    scale = torch.where(norms > 0, 1 / norms, torch.nan)
    size = max(1, CELLS // len(rows))
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        yield first, *_best((other[part] @ rows.T) * scale[part, None] * scale, first)


def _best(
    similarity: Float[Tensor, "feature n_features"], first: int
) -> tuple[Float[Tensor, "feature neighbour"], Int64[Tensor, "feature neighbour"]]:
    """The largest, the smaller number of equals; what is no similarity is minus infinity."""
    similarity = similarity.nan_to_num(nan=-torch.inf)
    similarity.diagonal(first).fill_(-torch.inf)
    indices = largest(similarity, N_NEIGHBOURS)
    return similarity.gather(1, indices), indices


def _firings(folder: Path, context: int, database: Database) -> tuple[Int64[Tensor, "entry"], Int64[Tensor, "entry"]]:
    """(pos, feature) in order of place, of blocks at even distances when there are too many pairs."""
    acts = rows_of([folder / "acts_by_pos.parquet"])
    pairs = f"SELECT coalesce(sum(n * n), 0)::BIGINT AS n FROM (SELECT count(*) AS n FROM {acts} GROUP BY pos)"
    n_pairs = int(database.fetch(pairs)["n"][0])
    step = max(1, -(-n_pairs // PAIRS))
    rows = database.fetch(
        f"SELECT pos, feature FROM {acts} WHERE (pos // {context}) % {step} = 0 ORDER BY pos, feature"
    )
    return torch.from_numpy(rows["pos"].astype(np.int64)), torch.from_numpy(rows["feature"].astype(np.int64))


def nearest_firing(pos: Int64[Tensor, "entry"], feature: Int64[Tensor, "entry"], n_features: int) -> Nearest:
    """Largest shares of common firings. Features that never fire with another have no neighbours."""
    _, token, per_token = pos.unique_consecutive(return_inverse=True, return_counts=True)
    offsets = per_token.cumsum(0) - per_token
    alone = torch.bincount(feature, minlength=n_features).double()
    size = max(1, CELLS // n_features)
    for first in range(0, n_features, size):
        n = min(size, n_features - first)
        own = ((feature >= first) & (feature < first + n)).nonzero().flatten()
        together = torch.zeros(n * n_features, dtype=torch.int64)
        for some in own.split(ENTRIES_AT_ONCE):
            partners = per_token[token[some]]
            which = torch.repeat_interleave(some, partners)
            within = torch.arange(len(which)) - torch.repeat_interleave(partners.cumsum(0) - partners, partners)
            other = feature[offsets[token[which]] + within]
            together += torch.bincount((feature[which] - first) * n_features + other, minlength=len(together))
        counts = together.view(n, n_features).double()
        similarity = counts / (alone[first : first + n, None] * alone).sqrt()
        yield first, *_best(torch.where(counts > 0, similarity, torch.nan), first)

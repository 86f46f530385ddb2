"""The numbers of every feature of a shard that need no further pass of the model.

Counts, means and histograms of its activations; what it adds to the logits; its first-order effect
with a standard error over documents; the token it fires on most; the floor of tokens and pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from monosema.core.seeding import derive
from monosema.dictionaries import Dictionary
from monosema.features.effects.estimates import sparse_mean_and_error
from monosema.features.effects.subjects import Model
from monosema.features.floors import Firing, Grammar
from monosema.features.foretelling import Foretelling
from monosema.features.logits import logit_effects, why_undefined
from monosema.features.mixing import mixed
from monosema.features.tables.database import lists
from monosema.features.tables.ranking import largest, smallest
from monosema.features.tables.shards import Shard
from monosema.features.tables.text import TableText

BINS = 32
"""Of the histograms of activations and of logit effects."""

POSITION_BINS = 16
N_LOGITS = 10
DENSE = 0.1
"""A feature that fires on more of the tokens than this is called dense."""

LOGITS_AT_ONCE = 2**22

FLOOR_POSITIONS = 2**20
"""Usable positions that floors are fitted and judged on; of a longer text, whole documents drawn at random."""

Table = dict[str, np.ndarray]


@dataclass(frozen=True)
class Background:
    """What the features of all shards are described against.

    words    the text of every token
    grammar  of the documents that floors are fitted and judged on
    places   for each position of the table its number in the grammar, -1 where it is in none
    """

    dictionary: Dictionary
    model: Model
    text: TableText
    words: Sequence[str]
    grammar: Grammar
    places: Int32[Tensor, "position"]

    @property
    def n_tokens_by_document(self) -> np.ndarray:
        """Counted tokens of each document."""
        own = self.text.documents[self.text.counted].numpy()
        return np.bincount(own, minlength=len(self.text.names))


def grammar_of(text: TableText, seed: int) -> tuple[Grammar, Int32[Tensor, "position"]]:
    """The tokens and pairs of the usable positions, and the number of each; in front of the first of a document
    or block is none. Of a text of more than FLOOR_POSITIONS only some documents are in it."""
    kept = text.usable & _floor_documents(text, seed)[text.documents]
    previous = torch.full_like(text.tokens, -1)
    behind = kept[:, 1:] & kept[:, :-1] & (text.documents[:, 1:] == text.documents[:, :-1])
    previous[:, 1:][behind] = text.tokens[:, :-1][behind]
    places = torch.where(kept.flatten(), kept.flatten().cumsum(0, dtype=torch.int32) - 1, -1)
    return Grammar(text.tokens[kept], previous[kept], text.documents[kept], text.d_vocab, seed), places


def _floor_documents(text: TableText, seed: int) -> Bool[Tensor, "document"]:
    """Documents in random order until FLOOR_POSITIONS are reached: all of them in a text that is no longer."""
    counts = torch.bincount(text.documents[text.usable], minlength=len(text.names))
    order = mixed(torch.arange(len(counts)), derive(seed, "documents of the floors")).argsort()
    before = counts[order].cumsum(0) - counts[order]
    kept = torch.zeros(len(counts), dtype=torch.bool)
    kept[order] = before < FLOOR_POSITIONS
    return kept


def scalars(shard: Shard, background: Background) -> Table:
    """One row a feature: what features.parquet has, but for what is measured later."""
    text, n = background.text, len(shard)
    n_active = np.bincount(shard.feature, minlength=n)
    fires = n_active > 0
    sums = np.bincount(shard.feature, shard.act.astype(np.float64), minlength=n)
    largest = np.zeros(n, dtype=np.float32)
    np.maximum.at(largest, shard.feature, shard.act)
    attr, error, n_documents = _importance(shard, background)
    top, share = _top_tokens(shard, text)
    floors = background.grammar.floors(_in_the_grammar(shard, background), background.words)
    frequency = n_active / text.n_tokens
    table = {
        "feature": np.arange(shard.first, shard.stop, dtype=np.uint32),
        "n_active": n_active.astype(np.uint64),
        "frequency": frequency,
        "n_documents": n_documents.astype(np.uint32),
        "mean_act": (sums / np.maximum(n_active, 1)).astype(np.float32),
        "max_act": largest,
        "importance_attr": attr,
        "importance_attr_se": error,
        "helped": _share(shard, shard.attr > 0, fires),
        "hurt": _share(shard, shard.attr < 0, fires),
        "top_token": top.astype(np.uint32),
        "top_token_share": share.astype(np.float32),
        "floor_text": np.array([floor.text for floor in floors], dtype=object),
        "floor_r": _column([floor.r for floor in floors]),
        "floor_f1": _column([floor.f1 for floor in floors]),
        "is_dead": ~fires,
        "is_dense": frequency > DENSE,
    }
    return table | _norms(shard, background.dictionary) | {"foretells": _foretells(shard, background)}


def _importance(shard: Shard, background: Background) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First-order importance, its standard error, and in how many documents each feature fires."""
    document = background.text.documents.numpy().ravel()[shard.pos]
    edge = np.ones(len(shard.pos), dtype=bool)
    edge[1:] = (np.diff(shard.feature) != 0) | (np.diff(document) != 0)
    starts = edge.nonzero()[0]
    sums = np.add.reduceat(shard.attr.astype(np.float64), starts) if len(starts) else np.zeros(0)
    feature = shard.feature[starts]
    mean, error = sparse_mean_and_error(feature, document[starts], sums, len(shard), background.n_tokens_by_document)
    return mean, error, np.bincount(feature, minlength=len(shard))


def _share(shard: Shard, which: np.ndarray, fires: np.ndarray) -> np.ndarray:
    """The share of firings where `which` holds; not a number for a dead feature, or without effects."""
    hits = np.bincount(shard.feature, which, minlength=len(shard))
    total = np.bincount(shard.feature, ~np.isnan(shard.attr), minlength=len(shard))
    return np.where(fires & (total > 0), hits / np.maximum(total, 1), np.nan).astype(np.float32)


def _top_tokens(shard: Shard, text: TableText) -> tuple[np.ndarray, np.ndarray]:
    """The token with most of each feature's firings (the smallest of equals), and their share."""
    keys = shard.feature * text.d_vocab + text.tokens.numpy().ravel()[shard.pos]
    pairs, counts = np.unique(keys, return_counts=True)
    feature, token = pairs // text.d_vocab, pairs % text.d_vocab
    order = np.lexsort((token, -counts, feature))
    best = order[np.unique(feature[order], return_index=True)[1]]
    top, share = np.zeros(len(shard), dtype=np.int64), np.zeros(len(shard))
    top[feature[best]] = token[best]
    share[feature[best]] = counts[best] / np.bincount(shard.feature, minlength=len(shard))[feature[best]]
    return top, share


def _in_the_grammar(shard: Shard, background: Background) -> Firing:
    at = background.places[torch.from_numpy(shard.pos)].long()
    there = at >= 0
    feature, act = torch.from_numpy(shard.feature)[there], torch.from_numpy(shard.act)[there]
    return Firing(feature, at[there], act, len(shard))


def _norms(shard: Shard, dictionary: Dictionary) -> Table:
    encoder = dictionary.W_enc[shard.first : shard.stop].detach().double().cpu()
    decoder = dictionary.W_dec[shard.first : shard.stop].detach().double().cpu()
    norms = {"enc_norm": encoder.norm(dim=1), "dec_norm": decoder.norm(dim=1)}
    cosine = np.full(len(shard), np.nan, dtype=np.float32)
    if dictionary.is_autoencoder:
        cosine = ((encoder * decoder).sum(1) / (norms["enc_norm"] * norms["dec_norm"])).float().numpy()
    return {name: norm.float().numpy() for name, norm in norms.items()} | {"enc_dec_cosine": cosine}


def _foretells(shard: Shard, background: Background) -> np.ndarray:
    """`foretells` of each feature; not a number where it never fires before a token of its document."""
    text, found = background.text, np.full(len(shard), np.nan, dtype=np.float32)
    if why_undefined(background.dictionary.writes):
        return found
    counted, tokens = text.counted.numpy().ravel(), text.tokens.numpy().ravel()
    before = np.append(counted[1:], False)[shard.pos]
    feature, following = shard.feature[before], tokens[shard.pos[before] + 1]
    everywhere = torch.from_numpy(np.bincount(tokens[counted], minlength=text.d_vocab)).double()
    for first, effects in _effects(shard, background):
        measure = Foretelling(effects)
        its = (feature >= first) & (feature < first + len(effects))
        columns = torch.from_numpy(feature[its] - first)
        measure.followers = everywhere.long()
        measure.sums.index_add_(0, columns, measure.ranks[columns, torch.from_numpy(following[its])])
        measure.n += torch.bincount(columns, minlength=len(effects))
        found[first : first + len(effects)] = _column(measure.result())
    return found


def _effects(shard: Shard, background: Background) -> "list[tuple[int, Float[Tensor, 'feature d_vocab']]]":
    """The logit effects of some features at a time, with the first one's number in the shard."""
    size = max(1, LOGITS_AT_ONCE // background.text.d_vocab)
    return [
        (first, _logits(background, torch.arange(shard.first + first, min(shard.first + first + size, shard.stop))))
        for first in range(0, len(shard), size)
    ]


def _logits(background: Background, features: Tensor) -> Float[Tensor, "feature d_vocab"]:
    return logit_effects(background.dictionary, background.model, features)[:, : background.text.d_vocab]


def feature_lists(shard: Shard, background: Background) -> Table:
    """One row a feature: what lists.parquet has."""
    n, context = len(shard), background.text.context
    edges, by_position = shard.edges, np.zeros((n, POSITION_BINS), dtype=np.int64)
    np.add.at(by_position, (shard.feature, shard.pos % context * POSITION_BINS // context), 1)
    counts, low, high = zip(*(_histogram(shard.act[a:b]) for a, b in pairwise(edges)), strict=True)
    return {
        "feature": np.arange(shard.first, shard.stop, dtype=np.uint32),
        "hist_counts": lists(counts),
        "hist_low": np.array(low, dtype=np.float32),
        "hist_high": np.array(high, dtype=np.float32),
        "by_position": lists(by_position.tolist()),
        **_logit_lists(shard, background),
    }


def _histogram(act: np.ndarray) -> tuple[list[int], float, float]:
    """Counts in BINS bins of equal width in log activation from the smallest to the largest."""
    if len(act) == 0:
        return [], np.nan, np.nan
    low, high = float(act.min()), float(act.max())
    width = np.log(high) - np.log(low)
    where = np.zeros(len(act)) if width == 0 else (np.log(act.astype(np.float64)) - np.log(low)) / width
    counts = np.bincount((where * BINS).astype(np.int64).clip(0, BINS - 1), minlength=BINS)
    return counts.tolist(), low, high


def _logit_lists(shard: Shard, background: Background) -> Table:
    n = len(shard)
    rows: dict[str, list[Any]] = {name: [None] * n for name in ("top_logits", "bottom_logits", "logit_hist")}
    low, high = np.full(n, np.nan, dtype=np.float32), np.full(n, np.nan, dtype=np.float32)
    if not why_undefined(background.dictionary.writes):
        for first, effects in _effects(shard, background):
            its = slice(first, first + len(effects))
            for name, ids in (
                ("top_logits", largest(effects, N_LOGITS)),
                ("bottom_logits", smallest(effects, N_LOGITS)),
            ):
                pairs = zip(ids.tolist(), effects.gather(1, ids).tolist(), strict=True)
                rows[name][its] = [
                    [{"token": token, "effect": effect} for token, effect in zip(*pair, strict=True)] for pair in pairs
                ]
            low[its], high[its] = effects.amin(1).numpy(), effects.amax(1).numpy()
            rows["logit_hist"][its] = [_evenly(row).tolist() for row in effects.double().numpy()]
    return {name: lists(values) for name, values in rows.items()} | {"logit_low": low, "logit_high": high}


def _evenly(values: np.ndarray) -> np.ndarray:
    """Counts in BINS bins of equal width from the smallest to the largest."""
    low, width = values.min(), np.ptp(values)
    where = np.zeros(len(values)) if width == 0 else (values - low) / width
    return np.bincount((where * BINS).astype(np.int64).clip(0, BINS - 1), minlength=BINS)


def _column(values: "Sequence[float | None]") -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


SCALARS = """
    feature, n_active, frequency, n_documents, mean_act, max_act, {importance_attr}, {importance_attr_se},
    {helped}, {hurt}, top_token, top_token_share, floor_text::VARCHAR AS floor_text, {floor_r}, {floor_f1},
    is_dead, is_dense, enc_norm, dec_norm, {enc_dec_cosine}, {foretells}
"""
LISTS = """
    feature, hist_counts::UINTEGER[] AS hist_counts, {hist_low}, {hist_high}, by_position::UINTEGER[] AS by_position,
    top_logits::STRUCT(token UINTEGER, effect FLOAT)[] AS top_logits,
    bottom_logits::STRUCT(token UINTEGER, effect FLOAT)[] AS bottom_logits,
    logit_hist::UINTEGER[] AS logit_hist, {logit_low}, {logit_high}
"""


class _NanIsNull(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END AS {name}"


def selected(columns: str) -> str:
    """A SELECT list in which a column in braces has NULL for what is not a number."""
    return columns.format_map(_NanIsNull())

"""Examples and effects of a made-up table: windows around chosen firings, consistent with the activations."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from features.made_tables import World

F32, U32 = pa.float32(), pa.uint32()
CHANGED = pa.list_(pa.struct([("token", U32), ("delta", F32)]))
EFFECTS = pa.schema(
    [("feature", U32), ("pos", U32), ("dloss_total", pa.list_(F32)), ("dloss_direct", pa.list_(F32)),
     ("p_with", F32), ("p_without", F32), ("up", CHANGED), ("down", CHANGED)]
)  # fmt: skip
Fired = dict[int, tuple[np.ndarray, np.ndarray]]


def examples_of(world: "World", fired: Fired) -> dict[str, pa.Table]:
    """The tables `examples` and `effects` of some features; without effects the second is left out."""
    chosen = {feature: _chosen(world, feature, *pair) for feature, pair in fired.items()}
    rows = [(feature, *row) for feature, found in chosen.items() for row in found]
    at = np.array([row[-1] for row in rows], np.int64)
    context = world.made.context
    starts = np.maximum(at - at % context, at - 12)
    stops = np.minimum(at - at % context + context, at + 9)
    stops = np.minimum(stops, np.flatnonzero(world.mask == 2)[0] if (world.mask == 2).any() else len(world.ids))
    widths = stops - starts
    offsets = np.concatenate([[0], widths.cumsum()]).astype(np.int32)
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1], widths) + np.repeat(starts, widths)
    features = np.array([row[0] for row in rows], np.int64)
    acts = _acts_at(fired, features, places, offsets)
    columns = dict(zip(("feature", "grp", "lo", "hi", "share", "mass", "rank"), zip(*rows, strict=True), strict=False))
    types = {"feature": U32, "grp": pa.string(), "rank": pa.uint16()}
    ids = world.ids[places]
    texts = pa.array(world.window_texts()).take(pa.array(ids))
    table = {name: pa.array(values, types.get(name, F32)) for name, values in columns.items()}
    table |= {
        "document": pa.array(world.document[at].astype(np.uint32)),
        "pos": pa.array(at.astype(np.uint32)),
        "act": pa.array(acts[offsets[:-1] + (at - starts)]),
        "start": pa.array(starts.astype(np.uint32)),
        "acts": pa.ListArray.from_arrays(offsets, pa.array(acts)),
        "texts": pa.ListArray.from_arrays(offsets, texts),
        "ids": pa.ListArray.from_arrays(offsets, pa.array(ids.astype(np.uint32))),
    }
    tables = {"examples": pa.table(table)}
    if world.made.effects:
        tables["effects"] = _effects(world, features, at, at - starts, offsets)
    return tables


def _acts_at(fired: Fired, features: np.ndarray, places: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    acts = np.zeros(len(places), np.float32)
    edges = np.flatnonzero(np.diff(features, prepend=-1, append=-1))
    for first, last in itertools.pairwise(edges):
        at, values = fired[int(features[first])]
        if len(at):
            window = places[offsets[first] : offsets[last]]
            found = np.minimum(np.searchsorted(at, window), len(at) - 1)
            acts[offsets[first] : offsets[last]] = np.where(at[found] == window, values[found], 0)
    return acts


def _chosen(world: "World", feature: int, at: np.ndarray, acts: np.ndarray) -> list[tuple]:
    """(group, lo, hi, share, mass, rank, pos): strongest one a document, bins, random ones, by effect."""
    rng = np.random.default_rng([world.made.seed, 5, feature])
    silent = rng.choice(np.flatnonzero(world.mask == 0), 4, replace=False)
    rows = [("random inactive", None, None, None, None, i, int(p)) for i, p in enumerate(silent)]
    if not len(at):
        return []
    order = np.argsort(-acts, kind="stable")[:200]
    _, first = np.unique(world.document[at[order]], return_index=True)
    for rank, i in enumerate(order[np.sort(first)][:10]):
        rows.append(("top", None, None, None, None, rank, int(at[i])))
    low, high = float(acts.min()), float(acts.max())
    bins = {"interval": np.linspace(low, high, 6), "quantile": np.quantile(acts, np.linspace(0, 1, 6))}
    for group, edges in bins.items():
        for lo, hi in itertools.pairwise(edges):
            inside = np.flatnonzero((acts >= lo) & (acts <= hi))
            share, mass = len(inside) / len(acts), float(acts[inside].sum() / acts.sum())
            for rank, i in enumerate(rng.choice(inside, min(3, len(inside)), replace=False)):
                rows.append((group, float(lo), float(hi), share, mass, rank, int(at[i])))
    groups = ["random active"] + ["most helpful", "most harmful"] * world.made.effects
    for group in groups:
        for rank, i in enumerate(rng.choice(len(at), min(5, len(at)), replace=False)):
            rows.append((group, None, None, None, None, rank, int(at[i])))
    return rows


def _effects(world: "World", features: np.ndarray, at: np.ndarray, own: np.ndarray, offsets: np.ndarray) -> pa.Table:
    """Zero before the chosen token, decaying noise from it on; one row for each (feature, pos)."""
    _, unique = np.unique(features * len(world.ids) + at, return_index=True)
    rng = np.random.default_rng([world.made.seed, 6, int(features[0]) if len(features) else 0])
    widths = np.diff(offsets)
    inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], widths) - np.repeat(own, widths)
    total = np.where(inside >= 1, rng.normal(0.05, 0.3, len(inside)) * 0.8 ** np.maximum(inside, 0), 0)
    direct = np.where(inside == 1, total * 0.4, 0)
    both = [pa.ListArray.from_arrays(offsets, pa.array(np.round(v, 4).astype(np.float32))) for v in (total, direct)]
    with_, without = rng.random(len(at)), rng.random(len(at))
    tokens, deltas = rng.integers(world.made.n_vocab, size=6 * len(at)), rng.random(6 * len(at))
    deltas[3 * len(at) :] *= -1
    fields = [pa.array(tokens.astype(np.uint32)), pa.array(deltas.astype(np.float32))]
    pairs = pa.StructArray.from_arrays(fields, ["token", "delta"])
    threes = np.arange(0, 3 * len(at) + 1, 3, dtype=np.int32)
    up, down = (pa.ListArray.from_arrays(pa.array(threes + shift), pairs) for shift in (0, 3 * len(at)))
    columns = [
        pa.array(features.astype(np.uint32)), pa.array(at.astype(np.uint32)), *both,
        pa.array(with_.astype(np.float32)), pa.array(without.astype(np.float32)), up, down,
    ]  # fmt: skip
    return pa.table(columns, names=EFFECTS.names).take(pa.array(unique)).cast(EFFECTS)

"""A feature table made up: any number of features and tokens, seeded, with answers that are known.

    make_table(folder, Made(n_features=60, n_tokens=4000))           a table folder
    python tests/features/made_tables.py FOLDER 16384 10000000 32    the same for measurements, as a run

Known answers: feature PLANTED fires exactly on token PLANTED_TOKEN, with activation 2 at the first of
them, and has the largest importance; DENSE fires on a third of all tokens; RARE on four; every feature
whose number ends as DEAD_EVERY says is dead. Feature f of a table with `shift` s fires where feature
f - s of the table without fires. The vocabulary holds markup, and a character cut into two tokens.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

PLANTED, DENSE, RARE, DEAD_EVERY = 1, 3, 5, 23
PLANTED_TOKEN, HALVES, WHOLE = 7, (10, 11), "€"
ROW_GROUP = 122_880
BEFORE, AFTER = 12, 8
N_BINS, N_POSITIONS = 24, 16

NASTY = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    '" onmouseover="alert(3)',
    "\x00\x1b",
    "\u202e\u2066",
    "שלום",
    "👩\u200d👩\u200d👧",
    "\r\n\t   x",
    "{{ 7 * 7 }}",
    "]]>&lt;",
)
WORDS = (
    "the", "of", "a", "def", "self", "return", "class", "import", "none", "true", "if", "else", "for", "in", "not",
    "and", "or", "is", "with", "as", "from", "raise", "try",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What to make. `control` adds a control's features; `effects` the loss effects."""

    n_features: int = 60
    n_tokens: int = 4096
    context: int = 64
    l0: float = 6.0
    n_vocab: int = 200
    seed: int = 0
    shift: int = 0
    control: bool = True
    effects: bool = True
    other: str = ""


def vocabulary(n: int) -> list[str]:
    """Texts of the tokens, each alone: half a character is U+FFFD."""
    texts = ["<|bos|>", "<|pad|>", *NASTY[:5], " planted", ",", ".", "\ufffd", "\ufffd", *NASTY[5:]]
    texts += [f" {word}" for word in WORDS] + list(WORDS)
    return (texts + [f"w{i}" for i in range(n)])[:n]


class World:
    """Tokens, documents, and where every feature fires."""

    def __init__(self, made: Made) -> None:
        self.made, rng = made, np.random.default_rng(made.seed)
        n_blocks = max(2, made.n_tokens // made.context)
        n = n_blocks * made.context
        self.texts = vocabulary(made.n_vocab)
        weights = 1 / (np.arange(made.n_vocab) + 3.0)
        weights[[0, 1, *HALVES]] = 0
        self.ids = rng.choice(made.n_vocab, n, p=weights / weights.sum()).astype(np.int32)
        self.ids[5 : n - 1 : 97], self.ids[6:n:97] = HALVES
        self.mask = np.zeros(n, np.uint8)
        self.mask[:: made.context] = 1
        self.mask[-5:] = 2
        self.ids[self.mask == 1], self.ids[self.mask == 2] = 0, 1
        cuts = np.sort(rng.choice(n, max(2, n // 500), replace=False))
        self.document = np.searchsorted(cuts, np.arange(n), side="right").astype(np.int32)
        self.document[self.mask == 2] = -1
        self.rates = _rates(made, n, rng)
        self.scales = np.exp(rng.normal(0.5, 0.6, made.n_features))

    def fires(self, feature: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions and activations of a feature, in order of position."""
        made, n = self.made, len(self.ids)
        source = (feature - made.shift) % made.n_features
        rng = np.random.default_rng([made.seed, 1, source])
        if source == PLANTED:
            at = np.flatnonzero(self.ids == PLANTED_TOKEN)
            return at.astype(np.uint32), np.linspace(2, 1, len(at), dtype=np.float32)
        wanted = 4 if source == RARE else round(self.rates[source] * n)
        if not wanted:
            return np.zeros(0, np.uint32), np.zeros(0, np.float32)
        at = np.unique(((np.arange(wanted) + rng.random(wanted)) * (n / wanted)).astype(np.int64))
        at = at[self.mask[at] == 0]
        acts = self.scales[source] * (0.05 + rng.exponential(1.0, len(at)))
        return at.astype(np.uint32), acts.astype(np.float32)

    def window_texts(self) -> list[str]:
        """The vocabulary as it reads in context: a cut character stands at its last token."""
        texts = list(self.texts)
        texts[HALVES[0]], texts[HALVES[1]] = "", WHOLE
        return texts


def _rates(made: Made, n: int, rng: np.random.Generator) -> np.ndarray:
    rates = 10 ** rng.uniform(np.log10(20 / n), -0.7, made.n_features)
    for _ in range(8):  # the cap keeps some of the sum back: scale again
        rates = np.minimum(rates * (made.l0 / rates.sum()), 0.3)
    rates[DENSE] = 0.35
    rates[DEAD_EVERY - 1 :: DEAD_EVERY] = 0
    return rates


def make_table(folder: Path, made: Made | None = None, name: str = "") -> World:
    """Write a whole table folder; returns the world it describes."""
    made = made or Made()
    world = World(made)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (-1, made.context)
    tokens = {"ids": world.ids, "document": world.document, "mask": world.mask}
    save_file({key: value.reshape(shape) for key, value in tokens.items()}, folder / "tokens.safetensors")
    _write(folder / "text.parquet", {"token": _u32(np.arange(made.n_vocab)), "text": pa.array(world.texts)})
    in_context = np.array(world.window_texts(), dtype=object)[world.ids].reshape(shape).tolist()
    _write(folder / "contexts.parquet", {"block": _u32(np.arange(len(in_context))), "texts": pa.array(in_context)})
    _documents(folder, world)
    rows = _features(folder, world)
    _neighbours(folder, world)
    if made.control:
        (folder / "control").mkdir(exist_ok=True)
        _control(folder / "control" / "features.parquet", rows)
    _sorted_by_position(folder)
    usable = int((world.mask == 0).sum())
    write_manifest(folder, world, name or folder.name, usable)
    return world


def write_manifest(folder: Path, world: World, name: str, n_tokens: int, **changes: Any) -> None:
    """table.json, with any of its values changed."""
    made = world.made
    manifest = {
        "format": 1, "state": "done", "stage": "done", "done": 1, "total": 1, "dictionary": name,
        "architecture": "batchtopk", "n_features": made.n_features, "d_in": 128, "d_out": 128,
        "reads": ["resid_post.2"], "writes": ["resid_post.2"], "model_fingerprint": "a" * 16,
        "corpus_fingerprint": "b" * 16, "dictionary_fingerprint": f"{made.shift:016d}", "n_tokens": n_tokens,
        "n_documents": int(world.document.max()) + 1, "context": made.context,
        "n_dead": sum(len(world.fires(f)[0]) == 0 for f in range(made.n_features)),
        "groups": ["top", "interval", "quantile", "random active", "random inactive", "most helpful", "most harmful"],
        "effects": {"total": "", "direct": "", "attr": ""}, "config": asdict(made),
        "findings": [
            {"name": "importance", "value": 0.031, "control": 0.002, "control_is": "random direction of equal norm",
             "low": 0.028, "high": 0.034, "n": 64, "unit": "documents"}
        ],
    }  # fmt: skip
    if not made.effects:
        manifest["effects"] = dict.fromkeys(("total", "direct", "attr"), "the site is after the last layer")
    (folder / "table.json").write_text(json.dumps({**manifest, **changes}, indent=1))


def make_run(run: Path, tables: dict[str, Made]) -> dict[str, World]:
    """A run directory with a table for each name."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "provenance.json").write_text("{}")
    return {name: make_table(run / "features" / name, made, name) for name, made in tables.items()}


def _documents(folder: Path, world: World) -> None:
    found, starts = np.unique(world.document, return_index=True)
    starts, found = starts[found >= 0], found[found >= 0]
    counts = np.bincount(world.document[(world.document >= 0) & (world.mask == 0)], minlength=len(found))
    names = [f"lib/{d:04d}<b>.py" if d % 5 == 0 else f"lib/module_{d:04d}.py" for d in found]
    columns = {"document": _u32(found), "name": pa.array(names), "start_pos": pa.array(starts.astype(np.uint64))}
    _write(folder / "documents.parquet", {**columns, "n_tokens": _u32(counts)})


def _features(folder: Path, world: World) -> list[dict[str, Any]]:
    """acts, features, lists, examples and effects, a chunk of features at a time."""
    from features.made_examples import examples_of  # beside this file

    schema = pa.schema([("feature", pa.uint32()), ("pos", pa.uint32()), ("act", pa.float32())])
    encodings = {"feature": "DELTA_BINARY_PACKED", "pos": "DELTA_BINARY_PACKED", "act": "BYTE_STREAM_SPLIT"}
    options = {"compression": "zstd", "use_dictionary": False, "column_encoding": encodings}
    rows: list[dict[str, Any]] = []
    writers: dict[str, pq.ParquetWriter] = {}
    with pq.ParquetWriter(folder / "acts.parquet", schema, **options) as acts:
        for first in range(0, world.made.n_features, 256):
            features = range(first, min(first + 256, world.made.n_features))
            fired = {feature: world.fires(feature) for feature in features}
            numbers = np.repeat(np.array(features, np.uint32), [len(at) for at, _ in fired.values()])
            columns = [numbers, *(np.concatenate([pair[i] for pair in fired.values()]) for i in (0, 1))]
            acts.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)
            chunk = [_row(world, feature, *pair) for feature, pair in fired.items()]
            rows.extend(chunk)
            tables = {"lists": _lists(world, fired), **examples_of(world, fired)}
            for name, table in tables.items():
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema, compression="zstd")
                writers[name].write_table(table)
    for writer in writers.values():
        writer.close()
    pq.write_table(pa.Table.from_pylist(rows, FEATURES), folder / "features.parquet", compression="zstd")
    return rows


F32, F64, U32 = pa.float32(), pa.float64(), pa.uint32()
FEATURES = pa.schema(
    [("feature", U32), ("n_active", pa.uint64()), ("frequency", F64), ("n_documents", U32), ("mean_act", F32),
     ("max_act", F32), ("importance_attr", F64), ("importance_attr_se", F64), ("importance_total", F64),
     ("importance_total_se", F64), ("n_total_documents", U32), ("given_fires", F64), ("helped", F32), ("hurt", F32),
     ("importance_direct", F64), ("importance_direct_se", F64), ("random_total", F64), ("enc_norm", F32),
     ("dec_norm", F32), ("enc_dec_cosine", F32), ("top_token", U32), ("top_token_share", F32),
     ("floor_text", pa.string()), ("floor_r", F32), ("floor_f1", F32), ("foretells", F32), ("neighbour", U32),
     ("neighbour_cosine", F32), ("is_dead", pa.bool_()), ("is_dense", pa.bool_())]
)  # fmt: skip


def _row(world: World, feature: int, at: np.ndarray, acts: np.ndarray) -> dict[str, Any]:
    made = world.made
    rng = np.random.default_rng([made.seed, 2, feature])
    n_tokens = int((world.mask == 0).sum())
    frequency = len(at) / n_tokens
    counts = np.bincount(world.ids[at], minlength=made.n_vocab)
    top = int(counts.argmax())
    given = rng.normal(0.02, 0.03)
    attr = 1.0 if feature == PLANTED else frequency * given
    measured = made.effects and feature % 2 == 1 and len(at) > 0
    total = attr * rng.normal(1.0, 0.2) if feature != PLANTED else 1.5
    alive, effects = len(at) > 0, made.effects and len(at) > 0
    return {
        "feature": feature, "n_active": len(at), "frequency": frequency,
        "n_documents": len(np.unique(world.document[at])), "mean_act": float(acts.mean()) if alive else None,
        "max_act": float(acts.max()) if alive else 0.0, "importance_attr": attr if effects else None,
        "importance_attr_se": abs(attr) / 7 if effects else None, "importance_total": total if measured else None,
        "importance_total_se": abs(total) / 5 if measured else None, "n_total_documents": 64 if measured else 0,
        "given_fires": (total if measured else attr) / frequency if effects else None,
        "helped": float(rng.uniform(0.4, 0.7)) if measured else None, "hurt": 0.25 if measured else None,
        "importance_direct": attr * 0.3 if effects else None,
        "importance_direct_se": abs(attr) / 9 if effects else None,
        "random_total": float(rng.normal(0, 1e-5)) if measured else None, "enc_norm": float(rng.uniform(0.5, 2)),
        "dec_norm": 1.0, "enc_dec_cosine": float(rng.uniform(0.2, 0.95)), "top_token": top,
        "top_token_share": float(counts[top] / len(at)) if alive else 0.0,
        "floor_text": f"{world.texts[top]!r}" if alive else "", "floor_r": float(rng.uniform(0, 1)) if alive else None,
        "floor_f1": float(rng.uniform(0, 1)) if alive else None, "foretells": float(rng.normal(0.1, 0.1)),
        "neighbour": (feature + 1) % made.n_features, "neighbour_cosine": float(rng.uniform(0.1, 0.9)),
        "is_dead": not alive, "is_dense": frequency > 0.1,
    }  # fmt: skip


def _lists(world: World, fired: dict[int, tuple[np.ndarray, np.ndarray]]) -> pa.Table:
    made, rows = world.made, []
    for feature, (at, acts) in fired.items():
        rng = np.random.default_rng([made.seed, 3, feature])
        low, high = (float(acts.min()), float(acts.max())) if len(acts) else (0.0, 0.0)
        edges = np.geomspace(low, high, N_BINS + 1) if 0 < low < high else None
        counts = np.histogram(np.clip(acts, low, high), edges)[0] if edges is not None else np.zeros(N_BINS, int)
        tokens, effects = rng.choice(made.n_vocab, 20, replace=False), np.sort(rng.normal(0, 1, 20))
        logits = [{"token": int(t), "effect": float(e)} for t, e in zip(tokens, effects, strict=True)]
        positions = np.bincount(at % made.context * N_POSITIONS // made.context, minlength=N_POSITIONS)
        spread = np.histogram(rng.normal(0, 0.4, made.n_vocab), 40, (-2, 2))[0]
        rows.append(
            {"feature": feature, "hist_counts": counts.tolist(), "hist_low": low, "hist_high": high,
             "by_position": positions.tolist(), "top_logits": logits[:9:-1], "bottom_logits": logits[:10],
             "logit_hist": spread.tolist(), "logit_low": -2.0, "logit_high": 2.0}
        )  # fmt: skip
    logit = pa.list_(pa.struct([("token", U32), ("effect", F32)]))
    counts = pa.list_(U32)
    schema = pa.schema(
        [("feature", U32), ("hist_counts", counts), ("hist_low", F32), ("hist_high", F32), ("by_position", counts),
         ("top_logits", logit), ("bottom_logits", logit), ("logit_hist", counts), ("logit_low", F32),
         ("logit_high", F32)]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


def _neighbours(folder: Path, world: World) -> None:
    made, rows = world.made, []
    for feature in range(made.n_features):
        rng = np.random.default_rng([made.seed, 4, feature])
        for kind in ("decoder", "encoder", "coactivation", "logit"):
            values = np.sort(rng.uniform(0.05, 0.95, 5))[::-1]
            for rank, value in enumerate(values):
                rows.append((feature, kind, rank, int(rng.integers(made.n_features)), float(value), ""))
        if made.other:
            value = 0.2 if feature % 10 == 0 else float(rng.uniform(0.6, 1.0))
            rows.append((feature, "decoder", 0, (feature - made.shift) % made.n_features, value, made.other))
    names = ("feature", "kind", "rank", "other", "value", "dictionary")
    types = (U32, pa.string(), pa.uint8(), U32, F32, pa.string())
    columns = zip(names, types, zip(*rows, strict=True), strict=True)
    _write(folder / "neighbours.parquet", {name: pa.array(values, kind) for name, kind, values in columns})


def _control(path: Path, rows: list[dict[str, Any]]) -> None:
    halved = [{**row, "importance_attr": (row["importance_attr"] or 0) / 50, "importance_total": None} for row in rows]
    pq.write_table(pa.Table.from_pylist(halved, FEATURES), path, compression="zstd")


def _sorted_by_position(folder: Path) -> None:
    """acts_by_pos.parquet: a sort outside of memory."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "3GB", "temp_directory": str(folder / ".sort")}) as db:
        db.execute(
            f"COPY (SELECT pos, feature, act FROM read_parquet('{folder}/acts.parquet') ORDER BY pos, feature) "
            f"TO '{folder}/acts_by_pos.parquet' (COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP})"
        )


def _write(path: Path, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd")


def _u32(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.uint32))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from features import made_tables

    out, n_features, n_tokens, l0 = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    big = made_tables.Made(n_features, n_tokens, 128, float(l0), 4096)
    shifted = made_tables.Made(n_features, n_tokens, 128, float(l0), 4096, shift=1, other="first")
    made_tables.make_run(out, {"first": big, "second": shifted} if "--two" in sys.argv else {"first": big})

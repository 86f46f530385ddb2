"""Speed and memory against the number of features, and seconds against tokens, with a plot.

    python benchmarks/scaling.py --plot scaling.svg

One contender at a time: at 131,072 features the dense ones take most of a machine's memory each. A point that
would take longer than `seconds`, or more memory than there is, going by half as many features, is not
begun: it is named and left out, and so are the larger ones.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder


from benchmarks.activations import Files, prepare
from benchmarks.command import run
from benchmarks.contenders import DENSE, Contender, chosen, timed
from benchmarks.plot import Panel, svg
from benchmarks.race import Race, Record, installed, say
from benchmarks.rounds import ratios, summary
from benchmarks.tables import TrainingRow, machine, number, table, versions, write_rows

CONTENDERS = (
    "floor_f32",
    "topk",
    "batchtopk",
    "l1",
    "saelens_topk",
    "saelens_batchtopk",
    "dictionary_learning_topk",
    "sparsify_topk",
)
STEADY = 0.8
"""The share of the memory that is free which a point may be expected to fill."""


@dataclass(frozen=True)
class ScalingConfig:
    """Powers of two from `min` to `max` features, `rounds` of `steps` steps each after `warmup` steps; then, at
    `line` features, eight times as many rounds in a row for seconds against tokens. seconds: at most, for a point."""

    contenders: tuple[str, ...] = CONTENDERS
    min: int = 1024
    max: int = 131_072
    line: int = 4096
    rounds: int = 3
    steps: int = 2
    warmup: int = 3
    seconds: float = 300.0
    batch: int = 4096
    d_in: int = 512
    json: Path | None = None
    plot: Path | None = None


Point = tuple[str, int]
"""A contender's name and a number of features."""


def main(config: ScalingConfig) -> int:
    """Run the benchmark; 0, or 1 when a worker died."""
    contenders = installed(chosen(config.contenders))
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        files = prepare(Path(folder), config.batch * 8, 256, config.d_in, seed=0)
        points, left_out = sizes(contenders, files, config, failures)
        lines = {c.name: lengths(c, files, config, failures) for c in contenders if c.learns}
    rows = training_rows(points)
    print(markdown(rows, left_out, contenders), end="")
    if config.json:
        write_rows(config.json, rows)
    if config.plot:
        config.plot.write_text(svg(panels(rows, lines, config)), encoding="utf-8")
    return 1 if failures else 0


def sizes(
    contenders: Sequence[Contender], files: Files, config: ScalingConfig, failures: list[str]
) -> tuple[dict[Point, Record], list[str]]:
    """What was measured, and what was left out, in words."""
    points: dict[Point, Record] = {}
    left_out: list[str] = []
    for contender in contenders:
        for n_features in powers(config.min, config.max):
            why = too_much(points.get((contender.name, n_features // 2)), config)
            record = None if why else run_one(contender, n_features, config.rounds, files, config, failures)
            if record is None:
                left_out.append(f"{contender.name} from {n_features:,} features on: {why or failures[-1]}")
                say(left_out[-1])
                break
            points[contender.name, n_features] = record
    return points, left_out


def powers(low: int, high: int) -> Iterator[int]:
    """low, 2 low, 4 low, ... up to high."""
    while low <= high:
        yield low
        low *= 2


def too_much(half: Record | None, config: ScalingConfig) -> str:
    """Why twice the features of `half` would be too much; nothing when they would not, or nothing is known."""
    if half is None:
        return ""
    seconds = 2 * (config.warmup + config.rounds * config.steps) * config.batch / summary(half.speeds).median
    if seconds > config.seconds:
        return f"it would take {seconds:.0f} s, and {config.seconds:.0f} are allowed (--seconds)"
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20
    if half.peak_mb is not None and 2 * half.peak_mb > STEADY * free:
        return f"it would take {2 * half.peak_mb:,.0f} MB, and {free:,.0f} are free"
    return ""


def run_one(
    contender: Contender, n_features: int, rounds: int, files: Files, config: ScalingConfig, failures: list[str]
) -> Record | None:
    """The record of `rounds` rounds; None when the worker died."""
    say(f"{contender.name}: {n_features:,} features")
    numbers = {"n_features": n_features, "k": 32, "batch": config.batch, "threads": os.cpu_count() or 1, "seed": 0}
    with Race(files, {**numbers, "steps": config.warmup + rounds * config.steps}) as race:
        race.enter(timed(contender), config.warmup)
        for _ in range(rounds):
            race.round(config.steps)
    failures += race.failures
    return race.records.get(contender.name)


def lengths(
    contender: Contender, files: Files, config: ScalingConfig, failures: list[str]
) -> list[tuple[float, float]]:
    """Tokens so far and seconds so far, after each round of one long run."""
    record = run_one(contender, config.line, 8 * config.rounds, files, config, failures)
    tokens = config.steps * config.batch
    points, seconds = [], 0.0
    for i, speed in enumerate(record.speeds if record else []):
        seconds += tokens / speed
        points.append((float((i + 1) * tokens), seconds))
    return points


def training_rows(points: dict[Point, Record]) -> list[TrainingRow]:
    """One row a point; the ratio is to the dense reference's round of the same number."""
    rows = []
    for (name, n_features), record in points.items():
        dense = points.get((DENSE, n_features))
        ratio = ratios({name: record.speeds, DENSE: dense.speeds}, DENSE)[name].median if dense else None
        speed = summary(record.speeds)
        told = (speed.median, ratio, record.peak_mb, None, speed.low, speed.high)
        rows.append(TrainingRow(f"{name}/{n_features}", *told))
    return rows


def panels(
    rows: Sequence[TrainingRow], lines: dict[str, list[tuple[float, float]]], config: ScalingConfig
) -> list[Panel]:
    speeds: dict[str, list[tuple[float, float]]] = {}
    memory: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        name, _, n_features = row.name.partition("/")
        assert row.tokens_per_second is not None
        speeds.setdefault(name, []).append((float(n_features), row.tokens_per_second))
        if row.peak_mb is not None and row.peak_mb > 0:
            memory.setdefault(name, []).append((float(n_features), row.peak_mb))
    return [
        Panel(title, x_title, even, drawn)
        for title, x_title, even, drawn in (
            ("tokens per second", "features", True, speeds),
            ("peak MB", "features", True, memory),
            (f"seconds, {config.line:,} features", "tokens", False, {k: v for k, v in lines.items() if v}),
        )
        if drawn
    ]


def markdown(rows: Sequence[TrainingRow], left_out: Sequence[str], contenders: Sequence[Contender]) -> str:
    body = []
    for row in rows:
        speed = f"{number(row.tokens_per_second)} ({number(row.low)} to {number(row.high)})"
        body.append([row.name, speed, number(row.ratio_to_dense), number(row.peak_mb)])
    told = table(["contender/features", "tokens/s (range)", "against dense", "peak MB"], body)
    missing = "".join(f"- {line}\n" for line in left_out)
    return f"{machine()}\n\n{versions(contenders)}\n\n{told}" + (f"\nLeft out:\n\n{missing}" if missing else "")


if __name__ == "__main__":
    sys.exit(run(main, ScalingConfig, __file__, __doc__))

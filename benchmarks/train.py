"""How fast dictionaries train: ours, others', the dense reference and the encoder alone, in one run.

    python benchmarks/train.py                          speed at 4,096 and 16,384 features, five rounds
    python benchmarks/train.py --quality                loss after equal tokens, five seeds
    python benchmarks/train.py --quality --seeds 1 --learning-rates 0.001 0.003 0.01

Every contender is a process of its own, in its own environment (`make peers-bench`), and trains with its
own trainer on the same rows; see docs/benchmarks.md.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

import tyro

from benchmarks.activations import Files, prepare, prepare_from
from benchmarks.command import run
from benchmarks.contenders import DENSE, Contender, chosen, timed
from benchmarks.race import Race, installed, say
from benchmarks.rounds import Summary, ratios, summary
from benchmarks.tables import TrainingRow, machine, number, table, versions, write_rows
from monosema.core.config import require


@dataclass(frozen=True)
class SizeConfig:
    """The task. activations: a safetensors file with one tensor [rows, d]; else rows are made, of `d_in`,
    with a mean of norm `offset` against the norm of a centred row."""

    n_features: tuple[int, ...] = (4096, 16384)
    d_in: int = 512
    k: int = 32
    batch: int = 4096
    threads: int = os.cpu_count() or 1
    activations: Path | None = None
    offset: float = 0.0
    held_out: int = 16_384


@dataclass(frozen=True)
class RoundConfig:
    """Speed: `rounds` of `steps` steps each, after `warmup` steps that are not counted."""

    rounds: int = 5
    steps: int = 4
    warmup: int = 30


@dataclass(frozen=True)
class QualityConfig:
    """Loss instead of speed: every contender trains on `rows` rows, once for each of `seeds` seeds; with
    `learning_rates` at each of these in place of its own. quality_batch: in place of `batch`, because so few rows
    would make too few steps."""

    quality: bool = False
    rows: int = 200_000
    quality_batch: int = 1024
    seeds: int = 5
    learning_rates: tuple[float, ...] = ()


@dataclass(frozen=True)
class BenchConfig:
    """contenders: by name; all that are installed by default. json, markdown: files to write."""

    size: SizeConfig = field(default_factory=SizeConfig)
    speed: RoundConfig = field(default_factory=RoundConfig)
    loss: QualityConfig = field(default_factory=QualityConfig)
    contenders: tuple[str, ...] = ()
    json: Path | None = None
    markdown: Path | None = None


@dataclass(frozen=True)
class Result:
    """What one contender did at one number of features; without speed, `loss` is a summary over seeds."""

    name: str
    n_features: int
    loss: Summary | None
    l0: float | None
    speed: Summary | None = None
    ratio: Summary | None = None
    peak_mb: float | None = None

    def row(self) -> TrainingRow:
        spread = self.speed or self.loss
        assert spread is not None
        return TrainingRow(
            name=f"{self.name}/{self.n_features}" if self.speed else f"loss/{self.name}/{self.n_features}",
            tokens_per_second=self.speed.median if self.speed else None,
            ratio_to_dense=self.ratio.median if self.ratio else None,
            peak_mb=self.peak_mb,
            loss=self.loss.median if self.loss else None,
            low=spread.low,
            high=spread.high,
        )


def main(config: BenchConfig) -> int:
    """Run the benchmark; 0, or 1 when a worker died."""
    contenders = installed(chosen(config.contenders))
    results: list[Result] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        files = prepared(Path(folder), config)
        for n_features in config.size.n_features:
            numbers = shared_numbers(config.size, n_features)
            if config.loss.quality:
                results += losses(contenders, files, numbers, config.loss, failures)
            else:
                results += speeds(contenders, files, numbers, config.speed, failures)
    text = markdown(results, config, contenders)
    print(text, end="")
    if config.markdown:
        config.markdown.write_text(text, encoding="utf-8")
    if config.json:
        write_rows(config.json, [result.row() for result in results])
    return 1 if failures else 0


def prepared(folder: Path, config: BenchConfig) -> Files:
    """The rows of the run. Timed steps go round and round; where a loss is measured each row is seen once."""
    size, speed = config.size, config.speed
    wanted = config.loss.rows if config.loss.quality else size.batch * (speed.warmup + speed.steps)
    if size.activations is None:
        return prepare(folder, max(wanted, size.batch), size.held_out, size.d_in, seed=0, offset=size.offset)
    files = prepare_from(folder, size.activations, size.held_out)
    enough = wanted if config.loss.quality else size.batch
    require(files.n_rows >= enough, f"{size.activations} leaves {files.n_rows:,} rows to train on: give {enough:,}")
    return files


def shared_numbers(size: SizeConfig, n_features: int) -> dict[str, Any]:
    """What every worker's task says, but for the rows, the steps and the seed."""
    return {"n_features": n_features, "k": size.k, "batch": size.batch, "threads": size.threads}


def speeds(
    contenders: Sequence[Contender], files: Files, numbers: dict[str, Any], config: RoundConfig, failures: list[str]
) -> list[Result]:
    """Rounds that alternate through the contenders."""
    steps = config.warmup + config.rounds * config.steps
    with Race(files, {**numbers, "steps": steps, "seed": 0}) as race:
        for contender in contenders:
            say(f"{numbers['n_features']:,} features: {contender.name} warms up")
            race.enter(timed(contender), config.warmup)
        for turn in range(config.rounds):
            say(f"{numbers['n_features']:,} features: round {turn + 1} of {config.rounds}")
            race.round(config.steps)
        race.finish()
    failures += race.failures
    records = race.records
    against = ratios({name: r.speeds for name, r in records.items()}, DENSE) if DENSE in records else {}
    results = []
    for name, record in records.items():
        loss = once(record.score["nmse"])
        speed = summary(record.speeds)
        told = (speed, against.get(name), record.peak_mb)
        results.append(Result(name, numbers["n_features"], loss, record.score["l0"], *told))
    return results


def losses(
    contenders: Sequence[Contender], files: Files, numbers: dict[str, Any], config: QualityConfig, failures: list[str]
) -> list[Result]:
    """Every contender trained on the same rows once for each seed, and measured on the same held-out rows."""
    numbers = {**numbers, "batch": config.quality_batch}
    steps = config.rows // config.quality_batch
    learners = [contender for contender in contenders if contender.learns]
    if config.learning_rates:
        learners = [contender.at(lr) for contender in learners for lr in config.learning_rates]
    scores: dict[str, list[dict[str, float | None]]] = {}
    for seed in range(config.seeds):
        for contender in learners:
            say(f"{numbers['n_features']:,} features, seed {seed}: {contender.name}")
            with Race(files, {**numbers, "steps": steps, "seed": seed}) as race:
                race.enter(contender, steps)
                race.finish()
            failures += race.failures
            scores.setdefault(contender.name, []).extend(record.score for record in race.records.values())
    return [
        Result(name, numbers["n_features"], over(rows, "nmse"), over(rows, "l0").median)
        for name, rows in scores.items()
        if rows
    ]


def once(value: float | None) -> Summary | None:
    """What was measured a single time, if it was."""
    return None if value is None else summary([value])


def over(scores: Sequence[dict[str, float | None]], key: str) -> Summary:
    """One score of every seed."""
    return summary([value for score in scores if (value := score[key]) is not None])


def markdown(results: Sequence[Result], config: BenchConfig, contenders: Sequence[Contender]) -> str:
    """A table for each number of features, and what a reader needs to repeat it."""
    size = config.size
    parts = [f"{machine()}; {size.threads} threads\n\n{versions(contenders)}\n\n"]
    parts.append(f"`{shlex.join(['python', 'benchmarks/train.py', *sys.argv[1:]])}`\n")
    for n_features in size.n_features:
        here = [result for result in results if result.n_features == n_features]
        parts.append(f"\n### {n_features:,} features, d_in {size.d_in}, batch {size.batch:,}, k {size.k}\n\n")
        parts.append(loss_table(here) if config.loss.quality else speed_table(here))
    return "".join(parts)


def speed_table(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        assert result.speed is not None
        speed = f"{number(result.speed.median)} ({number(result.speed.low)} to {number(result.speed.high)})"
        rows.append([result.name, speed, spread(result.ratio), number(result.peak_mb), *scores_of(result)])
    return table(["contender", "tokens/s (range)", "against dense", "peak MB", "loss", "L0"], rows)


def loss_table(results: Sequence[Result]) -> str:
    rows = [[result.name, spread(result.loss), number(result.l0)] for result in results]
    return table(["contender", "loss (range over seeds)", "L0"], rows)


def scores_of(result: Result) -> list[str]:
    return [number(result.loss.median if result.loss else None), number(result.l0)]


def spread(value: Summary | None) -> str:
    """The median, and the range where there is one."""
    if value is None:
        return "-"
    return f"{number(value.median)} ({number(value.low)} to {number(value.high)})"


if __name__ == "__main__":
    sys.exit(run(main, tyro.conf.OmitArgPrefixes[BenchConfig], __file__, __doc__))

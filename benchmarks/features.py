"""Feature tables and pages beside sae_vis and SAEDashboard: seconds and bytes per feature, and memory.

    python benchmarks/features.py               alternating rounds, peers in environments of their own
    python benchmarks/features.py --build       memory and time of a build of 16,384 features x 10 million tokens

All see the same model, dictionary and blocks of tokens, which are loaded before the clock starts. Time runs from the
tokens to the HTML file. Ours makes the table of all features, with the importance of each, then the single file;
the peers make `--peer-features` of them, since their time is the same for each 256.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder


from benchmarks.building import BuildSizeConfig, build_rows
from benchmarks.command import run
from benchmarks.contenders import OURS, Contender
from benchmarks.processes import Worker
from benchmarks.race import in_turn, installed
from benchmarks.rounds import ratios, summary
from benchmarks.subject import MadeOfConfig, prepare
from benchmarks.tables import ValueRow, machine, number, table, versions, write_rows
from benchmarks.workers.showing import ShowTask
from monosema.pipeline.demo import EMBEDDED_LM

NOTHING_BY_ABLATION = {"n_top": 0, "n_calibration": 0, "n_effects": 0}
SAE_VIS = Contender("sae_vis", "sae-vis", "sae_vis", None, {})
CONTENDERS = (
    SAE_VIS,
    Contender("saedashboard", "saedashboard", "saedashboard", None, {}),
    Contender("ours_first_order", OURS, "ours_pages", None, {"n_examples": 10, **NOTHING_BY_ABLATION}),
    Contender("ours", OURS, "ours_pages", None, {"n_examples": 10}),
    Contender("ours_all_effects", OURS, "ours_pages", None, {"n_examples": 10, "n_effects": 10}),
)
"""The peers show 70 windows of each feature: the 20 strongest and 5 of each of ten intervals. Ours shows 80: 10
strongest, 10 random, 5 of each of five intervals and four quantiles, 5 silent, 5 helpful, 5 harmful. All of ours have
the first-order importance of every feature with its error. `ours_first_order` says nothing else of the loss; `ours`,
the default, adds the exact importance of 64 features and exact effects on 3 windows of most features;
`ours_all_effects` has those on all 20 strongest, helpful and harmful."""


@dataclass(frozen=True)
class FeaturesBenchConfig:
    """peer_features: how many the peers show, 0 for all; subject: a folder that keeps the model's dictionary."""

    rounds: int = 5
    peer_features: int = 256
    before: int = 5
    after: int = 5
    threads: int = os.cpu_count() or 1
    contenders: tuple[str, ...] = tuple(c.name for c in CONTENDERS)
    subject: Path | None = None
    made_of: MadeOfConfig = field(default_factory=MadeOfConfig)
    build: bool = False
    size: BuildSizeConfig = field(default_factory=BuildSizeConfig)
    json: Path | None = None


@dataclass(frozen=True)
class Shown:
    """What one contender has shown: of each round the seconds and the processor's seconds, per feature; the
    last bytes and peak."""

    seconds: list[float]
    processor: list[float]
    bytes: float
    peak_mb: float | None


def main(config: FeaturesBenchConfig) -> int:
    contenders = [c for c in CONTENDERS if c.name in config.contenders]
    if config.build:
        rows, failures = build_rows(config.size), []
    else:
        contenders = installed(contenders)
        with _folder(config.subject) as folder:
            shown, failures = raced(contenders, prepare(folder, config.made_of), config)
        rows = rows_of(shown)
        print(f"{machine()}; {config.threads} threads; {versions(contenders)}\n")
    body = [[row.name, number(row.value), row.unit, number(row.ratio)] for row in rows]
    print(table(["", "value", "unit", "against sae_vis"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 1 if failures else 0


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def raced(
    contenders: list[Contender], subject: Path, config: FeaturesBenchConfig
) -> tuple[dict[str, Shown], list[str]]:
    """What every contender showed over the rounds; and what those said that died."""
    workers = {c.name: Worker(c, task_of(c, subject, config)) for c in contenders}
    answers, failures = in_turn(workers, config.rounds)
    return {name: _shown(of) for name, of in answers.items()}, failures


def _shown(answers: list[dict[str, Any]]) -> Shown:
    seconds, processor = ([answer[key] / answer["features"] for answer in answers] for key in ("seconds", "processor"))
    last = answers[-1]
    return Shown(seconds, processor, last["bytes"] / last["features"], last["peak_mb"])


def task_of(contender: Contender, subject: Path, config: FeaturesBenchConfig) -> ShowTask:
    """What a worker is told; the process sets the descriptor."""
    return ShowTask(
        model=str(EMBEDDED_LM.resolve()),
        subject=str(subject.resolve()),
        n_features=0 if contender.environment == OURS else config.peer_features,
        before=config.before,
        after=config.after,
        seed=config.made_of.seed,
        threads=config.threads,
        answers=-1,
        settings=contender.settings,
    )


def rows_of(shown: dict[str, Shown]) -> list[ValueRow]:
    """Seconds, bytes and memory. `ratio` is to sae_vis's, of times within each round: 0.1 is ten times as fast."""
    rows: list[ValueRow] = []
    reference = shown.get(SAE_VIS.name)
    for kind in ("seconds", "processor"):
        times = {name: getattr(found, kind) for name, found in shown.items()}
        against = ratios(times, SAE_VIS.name) if reference else {}
        for name, values in times.items():
            ratio = against[name].median if reference else None
            rows.append(ValueRow(f"{name}/{kind}", summary(values).median, "s/feature", ratio))
    for name, found in shown.items():
        size = found.bytes / reference.bytes if reference else None
        rows.append(ValueRow(f"{name}/bytes", found.bytes, "bytes/feature", size))
        if found.peak_mb is not None:
            peak = found.peak_mb / reference.peak_mb if reference and reference.peak_mb else None
            rows.append(ValueRow(f"{name}/peak", found.peak_mb, "MB", peak))
    return rows


if __name__ == "__main__":
    sys.exit(run(main, FeaturesBenchConfig, __file__, __doc__))

"""Toy models: the phase diagram, and stacks of models beside a loop and the layout that courses teach.

    python benchmarks/toys.py

phase     a diagram of cells x cells, every cell the best of some restarts, on exact losses: seconds, and how many cells
          are as theory says
stacks    64 models at once for so many steps of sampled batches; ratios to `loop` are taken within each round. The loss
          after equal steps is that of the last round, on rows that all share.
"""

import os
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

import torch

from benchmarks.command import run
from benchmarks.race import say
from benchmarks.rounds import ratios, summary
from benchmarks.stacks import CONTENDERS, Setting, loss_of
from benchmarks.tables import ValueRow, machine, number, table, write_rows
from monosema.toys.phase import phase_diagram
from monosema.toys.settings import PhaseGridConfig

REFERENCE = "loop"


@dataclass(frozen=True)
class ToysBenchConfig:
    """shapes: features and dimensions of the stacks."""

    rounds: int = 5
    steps: int = 100
    n_models: int = 64
    shapes: tuple[tuple[int, int], ...] = ((5, 2), (20, 5))
    phase: PhaseGridConfig = field(default_factory=PhaseGridConfig)
    threads: int = os.cpu_count() or 1
    json: Path | None = None


def main(config: ToysBenchConfig) -> int:
    torch.set_num_threads(config.threads)
    rows = phase_rows(config)
    for n, m in config.shapes:
        rows += stack_rows(Setting(n, m, config.n_models, config.steps), config.rounds)
    print(f"{machine()}; {config.threads} threads; torch {torch.__version__}\n")
    body = [[row.name, number(row.value), row.unit, number(row.ratio)] for row in rows]
    print(table(["", "value", "unit", f"times faster than {REFERENCE}"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 0


def phase_rows(config: ToysBenchConfig) -> list[ValueRow]:
    """Seconds by the clock and of the processor, and the share of cells as theory says."""
    phase_diagram(replace(config.phase, steps=2))
    wall, processor, agrees = [], [], 0.0
    for turn in range(config.rounds):
        start, used = time.perf_counter(), time.process_time()
        found = phase_diagram(config.phase)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        agrees = float(found.agrees.double().mean())
        say(f"round {turn + 1} of {config.rounds}: phase {wall[-1]:.2f} s")
    name = f"phase {config.phase.cells} x {config.phase.cells}, {config.phase.restarts} restarts"
    return [
        ValueRow(f"{name}/seconds", summary(wall).median, "s", None),
        ValueRow(f"{name}/processor", summary(processor).median, "s", None),
        ValueRow(f"{name}/as theory says", agrees, "of cells", None),
    ]


def stack_rows(setting: Setting, rounds: int) -> list[ValueRow]:
    """Time of a step of all models, and the loss after all steps."""
    for train in CONTENDERS.values():
        train(replace(setting, steps=2))
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    losses: dict[str, float] = {}
    for turn in range(rounds):
        for name, train in CONTENDERS.items():
            start = time.perf_counter()
            toys = train(setting)
            speeds[name].append(setting.steps / (time.perf_counter() - start))
            losses[name] = loss_of(toys, setting)
            say(f"round {turn + 1} of {rounds}: {setting.name} {name} {1000 / speeds[name][-1]:.2f} ms a step")
    against = ratios(speeds, REFERENCE)
    rows = []
    for name, values in speeds.items():
        of = f"{setting.name}, {setting.n_models} models/{name}"
        rows.append(ValueRow(f"{of}/step", 1000 / summary(values).median, "ms", against[name].median))
        rows.append(ValueRow(f"{of}/loss", losses[name], "mean squared error", None))
    return rows


if __name__ == "__main__":
    sys.exit(run(main, ToysBenchConfig, __file__, __doc__))

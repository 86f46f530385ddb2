"""Probes: CCS with all restarts at once beside the loop as it was published.

    python benchmarks/probes.py

published    one restart after the other: autograd, torch.optim.AdamW, 1000 full batches, lr 0.01, weight decay 0.01
adamw        the same steps, all restarts as one stack, gradients written out
lbfgs        `CCSConfig(ridge=0.0)`: what the published loop minimises, and nothing else
default      `CCSConfig()`, whose slight ridge costs loss and gains margin

All have the same pairs, float32, and keep the restart with the lowest loss; accuracies are on fresh pairs, of the
better sign. Ratios to `published` are taken within each round. benchmarks/leace.py has the erasers.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

import torch
from torch import Tensor

from benchmarks.command import run
from benchmarks.race import say
from benchmarks.rounds import ratios, summary
from benchmarks.tables import ValueRow, machine, number, table, write_rows
from monosema.core.config import require
from monosema.probes.data import Contrast
from monosema.probes.distractors import DistractorConfig, planted
from monosema.probes.fitting import fit
from monosema.probes.settings import CCSConfig

REFERENCE = "published"
LR, WEIGHT_DECAY = 0.01, 0.01


@dataclass(frozen=True)
class ProbesBenchConfig:
    """sizes: of what is true, against content of deviation 1 and noise of deviation 1: the larger, the easier."""

    rounds: int = 3
    pairs: int = 2000
    d: int = 512
    restarts: int = 10
    epochs: int = 1000
    sizes: tuple[float, ...] = (1.0, 2.0, 4.0)
    threads: int = os.cpu_count() or 1
    json: Path | None = None


@dataclass(frozen=True)
class Ended:
    """loss: of the restart that was kept, on the pairs it was fitted on. accuracy: on fresh pairs."""

    loss: float
    accuracy: float


Fit = Callable[[ProbesBenchConfig, Contrast, Contrast], Ended]


def published(config: ProbesBenchConfig, train: Contrast, test: Contrast) -> Ended:
    """The loop of Burns et al. (2022), each side less its mean. Its loss is taken before the last step, as there;
    the fresh pairs are normalised by their own means, as there."""
    x0, x1 = (x - x.mean(0, keepdim=True) for x in (train.x0, train.x1))
    best, kept = math.inf, torch.nn.Sequential()
    for _ in range(config.restarts):
        probe = torch.nn.Sequential(torch.nn.Linear(x0.shape[1], 1), torch.nn.Sigmoid())
        adam = torch.optim.AdamW(probe.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
        loss = torch.zeros(())
        for _ in range(config.epochs):
            p0, p1 = probe(x0), probe(x1)
            loss = (torch.min(p0, p1) ** 2).mean() + ((p0 - (1 - p1)) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        if loss.item() < best:
            best, kept = loss.item(), probe
    with torch.no_grad():
        p0, p1 = (kept(x - x.mean(0, keepdim=True))[:, 0] for x in (test.x0, test.x1))
    return Ended(best, _better_sign(0.5 * (p0 + 1 - p1) < 0.5, test.y))


def adamw(config: ProbesBenchConfig, train: Contrast, test: Contrast) -> Ended:
    return _ours(CCSConfig("adamw", config.restarts, config.epochs, LR, WEIGHT_DECAY), train, test)


def lbfgs(config: ProbesBenchConfig, train: Contrast, test: Contrast) -> Ended:
    return _ours(CCSConfig(restarts=config.restarts, ridge=0.0), train, test)


def default(config: ProbesBenchConfig, train: Contrast, test: Contrast) -> Ended:
    return _ours(CCSConfig(restarts=config.restarts), train, test)


CONTENDERS: dict[str, Fit] = {"published": published, "adamw": adamw, "lbfgs": lbfgs, "default": default}


def main(config: ProbesBenchConfig) -> int:
    require(bool(config.sizes), "give at least one size")
    torch.set_num_threads(config.threads)
    rows = [row for size in config.sizes for row in ccs_rows(config, size)]
    print(f"{machine()}; {config.threads} threads; torch {torch.__version__}\n")
    body = [[row.name, number(row.value), row.unit, number(row.ratio)] for row in rows]
    print(table(["", "value", "unit", f"times faster than {REFERENCE}"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 0


def ccs_rows(config: ProbesBenchConfig, size: float) -> list[ValueRow]:
    """Seconds of a fit, the loss it ends at (the highest of the rounds) and its accuracy (the mean)."""
    train, test = pairs(config, size)
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    ended: dict[str, list[Ended]] = {name: [] for name in CONTENDERS}
    for turn in range(config.rounds):
        torch.manual_seed(turn)
        for name, contender in CONTENDERS.items():
            start = time.perf_counter()
            ended[name].append(contender(config, train, test))
            speeds[name].append(1 / (time.perf_counter() - start))
            found = ended[name][-1]
            say(
                f"round {turn + 1} of {config.rounds}: size {size:g} {name} {1 / speeds[name][-1]:.2f} s, "
                f"loss {found.loss:.5f}, accuracy {found.accuracy:.3f}"
            )
    against = ratios(speeds, REFERENCE)
    rows = []
    for name, values in speeds.items():
        of = f"ccs, {config.pairs} pairs x {config.d}, {config.restarts} restarts, size {size:g}/{name}"
        accuracy = sum(end.accuracy for end in ended[name]) / config.rounds
        rows += [
            ValueRow(f"{of}/seconds", 1 / summary(values).median, "s", against[name].median),
            ValueRow(f"{of}/loss", max(end.loss for end in ended[name]), "loss of ccs", None),
            ValueRow(f"{of}/accuracy", accuracy, "of fresh pairs", None),
        ]
    return rows


def pairs(config: ProbesBenchConfig, size: float) -> tuple[Contrast, Contrast]:
    """Pairs to fit on and as many fresh ones, with nothing planted but the truth."""
    made = DistractorConfig(n=config.pairs, d=config.d, a=size, content=1.0, noise=1.0)
    data = planted(made, 1e-9, seed=0)[0]
    data = Contrast(data.x0.float(), data.x1.float(), data.y)
    rows = torch.arange(len(data))
    return data.take(rows[: config.pairs]), data.take(rows[config.pairs :])


def _ours(ccs: CCSConfig, train: Contrast, test: Contrast) -> Ended:
    probe = fit(ccs, train)
    return Ended(probe.loss, _better_sign(probe.predict(test) == 1, test.y))


def _better_sign(told: Tensor, y: Tensor) -> float:
    right = float((told.long() == y).double().mean())
    return max(right, 1 - right)


if __name__ == "__main__":
    sys.exit(run(main, ProbesBenchConfig, __file__, __doc__))

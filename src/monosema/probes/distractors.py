"""When does a method find a distractor instead of the truth?

    x1 = c_i + (t a v_t + h b v_h) + noise        x0 = c_i - (t a v_t + h b v_h) + noise        t, h = +1 or -1

Truth t and the distractor h are independent, v_t and v_h orthonormal, and c_i is what both completions of a statement
share. The ratio b / a is raised: a method without labels flips from truth to distractor where it passes 1, one with
labels of the truth does not. The distractor has to enter the difference of the sides: in c it fools neither.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.core.exhibits import Curves, Line
from monosema.core.findings import Finding, short
from monosema.core.seeding import generator
from monosema.probes.data import Contrast, Data
from monosema.probes.fitting import fit
from monosema.probes.probe import Probe
from monosema.probes.shares import share_of_rows
from monosema.probes.table import config_of


@dataclass(frozen=True)
class DistractorConfig:
    """ratios: of b to a. content, noise: deviations of c's entries and of the noise of each side. n pairs to fit on and
    as many fresh ones to measure on, in each of `seeds` draws."""

    methods: tuple[str, ...] = ("ccs", "crc", "vinc", "logistic", "mass_mean", "random")
    ratios: tuple[float, ...] = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
    n: int = 1000
    d: int = 32
    a: float = 2.0
    content: float = 1.0
    noise: float = 0.5
    seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        require(bool(self.methods) and bool(self.ratios), "a sweep needs methods and ratios: neither list may be empty")
        require(list(self.ratios) == sorted(set(self.ratios)), f"ratios must rise: {self.ratios}")
        require_range("lowest ratio", self.ratios[0], 0, open_low=True)
        require_range("n", self.n, 20)
        require_range("d", self.d, 2)
        require_range("a", self.a, 0, open_low=True)
        require_range("seeds", self.seeds, 1)
        for name in ("content", "noise"):
            require_range(name, getattr(self, name), 0)


def planted(config: DistractorConfig, ratio: float, seed: int) -> tuple[Contrast, Int64[Tensor, "n"]]:
    """2 n pairs labelled by the truth, and the distractor's labels. The same seed draws the same noise at every
    ratio."""
    drawn, n, d = generator(seed, "distractor"), 2 * config.n, config.d
    truth, other = (torch.randint(0, 2, (n,), generator=drawn) for _ in range(2))
    v = torch.linalg.qr(torch.randn(d, 2, generator=drawn, dtype=torch.float64)).Q
    signs = torch.stack([(2 * truth - 1) * config.a, (2 * other - 1) * config.a * ratio], 1).double()
    difference = signs @ v.T
    content = config.content * torch.randn(n, d, generator=drawn, dtype=torch.float64)
    noise = config.noise * torch.randn(2, n, d, generator=drawn, dtype=torch.float64)
    return Contrast(content - difference + noise[0], content + difference + noise[1], truth), other


@dataclass(frozen=True)
class Swept:
    """By method: accuracies on truth and distractor at each ratio, mean over the draws, and where the two cross
    (NaN where they do not)."""

    config: DistractorConfig
    truth: Mapping[str, tuple[float, ...]]
    distractor: Mapping[str, tuple[float, ...]]
    flips: Mapping[str, float]

    def curves(self) -> tuple[Curves, ...]:
        """A plot for each method: accuracy on truth and on the distractor against b / a."""
        return tuple(self._curves_of(method) for method in self.config.methods)

    def _curves_of(self, method: str) -> Curves:
        x, flip = self.config.ratios, self.flips[method]
        says = (
            f"{method} does not flip: the truth is {self.truth[method][-1]:.3f} at b/a = {short(x[-1])}."
            if math.isnan(flip)
            else f"{method} flips from truth to distractor at b/a = {flip:.2f}."
        )
        lines = (
            Line("truth", x, self.truth[method]),
            Line("distractor", x, self.distractor[method]),
            Line("chance", (x[0], x[-1]), (0.5, 0.5), role="control"),
        )
        return Curves(f"What {method} finds", says, "size of distractor / size of truth", "accuracy", lines, log_x=True)


def sweep_distractor(config: DistractorConfig) -> Swept:
    """Fit every method on the truth's labels at every ratio and measure on fresh pairs which of the two it found."""
    truth: dict[str, list[float]] = {method: [] for method in config.methods}
    distractor: dict[str, list[float]] = {method: [] for method in config.methods}
    for ratio in config.ratios:
        both: dict[str, list[Which]] = {method: [] for method in config.methods}
        for seed in range(config.seed, config.seed + config.seeds):
            data, other = planted(config, ratio, seed)
            rows = torch.arange(len(data))
            train, test = data.take(rows[: config.n]), data.take(rows[config.n :])
            for method in config.methods:
                probe = fit(config_of(method), train, seed)
                both[method].append(which(probe, test, other[config.n :]))
        for method, found in both.items():
            truth[method].append(sum(w.truth.value for w in found) / len(found))
            distractor[method].append(sum(w.distractor.value for w in found) / len(found))
    flips = {m: crossing(config.ratios, truth[m], distractor[m]) for m in config.methods}
    return Swept(config, _frozen(truth), _frozen(distractor), flips)


@dataclass(frozen=True)
class Which:
    """What a probe found, each beside the other: the share of rows it tells apart by truth and by the distractor, of
    the better sign. found: the larger, or neither where it is not above 1/2 by its interval."""

    truth: Finding
    distractor: Finding

    @property
    def found(self) -> str:
        first, second = self.truth, self.distractor
        best = first if first.value >= second.value else second
        return "neither" if best.low <= 0.5 else "truth" if best is first else "distractor"


def which(probe: Probe, data: Data, distractor: Tensor) -> Which:
    """Which of the two a fitted probe tells apart on `data`, on made or on a model's activations."""
    told = probe.predict(data)
    shares = []
    for y in (data.y, distractor):
        right = (told == data.relabelled(y).y).long()
        shares.append(1 - right if 2 * int(right.sum()) < len(right) else right)
    t, h = (float(hits.double().mean()) for hits in shares)
    return Which(
        share_of_rows(f"{probe.method} on truth, of the better sign", shares[0], data.groups, h, "on the distractor"),
        share_of_rows(f"{probe.method} on the distractor, of the better sign", shares[1], data.groups, t, "on truth"),
    )


def crossing(x: tuple[float, ...], first: list[float], second: list[float]) -> float:
    """Where `first` falls under `second`, between two points by a straight line in log x; NaN where it never does."""
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    for i in range(len(x) - 1):
        if gaps[i] > 0 >= gaps[i + 1]:
            share = gaps[i] / (gaps[i] - gaps[i + 1])
            return math.exp(math.log(x[i]) + share * (math.log(x[i + 1]) - math.log(x[i])))
    return math.nan


def _frozen(by_method: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {method: tuple(values) for method, values in by_method.items()}

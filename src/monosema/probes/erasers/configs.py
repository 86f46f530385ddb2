"""The settings of every eraser, of certificates and of the demonstration; no torch, so that a command can list them.

Three erasers in closed form share two settings:

    tolerance   canonical correlations with the labels up to this count as rounding. Sampling noise alone gives about
                sqrt(d / n), which is erased too: else class means would not be equal
    floor       least eigenvalue of the correlation matrix of x; directions that are narrower count as this wide, or
                as the rounding of the products, d * eps, where that is more. Guardedness does not depend on it, only
                the price
"""

from dataclasses import dataclass
from typing import ClassVar

from monosema.core.config import require_range

TOLERANCE = 1e-6
FLOOR = 1e-9


def _check(tolerance: float, floor: float) -> None:
    require_range("tolerance", tolerance, 0, 1)
    require_range("floor", floor, 0, 1, open_low=True)


@dataclass(frozen=True)
class LeaceConfig:
    """LEAst-squares Concept Erasure (Belrose et al. 2023): the least change, in mean square, of any affine one that
    leaves no linear probe better than a constant."""

    method: ClassVar[str] = "leace"
    tolerance: float = TOLERANCE
    floor: float = FLOOR

    def __post_init__(self) -> None:
        _check(self.tolerance, self.floor)


@dataclass(frozen=True)
class OrthConfig:
    """The orthogonal projection that makes class means equal and keeps the mean: LEACE with the covariance of x left
    out of account; it only decides what counts as correlated."""

    method: ClassVar[str] = "orth"
    tolerance: float = TOLERANCE
    floor: float = FLOOR

    def __post_init__(self) -> None:
        _check(self.tolerance, self.floor)


@dataclass(frozen=True)
class MeanDifferenceConfig:
    """x - (x.u) u, u = d/|d|, d the difference of the class means; with more classes, the span of all differences.
    As published it moves the mean."""

    method: ClassVar[str] = "mean_difference"
    tolerance: float = TOLERANCE
    floor: float = FLOOR

    def __post_init__(self) -> None:
        _check(self.tolerance, self.floor)


ClosedConfig = LeaceConfig | OrthConfig | MeanDifferenceConfig


@dataclass(frozen=True)
class InlpConfig:
    """Iterative null-space projection (Ravfogel et al. 2020): fit a logistic regression, project its directions out,
    and again, `steps` times or until it finds nothing. Departure: x' keeps the mean.

    ridge       strength of the penalty: cross-entropy + ridge / 2 |w|^2, on rows scaled to unit variance on average
    """

    method: ClassVar[str] = "inlp"
    steps: int = 8
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        require_range("steps", self.steps, 1)
        require_range("ridge", self.ridge, 0)


@dataclass(frozen=True)
class RandomEraserConfig:
    """The control: an orthogonal projection of `rank` directions drawn at random, which keeps the mean."""

    method: ClassVar[str] = "random"
    rank: int = 1

    def __post_init__(self) -> None:
        require_range("rank", self.rank, 0)


EraserConfig = LeaceConfig | OrthConfig | MeanDifferenceConfig | InlpConfig | RandomEraserConfig


@dataclass(frozen=True)
class CertificateConfig:
    """Which probes are refitted.

    ridge                             of the logistic regression
    neighbours                        of the vote among nearest neighbours
    hidden, steps, lr, mlp_seeds      of the MLP; its accuracy is the mean over the seeds
    """

    ridge: float = 1e-3
    neighbours: int = 15
    hidden: int = 64
    steps: int = 200
    lr: float = 0.003
    mlp_seeds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("ridge", self.ridge, 0)
        for name in ("neighbours", "hidden", "steps", "mlp_seeds"):
            require_range(name, getattr(self, name), 1)
        require_range("lr", self.lr, 0, open_low=True)


@dataclass(frozen=True)
class TwoPredictorsConfig:
    """rows: of each class and seed. sizes: the same, for the curve. ridge: of logistic regression. neighbours: of the
    look-up on new rows."""

    seeds: int = 20
    rows: int = 100
    sizes: tuple[int, ...] = (50, 100, 200, 500, 1000)
    ridge: float = 1e-3
    neighbours: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("seeds", self.seeds, 2)
        for n in (self.rows, *self.sizes):
            require_range("rows", n, 10)
        require_range("ridge", self.ridge, 0, open_low=True)
        require_range("neighbours", self.neighbours, 1)

"""Fit an eraser: from a stream where it has a closed form, from rows at hand where it has none.

ERASERS       method -> its config, the paper, whether a stream is enough
EraserFitter  update(x, z) for every batch, then result()
fit_eraser    one call on rows at hand, any method
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from monosema.core.config import require
from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.probes.erasers.closed import OracleEraser, closed, oracle
from monosema.probes.erasers.configs import (
    ClosedConfig,
    EraserConfig,
    InlpConfig,
    LeaceConfig,
    MeanDifferenceConfig,
    OrthConfig,
    RandomEraserConfig,
)
from monosema.probes.erasers.eraser import Eraser, orthogonal
from monosema.probes.erasers.moments import JointMoments, MomentFitter
from monosema.probes.erasers.regression import n_classes_of, regress

NOTHING = 1e-9
"""Coefficients of rows of unit variance that are no larger than this are rounding."""


@dataclass(frozen=True)
class EraserKind:
    """`streams` says whether moments are enough, so that EraserFitter takes it."""

    config: type
    paper: str
    streams: bool


ERASERS: dict[str, EraserKind] = {
    "leace": EraserKind(LeaceConfig, "Belrose et al. 2023, arXiv:2306.03819", True),
    "orth": EraserKind(OrthConfig, "Belrose et al. 2023, arXiv:2306.03819, as its code offers it", True),
    "mean_difference": EraserKind(MeanDifferenceConfig, "Marks & Tegmark 2023, arXiv:2310.06824", True),
    "inlp": EraserKind(InlpConfig, "Ravfogel et al. 2020, arXiv:2004.07667", False),
    "random": EraserKind(RandomEraserConfig, "the control of the others", False),
}
"""Every eraser by the name that `monosema erase --method` takes."""


@final
class EraserFitter:
    """An eraser of rows that need not be at hand at once.

        fitter = EraserFitter(d=768, k=2)
        for x, z in batches: fitter.update(x, z)
        eraser = fitter.result()

    k is the number of classes, or of columns of numbers. `dtype` is that of the products: MomentFitter.
    """

    def __init__(
        self,
        d: int,
        k: int,
        config: ClosedConfig = LeaceConfig(),  # noqa: B008 (it is frozen)
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self._moments = MomentFitter(d, k, dtype, device)

    def update(self, x: Float[Tensor, "batch d"], z: Shaped[Tensor, "labels"] | Shaped[Tensor, "labels k"]) -> None:
        """Take in rows and their labels. Raises DataError as MomentFitter.update does."""
        self._moments.update(x, z)

    def moments(self) -> JointMoments:
        """Means and covariances so far."""
        return self._moments.result()

    def result(self) -> Eraser:
        """The eraser of all rows so far. Raises DataError: fewer than two rows, or one class alone."""
        return closed(self.moments(), self.config)

    def oracle(self) -> OracleEraser:
        """The eraser that is told the labels when it is applied, of the same rows."""
        return oracle(self.moments())


def fit_eraser(
    config: EraserConfig,
    x: Float[Tensor, "n d"],
    z: Int64[Tensor, "labels"] | Float[Tensor, "labels k"],
    seed: int = 0,
) -> Eraser:
    """The eraser of these rows: labels are class numbers from 0 on, or k numbers a row (not for inlp). Products are of
    float64, since rows of a model often span fewer directions than they have numbers; EraserFitter's need not be.

    The same config, rows and seed give the same eraser; the seed matters to `random` alone. Raises DataError for one
    class alone, numbers that are not finite, shapes that do not fit.
    """
    if len(x) != len(z):
        raise DataError(f"{len(x)} rows came with {len(z)} labels: give one for each row")
    match config:
        case RandomEraserConfig():
            return random_eraser(x.double().mean(0), config.rank, seed)
        case InlpConfig():
            if z.ndim != 1:
                raise DataError("inlp fits classifiers: give one class number a row")
            return _inlp(config, x, z)
        case _:
            k = n_classes_of(z) if z.ndim == 1 else z.shape[1]
            fitter = EraserFitter(x.shape[1], k, config, torch.float64, x.device.type)
            fitter.update(x, z)
            return fitter.result()


def random_eraser(mean: Float[Tensor, "d"], rank: int, seed: int) -> Eraser:
    """Removes `rank` directions drawn evenly, about `mean`: the control of an eraser of that rank."""
    require(rank <= len(mean), f"rank is {rank}: rows have only {len(mean)} directions")
    draws = torch.randn(len(mean), rank, generator=generator(seed, "random eraser"), dtype=torch.float64)
    return orthogonal("random", mean.double(), draws.to(mean.device), (0.0,) * rank)


def _inlp(config: InlpConfig, x: Float[Tensor, "n d"], z: Int64[Tensor, "n"]) -> Eraser:
    if not bool(torch.isfinite(x).all()):
        raise DataError("there are numbers that are not finite among the rows: leave those rows out")
    rows = x.detach().to("cpu", torch.float64)
    labels, mean = z.cpu(), rows.mean(0)
    spread = (rows - mean).square().mean().sqrt()
    basis = torch.zeros(len(mean), 0, dtype=torch.float64)
    strengths: list[float] = []
    left = rows - mean
    for _ in range(config.steps):
        W = regress(left, labels, config.ridge).W * spread
        W = W - basis @ (basis.T @ W)
        directions, sizes, _ = torch.linalg.svd(W, full_matrices=False)
        keep = sizes > max(NOTHING, 1e-6 * float(sizes[0]))
        if not bool(keep.any()):
            break
        basis = torch.cat([basis, directions[:, keep]], 1)
        strengths += sizes[keep].tolist()
        left = (rows - mean) - ((rows - mean) @ basis) @ basis.T
    return orthogonal(config.method, mean, basis, tuple(strengths))

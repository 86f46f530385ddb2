"""What is subtracted from activations and what they are divided by, by name (see `settings`)."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.probes.settings import Normalisation


def is_transductive(normalisation: Normalisation) -> bool:
    """Whether the rows that are scored bring their own statistics."""
    return normalisation.startswith("transductive")


def statistics(
    sides: Float[Tensor, "side n d"], normalisation: Normalisation
) -> tuple[Float64[Tensor, "side d"], Float64[Tensor, "side d"]]:
    """What to subtract and what to divide by, for each side on its own.

    The deviation is the population's (divided by n). A coordinate that never changes is divided by 1.
    """
    rows = sides.double()
    n_sides, n, d = rows.shape
    one = torch.ones(n_sides, d, dtype=torch.float64, device=rows.device)
    if normalisation == "none":
        return torch.zeros_like(one), one
    if n < 2:
        raise DataError(f"normalisation {normalisation} takes statistics of the rows: give at least 2, not {n}")
    mean = rows.mean(1)
    if not normalisation.endswith("std"):
        return mean, one
    deviation = (rows - mean[:, None]).square().mean(1).sqrt()
    return mean, torch.where(deviation > 0, deviation, one)


def normalised(
    sides: Float[Tensor, "side n d"], shift: Float64[Tensor, "side d"], scale: Float64[Tensor, "side d"]
) -> Float64[Tensor, "side n d"]:
    return (sides.double() - shift[:, None]) / scale[:, None]

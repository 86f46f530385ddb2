"""Push a model along a probe: an Edit like any other."""

from typing import Literal

import torch
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.models.model import Edit
from monosema.probes.probe import Probe

Positions = Literal["all", "last"] | tuple[int, ...]


def steer(probe: Probe, site: str, alpha: float, positions: Positions = "all") -> Edit:
    """The edit that adds alpha * `probe.unit` at `site`: alpha is in the activations' own units, and what the score
    rises along. positions: all of the sequence, the last, or these (negative ones count from the end).

    What it does is for the caller to measure; beside it should stand `steer` of a random probe with the same alpha. The
    edit raises MismatchError where the site has another width.
    """
    unit = probe.unit

    def apply(x: Tensor) -> Tensor:
        if x.shape[-1] != len(unit) or x.ndim != 3:
            raise MismatchError(
                f"the probe was fitted on width {len(unit)} and {site} is {list(x.shape)}: steer where it was fitted"
            )
        push = (alpha * unit).to(x)
        if positions == "all":
            return x + push
        at = torch.tensor([-1] if positions == "last" else list(positions), device=x.device)
        if len(at) and not (-x.shape[1] <= int(at.min()) and int(at.max()) < x.shape[1]):
            raise MismatchError(f"positions {positions} are not in a sequence of {x.shape[1]} tokens")
        x[:, at] += push
        return x

    return Edit(site, apply)

"""Zeros added at sites, by which a pass can be differentiated there."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from monosema.models.model import Edit


def offsets(sites: Sequence[str]) -> tuple[list[Edit], dict[str, Tensor]]:
    """Edits that add a zero which asks for a gradient, and those zeros by site once a pass has gone through."""
    found: dict[str, Tensor] = {}

    def differentiated(site: str) -> Callable[[Tensor], Tensor]:
        def apply(x: Tensor) -> Tensor:
            found[site] = torch.zeros_like(x, requires_grad=True)
            return x + found[site]

        return apply

    return [Edit(site, differentiated(site)) for site in dict.fromkeys(sites)], found

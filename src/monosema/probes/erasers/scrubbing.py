"""Concept scrubbing (Belrose et al. 2023, section 6): erase at every site in turn, fitted on what those before leave.

    site 0    fitted on the model's activations
    site 1    fitted on activations of the model with site 0 erased
    ...

Erasing one layer alone is undone by the next, which computes the concept again from other tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from monosema.core.errors import DataError
from monosema.models.model import Model
from monosema.probes.erasers.configs import ClosedConfig, LeaceConfig
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import EraserFitter

LabelledTokens = tuple[Tensor, Tensor]
"""Tokens [batch, seq] and the class of each, int64; batch and seq may differ from one to the next."""


def scrub(
    model: Model,
    batches: Sequence[LabelledTokens],
    sites: Sequence[str],
    config: ClosedConfig = LeaceConfig(),  # noqa: B008 (it is frozen)
) -> dict[str, Eraser]:
    """An eraser for each of `sites`, in the order in which the model computes them; their edits together splice all of
    them in, at every position.

    batches   tokens [batch, seq] and the class of every token, below 0 where a position is not to be fitted on; a
              label of a whole text is given at its last position, or at all
    One pass over the batches for each site, up to that site. Raises DataError when no position has a label, or all
    have the same; SiteError for a site that the model does not have.
    """
    for tokens, z in batches:
        if tokens.shape != z.shape:
            raise DataError(f"tokens {list(tokens.shape)} came with labels {list(z.shape)}: give one for each token")
    labels = [z for _, z in batches]
    k = 1 + max((int(z.max()) for z in labels if z.numel()), default=-1)
    if k < 1:
        raise DataError("no position has a label of 0 or more: there is nothing to fit an eraser on")
    order = model.sites()
    found: dict[str, Eraser] = {}
    for site in sorted({model.resolve(site) for site in sites}, key=order.index):
        edits = [eraser.edit(name) for name, eraser in found.items()]
        fitter = EraserFitter(model.width(site), k, config, device=model.device.type)
        for tokens, z in batches:
            with torch.no_grad():
                rows = model.run(tokens, [site], edits)[site].flatten(2)
            chosen = (z >= 0).to(rows.device)
            fitter.update(rows[chosen], z.to(rows.device)[chosen])
        found[site] = fitter.result()
    return found

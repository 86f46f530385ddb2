"""The three effects of a feature on the loss. In all of them POSITIVE means that the feature helps.

    x the activation where the dictionary writes, A [batch, seq] the feature's activation, d its decoder
    row, R the last residual stream, N the model's own final norm, unembedding and soft cap, CE_p the
    loss of token p in nats

    direct[f, b, p]   CE_p(N(R_{p-1} - A_{p-1} d)) - CE_p(N(R_{p-1}))
    total[f, b, p]    CE_p(the model with x <- x - A d at every position) - CE_p(the model)
    attr[f, b, q]     -A_q <gradient at x_q of the sum over p of CE_p, d>

`direct` is one position's own path to the logits; `total` everything that the model makes of the
feature; `attr` the first-order estimate of `total`, of every feature from one forward and one backward
pass (attribution patching: Nanda 2023; Syed, Rager and Conmy 2023, arXiv:2310.10348).

Activations are those of usable positions: at a BOS and at padding nothing is taken off. The
reconstruction error stays. What an architecture selects (TopK, BatchTopK) is not selected again: the
feature's own contribution goes and nothing comes in its place. A transcoder's and a crosscoder's
contribution goes from the sites that they write. Losses are those of `counted_tokens`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from monosema.core.errors import ConfigError, DataError
from monosema.dictionaries.codes import SparseCodes
from monosema.features.effects.gradients import Sensitivity, contributions, sensitivity
from monosema.features.effects.scene import Readout, Route, Scene
from monosema.features.effects.subjects import (
    Blocks,
    Dictionary,
    Model,
    require_direct_effect,
    require_loss_effect,
)
from monosema.features.reading import Part, columns

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Blocks of some pairs, their activations and directions, to effects."""

TOKENS_AT_ONCE = 4096
"""Tokens in one pass: features times blocks times positions."""


def total(
    model: Model, dictionary: Dictionary, blocks: Blocks, features: Int64[Tensor, "feature"]
) -> Float[Tensor, "feature batch seq"]:
    """By how much the loss of each token rises when a feature's contribution is taken off everywhere,
    nats; 0 at tokens whose loss does not count.

    Exact: the model is run again for every block in which the feature fires, from the layer it is
    written into. Raises SiteError where the effect is not defined.
    """
    require_loss_effect(dictionary.writes)
    scene, acts = _scene(model, dictionary, blocks, features)
    return _of_pairs(acts, dictionary.W_dec[features.to(dictionary.W_dec.device)], model.device, scene.total)


def direct(
    model: Model,
    dictionary: Dictionary,
    blocks: Blocks,
    features: Int64[Tensor, "feature"],
    readout: Readout | None = None,
) -> Float[Tensor, "feature batch seq"]:
    """By how much the loss of each token rises when a feature's contribution is taken off the last
    residual stream at the position before it, nats.

    `readout` stands for N; by default it is the model's own. Raises SiteError for a dictionary that
    does not write one site of the residual stream.
    """
    require_direct_effect(dictionary.writes)
    scene, acts = _scene(model, dictionary, blocks, features)

    def measure(block: Tensor, a: Tensor, d: Tensor) -> Tensor:
        return scene.direct(block, a, d, readout)

    return _of_pairs(acts, dictionary.W_dec[features.to(dictionary.W_dec.device)], model.device, measure)


@dataclass(frozen=True)
class Attribution:
    """The first-order effect of every activation in some blocks.

    codes    what fires at the usable positions, row after row
    effects  of each entry, nats
    block    of each row
    """

    codes: SparseCodes
    effects: Float32[Tensor, "nnz"]
    block: Int64[Tensor, "row"]
    n_blocks: int

    def by_block(self) -> Float[Tensor, "feature batch"]:
        """attr[f, b], summed over positions."""
        sums = torch.zeros(self.codes.n_features * self.n_blocks, dtype=torch.float64)
        places = self.codes.indices * self.n_blocks + self.block[self.codes.rows()]
        return sums.index_add_(0, places, self.effects.double()).view(self.codes.n_features, self.n_blocks)


def attr(model: Model, dictionary: Dictionary, blocks: Blocks) -> Attribution:
    """The effect of every feature at every position to first order, from one forward and one backward pass.

    Raises SiteError where the effect is not defined.
    """
    require_loss_effect(dictionary.writes)
    found: Sensitivity = sensitivity(model, blocks, dictionary.reads, dictionary.writes)
    codes = found.part.codes(dictionary)
    effects = contributions(dictionary, codes, found.gradients)
    return Attribution(codes, effects, found.part.where[:, 0], len(blocks.tokens))


def _scene(
    model: Model, dictionary: Dictionary, blocks: Blocks, features: Int64[Tensor, "feature"]
) -> tuple[Scene, Float[Tensor, "feature batch seq"]]:
    """The clean pass, and the activations of the features at every position."""
    if len(features) and not 0 <= int(features.min()) <= int(features.max()) < dictionary.n_features:
        wrong = int(features.max()) if int(features.max()) >= dictionary.n_features else int(features.min())
        raise ConfigError(f"there is no feature {wrong}: this dictionary has 0 to {dictionary.n_features - 1:,}")
    scene = Scene.of(Route.of(model, dictionary.writes, dictionary.widths_out), blocks, dictionary.reads)
    usable = blocks.usable.cpu()
    rows = {site: scene.found[site].flatten(2)[usable.to(model.device)].float().cpu() for site in dictionary.reads}
    for site, x in rows.items():
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{model.name} has activations at {site} that are not finite")
    numbers = torch.arange(len(usable))
    part = Part(numbers, blocks.tokens.cpu(), blocks.documents.cpu(), usable, rows)
    acts = torch.zeros(len(features), *usable.shape)
    acts[:, usable] = columns(part.codes(dictionary), features.cpu()).T
    return scene, acts


def _of_pairs(acts: Tensor, directions: Tensor, device: torch.device, measure: Measure) -> Tensor:
    """`measure` of every (feature, block) in which the feature fires, several at a time; on the CPU."""
    effects = torch.zeros_like(acts)
    which, block = (acts != 0).any(2).nonzero(as_tuple=True)
    size = max(1, TOKENS_AT_ONCE // acts.shape[2])
    for start in range(0, len(which), size):
        w, b = which[start : start + size], block[start : start + size]
        rows = directions[w.to(directions.device)].float().to(device)
        effects[w, b] = measure(b.to(device), acts[w, b].to(device), rows).cpu()
    return effects

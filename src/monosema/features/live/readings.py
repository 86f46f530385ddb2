"""A prompt read once: its losses, what fires, and to first order what every firing does to the loss.

one clean pass                         losses, and what later passes begin from
one forward and one backward pass      attr of every feature at every position
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from monosema.core.errors import ConfigError, DataError
from monosema.dictionaries.codes import SparseCodes
from monosema.features.effects import attr, why_no_direct_effect, why_no_loss_effect
from monosema.features.effects.scene import Route, Scene, losses_at
from monosema.features.effects.subjects import Dictionary, Model
from monosema.features.live.prompts import Prompt, Tokenizer
from monosema.features.reading import Part, columns


def missing_effects(writes: tuple[str, ...]) -> dict[str, str]:
    """Effect -> why it is not defined for features that write `writes`; '' where it is."""
    loss = why_no_loss_effect(writes)
    return {"attr": loss, "total": loss, "direct": why_no_direct_effect(writes)}


def route_of(model: Model, dictionary: Dictionary) -> Route:
    """How the model is run again when the dictionary's features change; only the clean pass where they have
    no effect on the loss."""
    if why_no_loss_effect(dictionary.writes):
        return Route.of(model, (), ())
    return Route.of(model, dictionary.writes, dictionary.widths_out)


@dataclass(frozen=True)
class Effects:
    """What removing a feature from the prompt does to the loss of each token, and what a random direction of
    equal norm does in its place; direct is None where it is not defined."""

    total: Float[Tensor, "seq"]
    direct: Float[Tensor, "seq"] | None
    random_total: Float[Tensor, "seq"]
    random_direct: Float[Tensor, "seq"] | None


@dataclass(frozen=True)
class Reading:
    """A prompt as one dictionary reads it.

    scene     after the clean pass
    losses    of every token but the first, nats, in their places
    codes     what fires, a row for each usable position; `positions` says which
    effects   attr of each entry of the codes; `sums` of each feature over the prompt. None where not defined
    measured  the exact effects of single features, kept
    """

    prompt: Prompt
    dictionary: Dictionary
    scene: Scene
    losses: Float[Tensor, "seq"]
    codes: SparseCodes
    positions: Int64[Tensor, "row"]
    missing: Mapping[str, str]
    effects: Float32[Tensor, "nnz"] | None
    sums: Float64[Tensor, "n_features"] | None
    measured: dict[int, Effects] = field(default_factory=dict)

    @staticmethod
    def of(model: Model, dictionary: Dictionary, route: Route, prompt: Prompt) -> "Reading":
        """The prompt, read. Raises DataError when the model gives what is not finite."""
        scene = Scene.of(route, prompt.blocks, dictionary.reads)
        wanted = torch.ones_like(scene.counted)
        wanted[:, 0] = False
        losses = losses_at(model.unembed, scene.final, scene.tokens, wanted)[0].cpu()
        missing = missing_effects(dictionary.writes)
        effects = sums = None
        if missing["attr"]:
            codes = _codes(model, dictionary, scene, prompt)
        else:
            found = attr(model, dictionary, prompt.blocks)
            codes, effects, sums = found.codes, found.effects, found.by_block()[:, 0]
        positions = prompt.blocks.usable[0].nonzero().squeeze(1)
        return Reading(prompt, dictionary, scene, losses, codes, positions, missing, effects, sums)

    @property
    def n_firing(self) -> Int64[Tensor, "seq"]:
        """How many features fire at each position."""
        counts = torch.zeros(len(self.prompt), dtype=torch.int64)
        counts[self.positions] = self.codes.l0()
        return counts

    def acts(self, feature: int) -> Float32[Tensor, "1 seq"]:
        """A feature's activation at every position. Raises ConfigError saying the range when there is none."""
        if not 0 <= feature < self.dictionary.n_features:
            last = self.dictionary.n_features - 1
            raise ConfigError(f"there is no feature {feature}: this dictionary has 0 to {last:,}")
        found = torch.zeros(1, len(self.prompt))
        found[0, self.positions] = columns(self.codes, torch.tensor([feature]))[:, 0]
        return found

    def entries(self, at: int) -> slice:
        """Where in the codes a position's entries stand; none at a BOS."""
        row = (self.positions == at).nonzero().flatten().tolist()
        if not row:
            return slice(0, 0)
        return slice(int(self.codes.offsets[row[0]]), int(self.codes.offsets[row[0] + 1]))


def _codes(model: Model, dictionary: Dictionary, scene: Scene, prompt: Prompt) -> SparseCodes:
    blocks, usable = prompt.blocks, prompt.blocks.usable
    rows = {site: scene.found[site].flatten(2)[usable.to(model.device)].float().cpu() for site in dictionary.reads}
    for site, x in rows.items():
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{model.name} has activations at {site} that are not finite")
    return Part(torch.tensor([0]), blocks.tokens, blocks.documents, usable, rows).codes(dictionary)


@torch.no_grad()
def probabilities(
    reading: Reading, final: Float[Tensor, "d_model"], tokenizer: Tokenizer
) -> Float64[Tensor, "d_vocab"]:
    """Of the next token, for a last residual stream; over the tokenizer's tokens, of which a model may have more."""
    logits = reading.scene.route.model.unembed(final[None])[0, : tokenizer.vocab_size]
    return logits.double().cpu().softmax(0)

"""What a change of features does, by one of three models.

    linear     patterns, norms and MLPs as they were: only what travels directly, as the graph's edges say
    patterns   the model itself, its attention patterns as they were; norms and MLPs react
    free       the model itself

Edits of attention patterns are made in every pass: `free`, of whatever pattern arises.

Logits are those before a soft cap, at the last token, less their mean over the vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.places import Place, Transcoder, placed
from monosema.circuits.attribution.rows import Scene
from monosema.circuits.attribution.tracing import TraceConfig, prepared
from monosema.circuits.interventions.changes import Change, added
from monosema.core.config import require
from monosema.models import Edit, Model

How = Literal["linear", "patterns", "free"]
HOW = ("linear", "patterns", "free")


@dataclass(frozen=True)
class Effect:
    """What a change did.

    logits   each token's, less the mean of all, before and after
    pre      the pre-activation of every feature that fires on the clean prompt, in the order of `features`
    features (layer, index, token) of those
    """

    logits_before: Float[Tensor, "d_vocab"]
    logits_after: Float[Tensor, "d_vocab"]
    pre_before: Float[Tensor, "n"]
    pre_after: Float[Tensor, "n"]
    features: Int64[Tensor, "n 3"]

    @property
    def logits(self) -> Float[Tensor, "d_vocab"]:
        """The change of every centred logit."""
        return self.logits_after - self.logits_before

    @property
    def pre(self) -> Float[Tensor, "n"]:
        """The change of every pre-activation."""
        return self.pre_after - self.pre_before


@final
class Bench:
    """A prompt on which features are changed, again and again: the clean pass is made once.

    Raises as `trace` does.
    """

    def __init__(
        self,
        model: Model,
        transcoders: Sequence[Transcoder],
        tokens: Int64[Tensor, "token"],
        *,
        edits: Sequence[Edit] = (),
    ) -> None:
        self.model, self.tokens, self.edits = model, tokens, tuple(edits)
        every = TraceConfig(max_features=2**62, control=False)
        self.scene: Scene = prepared(model, transcoders, tokens, every, edits)
        self.places: tuple[Place, ...] = placed(model, transcoders)

    @torch.no_grad()
    def change(self, changes: Sequence[Change], how: How = "free") -> Effect:
        """What `changes` do, together. Raises DataError for a feature or token that is not there."""
        return self.add(added(self.scene.local, self.scene.replaced.active, self.places, changes), how)

    @torch.no_grad()
    def add(self, deltas: Mapping[int, Tensor], how: How = "free") -> Effect:
        """What the vectors `deltas` [token, d_model], added to mlp_out of their layers, do."""
        require(how in HOW, f"how is '{how}': it must be linear, patterns or free")
        local, active = self.scene.local, self.scene.replaced.active
        if how == "linear":
            zeros = torch.zeros_like(local.seen["embed"])[:, None]
            changed = local.push(zeros, {layer: x[:, None] for layer, x in deltas.items()}, biases=False)
            after = {site: local.seen[site] + x[:, 0] for site, x in changed.items()}
        else:
            after = self._run(deltas, hold=how == "patterns")
        features = torch.stack([active.layer, active.index, active.token], 1)
        return Effect(self._logits(local.seen), self._logits(after), active.pre, self._pre(after), features)

    def _run(self, deltas: Mapping[int, Tensor], *, hold: bool) -> dict[str, Tensor]:
        local, n = self.scene.local, len(self.scene.local.layers)
        edits = [*self.edits, *(Edit(f"mlp_out.{layer}", _adding(delta)) for layer, delta in deltas.items())]
        if hold:
            edits += [Edit(f"attn_pattern.{layer}", _being(local.seen[f"attn_pattern.{layer}"])) for layer in range(n)]
        sites = [f"{kind}.{layer}" for kind in ("mlp_in", self._stream) for layer in range(n)]
        found = self.model.run(self.tokens[None], [*sites, "ln_final"], edits)
        return {site: x[0].to(local.W_U) for site, x in found.items()}

    @property
    def _stream(self) -> str:
        return "resid_pre" if self.scene.local.parallel else "resid_mid"

    def _logits(self, seen: Mapping[str, Tensor]) -> Tensor:
        logits = seen["ln_final"][-1] @ self.scene.local.W_U.T + self.scene.local.logit_bias
        return logits - logits.mean()

    def _pre(self, seen: Mapping[str, Tensor]) -> Tensor:
        active = self.scene.replaced.active
        pre = active.bias.clone()
        for layer in range(len(self.scene.local.layers)):
            for place, normed in enumerate(active.normed):
                mine = ((active.layer == layer) & (active.place == place)).nonzero()[:, 0]
                x = seen[f"{'mlp_in' if normed else self._stream}.{layer}"][active.token[mine]]
                pre[mine] += (active.reads[mine] * x).sum(1)
        return pre


def intervene(
    model: Model,
    transcoders: Sequence[Transcoder],
    tokens: Int64[Tensor, "token"],
    changes: Sequence[Change],
    how: How = "free",
    *,
    edits: Sequence[Edit] = (),
) -> Effect:
    """What `changes` of features do to the prompt `tokens`. For several experiments on one prompt, make a `Bench`."""
    return Bench(model, transcoders, tokens, edits=edits).change(changes, how)


def _adding(delta: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda y: y + delta.to(y)


def _being(pattern: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: pattern.to(x).expand_as(x).clone()

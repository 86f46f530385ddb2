"""A head's queries and keys with the denominators of norms held: each linear in the stream, so their score is bilinear.

    q[t] = M_Q[t] resid_pre[t] + c_Q[t]        k likewise        score[q, k] = scale q[q] . k[k]

M has the layer's norm, the head's matrix, the norm of each head's q and k where the family has one, and the rotation by
position where it has that. Scores are those before a soft cap, the mask and the softmax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from monosema.circuits.heads.weights import NORMALISED, head_weights, require_head
from monosema.circuits.linear import norms
from monosema.circuits.linear.families import require_linear
from monosema.circuits.linear.norms import HeldNorm
from monosema.core.errors import MismatchError
from monosema.models import Edit, Model

REPLAY, ROUNDINGS = 1e-3, 16
"""As for the whole linear model: by what share of its largest coordinate q and k may miss what the model computed, or
by how many roundings of the model's own type, if that is more."""


@dataclass(frozen=True)
class HeldSide:
    """The queries of one head, or its keys. `inner` is the norm of this head's q or k, `turn` cosines and sines by
    position; None where the family has none."""

    outer: HeldNorm
    W: Float[Tensor, "d_model d_head"]
    bias: Float[Tensor, "d_head"]
    inner: HeldNorm | None
    turn: tuple[Tensor, Tensor] | None

    def at(self, token: int) -> tuple[Float[Tensor, "d_head d_model"], Float[Tensor, "d_head"]]:
        """(M, c): what each coordinate at `token` reads of the stream there, and what it has besides."""
        here = torch.tensor([token], device=self.W.device)
        rows = torch.cat([self.W, (self.bias + self.outer.bias @ self.W)[None]])
        if self.inner is not None:
            rows = self.inner.at(here).push(rows[None])[0]
            rows[-1] += self.inner.bias
        if self.turn is not None:
            rows = turned(rows, *(x[token] for x in self.turn))
        return self.outer.at(here).pull(rows[None, :-1].mT)[0], rows[-1]


@dataclass(frozen=True)
class HeldScores:
    """One head's scores: `scale` times query . key."""

    query: HeldSide
    key: HeldSide
    scale: float


def turned(x: Float[Tensor, "row d_head"], cos: Float[Tensor, "turned"], sin: Float[Tensor, "turned"]) -> Tensor:
    """`x` turned by position: the first coordinates, as many as there are cosines, each with the one half as many
    further on."""
    n = len(cos)
    first, second = x[:, : n // 2], x[:, n // 2 : n]
    across = torch.cat([-second, first], 1)
    return torch.cat([x[:, :n] * cos + across * sin, x[:, n:]], 1)


@torch.no_grad()
def hold_scores(
    model: Model, tokens: Int64[Tensor, "token"], layer: int, head: int, edits: Sequence[Edit] = ()
) -> HeldScores:
    """The scores of head `head` of `layer` at one pass over `tokens`; `edits` are part of it.

    Raises ConfigError for a family that is not known, SiteError for a head that is not there, MismatchError when q or
    k are not what the model computes.
    """
    paths = require_linear(model)
    require_head(model, layer, head)
    weights, dtype = head_weights(model, layer), torch.promote_types(model.dtype, torch.float32)
    block = model.module.get_submodule(f"{model.family.layers}.{layer}")
    seen, turn = _pass(model, tokens, layer, edits, turns=weights.rotary)
    stream = seen[f"resid_pre.{layer}"]
    outer = norms.hold(block.get_submodule(paths.attn_norm), stream, dtype)
    read = outer.push(stream.to(dtype)) + outer.bias
    kind: Any = model.module.config
    inner = NORMALISED.get(kind.model_type, (None, None))
    sides = []
    for part, W, b, path in (
        ("q", weights.W_Q[head], weights.q_bias[head], inner[0]),
        ("k", weights.W_K[head], weights.k_bias[head], inner[1]),
    ):
        norm = None
        if path is not None:
            norm = norms.hold(block.get_submodule(path), (read @ W + b).to(model.dtype), dtype)
        side = HeldSide(outer, W, b, norm, turn)
        own = head if part == "q" else head // weights.groups
        _require_replay(model, side, stream.to(dtype), seen[f"attn_{part}.{layer}"][:, own].to(dtype), part)
        sides.append(side)
    return HeldScores(sides[0], sides[1], weights.scale)


def _pass(
    model: Model, tokens: Int64[Tensor, "token"], layer: int, edits: Sequence[Edit], *, turns: bool
) -> tuple[Mapping[str, Tensor], tuple[Tensor, Tensor] | None]:
    """What the layer reads and makes of it, and the cosines and sines that its attention is given."""
    given: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, __: tuple[Any, ...], named: dict[str, Any]) -> None:
        given.append(named["position_embeddings"])

    attention = model.module.get_submodule(f"{model.family.layers}.{layer}.{model.family.attn}")
    hook = attention.register_forward_pre_hook(keep, with_kwargs=True) if turns else None
    try:
        seen = model.run(tokens[None], [f"{kind}.{layer}" for kind in ("resid_pre", "attn_q", "attn_k")], edits)
    finally:
        if hook is not None:
            hook.remove()
    dtype = torch.promote_types(model.dtype, torch.float32)
    turn = (given[0][0][0].to(dtype), given[0][1][0].to(dtype)) if turns else None
    return {site: x[0] for site, x in seen.items()}, turn


def _require_replay(model: Model, side: HeldSide, stream: Tensor, truth: Tensor, part: str) -> None:
    found = torch.stack([M @ x + c for x, (M, c) in ((stream[t], side.at(t)) for t in range(len(stream)))])
    share = max(REPLAY, ROUNDINGS * torch.finfo(model.dtype).eps)
    if not (found - truth).abs().max() <= share * max(1.0, float(truth.abs().max())):
        raise MismatchError(
            f"{model.name}: a head's {part}, made of its matrix, norms and rotation, is not what the model computes, "
            "so no score can be taken apart"
        )

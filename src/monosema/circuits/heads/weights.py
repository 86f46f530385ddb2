"""The matrices of a layer's heads, one by one, as x W with inputs as rows.

    q = x W_Q + q_bias    k = x W_K + k_bias    v = x W_V + v_bias    out = sum_h (pattern v)_h W_O_h + o_bias
    scores = scale q k^T, after rotary embedding where the family has it (at position 0 it changes nothing)

    as they are    x is what the layer's attention reads, after its norm
    folded         x is the residual stream over its deviation (LayerNorm, its mean taken off) or root mean square; the
                   norm's gain and bias are in the matrices

Where a family normalises q and k of each head (Qwen 3, Gemma 3), W_Q and W_K are what stands before that norm, and
folded ones have its gain; its denominators stay out. Where what attention adds is normalised (Gemma 2 and 3), a
folded W_O and o_bias have that gain.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from monosema.circuits.linear import norms
from monosema.circuits.linear.families import LINEAR, LinearPaths
from monosema.circuits.linear.norms import HeldNorm
from monosema.core.errors import ConfigError, SiteError
from monosema.core.seeding import generator
from monosema.models import Model

BESIDE_VALUES = {"v_proj": ("q_proj", "k_proj"), "value": ("query", "key")}
"""What the matrices of queries and keys are called where those of values have one of their own."""

NORMALISED = {
    "qwen3": ("self_attn.q_norm", "self_attn.k_norm"),
    "gemma3_text": ("self_attn.q_norm", "self_attn.k_norm"),
}
"""The families that normalise each head's q and k, with these norms' paths from the layer."""

UNROTATED = frozenset({"gpt2", "small_transformer"})
"""The families whose q and k know no position but what the stream tells them."""


@dataclass(frozen=True)
class HeadWeights:
    """A layer's heads; keys and values that several heads share are repeated for each.

    scale    scores are q k^T times this
    groups   heads in a row that share keys and values
    rotary   whether q and k are turned by position before they meet
    """

    W_Q: Float[Tensor, "n_heads d_model d_head"]
    W_K: Float[Tensor, "n_heads d_model d_head"]
    W_V: Float[Tensor, "n_heads d_model d_head"]
    W_O: Float[Tensor, "n_heads d_head d_model"]
    q_bias: Float[Tensor, "n_heads d_head"]
    k_bias: Float[Tensor, "n_heads d_head"]
    v_bias: Float[Tensor, "n_heads d_head"]
    o_bias: Float[Tensor, "d_model"]
    scale: float
    groups: int
    rotary: bool
    folded: bool

    @property
    def n_heads(self) -> int:
        return len(self.W_Q)


def require_heads(model: Model) -> LinearPaths:
    """The paths of `model`'s family. Raises ConfigError for a family whose heads are not known here."""
    config: Any = model.module.config
    if config.model_type not in LINEAR:
        raise ConfigError(
            f"{model.name} is a {config.model_type}, and where that family keeps the matrices of its heads is not "
            f"known here. Families whose heads can be read: {', '.join(sorted(LINEAR))}"
        )
    return LINEAR[config.model_type]


def require_head(model: Model, layer: int, head: int) -> None:
    """Raise SiteError when `model` has no such head."""
    if not 0 <= layer < model.n_layers:
        raise SiteError(f"there is no layer {layer}: {model.name} has {model.n_layers}, 0 to {model.n_layers - 1}")
    if not 0 <= head < model.n_heads:
        raise SiteError(f"there is no head {layer}.{head}: {model.name} has heads 0 to {model.n_heads - 1} in a layer")


@torch.no_grad()
def head_weights(model: Model, layer: int, folded: bool = False) -> HeadWeights:
    """The matrices of `layer`'s heads, copies in float32 (float64 of a model in float64).

    Raises ConfigError for a family that is not known, SiteError for a layer that is not there.
    """
    paths, dtype = require_heads(model), torch.promote_types(model.dtype, torch.float32)
    require_head(model, layer, 0)
    config: Any = model.module.config
    block = model.module.get_submodule(f"{model.family.layers}.{layer}")
    parts = [(w.unflatten(0, (-1, model.d_head)), b) for w, b in _read(block, paths, model, dtype)]
    (W_Q, b_Q), (W_K, b_K), (W_V, b_V) = [(w.transpose(1, 2), b.unflatten(0, (-1, model.d_head))) for w, b in parts]
    groups = len(W_Q) // len(W_K)
    W_K, b_K, W_V, b_V = (x.repeat_interleave(groups, 0) for x in (W_K, b_K, W_V, b_V))
    W_O, b_O = _matrix(block.get_submodule(paths.output), paths, dtype)
    W_O = W_O.T.unflatten(0, (-1, model.d_head))
    W_Q, W_K, W_V, W_O = (x.contiguous() for x in (W_Q, W_K, W_V, W_O))
    found = HeadWeights(
        *(W_Q, W_K, W_V, W_O),
        *(b_Q, b_K, b_V, b_O),
        scale=float(vars(block.get_submodule(model.family.attn))["scaling"]),
        groups=groups,
        rotary=config.model_type not in UNROTATED,
        folded=False,
    )
    return _folded(found, block, paths, config.model_type) if folded else found


def _read(block: nn.Module, paths: LinearPaths, model: Model, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """(weight with outputs as rows, bias) of queries, keys and values, head by head."""
    if paths.split == "alone":
        stem, _, name = paths.values.rpartition(".")
        names = (*BESIDE_VALUES[name], name)
        return [_matrix(block.get_submodule(f"{stem}.{one}"), paths, dtype) for one in names]
    W, b = _matrix(block.get_submodule(paths.values), paths, dtype)
    if paths.split == "thirds":
        return list(zip(W.chunk(3), b.chunk(3), strict=True))
    by_head = (model.n_heads, 3, model.d_head)
    W, b = W.unflatten(0, by_head), b.unflatten(0, by_head)
    return [(W[:, part].flatten(0, 1), b[:, part].flatten()) for part in range(3)]


def _matrix(module: nn.Module, paths: LinearPaths, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(weight with outputs as rows, bias), zeros where there is none."""
    weights = {name: parameter.detach().to(dtype, copy=True) for name, parameter in module.named_parameters()}
    weight = weights["weight"].T if paths.split == "thirds" else weights["weight"]
    return weight, weights["bias"] if "bias" in weights else weight.new_zeros(len(weight))


def norm_of(module: nn.Module, like: Float[Tensor, "*any d"]) -> HeldNorm:
    """The gain and bias of a norm of vectors as wide as `like`, in its type; it is held at random vectors."""
    own = next((p for p in module.parameters()), like)
    x = torch.randn(8, like.shape[-1], generator=generator(0, "norm"), dtype=torch.float64).to(own)
    return norms.hold(module, x, like.dtype)


def _folded(heads: HeadWeights, block: nn.Module, paths: LinearPaths, kind: str) -> HeadWeights:
    norm = norm_of(block.get_submodule(paths.attn_norm), heads.o_bias)

    def read(W: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        gained = norm.gain[:, None] * W
        return gained - gained.mean(1, keepdim=True) if norm.centred else gained, b + norm.bias @ W

    (W_Q, b_Q), (W_K, b_K), (W_V, b_V) = (
        read(W, b) for W, b in ((heads.W_Q, heads.q_bias), (heads.W_K, heads.k_bias), (heads.W_V, heads.v_bias))
    )
    if kind in NORMALISED:
        gains = [norm_of(block.get_submodule(path), heads.q_bias).gain for path in NORMALISED[kind]]
        W_Q, b_Q, W_K, b_K = W_Q * gains[0], b_Q * gains[0], W_K * gains[1], b_K * gains[1]
    after = norm_of(block.get_submodule(paths.after), heads.o_bias).gain if paths.after else 1.0
    written = (heads.W_O * after, b_Q, b_K, b_V, heads.o_bias * after)
    return HeadWeights(W_Q, W_K, W_V, *written, heads.scale, heads.groups, heads.rotary, folded=True)

"""What every part adds to a logit, directly: the residual stream is a sum, and the final norm, held, is linear.

    centred logit j = sum over parts p of  <what p wrote, pull(W_U[j] - mean W_U)>  +  constant

    parts    the token, its position, every head, the biases of each layer's heads, every MLP; or, where a dictionary
             is given, its features, its error and its bias in place of what it reconstructs
    constant the final norm's and the unembedding's biases

The sum is exact, constant included. Logits are those before a soft cap. A part may be read by later parts and change
the logit through them: that is not in here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.heads.weights import head_weights, require_heads
from monosema.circuits.linear import norms
from monosema.core.errors import DataError, MismatchError
from monosema.core.sites import parse
from monosema.dictionaries import Dictionary
from monosema.models import Model

Written = Iterator[tuple["Part", Tensor]]


@dataclass(frozen=True)
class Part:
    """What writes: `kind` is token, position, head, bias (of a layer's heads), mlp, feature, error, dictionary (its
    bias) or constant; `layer` and `index` are -1 where there is none."""

    kind: str
    layer: int = -1
    index: int = -1

    def __str__(self) -> str:
        numbers = ".".join(str(n) for n in (self.layer, self.index) if n >= 0)
        return f"{self.kind} {numbers}" if numbers else self.kind


@dataclass(frozen=True)
class DirectLogits:
    """A row for every part, a column for every target token; `logits` are the targets' less the mean of all."""

    parts: tuple[Part, ...]
    values: Float[Tensor, "part k"]
    targets: tuple[int, ...]
    logits: Float[Tensor, "k"]

    def of(self, kind: str) -> tuple[tuple[Part, Float[Tensor, "k"]], ...]:
        """The parts of a kind, with their rows."""
        return tuple((part, row) for part, row in zip(self.parts, self.values, strict=True) if part.kind == kind)


@torch.no_grad()
def direct_logits(
    model: Model,
    tokens: Int64[Tensor, "token"],
    targets: Sequence[int],
    position: int = -1,
    dictionary: Dictionary | None = None,
) -> DirectLogits:
    """What every part adds to the logits of `targets` at `position`.

    dictionary    one that reads and writes sites of the stream, or of what a layer's heads or MLP add. Where it writes
                  the stream, it stands for all that was written so far
    Raises ConfigError for a family that is not known, DataError for a target or position that is not there,
    MismatchError for a dictionary of other sites or another width.
    """
    paths = require_heads(model)
    if not -len(tokens) <= position < len(tokens):
        raise DataError(f"there is no position {position}: the prompt has {len(tokens)}, 0 to {len(tokens) - 1}")
    at = position % len(tokens)
    seen = {site: x[0] for site, x in model.run(tokens[None], _sites(model, dictionary)).items()}
    dtype = torch.promote_types(model.dtype, torch.float32)
    final = norms.hold(model.module.get_submodule(model.family.final_norm), seen[_last(model)], dtype)
    reads, bias = _reads(model, targets, dtype)
    here = torch.tensor([at], device=model.device)
    directions = final.at(here).pull(reads[None])[0]
    constant = reads @ final.bias + bias
    rows = list(_written(model, paths.after, seen, at, dtype, dictionary))
    parts = (*(part for part, _ in rows), Part("constant"))
    values = torch.cat([torch.stack([x for _, x in rows]) @ directions.T, constant[None]])
    logits = seen["ln_final"][at].to(dtype) @ reads.T + bias
    return DirectLogits(parts, values, tuple(targets), logits)


def _last(model: Model) -> str:
    return f"resid_post.{model.n_layers - 1}"


def _sites(model: Model, dictionary: Dictionary | None) -> list[str]:
    kinds = ("attn_z", "attn_out", "mlp_out")
    layers = [f"{kind}.{layer}" for layer in range(model.n_layers) for kind in kinds]
    found = ["embed", "resid_pre.0", *layers, _last(model), "ln_final"]
    if dictionary is None:
        return found
    _require_fits(model, dictionary)
    return [*found, *(site for site in (*dictionary.reads, *dictionary.writes) if site not in found)]


def _require_fits(model: Model, dictionary: Dictionary) -> None:
    said = f"the dictionary from {' + '.join(dictionary.reads)} to {' + '.join(dictionary.writes)}"
    kinds = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
    if len(dictionary.reads) != 1 or len(dictionary.writes) != 1 or parse(dictionary.writes[0]).kind not in kinds:
        raise MismatchError(f"{said} is of no use here: it must read one site and write one of {', '.join(kinds)}")
    if dictionary.d_in != model.width(dictionary.reads[0]) or dictionary.d_out != model.d_model:
        raise MismatchError(f"{said} is another model's: its widths are {dictionary.d_in} and {dictionary.d_out}")


def _reads(model: Model, targets: Sequence[int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What is read of ln_final for each target, and the bias: logits less the mean of all."""
    unembed = dict(model.module.get_submodule(model.family.unembed).named_parameters())
    W_U = unembed["weight"].detach().to(dtype)
    b_U = unembed["bias"].detach().to(dtype) if "bias" in unembed else W_U.new_zeros(len(W_U))
    if wrong := [target for target in targets if not 0 <= target < len(W_U)]:
        raise DataError(f"token {wrong[0]} cannot be a target: the model predicts tokens 0 to {len(W_U) - 1}")
    chosen = torch.tensor(list(targets), device=W_U.device)
    return W_U[chosen] - W_U.mean(0), b_U[chosen] - b_U.mean()


def _written(
    model: Model, after: str, seen: dict[str, Tensor], at: int, dtype: torch.dtype, dictionary: Dictionary | None
) -> Written:
    """Each part with what it wrote at token `at`."""
    now = {site: x[at].to(dtype) for site, x in seen.items()}
    replaced = parse(dictionary.writes[0]) if dictionary is not None else None
    plain: list[tuple[Part, Tensor]] = [
        (Part("token"), now["embed"]),
        (Part("position"), now["resid_pre.0"] - now["embed"]),
    ]

    def reached(kind: str, layer: int) -> bool:
        return dictionary is not None and replaced is not None and (replaced.kind, replaced.layer) == (kind, layer)

    for layer in range(model.n_layers):
        if reached("resid_pre", layer):
            plain = list(_features(dictionary, now, layer))
        own = list(_features(dictionary, now, layer)) if reached("attn_out", layer) else None
        plain += own or list(_heads(model, layer, after, seen, at, dtype))
        if reached("resid_mid", layer):
            plain = list(_features(dictionary, now, layer))
        own = list(_features(dictionary, now, layer)) if reached("mlp_out", layer) else None
        plain += own or [(Part("mlp", layer), now[f"mlp_out.{layer}"])]
        if reached("resid_post", layer):
            plain = list(_features(dictionary, now, layer))
    yield from plain


def _heads(model: Model, layer: int, after: str, seen: dict[str, Tensor], at: int, dtype: torch.dtype) -> Written:
    heads, z = head_weights(model, layer), seen[f"attn_z.{layer}"].to(dtype)
    out, bias = torch.einsum("the,hed->thd", z, heads.W_O), heads.o_bias
    if after:
        module = model.module.get_submodule(f"{model.family.layers}.{layer}.{after}")
        norm = norms.hold(module, (out.sum(1) + bias).to(model.dtype), dtype).at(torch.tensor([at], device=out.device))
        out, bias = norm.push(out[at][None]), norm.push(bias[None])[0] + norm.bias
        at = 0
    yield from ((Part("head", layer, head), out[at, head]) for head in range(model.n_heads))
    yield Part("bias", layer), bias


def _features(dictionary: Dictionary | None, now: dict[str, Tensor], layer: int) -> Written:
    """The features that fire, the bias, and what the dictionary misses: together what was written."""
    assert dictionary is not None
    written = now[dictionary.writes[0]]
    codes = dictionary.encode(now[dictionary.reads[0]].flatten()[None].to(dictionary.W_enc))
    rows = (codes.values[:, None] * dictionary.W_dec[codes.indices]).to(written)
    yield from ((Part("feature", layer, i), x) for i, x in zip(codes.indices.tolist(), rows, strict=True))
    bias = dictionary.b_dec.detach().to(written)
    yield Part("dictionary", layer), bias
    yield Part("error", layer), written - rows.sum(0) - bias

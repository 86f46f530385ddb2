"""Whether a family's table is true of a model, by exact checks on a few tokens.

    hooked logits            == eager logits                                   bit for bit
    written back everywhere  == eager logits                                   bit for bit
    resid_pre + attn_out     == resid_mid,   resid_mid + mlp_out == resid_post (serial)
    (mlp_out + attn_out) + resid_pre == resid_post                             (parallel)
    resid_post.i             == resid_pre.i+1
    unembed(resid_post.last) == logits
    attn_pattern             is zero above the diagonal, unless the model attends both ways

A model that fails one is refused, by name of the check and the layer: sites that are not what their
name says are worse than none.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.models.attention import eager_function, implementation
from monosema.models.families import Family, Place
from monosema.models.model import Edit, Model
from monosema.models.passes import Plan, forward
from monosema.models.quiet import quiet_notices


def require_modules(module: torch.nn.Module, family: Family) -> None:
    """Raise MismatchError unless every path of the table leads to a module."""
    paths = (family.attn, family.attn_out, family.mid_norm, family.mlp, family.mlp_down, family.mlp_out)
    inside = [f"{family.layers}.0.{path}" for path in paths]
    for path in (family.embed, family.final_norm, family.unembed, *inside):
        try:
            module.get_submodule(path)
        except AttributeError as error:
            raise MismatchError(
                f"{type(module).__name__} has no '{path}': its family's table does not fit it"
            ) from error
    eager_function(module.get_submodule(f"{family.layers}.0.{family.attn}"))


def observe(module: torch.nn.Module, places: Mapping[str, Place]) -> dict[str, Tensor]:
    """Every site of the model on a few tokens."""
    plan = Plan(frozenset(places), {}, "logits")
    with torch.no_grad():
        return forward(module, places, _tokens(module), plan)


def verify(model: Model, seen: Mapping[str, Tensor]) -> None:
    """Raise MismatchError unless all the checks above hold; `seen` is what `observe` saw.

    Raises DataError when the model's own logits are not finite: nothing can be checked then.
    """
    tokens = _tokens(model.module)
    with torch.no_grad():
        logits = _eager_logits(model.module, tokens)
        if not torch.isfinite(logits).all():
            raise DataError(f"{model.name} predicts NaN or infinite logits in {logits.dtype}: load it in another dtype")
        _require(model, "the hooked logits are the eager ones", torch.equal(seen["logits"], logits))
        _layers_add_up(model, seen)
        top = model.unembed(seen[f"resid_post.{model.n_layers - 1}"])
        _require(model, "final norm and unembedding give the logits", torch.equal(top, logits))
        edits = [Edit(site, lambda x: x) for site in model.sites()]
        written = model.run(tokens, ["logits"], edits)["logits"]
        _require(model, "writing back every site changes no logit", torch.equal(written, logits))


def _layers_add_up(model: Model, seen: Mapping[str, Tensor]) -> None:
    for i in range(model.n_layers):
        pre, attn, mlp, post = (seen[f"{kind}.{i}"] for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post"))
        if f"resid_mid.{i}" in seen:
            mid = seen[f"resid_mid.{i}"]
            _require(model, f"resid_pre + attn_out = resid_mid in layer {i}", torch.equal(pre + attn, mid))
            _require(model, f"resid_mid + mlp_out = resid_post in layer {i}", torch.equal(mid + mlp, post))
        else:
            sums = torch.equal(mlp + attn + pre, post)
            _require(model, f"resid_pre + attn_out + mlp_out = resid_post in layer {i}", sums)
        if i + 1 < model.n_layers:
            carried = torch.equal(post, seen[f"resid_pre.{i + 1}"])
            _require(model, f"resid_post.{i} = resid_pre.{i + 1}", carried)
        looks_ahead = bool(model.family.bidirectional) and getattr(model.module.config, model.family.bidirectional)
        ahead = seen[f"attn_pattern.{i}"].triu(1) * (not looks_ahead)
        _require(model, f"attn_pattern.{i} looks at no later token", not ahead.any())


def _require(model: Model, check: str, holds: bool) -> None:
    if not holds:
        kind = type(model.module).__name__
        raise MismatchError(f"{model.name} ({kind}) is refused, for this does not hold exactly: {check}")


def _tokens(module: torch.nn.Module) -> Tensor:
    config: Any = module.config
    length = min(6, config.max_position_embeddings)
    tokens = torch.arange(2 * length).view(2, length) * 7 % config.vocab_size
    return tokens.to(next(module.parameters()).device)


def _eager_logits(module: torch.nn.Module, tokens: Tensor) -> Tensor:
    with quiet_notices(), implementation(module, {}):
        return module(input_ids=tokens, use_cache=False, return_dict=True).logits

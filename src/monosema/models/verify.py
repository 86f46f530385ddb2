"""Whether a family's table is true of a model, by exact checks on a few tokens.

    hooked logits            == eager logits                                   bit for bit
    written back everywhere  == eager logits                                   bit for bit
    resid_pre + attn_out     == resid_mid,   resid_mid + mlp_out == resid_post (serial)
    (mlp_out + attn_out) + resid_pre == resid_post                             (parallel)
    norm(resid_mid) == mlp_in,   mlp_in + mlp_out == resid_post                (post-norm)
    resid_mid + cross_out    == resid_cross,   resid_cross + mlp_out == resid_post    (a decoder beside an encoder)
    resid_pre + ssm_out      == resid_post                                     (state space)
    resid_post.i             == resid_pre.i+1;   post-norm: norm(resid_post.i) == resid_pre.i+1
    norm(resid_post.last)    == ln_final
    unembed(resid_post.last) == logits
    attn_pattern             is zero above the diagonal; not so, where a model or its encoder attends both ways

A model that fails one is refused, by name of the check and the layer: sites that are not what their
name says are worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.core.sites import STACKS
from monosema.models.attention import eager_function, implementation
from monosema.models.families import FAMILIES, Family, Place, stacks
from monosema.models.model import Model
from monosema.models.passes import Plan, forward
from monosema.models.quiet import quiet_notices


def count_layers(module: torch.nn.Module, table: Family) -> int:
    """How many layers a stack has. Raises MismatchError when they are not where the table says."""
    return len(list(_at(module, table.layers).children()))


def require_modules(module: torch.nn.Module, family: Family, places: Mapping[str, Place]) -> None:
    """Raise MismatchError unless every path of the table leads to a module, and attention can be tapped."""
    for path in (*family.head, *(place.path for place in places.values())):
        _at(module, path)
    for path in {place.path for place in places.values() if place.side == "attention"}:
        eager_function(module.get_submodule(path))


def _at(module: torch.nn.Module, path: str) -> torch.nn.Module:
    try:
        return module.get_submodule(path)
    except AttributeError as error:
        raise MismatchError(f"{type(module).__name__} has no '{path}': its family's table does not fit it") from error


def observe(module: torch.nn.Module, places: Mapping[str, Place], n_context: int) -> dict[str, Tensor]:
    """Every site of the model on a few tokens."""
    plan = Plan(frozenset(places), {}, "logits")
    with torch.no_grad():
        return forward(module, places, _inputs(module, n_context), plan)


def verify(model: Model, seen: Mapping[str, Tensor]) -> None:
    """Raise MismatchError unless all the checks above hold; `seen` is what `observe` saw.

    Raises DataError when the model's own logits are not finite: nothing can be checked then.
    """
    inputs = _inputs(model.module, model.n_context)
    with torch.no_grad():
        logits = _eager_logits(model.module, inputs)
        if not torch.isfinite(logits).all():
            raise DataError(f"{model.name} predicts NaN or infinite logits in {logits.dtype}: load it in another dtype")
        _require(model, "the hooked logits are the eager ones", torch.equal(seen["logits"], logits))
        for stack, table in stacks(model.family).items():
            _Stack(model, table, stack, seen).holds()
        last = list(stacks(model.family))[-1]
        top = model.unembed(seen[f"{last}resid_post.{model.n_layers - 1}"])
        _require(model, "final norm and unembedding give the logits", torch.equal(top, logits))
        edits = {site: [_as_it_is] for site in model.sites()}
        written = forward(model.module, model.places, inputs, Plan(frozenset({"logits"}), edits, "logits"))["logits"]
        _require(model, "writing back every site changes no logit", torch.equal(written, logits))


def _as_it_is(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class _Stack:
    """The checks of one stack; its sites begin with `name`, which is empty where there is only one."""

    model: Model
    table: Family
    name: str
    seen: Mapping[str, Tensor]

    def holds(self) -> None:
        """Raise MismatchError naming the first check that does not hold, and its layer."""
        n_layers = self.model.stacks[self.name.rstrip(".")]
        for i in range(n_layers):
            self._adds_up(i)
            if i + 1 < n_layers:
                self._hands_on(i)
        last = self.at("resid_post", n_layers - 1)
        norm = self.model.module.get_submodule(self.model.places[f"{self.name}ln_final"].path)
        check = f"{self.name}ln_final is the norm of {self.name}resid_post.{n_layers - 1}"
        self._require(check, torch.equal(norm(last), self.seen[f"{self.name}ln_final"]))

    def at(self, kind: str, layer: int) -> Tensor:
        return self.seen[f"{self.name}{kind}.{layer}"]

    def _adds_up(self, i: int) -> None:
        if self.table.mixer:
            self._sum(i, "resid_pre", "ssm_out", "resid_post")
            return
        if f"{self.name}resid_mid.{i}" in self.seen:
            self._sum(i, "resid_pre", "attn_out", "resid_mid")
            if self.table.cross:
                self._sum(i, "resid_mid", "cross_out", "resid_cross")
                self._sum(i, "resid_cross", "mlp_out", "resid_post")
            elif self.table.out_norm:
                self._norm(i, self.table.mid_norm, "resid_mid", f"mlp_in.{i}")
                self._sum(i, "mlp_in", "mlp_out", "resid_post")
            else:
                self._sum(i, "resid_mid", "mlp_out", "resid_post")
        else:
            pre, attn, mlp, post = (self.at(kind, i) for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post"))
            self._require(
                f"resid_pre + attn_out + mlp_out = resid_post in layer {i}", torch.equal(mlp + attn + pre, post)
            )
        ahead = self.at("attn_pattern", i).triu(1).any()
        if self.table.attends_both_ways:
            self._require(f"attn_pattern.{i} looks at later tokens", bool(ahead))
        elif self.model.causal or self.table.cross:
            self._require(f"attn_pattern.{i} looks at no later token", not ahead)

    def _hands_on(self, i: int) -> None:
        if self.table.out_norm:
            self._norm(i, self.table.out_norm, "resid_post", f"resid_pre.{i + 1}")
        else:
            carried = torch.equal(self.at("resid_post", i), self.at("resid_pre", i + 1))
            self._require(f"resid_post.{i} = resid_pre.{i + 1}", carried)

    def _sum(self, i: int, stream: str, added: str, total: str) -> None:
        before, flag = self.at(stream, i), self.table.float_stream
        if flag and getattr(self.model.module.config, flag):
            before = before.float()
        holds = torch.equal(before + self.at(added, i), self.at(total, i))
        self._require(f"{stream} + {added} = {total} in layer {i}", holds)

    def _norm(self, i: int, norm: str, stream: str, site: str) -> None:
        normed = self.model.module.get_submodule(f"{self.table.layers}.{i}.{norm}")(self.at(stream, i))
        self._require(f"{site} is the norm of {stream}.{i}", torch.equal(normed, self.seen[f"{self.name}{site}"]))

    def _require(self, check: str, holds: bool) -> None:
        _require(self.model, f"{check} of the {STACKS[self.name.rstrip('.')]}" if self.name else check, holds)


def _require(model: Model, check: str, holds: bool) -> None:
    if not holds:
        kind = type(model.module).__name__
        raise MismatchError(f"{model.name} ({kind}) is refused, for this does not hold exactly: {check}")


def _inputs(module: torch.nn.Module, n_context: int) -> dict[str, Tensor]:
    """A few tokens; for the decoder of two stacks as many, in another order."""
    config: Any = module.config
    length = min(6, n_context)
    tokens = torch.arange(2 * length).view(2, length) * 7 % config.vocab_size
    inputs = {"input_ids": tokens.to(next(module.parameters()).device)}
    if FAMILIES[config.model_type].encoder is not None:
        inputs["decoder_input_ids"] = inputs["input_ids"].flip(1)
    return inputs


def _eager_logits(module: torch.nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    with quiet_notices(), implementation(module, {}):
        return module(**inputs, use_cache=False, return_dict=True).logits

"""One forward pass that is read, edited and ended where it is asked to be.

    module(inputs) --> site --> site --> last site that was asked for |  (the rest is never computed)
                        |        |
                      edits    reads

Hooks are transformers' own modules' forward hooks; what happens inside attention comes through
`monosema.models.attention`. Hooks live only inside `forward`, whatever ends it. Nothing that was
not asked for is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.models.attention import Taps, implementation
from monosema.models.families import Place
from monosema.models.quiet import quiet_notices

Apply = Callable[[Tensor], Tensor]


class _Reached(Exception):  # noqa: N818 - it ends a pass that went well
    """The last site that was asked for has been computed."""


@dataclass(frozen=True)
class Plan:
    """What a pass does, in canonical site names: what to read, what to edit, and where to end; `fused`:
    with fused attention, unless a site inside attention is among them."""

    reads: frozenset[str]
    edits: Mapping[str, Sequence[Apply]]
    last: str
    fused: bool = False


@dataclass
class _Visits:
    """What the sites of one pass are handed to as they are computed.

    An edited resid_mid takes a detour: the layer adds the MLP's output to the residual it had
    before its norm was called, which no hook can replace. So `sums` says, for such a layer's
    resid_post, the two parts of which it is made up again: the edited resid_mid and mlp_out.
    """

    plan: Plan
    sums: dict[str, tuple[str, str]]
    found: dict[str, Tensor] = field(default_factory=dict)
    parts: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, site: str, x: Tensor) -> Tensor:
        if site in self.sums:
            mid, mlp = self.sums[site]
            x = self.parts.pop(mid) + self.parts.pop(mlp)
        for apply in self.plan.edits.get(site, ()):
            x = _edited(site, apply, x)
        if site in self.plan.reads:
            self.found[site] = x
        if any(site in pair for pair in self.sums.values()):
            self.parts[site] = x
        if site == self.plan.last:
            raise _Reached
        return x


def forward(
    module: torch.nn.Module, places: Mapping[str, Place], inputs: Mapping[str, Tensor], plan: Plan
) -> dict[str, Tensor]:
    """What `plan.reads` names, from one pass of `module` over `inputs` (token ids by transformers' names for them).

    The caller's gradient mode holds. Raises MismatchError when an edit returns another shape,
    type or device than it was given, or when a site is never computed.
    """
    sums = {pair[1]: (edited, pair[0]) for edited in plan.edits if (pair := places[edited].rejoins)}
    visits = _Visits(plan, sums)
    wanted = {*plan.reads, *plan.edits, plan.last, *sums, *(part for pair in sums.values() for part in pair)}
    inside = {site for site in wanted if places[site].side == "attention"}
    with ExitStack() as hooks:
        hooks.enter_context(quiet_notices())
        hooks.enter_context(implementation(module, _taps(module, places, inside, visits), fused=plan.fused))
        for site in wanted - inside:
            _hook(hooks, module, places[site], site, visits)
        try:
            output = module(**inputs, use_cache=False, return_dict=True)
            if places[plan.last].side == "logits":
                visits(plan.last, output.logits)
        except _Reached:
            pass
    missing = plan.reads - visits.found.keys()
    if missing:
        raise MismatchError(f"{type(module).__name__} never computed {', '.join(sorted(missing))}: its table is wrong")
    return visits.found


def _taps(module: torch.nn.Module, places: Mapping[str, Place], inside: set[str], visits: _Visits) -> Taps:
    found: dict[torch.nn.Module, dict[str, Apply]] = {}
    for site in inside:
        part = site.rpartition("_")[2].partition(".")[0]  # 'dec.cross_pattern.2' is part 'pattern'
        found.setdefault(module.get_submodule(places[site].path), {})[part] = partial(visits, site)
    return found


def _hook(hooks: ExitStack, module: torch.nn.Module, place: Place, site: str, visits: _Visits) -> None:
    """Have `visits` called with what is at `place`, and what it returns put there, until `hooks` closes."""

    def before(_: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not args:
            raise MismatchError(f"{site} cannot be reached: {place.path} is called without a positional argument")
        return (visits(site, args[0]), *args[1:])

    def after(_: torch.nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (visits(site, output[0]), *output[1:])
        return visits(site, output)

    at = module.get_submodule(place.path)
    if place.side == "in":
        hooks.callback(at.register_forward_pre_hook(before).remove)
    elif place.side == "out":
        hooks.callback(at.register_forward_hook(after).remove)


def _edited(site: str, apply: Apply, x: Tensor) -> Tensor:
    """`apply` of a copy of x, so that an edit may work in place, in the memory layout of x, so that
    a value written back as it was takes the same path through the matrix products, bit for bit."""
    y = apply(x.clone())
    if not isinstance(y, Tensor):
        raise MismatchError(
            f"the edit at {site} returned {type(y).__name__}: it must return a tensor like its argument"
        )
    if (y.shape, y.dtype, y.device) != (x.shape, x.dtype, x.device):
        got, need = (f"{list(t.shape)} {str(t.dtype).removeprefix('torch.')} on {t.device}" for t in (y, x))
        raise MismatchError(f"the edit at {site} returned {got}: it must return {need}, as it was given")
    return y if y.stride() == x.stride() else torch.empty_like(x).copy_(y)

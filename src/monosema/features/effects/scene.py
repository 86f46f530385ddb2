"""Some blocks after their clean pass, ready to be run again without a feature.

    clean     tokens --> start --> ... --> last residual stream --> losses       once for all features
    without   start - A d, reconstruction error kept --> ... --> losses          once a (block, feature)

Several features, or several blocks, are the rows of one batch. A pass begins at the layer that the
dictionary writes into, where that is found to be exact (`models.resuming`), and nothing is unembedded
but what is asked for.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from monosema import models
from monosema.features.effects.subjects import Blocks, Model, counted_tokens, first_layer
from monosema.models.model import Edit
from monosema.models.resuming import passing_through, resumes_exactly

CHUNK = 2**21
"""Logits worked on at a time: 8 MB."""

Readout = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Route:
    """How the model is run again when `writes` change.

    final    the last residual stream
    start    what is kept of the clean pass to begin from; '' when the pass begins at the tokens
    skipped  layers that are not computed again
    """

    model: Model
    writes: tuple[str, ...]
    widths: tuple[int, ...]
    final: str
    start: str
    skipped: int

    @staticmethod
    def of(model: Model, writes: tuple[str, ...], widths: tuple[int, ...]) -> "Route":
        """The shortest route that is exact."""
        layer, last = first_layer(writes, model.n_layers), f"resid_post.{model.n_layers - 1}"
        if layer == model.n_layers:
            return Route(model, writes, widths, last, last, layer)
        if layer >= 0 and isinstance(model, models.Model) and resumes_exactly(model, layer):
            return Route(model, writes, widths, last, f"resid_pre.{layer}", layer)
        return Route(model, writes, widths, last, "", 0)

    def without(
        self,
        tokens: Int64[Tensor, "pair seq"],
        start: Tensor,
        acts: Float[Tensor, "pair seq"],
        directions: Float[Tensor, "pair d_out"],
    ) -> Float[Tensor, "pair seq d_model"]:
        """The last residual stream when acts * directions is taken off what is written."""
        parts = dict(zip(self.writes, directions.split(self.widths, 1), strict=True))
        if self.start == self.final:
            for direction in parts.values():
                start = _taking_off(acts, direction)(start)
            return start
        edits = [Edit(self._place(site), _taking_off(acts, direction)) for site, direction in parts.items()]
        if self.start:
            edits.insert(0, Edit(self.start, lambda _: start))
        with self._shortened():
            return self.model.run(tokens, read=[self.final], edits=edits)[self.final]

    def _place(self, site: str) -> str:
        """Where to edit: what is written after the last skipped layer is what the next one reads."""
        return self.start if self.start and site == f"resid_post.{self.skipped - 1}" else site

    def _shortened(self) -> AbstractContextManager[None]:
        if self.start and isinstance(self.model, models.Model):
            return passing_through(self.model, self.skipped)
        return nullcontext()


def _taking_off(acts: Float[Tensor, "pair seq"], direction: Float[Tensor, "pair d"]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        flat = x.reshape(*acts.shape, -1)
        return (flat.float() - acts.unsqueeze(2) * direction.unsqueeze(1)).to(x.dtype).reshape(x.shape)

    return apply


@dataclass(frozen=True)
class Scene:
    """Blocks, what the clean pass left of them, and the route by which they are run again.

    found    the sites that were read, `route.start` and `route.final` among them
    counted  tokens whose loss counts
    losses   of those tokens in the clean pass, nats; 0 at the others
    """

    route: Route
    tokens: Int64[Tensor, "batch seq"]
    found: dict[str, Tensor]
    counted: Bool[Tensor, "batch seq"]
    losses: Float[Tensor, "batch seq"]

    @staticmethod
    @torch.no_grad()
    def of(route: Route, blocks: Blocks, read: Sequence[str] = ()) -> "Scene":
        """The scene after a clean pass over `blocks`; `read` are further sites to keep."""
        model = route.model
        tokens, counted = blocks.tokens.to(model.device), counted_tokens(blocks).to(model.device)
        sites = dict.fromkeys([*read, route.final, *filter(None, [route.start])])
        found = model.run(tokens, read=list(sites))
        losses = losses_at(model.unembed, found[route.final], tokens, counted)
        return Scene(route, tokens, found, counted, losses)

    @property
    def final(self) -> Float[Tensor, "batch seq d_model"]:
        return self.found[self.route.final]

    @torch.no_grad()
    def without(
        self,
        block: Int64[Tensor, "pair"],
        acts: Float[Tensor, "pair seq"],
        directions: Float[Tensor, "pair d_out"],
    ) -> Float[Tensor, "pair seq d_model"]:
        """The last residual stream of some blocks when acts * directions is taken off what is written.

        `seq` may be shorter than the blocks: what comes later changes nothing.
        """
        kept, seq = self.found[self.route.start or self.route.final], acts.shape[1]
        return self.route.without(self.tokens[block, :seq], kept[block, :seq], acts, directions)

    def reached(self, block: Int64[Tensor, "pair"], acts: Float[Tensor, "pair seq"]) -> Bool[Tensor, "pair seq"]:
        """Counted tokens behind the first position with an activation: no other can change."""
        before = (acts != 0).cumsum(1).roll(1, 1)
        before[:, 0] = 0
        return self.counted[block] & (before > 0)

    def total(
        self,
        block: Int64[Tensor, "pair"],
        acts: Float[Tensor, "pair seq"],
        directions: Float[Tensor, "pair d_out"],
    ) -> Float[Tensor, "pair seq"]:
        """By how much the loss of each counted token rises without acts * directions, nats; 0 elsewhere."""
        wanted = self.reached(block, acts)
        final = self.without(block, acts, directions)
        return losses_at(self.route.model.unembed, final, self.tokens[block], wanted) - self.losses[block] * wanted

    @torch.no_grad()
    def direct(
        self,
        block: Int64[Tensor, "pair"],
        acts: Float[Tensor, "pair seq"],
        directions: Float[Tensor, "pair d_model"],
        readout: Readout | None = None,
        wanted: Bool[Tensor, "pair seq"] | None = None,
    ) -> Float[Tensor, "pair seq"]:
        """The same when acts * directions is taken off the last residual stream, at the position that
        foretells the token and nowhere else; only of `wanted` tokens, if that is given."""
        tokens, counted = self.tokens[block], self.counted[block, : acts.shape[1]]
        wanted = (counted if wanted is None else counted & wanted) & (acts.roll(1, 1) != 0)
        pairs, places = wanted.nonzero(as_tuple=True)
        rows = self.final[block[pairs], places - 1]
        removed = acts[pairs, places - 1].unsqueeze(1) * directions[pairs]
        changed = (rows.float() - removed).to(rows.dtype)
        effects, targets, read = torch.zeros_like(acts), tokens[pairs, places], readout or self.route.model.unembed
        after = _losses(read, changed, targets)
        before = self.losses[block[pairs], places] if readout is None else _losses(read, rows, targets)
        effects[pairs, places] = after - before
        return effects


def losses_at(
    readout: Readout,
    final: Float[Tensor, "pair seq d_model"],
    tokens: Int64[Tensor, "pair seq"],
    wanted: Bool[Tensor, "pair seq"],
) -> Float[Tensor, "pair seq"]:
    """The loss of each wanted token, in the place of the token, float32, nats; 0 at the others."""
    pairs, places = wanted.nonzero(as_tuple=True)
    losses = torch.zeros(tokens.shape, device=tokens.device)
    with torch.no_grad():
        losses[pairs, places] = _losses(readout, final[pairs, places - 1], tokens[pairs, places])
    return losses


def _losses(
    readout: Readout, rows: Float[Tensor, "row d_model"], targets: Int64[Tensor, "row"]
) -> Float[Tensor, "row"]:
    """One row of the residual stream at a time would do: no result depends on how many go together."""
    losses, start, step = torch.zeros(len(rows), device=rows.device), 0, 64
    while start < len(rows):
        logits = readout(rows[start : start + step]).float()
        losses[start : start + step] = cross_entropy(logits, targets[start : start + step], reduction="none")
        start, step = start + step, max(1, CHUNK // logits.shape[1])
    return losses

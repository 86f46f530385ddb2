"""Dictionaries that together stand for several sites of a model, while it runs.

    at a site that is read        x --> codes --> what they write, kept for later
    at a site that is written     the sum of what was kept for it (and of an error), in place of the model's rows

Each reads what the model gives it, with those before it in place: what one gets wrong reaches the next. Dictionaries of
several layers are taken apart by layer first. Sums are float64, so that a rebuilt row and its error give the row again
to the last bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core import sites
from monosema.core.errors import MismatchError
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.evaluation.passes import replacing, rows_of
from monosema.evaluation.subjects import Model
from monosema.models.model import Edit

SHUFFLED = "the same dictionaries, each feature writing what another one wrote"

Kept = dict[str, dict[int, Tensor]]
"""Written site, number of the part, the rows it writes there."""


@final
class Replacement:
    """`dictionaries` as parts that read one site each, in order of layers; `writes`: every site that one writes.

    Raises MismatchError when two read one site, or one reads several sites with the same features.
    """

    def __init__(self, dictionaries: Mapping[str, Dictionary]) -> None:
        self.parts = sorted(
            (part for whole in dictionaries.values() for part in whole.by_layer()),
            key=lambda part: _layer(part.reads[0]),
        )
        for part in self.parts:
            if len(part.reads) > 1:
                raise MismatchError(
                    f"the dictionary on {', '.join(part.reads)} reads them all with the same features, so it cannot be "
                    "run layer by layer: give one for each layer, or train it with cross_layer=true"
                )
        reads = [part.reads[0] for part in self.parts]
        if twice := [site for site in reads if reads.count(site) > 1]:
            raise MismatchError(f"two dictionaries read {twice[0]}: of those that are scored together one may")
        written = dict.fromkeys(site for part in self.parts for site in part.writes)
        self.writes = tuple(sorted(written, key=_layer))

    def shuffled(self, seed: int) -> "Replacement":
        """The same with decoder rows dealt anew among the features of each part that are not pruned."""
        dealt = {str(i): _shuffled(part, seed, i) for i, part in enumerate(self.parts)}
        return Replacement(dealt)

    def made(self, rows: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Int64[Tensor, "row"]]:
        """(what is written at each site, float64; how many features fire) on rows that are all given beforehand."""
        kept, l0 = self._nothing(), torch.zeros(0, dtype=torch.int64)
        for i, part in enumerate(self.parts):
            fired = self._write(i, rows[part.reads[0]], kept)
            l0 = fired if i == 0 else l0 + fired
        return {site: _sum(parts) for site, parts in kept.items()}, l0

    def logits(
        self,
        model: Model,
        tokens: Int64[Tensor, "batch seq"],
        scored: Bool[Tensor, "batch seq"],
        at: Sequence[str] = (),
        errors: Mapping[str, Float[Tensor, "row _"]] | None = None,
    ) -> Float[Tensor, "batch seq d_vocab"]:
        """What the model predicts with the scored rows replaced at the sites `at` (without any, at all that are
        written), plus their `errors`. Raises MismatchError for a site that is written before it is read for."""
        kept = self._nothing()
        edits = [Edit(part.reads[0], self._reading(i, scored, kept)) for i, part in enumerate(self.parts)]
        for site in at or self.writes:
            error = None if errors is None else errors[site]
            edits.append(Edit(site, self._writing(site, scored, kept, error)))
        return model.run(tokens, read=["logits"], edits=edits)["logits"]

    def _nothing(self) -> Kept:
        return {site: {} for site in self.writes}

    def _write(self, i: int, x: Float[Tensor, "row _"], kept: Kept) -> Int64[Tensor, "row"]:
        part = self.parts[i]
        codes = part.encode(x)
        for site, rows in zip(part.writes, part.decode(codes).split(list(part.widths_out), dim=1), strict=True):
            kept[site][i] = rows
        return codes.l0()

    def _reading(self, i: int, scored: Tensor, kept: Kept) -> Callable[[Tensor], Tensor]:
        def apply(x: Tensor) -> Tensor:
            self._write(i, rows_of(x, scored), kept)
            return x

        return apply

    def _writing(self, site: str, scored: Tensor, kept: Kept, error: Tensor | None) -> Callable[[Tensor], Tensor]:
        def apply(y: Tensor) -> Tensor:
            late = [part.reads[0] for i, part in enumerate(self.parts) if site in part.writes and i not in kept[site]]
            if late:
                raise MismatchError(
                    f"{site} comes before {late[0]}, from which it should be written: check the dictionaries"
                )
            total = _sum(kept[site])
            return replacing(total if error is None else total + error, scored)(y)

        return apply


def _layer(site: str) -> int:
    layer = sites.parse(site).layer
    return 0 if layer is None else layer


def _sum(parts: Mapping[int, Tensor]) -> Float[Tensor, "row _"]:
    """In the order of the parts, whatever order they came in."""
    return torch.stack([parts[i].double() for i in sorted(parts)]).sum(0)


def _shuffled(part: Dictionary, seed: int, i: int) -> Dictionary:
    living = part.keep.nonzero().view(-1)
    W_dec = part.W_dec.clone()
    dealt = torch.randperm(len(living), generator=generator(seed, "decoder rows", i)).to(living.device)
    W_dec[living] = part.W_dec[living[dealt]]
    tied = {"W_enc": part.W_enc} if part.weights.tied else {}
    named = {**part.weights.named(), **tied, "W_dec": W_dec}
    return replace(part, weights=replace(part.weights, W_enc=named["W_enc"], W_dec=W_dec))

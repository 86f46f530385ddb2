"""Features of plans suppressed and exchanged at the newline, each beside directions that are not the plan's.

    suppressed   h - sum of a_f W_dec[f] over the features f of the couplet's own plan       a: as they fire there
    exchanged    the same + sum of mean a_f W_dec[f] over the features of the donor's plan

With two candidates, features of the first that are the second's as well are not suppressed. Beside each stands the
same with other features that fire as often, and with random directions, as long at every layer.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.circuits.planning.features import Planned
from monosema.circuits.planning.transplants import Scene, random_like
from monosema.circuits.planning.writing import States, follows
from monosema.core.seeding import generator


@dataclass(frozen=True)
class Changes:
    """For each couplet, what became of its line when something was done to the newline.

    left       another end word is written than its own, and `to_second` the second candidate's line is
    put_in     the line of the donor's plan is written
    as_it_is   whether the second candidate's line is written without any change
    found      whether a feature of its plan fired there, without which there is nothing to suppress

    Each of the first three has a row for each of KINDS.
    """

    left: Bool[Tensor, "3 n"]
    to_second: Bool[Tensor, "3 n"]
    put_in: Bool[Tensor, "3 n"]
    as_it_is: Bool[Tensor, "n"]
    found: Bool[Tensor, "n"]


@runtime_checkable
class Writing(Protocol):
    """Features that write to every layer at once."""

    def writes(self, codes: Float[Tensor, "n n_features"]) -> States: ...
    def alike(self, codes: Float[Tensor, "n n_features"], draws: torch.Generator) -> Float[Tensor, "n n_features"]: ...


KINDS = ("the plan's features", "others that fire as often", "random directions")


@torch.no_grad()
def changed(scene: Scene, planned: Planned, seed: int) -> Changes:
    """Everything above."""
    draws = generator(seed, "directions in place of features")
    verses, donor = scene.verses, scene.donors.first
    own = planned.firing(scene.own) * planned.first[verses.first]
    open_to = (verses.first != verses.second)[:, None] & planned.second[verses.second]
    ends = scene.lines(verses.first)[:, -1]
    gone = [scene.with_states(scene.own - one) for one in kinds(planned, own * ~open_to, draws)]
    put = planned.strength[donor] * planned.first[donor]
    without = scene.own - planned.writes(own)
    exchanged = [scene.with_states(without + one) for one in kinds(planned, put, draws)]
    return Changes(
        left=torch.stack([line[:, -1] != ends for line in gone]),
        to_second=torch.stack([follows(line, scene.lines(verses.second)) for line in gone]),
        put_in=torch.stack([follows(line, scene.lines(donor)) for line in exchanged]),
        as_it_is=follows(scene.with_states(scene.own), scene.lines(verses.second)),
        found=own.gt(0).any(1),
    )


def kinds(features: Writing, codes: Float[Tensor, "n n_features"], draws: torch.Generator) -> list[States]:
    """What features write at their strengths; what others that fire as often do, and random directions, as long."""
    writes = features.writes(codes)
    others = as_long(features.writes(features.alike(codes, draws)), writes)
    return [writes, others, random_like(writes, draws)]


def as_long(vectors: Float[Tensor, "*any d"], like: Float[Tensor, "*any d"]) -> Float[Tensor, "*any d"]:
    """`vectors`, each as long as the one in its place."""
    return torch.nn.functional.normalize(vectors, dim=-1) * like.norm(dim=-1, keepdim=True)

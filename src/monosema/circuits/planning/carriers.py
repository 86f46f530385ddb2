"""Transcoder features at the newline that a couplet's graph says carry the end word: taken away, and exchanged.

    the eight    of the features that fire at the newline, those with most influence on the end word's logit
    taken away   -a W_dec is added to what each layer's MLP writes there, the model itself being free to react
    exchanged    the same, and + a W_dec of the donor's eight; or all features; or all that the MLPs write

What is added is what `Bench` adds for features that are ablated. Lines are then written word by word. Attention writes
to the newline as well, and that stays the couplet's own: what is exchanged here is a part of what `transplants` do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.planning.changes import as_long, kinds
from monosema.circuits.planning.features import as_often, dealt_to, detection
from monosema.circuits.planning.transcoders import Transcoded
from monosema.circuits.planning.transplants import Scene, random_like
from monosema.circuits.planning.writing import States, follows, written
from monosema.core.seeding import generator
from monosema.corpus.plans.couplets import NEWLINE, Couplets
from monosema.models import Edit

MOST = 8
"""Features of a couplet that are taken away."""

JUDGED_ON = 4096

TAKEN = ("the eight of most influence", "eight of least, as long", "others that fire as often, as long", "random")
"""What is taken away; random: directions as long."""

PUT = ("the donor's eight", "all of the donor's features", "all that the donor's MLPs write", "random")
"""What is put in the place of the couplet's own; random: directions as long as what changes with all features."""


@dataclass(frozen=True)
class AtNewline:
    """All transcoders' features at the newline, laid end to end: feature f of layer l is number l n + f.

    nearest         for every feature, those of its layer that fire most nearly as often there
    f1, shuffled    of those that fire for a plan as a detector of it, as in `features`; and of labels dealt anew
    """

    made: Transcoded
    nearest: Int64[Tensor, "n_features m"]
    f1: Float[Tensor, "plan"]
    shuffled: Float[Tensor, "plan"]

    def writes(self, codes: Float[Tensor, "n n_features"]) -> States:
        """What features write to every layer's mlp_out."""
        layers = codes.unflatten(1, (len(self.made.transcoders), -1)).unbind(1)
        return torch.stack([a @ one.W_dec for a, one in zip(layers, self.made.transcoders, strict=True)])

    def alike(self, codes: Float[Tensor, "n n_features"], draws: torch.Generator) -> Float[Tensor, "n n_features"]:
        """The same strengths, of others at random among those of the layer that fire most nearly as often."""
        return dealt_to(self.nearest, codes, draws)


@dataclass(frozen=True)
class Carried:
    """For each couplet: whether another end word is written when what TAKEN names is taken away; whether the donor's
    line is when what PUT names is put in; the eight's share of the influence of all features at the newline."""

    left: Bool[Tensor, "4 n"]
    put_in: Bool[Tensor, "4 n"]
    share: Float[Tensor, "n"]


def firing(made: Transcoded, tokens: Int64[Tensor, "n seq"], place: int) -> Float[Tensor, "n n_features"]:
    """How strongly every layer's features fire at the token in `place`, laid end to end."""
    sites = [f"mlp_in.{layer}" for layer in range(len(made.transcoders))]
    seen = made.reader.run(tokens[:, : place + 1], sites)
    codes = [one.encode(seen[site][:, place]).dense() for site, one in zip(sites, made.transcoders, strict=True)]
    return torch.cat(codes, 1)


@torch.no_grad()
def at_newline(made: Transcoded, language: Couplets, seed: int) -> AtNewline:
    """The features as they fire on couplets of their own."""
    draws = generator(seed, "couplets to judge transcoders by")
    verses = language.draw(JUDGED_ON, draws)
    fires = firing(made, verses.tokens, NEWLINE) > 0
    n = fires.shape[1] // len(made.transcoders)
    nearest = torch.cat([at * n + as_often(part) for at, part in enumerate(fires.split(n, 1))])
    dealt = verses.first[torch.randperm(JUDGED_ON, generator=draws)]
    return AtNewline(made, nearest, detection(fires, verses.first), detection(fires, dealt))


@torch.no_grad()
def carried(
    stage: Scene,
    donor: Int64[Tensor, "n"],
    features: AtNewline,
    influence: Float[Tensor, "n n_features"],
    seed: int,
) -> Carried:
    """What the eight do; `influence` of every feature at the newline by the couplets' graphs, 0 where it is silent.
    The scene's donors are couplets of its own, by number `donor`."""
    draws = generator(seed, "carriers")
    codes = firing(features.made, stage.verses.tokens, NEWLINE)
    others = firing(features.made, stage.donors.tokens, NEWLINE)
    eight = most(influence)
    least = most(torch.where(influence > 0, -influence, -torch.inf))
    theirs = eight[donor]
    taken = kinds(features, codes * eight, draws)
    taken.insert(1, as_long(features.writes(codes * least), taken[0]))
    changes = [features.writes(a) for a in (others * theirs - codes * eight, others - codes)]
    mlps = mlp_outs(stage, stage.donors.tokens)
    ends, donors = (stage.lines(each.first) for each in (stage.verses, stage.donors))
    put = [_written(stage, added(one)) for one in changes]
    put.append(_written(stage, [Edit(f"mlp_out.{at}", _setting(y)) for at, y in enumerate(mlps)]))
    put.append(_written(stage, added(random_like(changes[1], draws))))
    return Carried(
        torch.stack([_written(stage, added(-one))[:, -1] != ends[:, -1] for one in taken]),
        torch.stack([follows(line, donors) for line in put]),
        (influence * eight).sum(1) / influence.sum(1),
    )


def most(scores: Float[Tensor, "n m"]) -> Bool[Tensor, "n m"]:
    """The `MOST` largest of every row."""
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, scores.topk(MOST, 1).indices, True)


def added(vectors: States) -> list[Edit]:
    """Edits that add to what each layer's MLP writes at the newline."""
    return [Edit(f"mlp_out.{layer}", _adding(x)) for layer, x in enumerate(vectors)]


def mlp_outs(stage: Scene, tokens: Int64[Tensor, "n seq"]) -> States:
    """What the MLPs write at the newline."""
    sites = [f"mlp_out.{layer}" for layer in range(len(stage.own))]
    seen = stage.reader.run(tokens[:, : NEWLINE + 1], sites)
    return torch.stack([seen[site][:, NEWLINE] for site in sites])


def _written(stage: Scene, edits: list[Edit]) -> Int64[Tensor, "n 4"]:
    return written(stage.reader, stage.begun, edits=edits)


def _adding(x: Float[Tensor, "n d_model"]) -> Callable[[Tensor], Tensor]:
    def apply(y: Tensor) -> Tensor:
        y[:, NEWLINE] += x.to(y)
        return y

    return apply


def _setting(x: Float[Tensor, "n d_model"]) -> Callable[[Tensor], Tensor]:
    def apply(y: Tensor) -> Tensor:
        y[:, NEWLINE] = x.to(y)
        return y

    return apply

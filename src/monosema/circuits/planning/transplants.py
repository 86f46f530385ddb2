"""At the newline: another couplet's state, a mean difference, a random direction; and which line is then written.

    donor       the state of another couplet, at every layer or at one
    mean        h + mean of states with the donor's plan - mean of states with the couplet's own
    random      h + a random vector as long as that difference, layer by layer

A plan is transferred where the line that is written is the donor's: t2, t3 and the end word. Lines are written word
by word, so that each word is told from those that the model itself wrote before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.planning.sight import Reader
from monosema.circuits.planning.writing import States, being, follows, states_at, written
from monosema.core.seeding import generator
from monosema.corpus.plans.couplets import N_PLANS, NEWLINE, Couplets, Verses

MEAN_OF = 2048
"""Couplets behind the mean states of plans."""


@dataclass(frozen=True)
class Scene:
    """Couplets in pairs: those that are written, and those whose plan is put in. Their plans differ, and so do t2 and
    t3, so that no word of the donor's line is there by chance. `own`, `others`: their states at the newline."""

    reader: Reader
    language: Couplets
    verses: Verses
    donors: Verses
    own: States
    others: States

    @property
    def begun(self) -> Int64[Tensor, "n 7"]:
        """The first lines."""
        return self.verses.tokens[:, : NEWLINE + 1]

    def lines(self, plans: Int64[Tensor, "n"]) -> Int64[Tensor, "n 4"]:
        """The second lines of plans."""
        return self.language.lines[plans]

    def with_states(self, states: States, layers: Sequence[int] | None = None) -> Int64[Tensor, "n 4"]:
        """What is written when the newline has these states."""
        return written(self.reader, self.begun, edits=being(states, NEWLINE, layers))


@dataclass(frozen=True)
class Transplants:
    """For each couplet, whether the donor's line is written; `by_word` of t1, t2, t3 and E with the donor's state at
    every layer; `stays`, whether the couplet's own line still is."""

    unchanged: Bool[Tensor, "n"]
    donor: Bool[Tensor, "n"]
    stays: Bool[Tensor, "n"]
    by_word: Bool[Tensor, "n 4"]
    by_layer: Bool[Tensor, "layer n"]
    mean: Bool[Tensor, "n"]
    random: Bool[Tensor, "n"]


def scene(reader: Reader, language: Couplets, n: int, seed: int) -> Scene:
    """`n` couplets, with a donor for each."""
    draws = generator(seed, "couplets and donors")
    verses, pool = language.draw(n, draws), language.draw(16 * n, draws)
    lines = language.lines
    differ = (lines[verses.first][:, None, 1:] != lines[pool.first][None, :, 1:]).all(2)
    donors = pool[torch.multinomial(differ.float(), 1, generator=draws)[:, 0]]
    own, others = (states_at(reader, each.tokens, NEWLINE) for each in (verses, donors))
    return Scene(reader, language, verses, donors, own, others)


def transplanted(scene: Scene, seed: int) -> Transplants:
    """Everything above."""
    donors, own = scene.lines(scene.donors.first), scene.lines(scene.verses.first)
    by_donor = scene.with_states(scene.others)
    shift = _shift(scene, seed)
    shoved = scene.own + random_like(shift, generator(seed, "random directions"))
    single = [follows(scene.with_states(scene.others, [layer]), donors) for layer in range(len(scene.own))]
    return Transplants(
        unchanged=follows(written(scene.reader, scene.begun), own),
        donor=follows(by_donor, donors),
        stays=follows(by_donor, own),
        by_word=by_donor == donors,
        by_layer=torch.stack(single),
        mean=follows(scene.with_states(scene.own + shift), donors),
        random=follows(scene.with_states(shoved), donors),
    )


def random_like(vectors: Float[Tensor, "*any d"], draws: torch.Generator) -> Float[Tensor, "*any d"]:
    """Random directions, each as long as the vector in its place."""
    drawn = torch.nn.functional.normalize(torch.randn(vectors.shape, generator=draws), dim=-1)
    return drawn * vectors.norm(dim=-1, keepdim=True)


def _shift(scene: Scene, seed: int) -> States:
    """From the mean state of each couplet's plan to that of its donor's."""
    known = scene.language.draw(MEAN_OF, generator(seed, "couplets behind mean states"))
    states = states_at(scene.reader, known.tokens, NEWLINE)
    belongs = torch.nn.functional.one_hot(known.first, N_PLANS).to(states)
    means = (belongs / belongs.sum(0)).T @ states
    return means[:, scene.donors.first] - means[:, scene.verses.first]

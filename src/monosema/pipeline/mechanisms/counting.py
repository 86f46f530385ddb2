"""A model of cumulative sums with sequences: the direction of its count, and its answers when that is changed.

    z(n) = mean(n) + (S_n / n - its mean) d + rest      what the first layer's attention adds at position n
    rule(c, n): level where |c| < 1 and n is even, else above where c > 0 and below where it is not

mean and d are fitted by least squares on sequences of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.models import Edit, Model, wrap
from monosema.models.small_transformer import SmallTransformer
from monosema.toys.algorithmic.tasks import Task

SITE = "attn_out.0"
BELOW, LEVEL, ABOVE = 2, 3, 4
"""The answers, as tokens of the task."""

Counts = Float64[Tensor, "n seq"]


def steps_of(tokens: Int64[Tensor, "n seq"]) -> Counts:
    """1 for up, -1 for down."""
    return 1 - 2 * tokens.double()


def rule(counts: Counts, lines: Float64[Tensor, "seq 2"] | None = None) -> Int64[Tensor, "n seq"]:
    """The answer for a count, which may lie between those that occur; `lines` say how far level reaches below 0 and
    above it at each position, without them 1 and 1 where n is even, nowhere where it is odd."""
    if lines is None:
        even = torch.arange(1, counts.shape[1] + 1) % 2 == 0
        lines = even.double()[:, None].expand(-1, 2)
    level = (-lines[:, 0] < counts) & (counts < lines[:, 1])
    # Lines of opposite signs leave level on one side of 0, and the answer changes there.
    above = counts > (lines[:, 1] - lines[:, 0]) / 2
    return torch.where(level, LEVEL, torch.where(above, ABOVE, BELOW))


@dataclass(frozen=True)
class Direction:
    """What is fitted: the position's mean, the mean of S / n there, and the vector that one unit of S / n adds."""

    means: Float64[Tensor, "seq d_model"]
    shares: Float64[Tensor, " seq"]
    vector: Float64[Tensor, " d_model"]

    def written(self, shares: Counts) -> Float64[Tensor, "n seq d_model"]:
        """What a model adds that writes S / n and nothing else."""
        return self.means + (shares - self.shares)[..., None] * self.vector


def fitted(added: Float64[Tensor, "n seq d_model"], shares: Counts) -> Direction:
    """The direction by least squares over all positions, each about its own mean."""
    means, middle = added.mean(0), shares.mean(0)
    moved = shares - middle
    vector = (moved[..., None] * (added - means)).sum((0, 1)) / moved.square().sum()
    return Direction(means, middle, vector)


@final
@dataclass(frozen=True)
class Counter:
    """A model, sequences that it is asked, and the direction fitted on others."""

    model: Model
    tokens: Int64[Tensor, "n seq"]
    targets: Int64[Tensor, "n seq"]
    direction: Direction

    @property
    def position(self) -> Float64[Tensor, " seq"]:
        """Counted from 1."""
        return torch.arange(1, self.tokens.shape[1] + 1, dtype=torch.float64)

    @property
    def counts(self) -> Counts:
        """S at every position."""
        return steps_of(self.tokens).cumsum(1)

    def along(self) -> Counts:
        """What the first layer's attention adds along the direction, less the position's mean, in units of S / n."""
        vector = self.direction.vector
        return (self.added() - self.direction.means) @ vector / vector.square().sum()

    def step_weights(self) -> Float64[Tensor, "seq seq"]:
        """What each step adds to `along` at each position: half of what turning it round changes, a mean over the
        sequences. 1 / n where all steps so far count alike, 0 for steps to come."""
        before, steps = self.along(), steps_of(self.tokens)
        columns = []
        for j in range(self.tokens.shape[1]):
            turned = self.tokens.clone()
            turned[:, j] = 1 - turned[:, j]
            other = Counter(self.model, turned, self.targets, self.direction)
            columns.append(((before - other.along()) * steps[:, j : j + 1] / 2).mean(0))
        return torch.stack(columns, 1)

    def answers(self, edits: Sequence[Edit] = ()) -> Int64[Tensor, "n seq"]:
        """The model's, by position."""
        return self.model.run(self.tokens, read=["logits"], edits=edits)["logits"].argmax(-1)

    def added(self) -> Float64[Tensor, "n seq d_model"]:
        """What the first layer's attention adds."""
        return self.model.run(self.tokens, read=[SITE], stop_at=SITE)[SITE].double()

    def changed(self, change: Callable[[Tensor], Tensor], site: str = SITE) -> Int64[Tensor, "n seq"]:
        """The answers when the activation at a site, in float64, is changed."""
        return self.answers([Edit(site, lambda x: change(x.double()).to(x.dtype))])

    def at_its_mean(self, site: str) -> Int64[Tensor, "n seq"]:
        """The answers with a site at its mean over the sequences, position by position."""
        return self.changed(lambda x: x.mean(0, keepdim=True).expand_as(x), site)

    def flattened(self, along: Float64[Tensor, " d_model"]) -> Int64[Tensor, "n seq"]:
        """The answers with what is added along a direction at the position's mean."""
        unit = along / along.norm()
        return self.changed(lambda z: z - ((z - self.direction.means) @ unit)[..., None] * unit)

    def with_count(self, counts: Counts, along: Float64[Tensor, " d_model"] | None = None) -> Int64[Tensor, "n seq"]:
        """The answers when S is set to `counts`: what is added moves along the direction, or as far along another."""
        vector = self.direction.vector
        if along is not None:
            vector = along / along.norm() * vector.norm()
        moved = (counts - self.counts) / self.position
        return self.changed(lambda z: z + moved[..., None] * vector)

    def with_attention(self, weights: Float64[Tensor, "n seq seq"]) -> Int64[Tensor, "n seq"]:
        """The answers when all heads of the first layer attend alike, by weights from each position to each."""
        return self.changed(lambda pattern: weights[:, None].expand_as(pattern).clone(), "attn_pattern.0")


def counter(
    module: SmallTransformer, task: Task, asked: Int64[Tensor, "n seq"], apart: Int64[Tensor, "m seq"], name: str
) -> Counter:
    """The module with the sequences that it is asked; its direction is fitted on those `apart`."""
    model = wrap(module, name)
    n = torch.arange(1, apart.shape[1] + 1, dtype=torch.float64)
    added = model.run(apart, read=[SITE], stop_at=SITE)[SITE].double()
    return Counter(model, asked, task.solve(asked), fitted(added, steps_of(apart).cumsum(1) / n))


def even_weights(n: int, seq: int) -> Float64[Tensor, "n seq seq"]:
    """From each position to itself and all before it alike."""
    lower = torch.ones(seq, seq, dtype=torch.float64).tril()
    return (lower / lower.sum(1, keepdim=True)).expand(n, -1, -1)


def drawn_weights(n: int, seq: int, draws: torch.Generator) -> Float64[Tensor, "n seq seq"]:
    """From each position to itself and all before it, drawn evenly from all weights that add up to 1."""
    drawn = -torch.rand(n, seq, seq, generator=draws, dtype=torch.float64).clamp_min(1e-12).log()
    lower = drawn.tril()
    return lower / lower.sum(2, keepdim=True)


def weighted_counts(tokens: Int64[Tensor, "n seq"], weights: Float64[Tensor, "n seq seq"]) -> Counts:
    """n times the weighted mean of the steps: S itself where the weights are even."""
    n = torch.arange(1, tokens.shape[1] + 1, dtype=torch.float64)
    return n * torch.einsum("nij,nj->ni", weights, steps_of(tokens))

"""Everything that is claimed of one model of cumulative sums, measured on fresh sequences."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.findings import Finding
from monosema.core.seeding import generator
from monosema.pipeline.mechanisms.claims import Claim
from monosema.pipeline.mechanisms.counting import (
    LEVEL,
    Counter,
    counter,
    drawn_weights,
    even_weights,
    rule,
    weighted_counts,
)
from monosema.pipeline.mechanisms.cumulative_claims import CLAIMS
from monosema.pipeline.mechanisms.settings import CumulativeConfig
from monosema.toys.algorithmic.learning import Learnt, learn, untrained
from monosema.toys.algorithmic.tasks import cumulative_sums

N_DIRECTIONS = 10
"""Random directions."""
N_ZONES = 128
"""Sequences on which the zone of 'level' is measured."""
SPAN = 2.0
CELLS = 40
"""The zone is looked for up to this count on either side, in so many cells."""


@dataclass(frozen=True)
class Counted:
    """One model with what was measured of it.

    level    by position and count set, the share of sequences answered level
    """

    seed: int
    learnt: Learnt
    counter: Counter
    blank: Counter
    accuracy: float
    level: Float64[Tensor, "seq count"]
    measured: dict[str, Finding]


def counted(config: CumulativeConfig, seed: int) -> Counted:
    """Train the model of a seed and measure every claim."""
    task, n = cumulative_sums(), config.n_sequences
    learnt = learn(task, config.recipe, "true", seed)
    asked, apart = (task.draw(n, generator(seed, "mechanism", part)) for part in ("asked", "apart"))
    model = counter(learnt.module, task, asked, apart, f"cumulative sums, seed {seed}")
    blank = counter(untrained(task, config.recipe, seed).requires_grad_(False), task, asked, apart, "before training")
    level = zones(Counter(model.model, apart[:N_ZONES], task.solve(apart[:N_ZONES]), model.direction))
    bench = Bench(model, blank, level, seed)
    accuracy = float((model.answers() == model.targets).double().mean())
    return Counted(seed, learnt, model, blank, accuracy, level, {claim.name: bench.measure(claim) for claim in CLAIMS})


def grid() -> Float64[Tensor, " count"]:
    """The middles of the cells, from -SPAN to SPAN."""
    return (torch.arange(2 * CELLS, dtype=torch.float64) + 0.5) * (SPAN / CELLS) - SPAN


def zones(model: Counter) -> Float64[Tensor, "seq count"]:
    """By position and count set there, the share of sequences that are answered level."""
    answers = (model.with_count(c.expand(model.tokens.shape)) for c in grid())
    return torch.stack([(found == LEVEL).double().mean(0) for found in answers], 1)


def lines(level: Float64[Tensor, "seq count"]) -> Float64[Tensor, "seq 2"]:
    """By position, how far level reaches below 0 and above it, at most SPAN."""
    return torch.stack([level[:, :CELLS].mean(1), level[:, CELLS:].mean(1)], 1) * SPAN


@dataclass(frozen=True)
class Bench:
    """What the claims are measured with."""

    model: Counter
    blank: Counter
    level: Float64[Tensor, "seq count"]
    seed: int

    def measure(self, claim: Claim) -> Finding:
        """The claim's finding, by the method of its name."""
        methods: dict[str, Callable[[Claim], Finding]] = {
            "one_direction": self._one_direction,
            "the_count_suffices": self._suffices,
            "the_direction_is_needed": self._needed,
            "attention_is_a_mean": self._mean,
            "second_attention_idle": self._idle,
            "counts_can_be_set": self._set,
            "counts_between": self._between,
            "made_up_attention": self._made_up,
            "errors_foretold": lambda one: self._foretold(one, None),
            "errors_foretold_by_its_lines": lambda one: self._foretold(one, lines(self.level)),
            "level_only_where_it_can_be": self._level,
            "midway": self._midway,
        }
        return methods[claim.name](claim)

    def _draws(self, purpose: str) -> torch.Generator:
        return generator(self.seed, "mechanism", purpose)

    def _agreeing(
        self, claim: Claim, given: Int64[Tensor, "n seq"], wanted: Int64[Tensor, "n seq"], control: float
    ) -> Finding:
        wrong = (given != wanted).double().sum(1)
        terms = torch.stack([wrong, torch.full_like(wrong, given.shape[1])], 1)
        return claim.ratio(terms, control, self._draws("interval"))

    def _right(self, given: Int64[Tensor, "n seq"]) -> float:
        return float((given == self.model.targets).double().mean())

    def _directions(self) -> Float64[Tensor, "direction d_model"]:
        d_model = self.model.model.d_model
        return torch.randn(N_DIRECTIONS, d_model, generator=self._draws("directions"), dtype=torch.float64)

    def _one_direction(self, claim: Claim) -> Finding:
        def terms(model: Counter) -> Float64[Tensor, "n 2"]:
            added, shares = model.added(), model.counts / model.position
            left = (added - model.direction.written(shares)).square().sum((1, 2))
            return torch.stack([left, (added - model.direction.means).square().sum((1, 2))], 1)

        control = terms(self.blank).sum(0)
        return claim.ratio(terms(self.model), float(1 - control[0] / control[1]), self._draws("interval"))

    def _suffices(self, claim: Claim) -> Finding:
        model = self.model
        written = model.direction.written(model.counts / model.position)
        given, other = (model.changed(lambda _, x=x: x) for x in (written, written.roll(1, 0)))
        return self._agreeing(claim, given, model.targets, self._right(other))

    def _needed(self, claim: Claim) -> Finding:
        control = [self._right(self.model.flattened(along)) for along in self._directions()]
        given = self.model.flattened(self.model.direction.vector)
        return self._agreeing(claim, given, self.model.targets, sum(control) / len(control))

    def _mean(self, claim: Claim) -> Finding:
        n, seq = self.model.tokens.shape
        alone = torch.eye(seq, dtype=torch.float64).expand(n, -1, -1)
        control = self._right(self.model.with_attention(alone))
        return self._agreeing(claim, self.model.with_attention(even_weights(n, seq)), self.model.targets, control)

    def _idle(self, claim: Claim) -> Finding:
        control = self._right(self.model.at_its_mean("attn_out.0"))
        return self._agreeing(claim, self.model.at_its_mean("attn_out.1"), self.model.targets, control)

    def _set(self, claim: Claim) -> Finding:
        model = self.model
        ups = (
            torch.rand(model.tokens.shape, generator=self._draws("set"), dtype=torch.float64) * (model.position + 1)
        ).floor()
        counts = 2 * ups - model.position
        wanted = LEVEL + counts.sign().long()
        control = [(model.with_count(counts, along) == wanted).double().mean() for along in self._directions()]
        return self._agreeing(claim, model.with_count(counts), wanted, float(torch.stack(control).mean()))

    def _between(self, claim: Claim) -> Finding:
        model = self.model
        drawn = torch.rand(model.tokens.shape, generator=self._draws("between"), dtype=torch.float64)
        counts = (2 * drawn - 1) * model.position
        given = model.with_count(counts)
        return self._agreeing(claim, given, rule(counts), float((given == rule(counts.roll(1, 0))).double().mean()))

    def _attended(self) -> tuple[Tensor, Tensor, Tensor]:
        """Under made-up attention: the model's answers, n times the weighted mean of the steps, and that of another
        sequence's steps."""
        model = self.model
        n, seq = model.tokens.shape
        weights = drawn_weights(n, seq, self._draws("attention"))
        own, other = (weighted_counts(tokens, weights) for tokens in (model.tokens, model.tokens.roll(1, 0)))
        return model.with_attention(weights), own, other

    def _made_up(self, claim: Claim) -> Finding:
        given, counts, _ = self._attended()
        return self._agreeing(claim, given, rule(counts), self._right(given))

    def _foretold(self, claim: Claim, own: Float64[Tensor, "seq 2"] | None) -> Finding:
        given, counts, other = self._attended()
        wrong = given != self.model.targets
        control = (rule(other, own) == given)[wrong].double()
        return claim.share((rule(counts, own) == given)[wrong], float(control.mean()) if len(control) else 0.0)

    def _level(self, claim: Claim) -> Finding:
        inside = self.level[:, grid().abs() < 1].mean(1)
        odd, even = inside[0::2], inside[1::2]
        return claim.ratio(torch.stack([1 - odd, torch.ones_like(odd)], 1), float(even.mean()), self._draws("interval"))

    def _midway(self, claim: Claim) -> Finding:
        off = (lines(self.level)[1::2] - SPAN / 2).abs().flatten()
        # A line anywhere from 0 to SPAN is SPAN / 4 from the middle in the mean.
        return claim.ratio(torch.stack([1 - off, torch.ones_like(off)], 1), SPAN / 4, self._draws("interval"))

"""Everything that is claimed of one model of modular addition, measured.

    grok --> at first by heart, at the end by rule --> key frequencies, read off the embedding --> each claim

The frequencies are chosen by the embedding's spectrum alone. What is fitted (one amplitude a circle) is fitted on the
pairs that the model was trained on; every number is of the others.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from monosema.core.findings import Finding
from monosema.core.seeding import generator
from monosema.models.small_transformer import SmallTransformer
from monosema.pipeline.mechanisms import fourier
from monosema.pipeline.mechanisms.adding import Adder, adder
from monosema.pipeline.mechanisms.claims import Claim
from monosema.pipeline.mechanisms.modular_claims import CLAIMS
from monosema.toys.algorithmic.grokking import Grokked, Sums, grok, sums
from monosema.toys.algorithmic.recipes import GrokConfig

N_DRAWS = 10
"""Sets of other circles."""
BY_HEART = 0.99
"""The share of the pairs shown from which on they are known by heart."""
ALIVE = 1e-3
"""A neuron is counted when it varies at least this much, of the one that varies most."""


@dataclass(frozen=True)
class Learned:
    """A training: its records, the module when it first knew the pairs shown, and its embedding by recorded step."""

    grokked: Grokked
    by_heart: SmallTransformer
    heart_step: int
    embeddings: tuple[Float64[Tensor, "p d_model"], ...]


@dataclass(frozen=True)
class Studied:
    """One model with what was measured of it; accuracies are of the unseen pairs, `heart_accuracy` is the control's."""

    seed: int
    learned: Learned
    made: Sums
    adder: Adder
    heart: Adder
    keys: tuple[int, ...]
    heights: Float64[Tensor, " k"]
    accuracy: float
    heart_accuracy: float
    measured: dict[str, Finding]


def learned(config: GrokConfig) -> Learned:
    """Train, and keep what the controls need; if the pairs shown are never known by heart, the start."""
    made, kept, embeddings = sums(config), dict[int, SmallTransformer](), list[Tensor]()

    def watch(step: int, module: SmallTransformer) -> None:
        with torch.no_grad():
            embeddings.append(module.embed.weight[:-1].double())
            logits = module(input_ids=made.tokens).logits[:, -1]
        known = float((logits.argmax(-1) == made.targets)[made.train].double().mean()) > BY_HEART
        if not kept or (known and len(kept) == 1):
            kept[step] = deepcopy(module)

    grokked = grok(config, watch=watch)
    step = max(kept)
    return Learned(grokked, kept[step].requires_grad_(False), step, tuple(embeddings))


def studied(config: GrokConfig) -> Studied:
    """Train the model of a seed and measure every claim."""
    trained, made = learned(config), sums(config)
    model = adder(trained.grokked.module, made, f"modular addition, seed {config.seed}")
    heart = adder(trained.by_heart, made, "by heart")
    keys = fourier.key_frequencies(model.numbers)
    logits = model.logits()
    seen = ~model.unseen
    heights = fourier.amplitudes(logits[seen], model.targets[seen], keys)
    accuracy, beside = (float(x.right(x.logits()).double().mean()) for x in (model, heart))
    bench = Bench(model, heart, keys, heights, config.seed)
    measured = {claim.name: bench.measure(claim) for claim in CLAIMS}
    return Studied(config.seed, trained, made, model, heart, keys, heights, accuracy, beside, measured)


@dataclass(frozen=True)
class Bench:
    """What the claims are measured with."""

    model: Adder
    heart: Adder
    keys: tuple[int, ...]
    heights: Float64[Tensor, " k"]
    seed: int

    def measure(self, claim: Claim) -> Finding:
        """The claim's finding, by the method of its name."""
        methods: dict[str, Callable[[Claim], Finding]] = {
            "few_circles": lambda one: self._spectrum(one, self.model.numbers, self.heart.numbers),
            "attention_by_the_circles": lambda one: self._spectrum(one, self.model.scores(), self.heart.scores()),
            "circles_suffice": lambda one: self._circles(one, fourier.kept),
            "circles_are_needed": lambda one: self._circles(one, fourier.removed),
            "circles_turn": self._turned,
            "through_the_mlp": self._through,
            "a_neuron_a_circle": self._neurons,
            "logits_are_cosines": self._cosines,
            "circles_disagree_logits": self._disagreeing_logits,
            "circles_disagree_answers": self._disagreeing_answers,
            "others_go_on": self._others_go_on,
            "errors_foretold": self._errors_foretold,
            "circles_vote_alone": self._alone,
        }
        return methods[claim.name](claim)

    def _draws(self, *purpose: str | int) -> torch.Generator:
        return generator(self.seed, "mechanism", *purpose)

    def _others(self) -> list[tuple[int, ...]]:
        """Sets of frequencies that are not key, each as large as that of the key ones."""
        rest = [k for k in range(1, (self.model.p + 1) // 2) if k not in self.keys]
        orders = (torch.randperm(len(rest), generator=self._draws("circles", i)) for i in range(N_DRAWS))
        return [tuple(sorted(rest[j] for j in order[: len(self.keys)].tolist())) for order in orders]

    def _spectrum(self, claim: Claim, vectors: Tensor, control: Tensor) -> Finding:
        value = float(fourier.spectrum(vectors)[[k - 1 for k in self.keys]].sum())
        best = float(fourier.spectrum(control).topk(len(self.keys)).values.sum())
        return claim.of_weights(value, best, self.model.p)

    def _circles(self, claim: Claim, change: Callable[[Tensor, Sequence[int]], Tensor]) -> Finding:
        def right(circles: Sequence[int]) -> Bool[Tensor, " unseen"]:
            return self.model.right(self.model.with_numbers(change(self.model.numbers, circles)))

        control = torch.stack([right(circles) for circles in self._others()])
        return claim.share(right(self.keys), float(control.double().mean()))

    def _turned(self, claim: Claim) -> Finding:
        model = self.model
        n = len(model.targets)
        steps = torch.randint(1, model.p, (n,), generator=self._draws("turns"))
        alike = steps.double()[:, None].expand(-1, len(self.keys))
        answers = (model.targets + steps) % model.p

        def hits(circles: Sequence[int]) -> Bool[Tensor, " unseen"]:
            return (model.turned(circles, alike).argmax(1) == answers)[model.unseen]

        control = torch.stack([hits(circles) for circles in self._others()])
        return claim.share(hits(self.keys), float(control.double().mean()))

    def _through(self, claim: Claim) -> Finding:
        past, by = self.model.past_the_mlp()
        return claim.share(self.model.right(past), float(self.model.right(by).double().mean()))

    def _neurons(self, claim: Claim) -> Finding:
        terms, control = neuron_terms(self.model), neuron_terms(self.heart).sum(0)
        return claim.ratio(terms, float(1 - control[0] / control[1]), self._draws("neurons"))

    def _cosines(self, claim: Claim) -> Finding:
        terms = self.explained(self.model, self.keys)
        logits, seen = self.heart.logits(), ~self.heart.unseen
        every = range(1, (self.model.p + 1) // 2)
        best = fourier.amplitudes(logits[seen], self.heart.targets[seen], every).abs().topk(len(self.keys)).indices
        control = self.explained(self.heart, [i + 1 for i in best.tolist()]).sum(0)
        return claim.ratio(terms, float(1 - control[0] / control[1]), self._draws("logits"))

    def explained(self, model: Adder, frequencies: Sequence[int]) -> Float64[Tensor, "unseen 2"]:
        """By unseen pair: what the formula, fitted on the others, leaves of the logits, and the logits, squared."""
        logits, seen = model.logits(), ~model.unseen
        heights = fourier.amplitudes(logits[seen], model.targets[seen], frequencies)
        return left_over(logits, self.formula(frequencies, heights))[model.unseen]

    def formula(
        self, frequencies: Sequence[int], heights: Tensor, turns: Tensor | None = None
    ) -> Float64[Tensor, "pair p"]:
        """The formula's logits for every pair."""
        sums_of = self.model.targets.double()[:, None].expand(-1, len(frequencies))
        return fourier.cosines(self.model.p, frequencies, heights, sums_of if turns is None else sums_of + turns)

    def _disagreeing(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the model and of the formula with each circle turned on its own, and the formula's with the turns
        of another pair."""
        turns = self.model.p * torch.rand(
            len(self.model.targets), len(self.keys), generator=self._draws("angles"), dtype=torch.float64
        )
        others = turns.roll(1, 0)
        unseen = self.model.unseen
        formula, other = (self.formula(self.keys, self.heights, x)[unseen] for x in (turns, others))
        return self.model.turned(self.keys, turns)[unseen], formula, other

    def _disagreeing_logits(self, claim: Claim) -> Finding:
        logits, formula, other = self._disagreeing()
        sums_left = left_over(logits, other).sum(0)
        return claim.ratio(left_over(logits, formula), float(1 - sums_left[0] / sums_left[1]), self._draws("disagree"))

    def _disagreeing_answers(self, claim: Claim) -> Finding:
        answers, formula, other = (x.argmax(1) for x in self._disagreeing())
        return claim.share(formula == answers, float((other == answers).double().mean()))

    def without(self) -> list["Without"]:
        """For each key circle: the model with it taken out of the embedding."""
        return [self._without(i) for i in range(len(self.keys))]

    def _without(self, i: int) -> "Without":
        model = self.model
        rest = [j for j in range(len(self.keys)) if j != i]
        logits = model.with_numbers(fourier.removed(model.numbers, (self.keys[i],)))
        fewer = self.formula([self.keys[j] for j in rest], self.heights[rest])
        every = self.formula(self.keys, self.heights)
        seen, unseen = ~model.unseen, model.unseen
        alone, same = ((logits - x)[seen].mean(0) for x in (fewer, every))
        return Without(logits[unseen], (fewer + alone)[unseen], (every + same)[unseen], alone, model.targets[unseen])

    def _others_go_on(self, claim: Claim) -> Finding:
        runs = self.without()
        terms = torch.cat([left_over(one.logits, one.formula) for one in runs])
        control = torch.cat([left_over(one.logits, one.every) for one in runs]).sum(0)
        return claim.ratio(terms, float(1 - control[0] / control[1]), self._draws("without"))

    def _errors_foretold(self, claim: Claim) -> Finding:
        hits, control = [], []
        for one in self.without():
            answers = one.logits.argmax(1)
            wrong = answers != one.targets
            hits.append((one.formula.argmax(1) == answers)[wrong])
            control.append((one.alone.argmax() == answers)[wrong])
        beside = torch.cat(control)
        return claim.share(torch.cat(hits), float(beside.double().mean()) if len(beside) else 0.0)

    def _alone(self, claim: Claim) -> Finding:
        hits = torch.cat([one.logits.argmax(1) == one.targets for one in self.without()])
        none = self.model.right(self.model.with_numbers(fourier.removed(self.model.numbers, self.keys)))
        return claim.share(hits, float(none.double().mean()))


@dataclass(frozen=True)
class Without:
    """The unseen pairs with a circle taken out.

    formula    the other circles' cosines and `alone`, the vector that is the same for all pairs
    every      all circles' cosines and a vector
    """

    logits: Float64[Tensor, "unseen p"]
    formula: Float64[Tensor, "unseen p"]
    every: Float64[Tensor, "unseen p"]
    alone: Float64[Tensor, " p"]
    targets: Tensor


def left_over(logits: Float64[Tensor, "pair p"], formula: Float64[Tensor, "pair p"]) -> Float64[Tensor, "pair 2"]:
    """By pair: the sum of squares that the formula leaves, and that of the logits."""
    return torch.stack([(logits - formula).square().sum(1), logits.square().sum(1)], 1)


def neuron_terms(model: Adder) -> Float64[Tensor, "neuron 2"]:
    """By neuron that is alive: its variance that is of no one frequency, and its variance."""
    activations = model.activations()
    variance = activations.var((0, 1), correction=0)
    best = fourier.by_neuron(activations).amax(0)
    alive = variance >= ALIVE * variance.max()
    return torch.stack([variance * (1 - best), variance], 1)[alive]

"""Faithfulness and completeness of circuits of growing size, found on some pairs and measured on others.

    features          the dictionaries' features
    neurons           the coordinates of the same sites
    unlearned         features of dictionaries in which nothing is learned
    random nodes      of the dictionaries, as many, drawn from those that are active

Each twice: features alone, every error at its mean; and with errors among the nodes. A site's error at a position is a
whole vector, so a few of them can carry everything, whatever the features are worth: read the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from monosema.circuits.features.controls import random_nodes, unlearned
from monosema.circuits.features.effects import feature_effects
from monosema.circuits.features.keeping import Kept, MeanAblation
from monosema.circuits.features.nodes import FeatureEffects, NodeSet
from monosema.circuits.features.parts import Part, coordinates
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import means_of
from monosema.circuits.patch.pairs import Pairs
from monosema.core.config import require
from monosema.core.progress import progress
from monosema.core.seeding import generator
from monosema.models import Model


@dataclass(frozen=True)
class Curve:
    """Circuits of one kind by size; `kept` is F(C) of each, `left` F(all but C).

    errors     whether errors are among the nodes
    all_of     F of all nodes of the kind: 1 where errors or neurons are among them
    n_active   nodes that could be chosen
    """

    name: str
    errors: bool
    sizes: tuple[int, ...]
    kept: tuple[Kept, ...]
    left: tuple[Kept, ...]
    all_of: Kept
    n_active: int

    def at(self, size: int) -> int:
        """Where the circuit of this size is, or the largest below it."""
        return max((i for i, one in enumerate(self.sizes) if one <= size), default=0)

    def first_above(self, share: float) -> int | None:
        """The smallest size with a faithfulness of at least `share`."""
        return next((size for size, one in zip(self.sizes, self.kept, strict=True) if one.share >= share), None)


@dataclass(frozen=True)
class Subject:
    """One way to take the sites apart: its effects on the pairs where circuits are found, and what measures them."""

    name: str
    effects: FeatureEffects
    ablation: MeanAblation

    def curve(self, sizes: Sequence[int], errors: bool) -> Curve:
        """Of the nodes with the largest effects."""
        some = self.possible(sizes, errors)
        return self._curve(self.name, some, [[self.effects.top(size, errors)] for size in some], errors)

    def random_curve(self, sizes: Sequence[int], errors: bool, n: int, seed: int) -> Curve:
        """Of nodes drawn at random: the metric is a mean over `n` draws."""
        some = self.possible(sizes, errors)
        draws = [random_nodes(self.effects, size, n, seed, errors) for size in some]
        return self._curve("random nodes", some, draws, errors)

    def possible(self, sizes: Sequence[int], errors: bool) -> tuple[int, ...]:
        """The sizes up to as many nodes as are active, and that number."""
        most = len(self.effects.order(errors))
        return (*(size for size in sizes if size < most), most)

    def _curve(self, name: str, sizes: tuple[int, ...], sets: Sequence[Sequence[NodeSet]], errors: bool) -> Curve:
        kept = tuple(_mean([self.ablation.kept(one) for one in group]) for group in sets)
        left = tuple(_mean([self.ablation.kept(self._others(one, errors)) for one in group]) for group in sets)
        none = self.effects.active.chosen(self.effects.order()[:0])
        return Curve(name, errors, sizes, kept, left, self.ablation.kept(self._others(none, errors)), sizes[-1])

    def _others(self, nodes: NodeSet, errors: bool) -> NodeSet:
        others = nodes.complement()
        return others if errors else others.without_errors()


def _mean(group: Sequence[Kept]) -> Kept:
    return Kept(torch.stack([one.values for one in group]).mean(0), group[0].model, group[0].nothing)


def subject(
    name: str, model: Model, sides: tuple[Pairs, Pairs], parts: Sequence[Part], config: CircuitConfig
) -> Subject:
    """`parts` on the pairs where circuits are found (the first of `sides`) and measured (the second). The means are of
    the first side's prompts, clean and corrupted."""
    found, held_out = sides
    prompts = torch.cat([found.clean, found.corrupted])
    means = means_of(model, parts, prompts, config.positions, config.rows)
    effects = feature_effects(model, found, parts, config, means)
    return Subject(name, effects, MeanAblation.of(model, held_out, parts, means, config))


def all_curves(
    model: Model, sides: tuple[Pairs, Pairs], parts: Sequence[Part], config: CircuitConfig
) -> tuple[Subject, tuple[Curve, ...]]:
    """The features as a subject, and every curve: features, random nodes, unlearned and neurons, those of features
    with errors and without. Raises as `feature_effects` does."""
    prompts = torch.cat([sides[0].clean, sides[0].corrupted])
    controls = unlearned(model, parts, prompts, config.seed)
    with progress("measuring circuits", 4) as bar:
        features = subject("features", model, sides, parts, config)
        curves = [features.curve(config.sizes, errors) for errors in (False, True)]
        bar.advance(1, "features")
        curves += [features.random_curve(config.sizes, e, config.random, config.seed) for e in (False, True)]
        bar.advance(1, "random nodes")
        nothing = subject("unlearned", model, sides, controls, config)
        curves += [nothing.curve(config.sizes, errors) for errors in (False, True)]
        bar.advance(1, "unlearned")
        neurons = subject("neurons", model, sides, coordinates(parts), config)
        curves.append(neurons.curve(config.sizes, False))
        bar.advance(1, "neurons")
    return features, tuple(curves)


def split(pairs: Pairs, held_out: float, seed: int = 0) -> tuple[Pairs, Pairs]:
    """Pairs to find circuits on, and at most a share `held_out` of them to measure them on; pairs with the same clean
    prompt are on one side. Raises ConfigError when a side would be empty."""
    n, order = round(held_out * len(pairs)), torch.randperm(len(pairs), generator=generator(seed, "held-out pairs"))
    _, prompt, sizes = pairs.clean.unique(dim=0, return_inverse=True, return_counts=True)
    chosen, count = torch.zeros(len(sizes), dtype=torch.bool), 0
    for one in dict.fromkeys(prompt[order].tolist()):
        if count + int(sizes[one]) <= n:
            chosen[one], count = True, count + int(sizes[one])
    held = chosen[prompt[order]]
    require(
        0 < count < len(pairs),
        f"{len(pairs)} pairs of {len(sizes)} prompts cannot be split with {held_out:g} held out: give more prompts",
    )
    return pairs.where(order[~held]), pairs.where(order[held])

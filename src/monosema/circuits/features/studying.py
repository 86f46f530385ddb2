"""A circuit found on some pairs, measured on others, and every number that the page needs beside it."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from monosema.circuits.features.circuits import FeatureCircuit
from monosema.circuits.features.curves import Curve, Subject, all_curves, split
from monosema.circuits.features.edges import node_edges
from monosema.circuits.features.effects import feature_effects
from monosema.circuits.features.exact import exact_effects
from monosema.circuits.features.nodes import FeatureEffects
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.patch.activation import at_the_end
from monosema.circuits.patch.pairs import Pairs
from monosema.models import Model


@dataclass(frozen=True)
class CircuitStudy:
    """sides      pairs on which the circuit was found, and held-out ones
    answered      of each held-out pair, whether the answer has a higher logit than the wrong one: clean, corrupted
    circuit       its nodes and edges; gradients: the effects by one gradient
    exact         of the circuit's nodes, pair by pair, on the pairs where it was found
    features      the dictionaries with their effects, and what keeps nodes on held-out pairs
    curves        see `all_curves`
    """

    model: str
    sides: tuple[Pairs, Pairs]
    answered: tuple[Bool[Tensor, "pair"], Bool[Tensor, "pair"]]
    circuit: FeatureCircuit
    gradients: FeatureEffects
    exact: Float[Tensor, "node found"]
    features: Subject
    curves: tuple[Curve, ...]
    config: CircuitConfig

    def curve(self, name: str, errors: bool = False) -> Curve:
        """That of one kind."""
        return next(one for one in self.curves if one.name == name and one.errors == errors)

    @property
    def right(self) -> float:
        """The share of held-out pairs that the model answers rightly on the clean prompt."""
        return float(self.answered[0].double().mean())

    @property
    def errors(self) -> tuple[float, float]:
        """How far integrated gradients, and one gradient, are off on average over the circuit's nodes."""
        exact = self.exact.mean(1).tolist()
        off = [
            [abs(effects.of(node) - one) for node, one in zip(self.circuit.nodes, exact, strict=True)]
            for effects in (self.circuit.effects, self.gradients)
        ]
        return sum(off[0]) / len(exact), sum(off[1]) / len(exact)


def study_circuit(model: Model, pairs: Pairs, parts: tuple[Part, ...], config: CircuitConfig) -> CircuitStudy:
    """Split the pairs, find, and measure. Raises as `split` and `all_curves` do."""
    sides = split(pairs, config.held_out, config.seed)
    # Whether an answer is right is a matter of logits, whatever the metric.
    logits = [at_the_end(model, tokens, sides[1], "logit_diff") for tokens in (sides[1].clean, sides[1].corrupted)]
    features, curves = all_curves(model, sides, parts, config)
    effects, means = features.effects, features.ablation.means
    nodes = effects.listed(effects.top(config.top))
    edges = node_edges(model, sides[0], parts, nodes, config, means)
    return CircuitStudy(
        model.name,
        sides,
        (logits[0] > 0, logits[1] > 0),
        FeatureCircuit(nodes, effects, edges),
        feature_effects(model, sides[0], parts, config, means, "gradients"),
        exact_effects(model, sides[0], parts, [(node,) for node in nodes], config, means),
        features,
        curves,
        config,
    )

"""The circuit of the planted model as an exhibit: whether what is found is what was put there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from monosema.circuits.features.exact import exact_effects
from monosema.circuits.features.exploring import how
from monosema.circuits.features.nodes import FeatureNode
from monosema.circuits.features.panels import panels
from monosema.circuits.features.planted import Planted, PlantedConfig, Told, differing, plant, told
from monosema.circuits.features.saying import findings, sentences
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.studying import CircuitStudy, study_circuit
from monosema.circuits.patch.activation import at_the_end
from monosema.circuits.planning.shares import rate, share
from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding, short
from monosema.core.seeding import generator
from monosema.corpus.agreement.language import INNER, SUBJECT

QUESTION = "A model learned that verbs agree with their subjects: is that the circuit which is found?"

TELLS = 0.5
"""A feature tells a number when that explains at least this share of its activation's variance."""


@dataclass(frozen=True)
class Checked:
    """What the circuit is, held to what is known.

    features          the circuit's, without errors
    at_subject, at_end    those of them that tell the subject's number, there and at the last token
    attractors        active features that tell the number of the noun between, at its place
    in_circuit        those of the circuit's; in_differing: of as many features, those that the prompts make most differ
    flipped           of held-out pairs, whether the verb's number changes when the circuit's features take over their
                      values on the corrupted prompt; when the attractors' do; when as many others at random do
    """

    told: Told
    features: tuple[FeatureNode, ...]
    at_subject: int
    at_end: int
    attractors: tuple[FeatureNode, ...]
    in_circuit: int
    in_differing: int
    flipped: tuple[Bool[Tensor, "pair"], Bool[Tensor, "pair"], Bool[Tensor, "draw pair"]]
    largest: float


def demonstrate(config: CircuitConfig, planted: PlantedConfig) -> Exhibit:
    """Train the model and its dictionaries, find the circuit, and check it. Raises DivergedError."""
    bed = plant(planted)
    found = study_circuit(bed.model, bed.pairs, bed.parts, config)
    checked = check_circuit(bed, found)
    notes = {node: _note(checked.told, node) for node in found.circuit.nodes}
    numbers = findings(found)
    return Exhibit(
        "circuit",
        QUESTION,
        (*said(found, checked), *sentences(found)),
        panels(found, bed.texts(), notes),
        {**known(checked), **numbers},
        config,
        f"A GPT-2 of {planted.n_layers} layers, d {planted.d_model}, trained for {planted.steps} steps to tell the "
        f"verbs of generated sentences; TopK dictionaries of {planted.n_features} features, k {planted.k}. "
        + how(found),
        "circuit",
    )


def check_circuit(bed: Planted, found: CircuitStudy) -> Checked:
    """Hold the circuit to the language."""
    tells, effects = told(bed), found.features.effects
    active = effects.listed(effects.active.without_errors())
    chosen = tuple(node for node in found.circuit.nodes if node.feature is not None)
    attractors = tuple(n for n in active if n.position == INNER and tells.of(n)[1] >= TELLS)
    last = found.sides[0].n_tokens - 1
    numbers = [node for node in chosen if tells.of(node)[0] >= TELLS]
    rival = differing(bed.model, found.sides[0], effects, len(chosen))
    return Checked(
        tells,
        chosen,
        sum(node.position == SUBJECT for node in numbers),
        sum(node.position == last for node in numbers),
        attractors,
        len(set(attractors) & set(chosen)),
        len(set(attractors) & set(rival)),
        _flips(bed, found, chosen, attractors, active),
        max((abs(effects.of(node)) for node in attractors), default=0.0),
    )


def _flips(
    bed: Planted,
    found: CircuitStudy,
    chosen: Sequence[FeatureNode],
    attractors: Sequence[FeatureNode],
    active: Sequence[FeatureNode],
) -> tuple[Tensor, Tensor, Tensor]:
    config = replace(found.config, metric="logit_diff", baseline="corrupted")
    others = [node for node in active if node not in set(chosen)]
    draws = generator(config.seed, "flipping at random")
    picks = [torch.randperm(len(others), generator=draws)[: len(chosen)].tolist() for _ in range(config.random)]
    groups = [chosen, attractors, *([others[i] for i in pick] for pick in picks)]
    fell = exact_effects(bed.model, found.sides[1], bed.parts, groups, config)
    flipped = at_the_end(bed.model, found.sides[1].clean, found.sides[1], "logit_diff") - fell < 0
    return flipped[0], flipped[1], flipped[2:]


def known(checked: Checked) -> dict[str, Finding]:
    """The headline numbers of what is known."""
    circuit, other, random = checked.flipped
    size, name = len(checked.features), "verbs that change number"
    inside, rival = float(checked.in_circuit), float(checked.in_differing)
    between = "the features that tell the number of the noun between"
    differ = "among as many features that the prompts make most differ"
    return {
        "flipped": share(name, circuit, rate(random), "as many other features at random", "held-out pairs"),
        "flipped_beside_attractors": share(name, circuit, rate(other), between, "held-out pairs"),
        "attractors": Finding("attractors in the circuit", inside, rival, differ, inside, inside, size, "features"),
    }


def said(found: CircuitStudy, checked: Checked) -> tuple[str, ...]:
    """Whether the circuit is the one that is known, in words."""
    size, n = len(checked.features), len(found.sides[1])
    numbers = sum(checked.told.of(node)[0] >= TELLS for node in checked.features)
    circuit, other, random = (rate(one) for one in checked.flipped)
    whole = float(found.features.effects.clean.mean() - found.features.effects.corrupted.mean())
    return (
        f"Of the circuit's {size} features {numbers} tell the subject's number: {checked.at_subject} at the subject, "
        f"{checked.at_end} at the last token before the verb.",
        f"{len(checked.attractors)} active features tell the number of the noun between, at its place, and move as "
        f"much. {checked.in_circuit} of them are in the circuit; {checked.in_differing} are among the {size} features "
        f"that the prompts make most differ. Their largest effect is {short(checked.largest)} of {short(whole)}.",
        f"With the circuit's features as on the corrupted prompt, and nothing else changed, the verb changes its "
        f"number on {circuit:.0%} of {n} held-out prompts; with the features of the noun between on {other:.0%}, with "
        f"as many other features at random on {random:.0%}.",
    )


def _note(tells: Told, node: FeatureNode) -> str:
    if node.feature is None:
        return ""
    subject, other = tells.of(node)
    if max(subject, other) < TELLS:
        return "neither number"
    return f"subject's number ({short(subject)})" if subject > other else f"number of the noun between ({short(other)})"

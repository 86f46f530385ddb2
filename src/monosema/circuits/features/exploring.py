"""Pairs of prompts and dictionaries as an exhibit: which features make the answer, and what shows that they do."""

from collections.abc import Sequence

from monosema.circuits.features.panels import panels
from monosema.circuits.features.parts import Part
from monosema.circuits.features.saying import findings, sentences
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.studying import CircuitStudy, study_circuit
from monosema.circuits.patch.pairs import Pairs
from monosema.core.exhibits import Exhibit
from monosema.core.findings import short
from monosema.models import Model

QUESTION = "Which features make the model's answer, and is anything else needed?"


def explore_circuit(
    model: Model, pairs: Pairs, parts: tuple[Part, ...], config: CircuitConfig, texts: Sequence[str] | None = None
) -> Exhibit:
    """The exhibit. `texts` of the first clean prompt's tokens, their numbers if None. Raises as `study_circuit`."""
    found = study_circuit(model, pairs, parts, config)
    shown = texts or [str(token) for token in pairs.clean[0].tolist()]
    return Exhibit(
        "circuit", QUESTION, sentences(found), panels(found, shown, {}), findings(found), config, how(found), "circuit"
    )


def how(found: CircuitStudy) -> str:
    """What ran, in words."""
    config, (first, second) = found.config, found.sides
    clean, corrupted = (
        short(float(one.mean())) for one in (found.features.effects.clean, found.features.effects.corrupted)
    )
    sites = ", ".join(
        part.writes if part.reads == part.writes else f"{part.reads} to {part.writes}"
        for part in found.features.effects.parts
    )
    places = "at one position" if config.positions else "at all positions"
    return (
        f"{found.model}, dictionaries of {sites}. Circuits were found on {len(first)} pairs of prompts of "
        f"{first.n_tokens} tokens ({config.metric} {clean} on the clean ones, {corrupted} on the corrupted) and "
        f"measured on {len(second)} others, of other prompts. A node is a feature {places}; its effect is by how much "
        f"the {config.metric} falls when it is moved to its {config.baseline} value, by integrated gradients of "
        f"{config.steps} steps. Nodes outside a circuit are at their means over all prompts of the first pairs. "
        f"Controls: {config.random} random circuits of each size, the sites' own coordinates, and dictionaries of "
        "random directions that fire as often (of transcoders: each feature writes what another one wrote)."
    )

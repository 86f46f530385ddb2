"""The experiments on superposition, in small: what they say is what was measured, and the same twice."""

import functools
import json
import math
from typing import Any

import pytest
import torch

from monosema.core.exhibits import Arrows, Curves, Exhibit, Heatmap, as_json
from monosema.core.findings import Finding
from monosema.toys.answers.absorption import absorption
from monosema.toys.answers.allocation import allocate
from monosema.toys.answers.capacity import at_norm_one, capacity, found_of
from monosema.toys.answers.classifier import answers, classifier
from monosema.toys.answers.computation import computation
from monosema.toys.answers.correlated import correlated
from monosema.toys.answers.phase import phase
from monosema.toys.answers.superposition import superposition
from monosema.toys.polytopes import polygon
from monosema.toys.readings import read
from monosema.toys.settings import (
    AbsorptionConfig,
    CapacityConfig,
    CollapseConfig,
    ComputationConfig,
    CorrelatedConfig,
    HierarchyConfig,
    MemorisationConfig,
    PhaseConfig,
    PhaseGridConfig,
    SuperpositionConfig,
    SweepConfig,
    ToyDictionariesConfig,
)

COLLAPSE = CollapseConfig(n=5, m=2, decay=0.6, densities=5, seeds=3, steps=500, lr=0.03)
SMALL: dict[str, tuple[Any, Any]] = {
    "superposition": (
        superposition,
        SuperpositionConfig(
            instances=3,
            steps=300,
            frames=4,
            collapse=COLLAPSE,
            memorisation=MemorisationConfig(sizes=(3, 75), restarts=3, steps=100),
        ),
    ),
    "capacity": (
        capacity,
        CapacityConfig(
            SweepConfig(((5, 2),), (0.02, 0.3), restarts=2, seeds=2, steps=400, lr=0.03), rows=256, steps=150
        ),
    ),
    "correlated": (
        correlated,
        CorrelatedConfig(8, (2, 4), densities=2, lowest=0.1, seeds=2, restarts=3, steps=500, batch=128, frames=3),
    ),
    "computation": (
        computation,
        ComputationConfig(n=6, m=4, decay=0.7, densities=3, lowest=0.05, seeds=2, steps=700, batch=128),
    ),
    "phase": (phase, PhaseConfig(PhaseGridConfig(cells=4, restarts=6, steps=500), COLLAPSE)),
    "absorption": (
        absorption,
        AbsorptionConfig(
            hierarchy=HierarchyConfig(seeds=2, rows=5000),
            dictionaries=ToyDictionariesConfig(n=6, m=4, n_features=8, seeds=2, toy_steps=100, rows=2048),
        ),
    ),
}


@functools.cache
def made(name: str) -> Exhibit:
    run, config = SMALL[name]
    return run(config)


def shown(exhibit: Exhibit) -> str:
    return json.dumps(as_json(exhibit), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_says_what_it_measured_the_same_twice(name: str):
    (run, config), exhibit = SMALL[name], made(name)
    assert exhibit.name == name and exhibit.settings is config
    for finding in exhibit.findings.values():
        assert isinstance(finding, Finding)
        assert finding.control is not None and math.isfinite(finding.control)
        assert math.isfinite(finding.value) and finding.n >= 1
    assert any(str(finding) in " ".join(exhibit.answer) for finding in exhibit.findings.values())
    assert len({panel.title for panel in exhibit.panels}) == len(exhibit.panels)
    assert all(panel.says.endswith(".") for panel in exhibit.panels)
    assert shown(run(config)) == shown(exhibit)


@pytest.mark.slow
def test_the_animation_begins_at_random_and_ends_in_the_shape_that_is_said():
    exhibit = made("superposition")
    arrows = [panel for panel in exhibit.panels if isinstance(panel, Arrows)]
    assert len(arrows) == 3
    first, last = arrows[-1].frames[0], arrows[-1].frames[-1]
    assert first.label == "step 0" and last.label == "step 300"
    W = torch.tensor(last.points).T
    assert read(W).n_represented == 5 and "pentagon" in arrows[-1].says
    assert last.weights[0] == 1.0 and last.weights[-1] == pytest.approx(0.9**4)


@pytest.mark.slow
def test_features_that_never_occur_together_are_opposite_and_those_that_do_are_not():
    exhibit = made("correlated")
    found = exhibit.findings
    never = found["cosine_of_features_that_never_occur_together"]
    assert never.control is not None and never.value < never.control - 0.2
    assert found["cosine_of_features_that_occur_together_without_room"].value > 0.9
    assert abs(found["cosine_of_features_that_occur_together_with_room"].value) < 0.2
    arrows = {panel.title: panel for panel in exhibit.panels if isinstance(panel, Arrows)}
    opposite = torch.tensor(arrows["Two pairs in two dimensions, anticorrelated"].frames[-1].points)
    assert torch.cosine_similarity(opposite[[0, 2]], opposite[[1, 3]]).tolist() == pytest.approx([-1, -1], abs=0.02)
    assert arrows["Two pairs in two dimensions, correlated"].frames[-1].weights == pytest.approx((1, 1, 0.35, 0.35))


@pytest.mark.slow
def test_neurons_serve_one_feature_when_all_are_on_and_several_when_few_are():
    found = made("computation").findings
    assert found["monosemantic_neurons_when_dense"].value > 0.8
    assert found["monosemantic_neurons_when_dense"].control == pytest.approx(0, abs=0.2)
    assert found["monosemantic_neurons_when_sparse"].value < 0.6
    for name in ("loss_over_that_of_the_best_affine_map", "loss_over_that_without_a_hidden_relu"):
        control = found[name].control
        assert control is not None and found[name].value < 0.8 * control
    assert found["monosemantic_neurons_that_keep_x"].control == pytest.approx(0, abs=0.2)


@pytest.mark.slow
def test_the_map_has_the_boundary_of_theory_over_it():
    exhibit = made("phase")
    diagram = next(panel for panel in exhibit.panels if isinstance(panel, Heatmap))
    assert diagram.lines[0].role == "theory"
    assert diagram.lines[0].x[0] == pytest.approx(4 * diagram.y[0] / (2 + 5 * diagram.y[0]))
    assert len(diagram.cells) == len(diagram.y) == 4
    losses = next(panel for panel in exhibit.panels if isinstance(panel, Curves))
    trained, alone, both = losses.lines
    assert all(
        own < 1.02 * min(a, b) for own, a, b in zip(trained.y, alone.y, both.y, strict=True)
    )  # the best of six restarts is no worse than either phase's simplest weights


def test_at_norm_one_the_frobenius_measure_is_a_count():
    W = torch.cat([1.3 * polygon(5).T, torch.full((2, 1), 0.01)], 1)
    assert read(at_norm_one(W)).frobenius == pytest.approx(2.5)


def test_models_are_dealt_to_their_seeds():
    # Two shapes, two densities, three seeds: for each shape the densities come seed after seed.
    every: list[Any] = [(shape, seed, p) for shape in "ab" for seed in range(3) for p in (0.1, 0.2)]
    assert found_of(every, 1, 2, 3) == (("a", 1, 0.1), ("a", 1, 0.2), ("b", 1, 0.1), ("b", 1, 0.2))


@pytest.mark.slow
def test_the_classifier_learns_what_it_is_asked():
    made = classifier(512, 0)
    again = classifier(512, 0)
    assert all(torch.equal(a, b) for a, b in zip(made.weights, again.weights, strict=True))
    assert answers(made.weights, made.x).shape == (512, 5)
    assert "right on 9" in made.how or "right on 100%" in made.how


@pytest.mark.slow
def test_capacity_is_worth_most_to_the_most_important_until_they_are_trained():
    found = allocate(0.8, 1000, 0)
    forced, own = found.spreads()
    assert min(forced) > 100 * max(own)
    assert found.forced.argmin(1).tolist().count(0) >= 6  # more capacity lowers the loss most for feature 0
    D = found.capacities
    assert float(D[-1, 0]) > 0.9 * float(D[-1].max())
    assert float(D.sum(1).max()) <= 2 + 1e-6

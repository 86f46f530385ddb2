"""What the planning experiment says: nothing of models that have learnt nothing, and what was measured of others."""

from dataclasses import replace

import pytest
import torch

from monosema.circuits.planning import features, probing, saying, transplants
from monosema.circuits.planning.couplets import Experiment, run
from monosema.circuits.planning.panels import panels
from monosema.circuits.planning.settings import DictionaryConfig, LearningConfig, PlanningConfig
from monosema.core.exhibits import Table

CONFIG = PlanningConfig(
    models=1,
    couplets=16,
    learning=LearningConfig(steps=2, d_model=32, n_layers=2, n_heads=2),
    dictionary=DictionaryConfig(n_features=16, k=2, rows=1024),
)


@pytest.fixture(scope="module")
def blank() -> Experiment:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((probing, "FITTED_ON"), (probing, "ASKED"), (features, "ROWS"), (features, "JUDGED_ON")):
            patch.setattr(module, name, 1024)
        patch.setattr(transplants, "MEAN_OF", 1024)
        return run(CONFIG)


@pytest.mark.slow
def test_models_that_have_not_learnt_their_language_are_said_to_have_not(blank: Experiment):
    found = saying.findings(blank)
    said = saying.answer(blank, found)
    assert said[0].startswith("Not every model has learnt its language") and "not evidence" not in " ".join(said)
    # A probe reads the end word from models that have learnt nothing, and the mask alone settles the routes.
    assert found["probe_free"].value > 0.5 and found["probe_no_plan"].value < 0.1
    assert found["through_newline_planner"].value == pytest.approx(1.0, abs=1e-6)
    assert found["through_newline_no_plan"].value == pytest.approx(0.0, abs=1e-6)
    assert found["plan_transfer_no_plan"].value == 0


@pytest.mark.slow
def test_a_probe_is_called_no_evidence_where_it_reads_what_is_not_used(blank: Experiment):
    learnt = replace(
        blank,
        measured=tuple(
            replace(one, plants=replace(one.plants, unchanged=torch.ones_like(one.plants.unchanged)))
            for one in blank.measured
        ),
    )
    said = " ".join(saying.answer(learnt, saying.findings(learnt)))
    assert "A probe is not evidence." in said and "Not every model" not in said
    used = replace(
        learnt,
        measured=tuple(
            replace(one, plants=replace(one.plants, donor=torch.ones_like(one.plants.donor))) for one in learnt.measured
        ),
    )
    assert "not evidence" not in " ".join(saying.answer(used, saying.findings(used)))


@pytest.mark.slow
def test_every_panel_has_a_row_for_every_sight(blank: Experiment):
    shown = panels(blank)
    first = next(panel for panel in shown if isinstance(panel, Table))
    assert [row[0] for row in first.rows] == ["planner", "no plan", "free"]
    assert len({panel.title for panel in shown}) == len(shown) == 8

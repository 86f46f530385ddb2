"""What the planning experiment says: nothing of models that have learnt nothing, and what was measured of others."""

from dataclasses import replace

import pytest
import torch

from monosema.circuits.planning import carriers, features, probing, saying, traces, transplants
from monosema.circuits.planning.couplets import Experiment, run
from monosema.circuits.planning.panels import panels
from monosema.circuits.planning.settings import DictionaryConfig, LearningConfig, PlanningConfig, TranscoderConfig
from monosema.core.exhibits import Table

CONFIG = PlanningConfig(
    models=1,
    couplets=16,
    learning=LearningConfig(steps=2, d_model=32, n_layers=2, n_heads=2),
    dictionary=DictionaryConfig(n_features=16, k=2, rows=1024),
    transcoders=TranscoderConfig(n_features=32, k=8, rows=2048),
    graphs=16,
)


@pytest.fixture(scope="module")
def blank() -> Experiment:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((probing, "FITTED_ON"), (probing, "ASKED"), (features, "ROWS"), (features, "JUDGED_ON")):
            patch.setattr(module, name, 1024)
        patch.setattr(transplants, "MEAN_OF", 1024)
        patch.setattr(traces, "CHECKED", 2)
        patch.setattr(traces, "TAKEN_AWAY", 4)
        for module, name in ((carriers, "JUDGED_ON"), (traces, "TEXTS"), (traces, "KNOWN")):
            patch.setattr(module, name, 512)
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
    # So it does along the paths of graphs, beside the filler, which no mask hides.
    assert found["graph_through_newline_planner"].value == pytest.approx(1.0, abs=1e-4)
    assert found["graph_through_newline_no_plan"].value == pytest.approx(0.0, abs=1e-4)
    assert found["graph_by_features_no_plan"].value == 0
    assert found["graph_by_features_planner"].value > 0.02
    beside = [found[f"graph_through_newline_{sight}"].control for sight in ("planner", "no_plan", "free")]
    assert all(control is not None and 0.01 < control < 0.9 for control in beside)
    # And without a plan there is nothing at the newline to be exchanged.
    assert found["features_exchanged_no_plan"].value == found["mlps_exchanged_no_plan"].value == 0


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
def test_graphs_of_some_couplets_are_kept_to_be_drawn(blank: Experiment):
    graphs = [graph for one in blank.measured for graph in one.traces.drawn]
    kinds = ("planner", "no-plan", "free")
    assert [graph.name for graph in graphs] == [f"{kind}-{which}" for kind in kinds for which in ("0", "1", "0-t1")]
    assert [len(graph.graph.tokens) for graph in graphs[:3]] == [10, 10, 7]
    assert all(finding.control is not None for graph in graphs for finding in graph.graph.findings)
    end, first = (graphs[i].graph.nodes for i in (0, 2))
    row = blank.measured[0].scene.verses.tokens[0]
    assert end.index[end.of("logit")].tolist() == [int(row[10])]
    assert first.index[first.of("logit")].tolist() == [int(row[7])]


@pytest.mark.slow
def test_every_panel_has_a_row_for_every_sight(blank: Experiment):
    shown = panels(blank)
    first = next(panel for panel in shown if isinstance(panel, Table))
    assert [row[0] for row in first.rows] == ["planner", "no plan", "free"]
    graphs = next(panel for panel in shown if panel.title.endswith("path by path") and isinstance(panel, Table))
    assert [row[1].partition(",")[0] for row in graphs.rows][:2] == ["1.000", "0.000"]
    assert len({panel.title for panel in shown}) == len(shown) == 12

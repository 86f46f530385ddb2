"""The experiment `scurve`: what it finds on small settings, and that it finds the same again."""

import json

import pytest

from monosema.core.errors import ConfigError
from monosema.core.exhibits import as_json
from monosema.toys import Curves, Exhibit, Heatmap, run_experiment
from monosema.toys.multicomponent.scurve_config import ScurveConfig
from monosema.toys.multicomponent.surveys import boundary, map_of, waits_by_factors

SMALL = ScurveConfig(grid=3, grid_seeds=2, n_seeds=2, n_many=4, steps_kl=1500)


@pytest.fixture(scope="module")
def exhibit() -> Exhibit:
    return run_experiment(SMALL)


@pytest.mark.slow
def test_it_finds_the_steps_and_not_without_the_product(exhibit: Exhibit):
    found = exhibit.findings
    assert (found["plateaus"].value, found["plateaus"].control) == (3.0, 0.0)
    heights = [found[f"height_of_plateau_{k}"].value for k in (1, 2, 3)]
    assert heights == pytest.approx([34.125, 2.125, 0.125], rel=1e-3)
    assert found["second_plateau_cross_entropy: gradient descent from 1e-8"].value == 1.0
    assert found["second_plateau_cross_entropy: Adam from 1e-3"].value == 0.0


@pytest.mark.slow
def test_the_sentences_hold_the_numbers_of_the_findings(exhibit: Exhibit):
    text = " ".join(exhibit.answer)
    assert "34.125, 2.125, 0.125" in text
    assert f"in {exhibit.findings['second_plateau_flow'].value:.0%} of the runs" in text
    assert f"{exhibit.findings['wait_of_three_factors_from_a_smaller_start'].value:.1f} times as long" in text


@pytest.mark.slow
def test_the_same_config_gives_the_same_exhibit(exhibit: Exhibit):
    assert json.dumps(as_json(run_experiment(SMALL))) == json.dumps(as_json(exhibit))


@pytest.mark.slow
def test_lines_are_thinned_and_every_plot_has_its_control_or_its_theory(exhibit: Exhibit):
    for panel in exhibit.panels:
        if isinstance(panel, Curves) and "component" not in panel.title.split()[-1:]:
            assert all(len(line.x) <= 240 for line in panel.lines)
        if isinstance(panel, Heatmap):
            assert [line.role for line in panel.lines] == ["theory"]


@pytest.mark.slow
def test_the_map_has_the_second_plateau_where_components_are_apart_and_starts_are_small():
    config = ScurveConfig(grid=3, grid_seeds=4)
    flow, adam, direct = (map_of(config, name) for name in ("flow", "adam", "direct"))
    assert flow.shares[0][0] == 1.0 and flow.shares[0][2] < 0.5 and flow.shares[2][1] < 0.5
    assert sum(map(sum, adam.shares)) < 1.5 < 3 < sum(map(sum, flow.shares)) and sum(map(sum, direct.shares)) == 0


def test_theory_says_that_smaller_starts_keep_closer_components_apart():
    edge = boundary(ScurveConfig(), (1e-8, 1e-5, 1e-2))
    assert edge[0] > edge[1] > edge[2] and edge[0] == pytest.approx(0.834, abs=0.01)


@pytest.mark.slow
def test_waits_are_those_of_theory():
    waits = waits_by_factors()
    for order in (2, 3):
        assert waits.measured[order] == pytest.approx(waits.exact[order], rel=2e-3)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="size 2 must hold"):
        ScurveConfig(size=2)
    with pytest.raises(ConfigError, match="init"):
        ScurveConfig(init=1.0)

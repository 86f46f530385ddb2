"""The two discrete predictors: exactly one half for every linear probe, and read as before by a look-up."""

import pytest

from monosema.core.exhibits import Curves, Scatter, Table
from monosema.probes.erasers.configs import MeanDifferenceConfig, TwoPredictorsConfig
from monosema.probes.erasers.demonstration import LAW, SENTENCE, drawn, two_predictors
from monosema.probes.erasers.fitting import fit_eraser


def test_the_classes_are_drawn_by_their_law():
    assert all(sum(p) == pytest.approx(1) for each in LAW for p in each)
    x, z = drawn(4000, 0)
    for c, means in ((0, (-0.65, -0.4)), (1, (0.5, 0.825))):
        assert x[z == c].mean(0).tolist() == pytest.approx(means, abs=0.03)


def test_linear_probes_fall_to_one_half_and_a_look_up_does_not():
    exhibit = two_predictors(TwoPredictorsConfig(seeds=4, rows=100, sizes=(50,)))
    found = exhibit.findings
    assert found["before"].low > 0.9
    for name in ("mean_projection", "leace"):
        assert (found[name].low, found[name].value, found[name].high) == (0.5, 0.5, 0.5)
    assert found["looked_up"].low > 0.8
    assert any(SENTENCE in sentence for sentence in exhibit.answer)
    assert [type(panel) for panel in exhibit.panels] == [Table, Scatter, Scatter, Scatter, Curves]
    table = exhibit.panels[0]
    assert isinstance(table, Table) and [row[3] for row in table.rows[1:3]] == ["0", "0"]
    assert exhibit == two_predictors(TwoPredictorsConfig(seeds=4, rows=100, sizes=(50,)))


def test_class_means_are_equal_to_rounding():
    for seed in range(5):
        x, z = drawn(100, seed)
        erased = fit_eraser(MeanDifferenceConfig(), x, z)(x)
        assert float((erased[z == 1].mean(0) - erased[z == 0].mean(0)).abs().max()) < 2e-14

"""Ensembles, calibration, transfer, layers: where the answer is known."""

import pytest
import torch

from monosema.core.errors import ConfigError, MismatchError
from monosema.core.exhibits import Curves, Heatmap, Table
from monosema.probes.calibrating import calibrate, calibrated, reliability
from monosema.probes.data import Labelled
from monosema.probes.ensembles import ensemble, errors
from monosema.probes.fitting import fit
from monosema.probes.judging import ControlConfig
from monosema.probes.layers import by_layer
from monosema.probes.settings import LogisticConfig, MassMeanConfig
from monosema.probes.transfers import transfer


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noisy(n: int = 400, d: int = 6, axis: int = 0, a: float = 1.0, seed: int = 0) -> Labelled:
    y = (drawn(n, seed=99) > 0).long()
    x = drawn(n, d, seed=seed)
    x[:, axis] += a * (2 * y - 1)
    return Labelled(x, y)


@pytest.mark.parametrize("m", [1, 2, 4, 8])
def test_uncorrelated_errors_of_m_scores_leave_the_mth_part_of_their_variance(m: int):
    # Columns of a Hadamard matrix: of mean 0, of variance 1 and exactly uncorrelated.
    H = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(4):
        H = torch.cat([torch.cat([H, H], 1), torch.cat([H, -H], 1)])
    truth = drawn(16)
    found = errors(truth + 3.0 * H[1 : m + 1], truth)
    assert found.variance == pytest.approx(9.0, abs=1e-12)
    assert found.correlation == pytest.approx(0.0, abs=1e-12)
    assert found.of_mean == pytest.approx(9.0 / m, abs=1e-12)
    assert found.uncorrelated == pytest.approx(9.0 / m, abs=1e-12)


def test_correlated_errors_leave_what_their_correlation_says():
    scores, truth = drawn(5, 60) + 2 * drawn(60, seed=3), drawn(60, seed=4)
    found = errors(scores, truth)
    assert found.correlation > 0.5 and found.of_mean == pytest.approx(found.predicted, rel=1e-12)
    assert found.of_mean > 2 * found.uncorrelated


def test_probes_of_different_paraphrases_are_better_together():
    # The same statements read five times, each with noise of its own.
    seeds = range(5)
    train, check, test = ([noisy(seed=10 * part + s) for s in seeds] for part in (1, 2, 3))
    probes = [fit(LogisticConfig(), part) for part in train]
    together = ensemble(probes, check)
    accuracy, brier = together.accuracy(test), together.brier(test)
    assert accuracy.control is not None and accuracy.value > accuracy.control + 0.05
    assert brier.control is not None and brier.value < brier.control
    p = together.probability(test)
    assert torch.equal(p, together.each(test).mean(0)) and ((p >= 0) & (p <= 1)).all()


def test_an_ensemble_refuses_data_of_other_members():
    data = noisy()
    together = ensemble([fit(MassMeanConfig(), data)], [data])
    with pytest.raises(MismatchError, match="1 probes need 1 sets of data, not 2"):
        together.accuracy([data, data])
    two = ensemble([fit(MassMeanConfig(), data)] * 2, [data] * 2)
    with pytest.raises(MismatchError, match="different labels"):
        two.accuracy([data, data.relabelled(1 - data.y)])
    with pytest.raises(ConfigError, match="at least one probe"):
        ensemble([], [])


def test_platt_finds_the_slope_and_offset_that_labels_were_drawn_from():
    score = 2 * drawn(20_000)
    p = torch.sigmoid(1.5 * score - 0.7)
    y = (torch.rand(20_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64) < p).long()
    found = calibrated(score, y, "platt")
    assert (found.slope, found.offset) == pytest.approx((1.5, -0.7), abs=0.08)
    assert calibrated(score, y, "temperature").offset == 0.0
    assert calibrated(score, y, "none")(score).equal(torch.sigmoid(score))
    assert reliability(found(score), y).ece.value < 0.02
    assert reliability(torch.sigmoid(6 * score), y).ece.value > 0.1


def test_calibrated_separable_scores_keep_a_finite_slope():
    y = torch.tensor([0, 0, 1, 1])
    found = calibrated(torch.tensor([-2.0, -1.0, 1.0, 2.0], dtype=torch.float64), y)
    assert 0 < found.slope < 1e3


def test_calibration_of_a_probe_turns_its_scores_into_probabilities():
    data = noisy(a=0.7)
    probe = fit(MassMeanConfig(), data)
    fresh = noisy(a=0.7, seed=20)
    p = calibrate(probe, fresh)(probe.score(fresh))
    assert float(p.mean()) == pytest.approx(float(fresh.y.double().mean()), abs=1e-3)


def test_the_expected_calibration_error_by_hand():
    # Bins [0, .5) and [.5, 1]: mean p .2 against a share of 1/2, mean p .9 against 1: (2 * .3 + 2 * .1) / 4.
    p = torch.tensor([0.1, 0.3, 0.8, 1.0], dtype=torch.float64)
    found = reliability(p, torch.tensor([0, 1, 1, 1]), n_bins=2)
    assert found.ece.value == pytest.approx(0.2)
    assert found.counts == (2, 2) and found.shares == (0.5, 1.0)
    assert found.mean_p == pytest.approx((0.2, 0.9))
    assert isinstance(found.curves(), Curves)


def test_a_direction_transfers_where_it_is_shared_and_not_elsewhere():
    train = {"a": noisy(a=3.0), "b": noisy(a=3.0, seed=1), "other": noisy(a=3.0, axis=1, seed=2)}
    test = {"a": noisy(a=3.0, seed=3), "b": noisy(a=3.0, seed=4), "other": noisy(a=3.0, axis=1, seed=5)}
    found = transfer(MassMeanConfig(), train, test, permutations=40)
    values = [[cell.value for cell in row] for row in found.accuracy]
    assert min(values[0][0], values[0][1], values[1][0], values[2][2]) > 0.98
    assert max(values[0][2], values[2][0]) < 0.75
    assert all(abs((cell.control or 0) - 0.5) < 0.3 for row in found.accuracy for cell in row)
    panels = found.panels()
    assert [type(panel) for panel in panels] == [Heatmap, Heatmap, Table]
    assert panels[0].cells[0][2] == values[0][2] and panels[2].rows[2][0] == "other"


def test_layer_curves_hold_every_method_with_its_controls():
    train = {"resid_post.0": noisy(a=0.0), "resid_post.1": noisy(a=3.0)}
    test = {"resid_post.0": noisy(a=0.0, seed=7), "resid_post.1": noisy(a=3.0, seed=8)}
    found = by_layer([MassMeanConfig(), LogisticConfig()], train, test, ControlConfig(draws=20, permutations=4))
    assert found.best("logistic") == found.best("mass_mean") == "resid_post.1"
    curves = found.curves()
    assert [panel.lines[0].name for panel in curves] == ["mass_mean", "logistic"]
    assert [line.role for line in curves[0].lines] == ["measured", "control", "control", "control"]
    assert curves[0].lines[0].y[1] > 0.98 > 0.65 > curves[0].lines[0].y[0]
    with pytest.raises(ConfigError, match="the same sites in the same order"):
        by_layer([MassMeanConfig()], train, {"resid_post.1": test["resid_post.1"]})

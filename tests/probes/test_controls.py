"""What an accuracy stands beside: each control where its answer is known."""

import math
from dataclasses import replace

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.probes.controls import fit_with_shuffled, random_probes, shuffled_labels, shufflings, spread
from monosema.probes.data import Contrast, Labelled
from monosema.probes.drawn import random_units
from monosema.probes.fitting import fit, settled
from monosema.probes.judging import ControlConfig, judge
from monosema.probes.settings import CCSConfig, CRCConfig, LogisticConfig, MassMeanConfig, RandomConfig
from monosema.probes.shares import share_of_rows

QUICK = ControlConfig(draws=50, permutations=5)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def planted(n: int = 200, d: int = 20, a: float = 3.0, seed: int = 0) -> Contrast:
    y = (drawn(n, seed=seed + 10) > 0).long()
    way = torch.zeros(d, dtype=torch.float64)
    way[0] = a
    x0, x1 = (drawn(n, d, seed=seed + s + 3) + s * (2 * y - 1)[:, None] * way for s in (-1, 1))
    return Contrast(x0, x1, y)


def test_random_directions_are_probes_by_the_method_random():
    data, test = planted(), planted(seed=50)
    probe, one = fit(CRCConfig(), data), fit(RandomConfig(), data)
    control = random_probes(probe, data, test, 40)
    mean = ((data.x1 - data.x1.mean(0)) - (data.x0 - data.x0.mean(0))).mean(0)
    each = []
    for w in random_units(40, 20, 0, data.y.device):
        drawn_probe = replace(one, direction=w, bias=-float(mean @ w), turned=False)
        each.append(settled(RandomConfig(), drawn_probe, data).accuracy(test).value)
    assert control.n == 40 and control.mean == pytest.approx(sum(each) / 40, abs=1e-12)
    assert control.low < control.mean < control.high < probe.accuracy(test).value


def test_random_directions_of_an_unsettled_sign_are_of_the_better_sign_too():
    test = planted(a=0.0, seed=50)
    probe = fit(CRCConfig(sign="unsettled"), planted(a=0.0))
    control = random_probes(probe, planted(a=0.0), test, 100)
    assert control.low >= 0.5 and control.mean > 0.51


@pytest.mark.parametrize("config", [LogisticConfig(), MassMeanConfig(), CRCConfig()])
def test_shuffled_labels_teach_nothing(config: object):
    test = planted(seed=50)
    probe, shuffled = fit_with_shuffled(config, planted(), 30)
    control = shuffled_labels(probe, shuffled, test)
    assert control.mean == pytest.approx(0.5, abs=0.2)
    assert shuffled_labels(*fit_with_shuffled(config, planted(), 30), test) == control
    assert probe.accuracy(test).value > control.mean + 0.2
    assert probe.accuracy(test) == fit(config, planted()).accuracy(test)


def test_without_labels_and_sign_it_is_the_labels_asked_that_are_shuffled():
    control = shuffled_labels(*fit_with_shuffled(CRCConfig(sign="unsettled"), planted(), 30), planted(seed=50))
    assert control.low >= 0.5 and control.high < 0.65


def test_shufflings_keep_the_shares_of_the_classes():
    y = torch.tensor([0, 1, 1, 0, 1, 1])
    shuffled = shufflings(y, 20, seed=0)
    assert (shuffled.sum(1) == 4).all() and len(shuffled.unique(dim=0)) > 5


def test_a_spread_by_hand():
    found = spread(torch.linspace(0, 1, 41, dtype=torch.float64))
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))
    assert str(found) == "mean 0.500 of 41, 95% of them in 0.025..0.975"


def test_a_share_of_rows_has_wilsons_interval():
    # 9 of 10 at 95%: Wilson (1927) gives 0.5958 to 0.9821.
    finding = share_of_rows("x", torch.tensor([1] * 9 + [0]), (), 0.5, "chance")
    assert (finding.low, finding.high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    sure = share_of_rows("x", torch.ones(10, dtype=torch.int64), (), 0.5, "chance")
    assert sure.value == sure.high == 1.0 and sure.low < 0.75


def test_rows_that_belong_together_widen_the_interval():
    hits = torch.tensor([1, 0] * 20).repeat_interleave(10)
    alone = share_of_rows("x", hits, (), None, "none")
    grouped = share_of_rows("x", hits, tuple(str(i // 10) for i in range(400)), None, "none")
    assert grouped.n == 40 and grouped.unit == "groups"
    assert (grouped.high - grouped.low) > 2.5 * (alone.high - alone.low)


def test_accuracy_stands_beside_the_commoner_class():
    y = torch.tensor([1, 1, 1, 0])
    data = Labelled(torch.tensor([[1.0], [2.0], [3.0], [-1.0]]), y)
    finding = fit(MassMeanConfig(), Labelled(torch.tensor([[1.0], [2.0], [-1.0], [-2.0]]), torch.tensor([1, 1, 0, 0])))
    assert finding.accuracy(data).control == 0.75 and finding.accuracy(data).value == 1.0


def test_judging_says_one_value_beside_each_control():
    found = judge(CCSConfig(restarts=3), planted(), planted(seed=50), QUICK)
    accuracy = found.accuracy.value
    assert accuracy > 0.95 and found.beside_random.value == found.beside_shuffled.value == accuracy
    assert found.beside_random.control == found.random.mean < 0.8
    assert "random directions: mean" in found.beside_random.control_is
    assert found.loss is not None and found.loss.control == 0.2
    assert found.xor is not None and found.xor.says in found.says
    assert "above all its controls" in found.says[0]
    assert set(found.findings) == {
        "accuracy",
        "beside_random",
        "beside_shuffled",
        "cosine",
        "loss",
        "xor_loss",
        "xor_accuracy",
    }
    assert all(math.isfinite(f.value) for f in found.findings.values())


def test_judging_noise_claims_nothing():
    found = judge(LogisticConfig(), planted(a=0.0), planted(a=0.0, seed=50), QUICK)
    assert "not shown to be above its controls" in found.says[0]
    assert found.loss is None and found.xor is None and found.distractor is None


def test_a_probe_of_equal_capacity_reads_a_distractor_as_well():
    data, test = planted(), planted(seed=50)
    labels = tuple((part.x1[:, 3] - part.x0[:, 3] > 0).long() for part in (data, test))
    found = judge(LogisticConfig(), data, test, QUICK, distractor=(labels[0], labels[1]))
    assert found.distractor is not None and found.distractor.value > 0.9
    assert found.distractor.name == "accuracy of logistic on the distractor"


@pytest.mark.parametrize("settings", [{"draws": 1}, {"permutations": 1}])
def test_one_draw_is_no_control(settings: dict[str, int]):
    with pytest.raises(ConfigError, match="must be at least 2"):
        ControlConfig(**settings)

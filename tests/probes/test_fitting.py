"""One fit for every method: what it refuses, what it settles, and that the same call gives the same probe."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from monosema.core.errors import ConfigError, DataError, DivergedError, MismatchError
from monosema.probes.data import Contrast, Labelled
from monosema.probes.fitting import fit, fit_labellings, fit_restarts
from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import (
    CCSConfig,
    CRCConfig,
    MassMeanConfig,
    PCAConfig,
    RandomConfig,
    VINCConfig,
)
from monosema.probes.table import PROBES, Method, config_of, method_of


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def planted(n: int = 120, d: int = 8, a: float = 3.0, seed: int = 0) -> Contrast:
    """Pairs that differ along the first axis by what is true."""
    y = (drawn(n, seed=seed + 10) > 0).long()
    way = torch.zeros(d, dtype=torch.float64)
    way[0] = a
    sides = [
        drawn(n, d, seed=seed) + s * (2 * y - 1)[:, None] * way + 0.3 * drawn(n, d, seed=seed + s) for s in (-1, 1)
    ]
    return Contrast(sides[0], sides[1], y)


@dataclass(frozen=True)
class FirstAxisConfig:
    """A method of somebody else's: the first axis, whatever the data."""

    normalisation: str = "mean"
    method: ClassVar[Method]


def fit_first_axis(config: FirstAxisConfig, rows: Rows, labels: torch.Tensor, seed: int) -> list[Fitted]:
    del config, seed
    w = torch.zeros(rows.sides.shape[2], dtype=torch.float64)
    w[0] = 1.0
    return [Fitted(w, 0.0) for _ in labels]


FirstAxisConfig.method = Method(FirstAxisConfig, f"{__name__}:fit_first_axis", True, False, "none")


@pytest.mark.parametrize("name", PROBES)
def test_every_method_finds_what_is_planted_and_not_before(name: str):
    probe, fresh = fit(config_of(name), planted()), planted(seed=5)
    nothing = fit(config_of(name), planted(a=0.0)).accuracy(planted(a=0.0, seed=5))
    assert nothing.value < 0.65
    if name != "random":
        assert probe.accuracy(fresh).value > 0.95
        assert abs(float(probe.unit[0])) > 0.7


@pytest.mark.parametrize("name", PROBES)
def test_the_same_call_gives_the_same_probe(name: str):
    first, second = (fit(config_of(name), planted(), seed=3) for _ in range(2))
    assert torch.equal(first.direction, second.direction) and first.bias == second.bias


@pytest.mark.parametrize("name", [name for name in PROBES if not PROBES[name].pairs])
def test_statements_are_read_by_all_that_need_no_pairs(name: str):
    statements = planted().both_sides()
    probe = fit(config_of(name), statements)
    assert probe.reads == "statement"
    tokens = statements.x.reshape(6, -1, 8)
    torch.testing.assert_close(probe.score(tokens).flatten(), probe.score(statements))


@pytest.mark.parametrize("name", [name for name in PROBES if PROBES[name].pairs])
def test_a_method_for_pairs_refuses_statements(name: str):
    with pytest.raises(DataError, match=f"{name} needs pairs"):
        fit(config_of(name), planted().both_sides())


def test_a_probe_refuses_the_other_kind_of_data_and_another_width():
    data = planted()
    with pytest.raises(MismatchError, match="fitted on pairs"):
        fit(CRCConfig(), data).score(data.one_side())
    with pytest.raises(MismatchError, match="fitted on statements"):
        fit(MassMeanConfig(), data.one_side()).score(data)
    with pytest.raises(MismatchError, match="of width 8, not 7"):
        fit(MassMeanConfig(), data.one_side()).score(data.x1[:, :7])
    with pytest.raises(MismatchError, match="only one by ccs"):
        fit(CRCConfig(), data).probabilities(data)


def test_one_row_of_a_class_is_too_few():
    data = planted()
    rows = torch.cat([(data.y == 1).nonzero()[:1, 0], (data.y == 0).nonzero()[:, 0]])
    with pytest.raises(DataError, match="with 1 labelled 1 are too few: this needs at least 2 of each class"):
        fit(CRCConfig(), data.take(rows))


def test_activations_that_are_all_the_same_give_no_direction():
    y = torch.tensor([0, 1, 0, 1])
    with pytest.raises(DivergedError, match="found no direction"):
        fit(MassMeanConfig(), Labelled(torch.ones(4, 3), y))


def test_the_sign_is_that_of_most_training_labels():
    data = planted()
    probe, turned = fit(CRCConfig(), data), fit(CRCConfig(), data.relabelled(1 - data.y))
    assert torch.equal(probe.unit, -turned.unit)
    assert probe.accuracy(data).value == turned.accuracy(data.relabelled(1 - data.y)).value > 0.95
    assert probe.sign == "by most training labels"


def test_a_sign_that_is_not_settled_is_said_and_the_better_one_counts():
    data = planted()
    probe = fit(CRCConfig(sign="unsettled"), data)
    accuracy = probe.accuracy(data)
    assert probe.sign == "unsettled" and "of the better sign" in accuracy.name
    assert accuracy.value == probe.flipped().accuracy(data).value == fit(CRCConfig(), data).accuracy(data).value


@pytest.mark.parametrize("config", [CRCConfig(), CCSConfig(), MassMeanConfig(), PCAConfig(), RandomConfig()])
def test_flipping_a_probe_turns_every_score(config: object):
    data = planted()
    probe = fit(config, data)
    torch.testing.assert_close(probe.flipped().score(data), -probe.score(data))


def test_labels_move_only_the_sign_of_methods_without_them():
    data = planted()
    first, second = fit_labellings(CCSConfig(), data, torch.stack([data.y, 1 - data.y]))
    assert torch.equal(first.unit, -second.unit)


def test_restarts_come_lowest_loss_first_and_fit_keeps_the_first():
    data = planted(a=0.4)
    probes = fit_restarts(CCSConfig(restarts=5), data)
    losses = [probe.loss for probe in probes]
    assert len(probes) == 5 and losses == sorted(losses)
    assert torch.equal(fit(CCSConfig(restarts=5), data).direction, probes[0].direction)


def test_vinc_refuses_groups_of_both_labels_as_paraphrases():
    data = planted()
    mixed = Contrast(data.x0, data.x1, data.y, ("one",) * len(data))
    assert fit(VINCConfig(), mixed).accuracy(data).value > 0.95
    with pytest.raises(DataError, match="group 'one' holds rows of both labels"):
        fit(VINCConfig(paraphrases=True), mixed)


def test_a_transductive_probe_takes_the_statistics_of_what_it_scores():
    data = planted()
    moved = Contrast(data.x0 + 100.0, data.x1 - 50.0, data.y)
    plain, transductive = (fit(CRCConfig(normalisation=n), data) for n in ("mean", "transductive_mean"))
    torch.testing.assert_close(transductive.score(moved), transductive.score(data), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(transductive.score(data), plain.score(data))
    assert (plain.score(moved) - plain.score(data)).abs().min() > 10


def test_normalised_by_mean_std_no_unit_of_a_coordinate_matters():
    data = planted()
    scale = torch.tensor([1e-3, 7.0, 1.0, 1.0, 1.0, 1.0, 1.0, 100.0], dtype=torch.float64)
    rescaled = Contrast(data.x0 * scale, data.x1 * scale, data.y)
    config = CRCConfig(normalisation="mean_std")
    torch.testing.assert_close(fit(config, rescaled).score(rescaled), fit(config, data).score(data))
    assert abs(float(fit(CRCConfig(), rescaled).unit[0])) < 0.1


def test_a_method_from_elsewhere_is_fitted_by_its_name():
    config = config_of(f"{__name__}:FirstAxisConfig")
    assert method_of(config)[0] == "FirstAxisConfig"
    assert fit(config, planted()).accuracy(planted(seed=5)).value > 0.95


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ccr", "unknown probe 'ccr'. Did you mean 'crc'"),
        ("nowhere.at_all:Probe", "cannot be imported"),
        (f"{__name__}:Contrast", "is no probe"),
    ],
)
def test_a_name_that_is_no_method_is_refused(name: str, message: str):
    with pytest.raises(ConfigError, match=message):
        config_of(name)


def test_settings_of_nothing_are_refused():
    with pytest.raises(ConfigError, match="Labelled is the settings of no probe"):
        fit(planted().one_side(), planted())

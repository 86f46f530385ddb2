"""What holds for every metric in the table."""

import math

import pytest
import torch

from monosema.evaluation import METRICS, score_codes

N = 12


@pytest.fixture
def case():
    random = torch.Generator().manual_seed(1)
    x = 3 + torch.randn(N, 4, generator=random)
    codes = torch.relu(torch.randn(N, 6, generator=random) - 0.5)
    documents = torch.tensor([0, 0, 0, 0, 0, 7, 7, 7, 2, 2, 2, 2])
    losses = [2 * torch.rand(N, generator=random) + i for i in (0.0, 0.5, 2.0, 1.5, 0.1)]
    decoder = torch.randn(6, 4, generator=random)
    y = x + 0.2 * torch.randn(N, 4, generator=random)
    return {
        "x": x,
        "y": y,
        "codes": codes,
        "documents": documents,
        "predictions": [documents, *losses],
        "decoder": decoder,
    }


@pytest.mark.parametrize("splits", [(1, 11), (5, 3, 4), (6, 6), (1,) * N])
def test_scores_do_not_depend_on_batching(toy, case, splits):
    whole, cut = (score_codes(toy.batches(**case, splits=s)) for s in ((N,), splits))
    assert set(whole) == set(METRICS)
    for name in METRICS:
        for part in ("value", "low", "high"):
            assert getattr(cut[name], part) == pytest.approx(getattr(whole[name], part), rel=1e-12), name
        assert cut[name].n == whole[name].n


def test_scores_do_not_depend_on_the_order_of_documents(toy, case):
    backwards = {
        k: [p.flip(0) for p in v] if k == "predictions" else v if k == "decoder" else v.flip(0) for k, v in case.items()
    }
    forwards, reversed_ = score_codes(toy.batches(**case)), score_codes(toy.batches(**backwards))
    for name in METRICS:
        assert reversed_[name].low == pytest.approx(forwards[name].low, rel=1e-12), name


def test_every_metric_changes_when_what_it_measures_changes(toy, case):
    other = {k: [p.flip(0) for p in v] if k == "predictions" else v for k, v in case.items()}
    other |= {"codes": case["codes"].roll(1, 0) * 2, "y": case["y"] + 0.1, "decoder": case["decoder"] ** 3}
    other["predictions"] = [other["predictions"][0], *(p * (i + 1.5) for i, p in enumerate(other["predictions"][1:]))]
    other["codes"][:, 0] = 0.0
    before, after = score_codes(toy.batches(**case)), score_codes(toy.batches(**other))
    unchanged = [name for name in METRICS if before[name].value == after[name].value]
    assert unchanged == []


def test_without_a_model_only_the_metrics_that_need_none(toy, case):
    scores = score_codes(toy.batches(**(case | {"predictions": None})))
    assert set(scores) == {name for name, metric in METRICS.items() if not metric.needs_model}
    assert {"mse", "variance_explained", "l0"} <= set(scores)


def test_one_document_has_a_value_and_no_interval(toy, case):
    case |= {"documents": torch.zeros(N, dtype=torch.int64)}
    mse = score_codes(toy.batches(**case))["mse"]
    assert mse.n == 1 and mse.value > 0
    assert mse.low != mse.low and mse.high != mse.high


def test_loss_recovered_is_a_ratio_of_sums(toy, case):
    _, model, spliced, zero, mean, _ = case["predictions"]
    scores = score_codes(toy.batches(**case, splits=(3, 9)))
    expected = {"zero": (zero - spliced).double().sum() / (zero - model).double().sum()}
    expected["mean"] = (mean - spliced).double().sum() / (mean - model).double().sum()
    for ablation, value in expected.items():
        assert scores[f"loss_recovered_{ablation}"].value == pytest.approx(float(value), rel=1e-6)


def test_where_ablation_costs_nothing_there_is_nothing_to_recover(toy, case):
    # Zero ablation is a gain of 1 nat, and the spliced model gains as much: no success of the dictionary's.
    documents, model, *rest = case["predictions"]
    case["predictions"] = [documents, model, model - 1, model - 1, model, rest[-1]]
    scores = score_codes(toy.batches(**case))
    assert math.isnan(scores["loss_recovered_zero"].value) and math.isnan(scores["loss_recovered_zero"].low)
    assert math.isnan(scores["loss_recovered_mean"].value)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_its_formula_unit_and_direction(name):
    metric = METRICS[name]
    assert metric.formula and metric.unit
    assert metric.better in ("lower", "higher", "neither")
    assert "ange" in metric.__doc__ or "[" in metric.__doc__ or "fraction" in metric.__doc__

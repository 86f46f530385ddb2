"""What a recipe does by itself: the learning rate, when a feature is dead, how selection begins."""

import math

import pytest
import torch

from monosema.dictionaries import SparseCodes, parse_spec
from monosema.dictionaries.architecture import Moment
from monosema.dictionaries.auxk import silence
from monosema.dictionaries.batchtopk import BatchTopKConfig, select_batch, threshold_extra, threshold_statistics
from monosema.dictionaries.jumprelu import JumpReLUConfig
from monosema.dictionaries.learner import Learner, Length
from monosema.dictionaries.scaling import Scaling
from monosema.dictionaries.spec import usual_lr
from monosema.dictionaries.topk import TopKConfig
from monosema.dictionaries.weights import initial

SITE = "resid_post.0"
D = 16
SILENT = torch.zeros(64, dtype=torch.int64)


def learner(text: str, length: Length) -> Learner:
    return Learner(parse_spec(text, (SITE,), (SITE,)), Scaling({SITE: 1.0}, {SITE: [0.0] * D}), 0, "cpu", length)


def test_the_usual_rate_falls_with_width_and_length_and_has_a_ceiling():
    assert usual_lr(512, 1000) == pytest.approx(2 / math.sqrt(512 * 1000))
    assert usual_lr(4 * 512, 1000) == pytest.approx(usual_lr(512, 1000) / 2)
    assert usual_lr(512, 4000) == pytest.approx(usual_lr(512, 1000) / 2)
    assert usual_lr(512, 10) == pytest.approx(0.1 / math.sqrt(512))
    assert usual_lr(16, 10) == 0.01
    assert usual_lr(2304, 100_000) == pytest.approx(1.3e-4, rel=0.02)


def test_a_run_takes_the_usual_rate_unless_it_is_told_another_and_says_which():
    length = Length(rows=1_000_000, steps=100_000)
    assert learner("topk,k=2,n_features=64", length).lr == usual_lr(D, 100_000)
    told = learner("topk,k=2,n_features=64,lr=0.004", length)
    assert told.lr == 0.004
    assert told.finished({}).metadata["optimiser"]["lr"] == 0.004
    assert learner("topk,k=2,n_features=64", length).finished({}).metadata["optimiser"]["lr"] == usual_lr(D, 100_000)


@pytest.mark.parametrize(
    ("rows", "interval", "expected"), [(640_000, 85.0, 10_000), (6_400, 85.0, 850), (0, 3.01, 31), (6_400, 10.0, 100)]
)
def test_a_feature_is_dead_after_a_share_of_the_run_but_not_before_ten_intervals(
    rows: int, interval: float, expected: int
):
    assert silence(None, rows, interval) == expected
    assert silence(7, rows, interval) == 7


def test_every_recipe_with_auxk_knows_its_own_interval():
    assert TopKConfig(n_features=1024, k=32).silence(0) == 320
    assert TopKConfig(n_features=1024, k=32, dead_after=7).silence(10**9) == 7
    assert JumpReLUConfig(n_features=1024, target=64.0).silence(0) == 160
    assert JumpReLUConfig(n_features=1024, dead_after=7).silence(10**9) == 7


@pytest.mark.parametrize(
    ("steps", "progress", "per_row"),
    [
        (1000, 0.0, True),
        (1000, 0.49, True),
        (1000, 0.5, False),
        (1000, 1.0, False),
        (100, 0.0, True),
        (100, 0.1, False),
    ],
)
def test_batchtopk_begins_with_k_on_every_row_and_keeps_ninety_steps_for_the_batch(
    steps: int, progress: float, per_row: bool
):
    random = torch.Generator().manual_seed(0)
    weights = initial(64, torch.zeros(D), torch.zeros(D), centred=True, tied=False, generator=random)
    x = torch.randn(32, D, generator=random) * torch.logspace(-1, 1, 32)[:, None]
    moment = Moment(progress, SILENT, 32 * steps)
    codes = select_batch(weights, x, BatchTopKConfig(n_features=64, k=4, per_row=0.5), moment)
    assert len(codes.values) == 4 * 32
    assert bool((codes.l0() == 4).all()) == per_row


def test_the_threshold_in_use_is_that_of_whole_batches_and_of_rows_only_where_there_was_none():
    codes = SparseCodes.from_dense(torch.tensor([[3.0, 2.0], [0.0, 5.0]]))
    config = BatchTopKConfig(n_features=2, k=1, per_row=0.5)
    by_row, whole = (threshold_statistics(codes, config, Moment(progress, SILENT, 1000)) for progress in (0.4, 0.5))
    assert by_row.keys() != whole.keys()
    assert threshold_extra(by_row | {"threshold": 4.0}, 2)["threshold"].tolist() == [4.0, 4.0]
    assert threshold_extra(by_row, 2)["threshold"].tolist() == [2.0, 2.0]

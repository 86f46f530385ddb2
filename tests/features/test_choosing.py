"""Which features are measured: by hand, and on a model that is as often right as it claims."""

from pathlib import Path

import numpy as np
import pytest
import torch

from monosema.features import BuildConfig
from monosema.features.effects import attr, total
from monosema.features.tables.choosing import choose
from monosema.features.tables.database import Database

from .toy_models import Mixing, blocks_of, dictionary_of

CONFIG = BuildConfig(n_top=2, n_calibration=2)


def chosen(folder: Path, entries: list[tuple[int, float]], config: BuildConfig = CONFIG):
    """The choice among (feature, attr) of each firing."""
    feature, effect = zip(*entries, strict=True)
    given = {"feature": np.array(feature, dtype=np.uint32), "attr": np.array(effect, dtype=np.float32)}
    with Database(64, folder / "spill") as database:
        database.write(folder / "sorted.parquet", "SELECT feature, attr FROM given", given)
        return choose(folder / "sorted.parquet", config, database)


def test_by_hand(tmp_path):
    # sum + squares / 2:   2: 0 + 4 = 4     5: -3 + 1.5 = -1.5     6: .6 + .18 = .78     7: 0 + 1 = 1
    entries = [(2, 2.0), (2, -2.0), (5, -1.0), (5, -1.0), (5, -1.0), (6, 0.6), (7, 1.0), (7, -1.0)]
    found = chosen(tmp_path, entries)
    assert found.largest.tolist() == [2, 5], "5 hurts by 1.5, 7 helps by 1"
    assert len(found.random) == 2 and set(found.random) <= {2, 5, 6, 7}
    assert found.features.tolist() == sorted({*found.largest.tolist(), *found.random.tolist()})
    assert found.said() == {"largest": [2, 5], "random": found.random.tolist()}


def test_features_without_an_effect_are_not_chosen_and_equals_go_by_number(tmp_path):
    found = chosen(tmp_path, [(1, float("nan")), (4, 0.5), (6, 0.5), (9, 0.5)])
    assert found.largest.tolist() == [4, 6] and 1 not in found.random


@pytest.mark.parametrize("seed", range(4))
def test_where_the_model_is_as_often_right_as_it_claims_squares_tell_what_slopes_do_not(seed, tmp_path):
    # Text drawn from the model itself: row i of softmax(U) is what follows token i. Then slopes are noise around 0.
    n, random = 24, torch.Generator().manual_seed(seed)
    U = torch.randn(n, n, generator=random) * torch.linspace(0.05, 1.2, n)[torch.randperm(n, generator=random), None]
    model, dictionary = Mixing(E=torch.eye(n), U=U), dictionary_of(torch.eye(n), torch.eye(n))
    tokens = torch.zeros(200, 24, dtype=torch.long)
    for position in range(1, 24):
        before = U[tokens[:, position - 1]].softmax(1)
        tokens[:, position] = torch.multinomial(before, 1, generator=random).flatten()
    blocks, everything = blocks_of(tokens), torch.arange(n)
    truth = total(model, dictionary, blocks, everything).sum((1, 2))
    slopes = attr(model, dictionary, blocks)
    best = {int(f) for f in truth.argsort(descending=True)[:6]}
    by_slope = {int(f) for f in slopes.by_block().sum(1).abs().argsort(descending=True)[:6]}
    entries = list(zip(slopes.codes.indices.tolist(), slopes.effects.tolist(), strict=True))
    found = {*chosen(tmp_path, entries, BuildConfig(n_top=6, n_calibration=0)).largest.tolist()}
    assert len(best & found) >= 5 and len(best & found) > len(best & by_slope)

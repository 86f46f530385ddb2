"""Few rows are memorised, many are not, and in between fresh rows are answered worst."""

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.toys.memorisation import memorise, unit_rows
from monosema.toys.settings import MemorisationConfig


def test_rows_have_norm_1_and_repeat():
    config = MemorisationConfig(n=40, density=0.02, restarts=3)
    x = unit_rows(config, 500, 7)
    assert x.shape == (3, 40, 500)
    assert torch.allclose(x.norm(dim=1), torch.ones(3, 500))
    assert torch.equal(x, unit_rows(config, 500, 7))
    assert not torch.equal(x, unit_rows(config, 500, 8))


@pytest.mark.slow
def test_loss_on_fresh_rows_rises_and_falls_again():
    found = memorise(MemorisationConfig(sizes=(3, 75, 800)))
    few, some, many = found.fresh.median(1).values.tolist()
    assert some > 1.5 * few and some > 1.5 * many
    assert many < 0.96 < few  # better, and no better, than an answer of 0
    assert found.seen.mean(1).tolist() == sorted(found.seen.mean(1).tolist())
    assert float(found.seen[0].mean()) < 0.3
    assert found.rows[0].tolist() == [3.0] * 8


def test_sizes_are_checked():
    with pytest.raises(ConfigError, match="sizes must be numbers of rows"):
        MemorisationConfig(sizes=())

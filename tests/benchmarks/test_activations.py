"""The rows that all contenders see: what they are made of, and that all see the same."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.activations import prepare, prepare_from, synthetic
from benchmarks.workers.feed import mapped
from monosema.core.errors import ConfigError


def test_rows_have_unit_variance_and_the_mean_that_was_asked_for():
    centred, shifted = (synthetic(4096, 32, 0, "train", offset=offset) for offset in (0.0, 3.0))
    assert float(centred.var(0).mean()) == pytest.approx(1.0, rel=0.05)
    assert float(centred.mean(0).norm()) < 0.2
    assert float(shifted.mean(0).norm()) == pytest.approx(3.0 * 32**0.5, rel=0.05)
    torch.testing.assert_close(shifted - shifted.mean(0), centred - centred.mean(0), rtol=0, atol=1e-4)


def test_rows_are_told_apart_by_their_purpose_alone():
    assert torch.equal(synthetic(64, 8, 0, "train"), synthetic(64, 8, 0, "train"))
    assert not torch.equal(synthetic(64, 8, 0, "train"), synthetic(64, 8, 0, "test"))


def test_workers_map_what_was_made(tmp_path: Path):
    files = prepare(tmp_path, 96, 32, 8, seed=0)
    assert torch.equal(mapped(str(files.rows), 8), synthetic(96, 8, 0, "train"))
    assert torch.equal(mapped(str(files.held_out), 8), synthetic(32, 8, 0, "test"))


def test_the_last_rows_of_a_users_file_are_held_out(tmp_path: Path):
    rows = torch.arange(20.0).view(10, 2)
    save_file({"x": rows.half()}, tmp_path / "x.safetensors")
    files = prepare_from(tmp_path, tmp_path / "x.safetensors", 3)
    assert (files.d_in, files.n_rows) == (2, 7)
    assert torch.equal(mapped(str(files.rows), 2), rows[:7])
    assert torch.equal(mapped(str(files.held_out), 2), rows[7:])


def test_a_file_of_several_tensors_is_refused(tmp_path: Path):
    save_file({"x": torch.zeros(2, 2), "y": torch.zeros(2, 2)}, tmp_path / "x.safetensors")
    with pytest.raises(ConfigError, match="it must hold one"):
        prepare_from(tmp_path, tmp_path / "x.safetensors", 1)

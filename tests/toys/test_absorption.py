"""Full absorption row by row, and in dictionaries that are trained."""

import pytest
import torch

from monosema.corpus.worlds import SITE
from monosema.toys.absorption import fully_absorbed, hierarchy, hierarchy_dictionaries
from monosema.toys.settings import HierarchyConfig
from monosema.toys.sources import orthonormal


def test_full_absorption_row_by_row():
    # Parent (1, 0), child (0, 1). Latent 0: the parent's own; latent 1: both; latent 2: the child's; latent 3: nearly.
    decoder = torch.tensor([[1.0, 0.0], [0.7071, 0.7071], [0.0, 1.0], [0.02, 0.9998]])
    codes = torch.tensor(
        [
            [1.0, 0.0, 0.0, 0.0],  # its own latent fires
            [0.0, 1.4142, 0.0, 0.0],  # another one says it
            [0.0, 0.0, 1.0, 0.0],  # nobody says it
            [0.0, 0.5, 0.0, 0.0],  # another one says too little, .35
            [0.0, 0.0, 0.0, 30.0],  # much is said, along a direction that is not the parent's
            [1e-4, 1.4142, 0.0, 0.0],  # its own latent fires a little
        ]
    )
    found = fully_absorbed(codes, decoder, torch.tensor([1.0, 0.0]), 0, torch.ones(6))
    assert found.tolist() == [False, True, False, False, False, False]


def test_a_child_is_on_only_where_its_parent_is():
    source = hierarchy(HierarchyConfig(), 0)
    a = source.magnitudes(20_000, "check")
    assert set(a.unique().tolist()) == {0.0, 1.0}
    assert not bool((a[:, 1] > a[:, 0]).any())
    assert a.mean(0).tolist() == pytest.approx([0.3, 0.15, 0.15, 0.15], abs=0.015)
    rows = source.rows(20_000, "check")
    assert torch.allclose(rows.x, a @ source.directions, atol=1e-6)
    assert len(rows.features) == int(a.sum())
    assert torch.equal(
        next(source.batches(8, 1, start=3)).activations[SITE], next(source.batches(8, 1, 3)).activations[SITE]
    )


def test_directions_are_orthonormal_and_differ_by_seed():
    d = orthonormal(4, 8, 0)
    assert torch.allclose(d @ d.T, torch.eye(4), atol=1e-6)
    assert not torch.allclose(d, orthonormal(4, 8, 1))


@pytest.mark.slow
def test_untied_dictionaries_absorb_and_tied_ones_do_not():
    found = hierarchy_dictionaries(HierarchyConfig(seeds=3, rows=150_000))
    assert sum(each["untied"].absorbs for each in found) >= 2
    assert sum(each["tied"].absorbs for each in found) == 0
    assert all(each["untied"].mse < each["tied"].mse for each in found)

"""A few of each row, exactly as the whole sort has them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monosema.features.tables.examples import in_order
from monosema.features.tables.ranking import largest, smallest


def test_of_equals_the_first_and_from_the_other_end_the_last():
    values = torch.tensor([[1.0, 3.0, 3.0, 0.0, 3.0, 0.0]])
    assert largest(values, 4).tolist() == [[1, 2, 4, 0]]
    assert smallest(values, 3).tolist() == [[5, 3, 0]]
    group = np.array([1, 0, 0, 1, 0, 0])
    assert in_order(values[0].numpy(), group).tolist() == [5, 1, 2, 4, 3, 0]
    assert in_order(values[0].long().numpy(), group).tolist() == [5, 1, 2, 4, 3, 0]


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_an_order_by_group_is_that_of_two_stable_sorts(kind: type):
    draws = np.random.default_rng(0)
    values = (draws.normal(size=90) * 3).astype(kind)
    if kind == np.float32:
        values = np.append(values, np.array([0.0, -0.0, 0.0, np.inf, -np.inf, 1e-45, -1e-45, np.inf], dtype=kind))
    group = draws.integers(0, 5, len(values))
    assert in_order(values, group).tolist() == np.lexsort((np.arange(len(values)), values, group)).tolist()


@given(seed=st.integers(0, 10_000), k=st.integers(0, 12), n=st.integers(1, 10), kinds=st.sampled_from([2, 5, 1000]))
@settings(deadline=None)
def test_they_are_those_of_a_stable_sort(seed: int, k: int, n: int, kinds: int):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randint(kinds, (5, n), generator=draw).float()
    values[values == 0] = -torch.inf
    order = values.sort(dim=1, descending=True, stable=True).indices
    assert torch.equal(largest(values, k), order[:, :k])
    assert torch.equal(smallest(values, k), order.flip(1)[:, :k])

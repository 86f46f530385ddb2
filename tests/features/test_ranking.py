"""A few of each row, exactly as the whole sort has them."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from monosema.features.tables.examples import smallest as smallest_of
from monosema.features.tables.ranking import largest, smallest


def test_of_equals_the_first_and_from_the_other_end_the_last():
    values = torch.tensor([[1.0, 3.0, 3.0, 0.0, 3.0, 0.0]])
    assert largest(values, 4).tolist() == [[1, 2, 4, 0]]
    assert smallest(values, 3).tolist() == [[5, 3, 0]]
    assert smallest_of(values[0].numpy(), 3).tolist() == [3, 5, 0]


@given(seed=st.integers(0, 10_000), k=st.integers(0, 12), n=st.integers(1, 10), kinds=st.sampled_from([2, 5, 1000]))
@settings(deadline=None)
def test_they_are_those_of_a_stable_sort(seed: int, k: int, n: int, kinds: int):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randint(kinds, (5, n), generator=draw).float()
    values[values == 0] = -torch.inf
    order = values.sort(dim=1, descending=True, stable=True).indices
    assert torch.equal(largest(values, k), order[:, :k])
    assert torch.equal(smallest(values, k), order.flip(1)[:, :k])
    row = values[0].numpy()
    assert smallest_of(row, k).tolist() == row.argsort(kind="stable")[:k].tolist() if k else True

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monosema.core.moments import Moments

# Four corners of a rectangle: mean (2, 2), variance (1, 4), total variance 5.
CORNERS = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])


def moments(*batches: Tensor) -> Moments:
    seen = Moments(batches[0].shape[1])
    for batch in batches:
        seen.update(batch)
    return seen


def test_a_rectangle():
    seen = moments(CORNERS)
    assert seen.n == 4
    assert seen.mean.tolist() == [2.0, 2.0]
    assert seen.variance.tolist() == [1.0, 4.0]
    assert seen.total_variance == 5.0


def test_before_any_row_everything_is_zero():
    seen = Moments(3)
    assert (seen.n, seen.mean.tolist(), seen.variance.tolist()) == (0, [0.0] * 3, [0.0] * 3)


def test_one_row_has_no_variance():
    assert moments(CORNERS[:1]).variance.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("splits", [(4,), (1, 3), (2, 2), (0, 4), (4, 0), (1, 1, 1, 1)])
def test_batching_does_not_matter(splits: tuple[int, ...]):
    assert moments(*CORNERS.split(list(splits))).variance.tolist() == [1.0, 4.0]


@given(st.lists(st.integers(0, 60), min_size=0, max_size=6), st.integers(0, 2**32), st.data())
def test_any_cut_merged_in_any_order_equals_one_pass(cuts: list[int], seed: int, data: st.DataObject):
    rows = torch.randn(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 5 + 100
    parts = [moments(part) for part in torch.tensor_split(rows, sorted(cuts))]
    merged = Moments(3)
    for part in data.draw(st.permutations(parts)):
        merged.merge(part)
    assert merged.n == 60
    torch.testing.assert_close(merged.mean, rows.mean(0), rtol=1e-13, atol=0)
    torch.testing.assert_close(merged.variance, rows.var(0, correction=0), rtol=1e-12, atol=0)


def test_a_large_mean_costs_no_digits():
    # Alternating 1e9 - 1 and 1e9 + 1: variance exactly 1.
    rows = 1e9 + torch.tensor([[-1.0], [1.0]], dtype=torch.float64).repeat(5000, 1)
    assert moments(*rows.split(7)).variance.item() == pytest.approx(1.0, rel=1e-6)

    mean_of_squares, square_of_mean = rows.square().mean(), rows.mean().square()
    assert abs((mean_of_squares - square_of_mean).item() - 1.0) > 0.5  # the sum of squares does lose them


def test_float16_is_summed_in_float64():
    # 60,000 squared overflows float16, and its sum of 4 rows does as well.
    rows = torch.full((4, 1), 60_000.0, dtype=torch.float16)
    seen = moments(rows)
    assert seen.mean.item() == float(rows[0, 0]) and seen.variance.item() == 0.0


def test_vectors_of_another_width_are_refused():
    with pytest.raises(AssertionError):
        Moments(1).update(CORNERS)


def test_merging_leaves_the_other_as_it_was():
    other = moments(CORNERS)
    mine = moments(CORNERS[:1])
    mine.merge(other)
    mine.update(CORNERS)
    assert (other.n, other.variance.tolist()) == (4, [1.0, 4.0])

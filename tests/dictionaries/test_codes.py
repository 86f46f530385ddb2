"""Sparse codes against the matrices they stand for."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from monosema.dictionaries import SparseCodes

# The example of the module: row 0 fires 2 and 7, row 1 nothing, row 2 fires 2.
F = torch.zeros(3, 8)
F[0, 2], F[0, 7], F[2, 2] = 0.5, 1.0, 0.1


def matrices(rows: int = 5, columns: int = 7) -> st.SearchStrategy[torch.Tensor]:
    cells = st.sampled_from([0.0, 0.0, 0.25, 3.0])
    return st.lists(cells, min_size=rows * columns, max_size=rows * columns).map(
        lambda values: torch.tensor(values).view(rows, columns)
    )


def test_the_example_of_the_module():
    codes = SparseCodes.from_dense(F)
    assert codes.indices.tolist() == [2, 7, 2]
    assert codes.values.tolist() == F[F != 0].tolist()
    assert codes.offsets.tolist() == [0, 2, 2, 3]
    assert codes.rows().tolist() == [0, 0, 2]
    assert codes.l0().tolist() == [2, 0, 1]
    assert codes.counts().tolist() == [0, 0, 2, 0, 0, 0, 0, 1]


@given(matrices())
def test_dense_and_back(f: torch.Tensor):
    assert torch.equal(SparseCodes.from_dense(f).dense(), f)


@given(matrices(), st.lists(st.booleans(), min_size=7, max_size=7))
def test_keep_is_a_product_with_the_mask(f: torch.Tensor, mask: list[bool]):
    kept = SparseCodes.from_dense(f).keep(torch.tensor(mask))
    assert torch.equal(kept.dense(), f * torch.tensor(mask))
    assert int(kept.offsets[-1]) == len(kept.values)


@given(matrices(), matrices(rows=2))
def test_concatenation_stacks_rows(top: torch.Tensor, bottom: torch.Tensor):
    both = SparseCodes.concatenate([SparseCodes.from_dense(top), SparseCodes.from_dense(bottom)])
    assert torch.equal(both.dense(), torch.cat([top, bottom]))


@given(matrices())
def test_by_feature_lists_each_feature_s_entries_in_order_of_row(f: torch.Tensor):
    codes = SparseCodes.from_dense(f)
    order, offsets = codes.by_feature
    for feature in range(f.shape[1]):
        mine = order[int(offsets[feature]) : int(offsets[feature + 1])]
        assert codes.rows()[mine].tolist() == f[:, feature].nonzero().view(-1).tolist()


def test_other_values_at_the_same_places_leave_the_first_alone():
    codes = SparseCodes.from_dense(F)
    codes.by_feature  # noqa: B018  worked out once, shared
    other = codes.with_values(codes.values * 2)
    assert torch.equal(other.dense(), F * 2)
    assert torch.equal(codes.dense(), F)
    assert other.by_feature[0] is codes.by_feature[0]


def test_what_is_spread_over_entries_has_a_gradient_that_threads_do_not_change():
    random = torch.Generator().manual_seed(0)
    indices = torch.randint(0, 1024, (400_000,), generator=random)
    codes = SparseCodes(indices, torch.ones(400_000), torch.tensor([0, 400_000]), 1024)
    table, weight = torch.randn(1024, generator=random), torch.randn(400_000, generator=random)
    torch.testing.assert_close(codes.spread(table), table[indices], rtol=0, atol=0)
    threads = torch.get_num_threads()

    def gradient(n: int) -> torch.Tensor:
        torch.set_num_threads(n)
        leaf = table.clone().requires_grad_()
        (codes.spread(leaf) * weight).sum().backward()
        assert leaf.grad is not None
        return leaf.grad

    try:
        assert all(torch.equal(gradient(1), gradient(4)) for _ in range(20))
    finally:
        torch.set_num_threads(threads)

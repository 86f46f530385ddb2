"""What is refused as data: one sentence each, that names the row or says what to do."""

import pytest
import torch

from monosema.core.errors import DataError
from monosema.probes.data import Contrast, Labelled

X = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
Y = torch.tensor([0, 1, 0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:2], r"x \[3, 2\] and y \[2\] do not fit"),
        (X[:, :0], Y, r"x \[3, 0\] and y \[3\] do not fit"),
        (X, torch.tensor([0, 1, 2]), "label 2 in row 2: labels must be 0"),
        (X, torch.tensor([0.0, 0.5, 1.0]), "label 0.5 in row 1"),
        (X, torch.tensor([1, 1, 1]), "all 3 labels are 1: a probe needs rows of both classes"),
        (X[:0], Y[:0], "there are no rows"),
        (X.clone().index_fill_(0, torch.tensor([1]), float("nan")), Y, "row 1 of x holds a number that is not finite"),
    ],
)
def test_statements_that_cannot_be_used(x: torch.Tensor, y: torch.Tensor, message: str):
    with pytest.raises(DataError, match=message):
        Labelled(x, y)


def test_pairs_that_cannot_be_used():
    with pytest.raises(DataError, match=r"x0 \[3, 2\], x1 \[2, 2\] and y \[3\] do not fit"):
        Contrast(X, X[:2], Y)
    with pytest.raises(DataError, match="x0 and x1 are the same numbers"):
        Contrast(X, X.clone(), Y)
    with pytest.raises(DataError, match="row 0 of x1 holds"):
        Contrast(X, X / 0, Y)
    with pytest.raises(DataError, match="2 groups for 3 rows"):
        Contrast(X, X + 1, Y, ("a", "b"))


def test_labels_may_be_true_and_false():
    assert Labelled(X, Y.bool()).y.tolist() == [False, True, False]


@pytest.mark.parametrize("rows", [torch.tensor([2, 1]), torch.tensor([False, True, True])])
def test_rows_are_taken_with_their_groups(rows: torch.Tensor):
    part = Contrast(X, X + 1, Y, ("a", "b", "c")).take(rows)
    assert sorted(part.groups) == ["b", "c"]
    assert {g: float(x[0]) for g, x in zip(part.groups, part.x0, strict=True)} == {"b": 3.0, "c": 5.0}


def test_both_sides_are_statements_with_opposite_labels():
    both = Contrast(X, X + 10, Y, ("a", "b", "c")).both_sides()
    assert both.x[:, 0].tolist() == [11, 13, 15, 1, 3, 5]
    assert both.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert both.groups == ("a", "b", "c", "a", "b", "c")

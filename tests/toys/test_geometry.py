"""Polytopes are recognised whatever their rotation, order and lengths, and nothing else is."""

import pytest
import torch
from torch import Tensor

from monosema.toys.geometry import UNNAMED, feature_graph, recognise
from monosema.toys.polytopes import SHAPES, antiprism, polygon, simplex


def turned(vertices: Tensor, seed: int = 0) -> Tensor:
    """The same directions in another basis, another order, and of other lengths."""
    drawn = torch.Generator().manual_seed(seed)
    n, m = vertices.shape
    turn = torch.linalg.qr(torch.randn(m, m, generator=drawn, dtype=torch.float64)).Q
    lengths = 0.8 + 0.4 * torch.rand(n, generator=drawn, dtype=torch.float64)
    return (turn @ vertices.T * lengths)[:, torch.randperm(n, generator=drawn)]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_known_by_its_name(name: str):
    found = recognise(turned(SHAPES[name]))
    assert found.name == name
    assert found.parts[0].dimensions == SHAPES[name].shape[1]
    assert len(found.parts) == 1 and not found.dropped


@pytest.mark.parametrize(
    "parts, name",
    [
        ([2, 2], "square"),
        ([2, 2, 2], "octahedron"),
        ([3, 2], "triangular bipyramid"),
        ([3, 3], "2 x triangle"),
        ([2, 1], "digon + own dimension"),
    ],
)
def test_orthogonal_sums_have_their_own_names(parts: list[int], name: str):
    known = {1: SHAPES["own dimension"], 2: SHAPES["digon"], 3: SHAPES["triangle"]}
    found = recognise(turned(torch.block_diag(*(known[part] for part in parts))))
    assert found.name == name
    assert [len(part.features) for part in found.parts] == sorted(parts, reverse=True)


def test_dropped_features_are_named_and_take_no_part():
    W = torch.cat([torch.zeros(2, 1), polygon(6).T.float(), 0.01 * torch.ones(2, 1)], 1)
    found = recognise(W)
    assert found.name == "hexagon"
    assert found.dropped == (0, 7)
    assert found.parts[0].features == (1, 2, 3, 4, 5, 6)
    assert sum(found.parts[0].dimensionality) == pytest.approx(2, abs=1e-3)


def test_what_is_no_polytope_has_no_name():
    bent = torch.tensor([[1.0, 0.6, 0.0], [0.0, 0.8, 1.0]])
    assert recognise(bent).name == UNNAMED
    assert recognise(antiprism(0.2).T).name == UNNAMED
    assert recognise(torch.zeros(2, 3)).name == "nothing"


def test_the_graph_has_an_edge_where_directions_interfere():
    W = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.1]])  # the last one is too short to count
    assert feature_graph(W).nonzero().tolist() == [[0, 1], [1, 0]]
    assert recognise(W).edges == ((0, 1),)
    assert int(feature_graph(simplex(4).T).sum()) == 20

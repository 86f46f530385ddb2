"""The shape of what a toy model learnt: which features interfere, and the polytope that each group of them forms.

    graph    an edge where two represented features have a cosine of more than EDGE in size
    part     a connected group: its features, its dimensions, the name of its polytope

A group is named after the polytope whose cosines are the same up to the order of features: every row of cosines,
sorted, is compared. Lengths take no part in it, so that an importance which stretches a pentagon leaves it one.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.toys.capacity import dimensionality, represented
from monosema.toys.polytopes import SHAPES, composed, variants

EDGE = 0.15
TOLERANCE = 0.06
"""Largest difference of a sorted cosine to the polytope's."""

NOISE = 0.1
UNNAMED = "unnamed"


@dataclass(frozen=True)
class Part:
    """Features that interfere with one another. dimensions: those they span; dimensionality: D_i of each."""

    name: str
    features: tuple[int, ...]
    dimensions: int
    dimensionality: tuple[float, ...]


@dataclass(frozen=True)
class Geometry:
    """All parts of a matrix, the features that it does not represent, and the name of the whole."""

    parts: tuple[Part, ...]
    dropped: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        return composed([part.name for part in self.parts]) if self.parts else "nothing"


def cosines(W: Float[Tensor, "m n"]) -> Float[Tensor, "n n"]:
    """Of every pair of columns; 0 with a column of norm 0."""
    unit = torch.nn.functional.normalize(W.double(), dim=0)
    return unit.T @ unit


def feature_graph(W: Float[Tensor, "m n"], edge: float = EDGE) -> Bool[Tensor, "n n"]:
    """Which pairs of represented features interfere, without a feature and itself."""
    there = represented(W)
    close = cosines(W).abs() > edge
    return close & there[:, None] & there[None, :] & ~torch.eye(W.shape[1], dtype=torch.bool)


def recognise(W: Float[Tensor, "m n"], tolerance: float = TOLERANCE) -> Geometry:
    """The parts of `W`, largest first."""
    graph, there = feature_graph(W), represented(W)
    D = dimensionality(W)
    parts = []
    for group in _groups(graph, there):
        own = W[:, list(group)]
        sizes = tuple(float(D[i]) for i in group)
        parts.append(Part(name_of(own, tolerance), group, _dimensions(own), sizes))
    dropped = tuple((~there).nonzero().flatten().tolist())
    edges = tuple((int(i), int(j)) for i, j in graph.triu().nonzero().tolist())
    return Geometry(tuple(sorted(parts, key=lambda part: -len(part.features))), dropped, edges)


def name_of(W: Float[Tensor, "m n"], tolerance: float = TOLERANCE) -> str:
    """The polytope of `SHAPES` that the columns of `W` form, or 'unnamed'."""
    own = _sorted_rows(cosines(W))
    for name, vertices in SHAPES.items():
        if len(vertices) == W.shape[1]:
            known = [_sorted_rows(shape @ shape.T) for shape in variants(name)]
            if min(float(_farthest(own, gram)) for gram in known) <= tolerance:
                return name
    return UNNAMED


def _farthest(own: Float[Tensor, "n n"], known: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """All these polytopes look the same from every vertex, so any row of `known` serves."""
    return (own - known[:1]).abs().max()


def _sorted_rows(gram: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    return gram.sort(dim=1).values


def _dimensions(W: Float[Tensor, "m n"]) -> int:
    """Directions of unit norm that they need; what holds less than a tenth of the largest is noise of training."""
    sizes = torch.linalg.svdvals(torch.nn.functional.normalize(W.double(), dim=0))
    return int((sizes > NOISE * sizes[0]).sum())


def _groups(graph: Bool[Tensor, "n n"], there: Bool[Tensor, "n"]) -> list[tuple[int, ...]]:
    left, groups = set(there.nonzero().flatten().tolist()), []
    while left:
        group, border = set(), [min(left)]
        while border:
            i = border.pop()
            if i not in group:
                group.add(i)
                border += graph[i].nonzero().flatten().tolist()
        left -= group
        groups.append(tuple(sorted(group)))
    return groups

"""Shapes that features take, as vertices of unit norm, and the dimensionality of each vertex.

A shape here cannot be cut into orthogonal parts. A square is two digons, an octahedron three, a triangular bipyramid a
triangle and a digon: `COMPOSED` has the names of such sums.
"""

import math
from collections import Counter

import torch
from jaxtyping import Float64
from torch import Tensor

POLYGONS = {3: "triangle", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}
MOST_DIMENSIONS = 6
"""Simplices are known up to so many dimensions; beyond, their cosines are no larger than those of noise."""


def polygon(n: int) -> Float64[Tensor, "n 2"]:
    """n directions in the plane at equal angles."""
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def simplex(m: int) -> Float64[Tensor, "n m"]:
    """m + 1 directions in m dimensions, each pair with a cosine of -1/m."""
    centred = torch.eye(m + 1, dtype=torch.float64) - 1 / (m + 1)
    basis = torch.linalg.svd(centred).Vh[:m]
    return torch.nn.functional.normalize(centred @ basis.T, dim=1)


def antiprism(z: float) -> Float64[Tensor, "8 3"]:
    """The square antiprism with its squares at heights z and -z; a tight frame when z^2 = 1/3."""
    square = polygon(4) * math.sqrt(1 - z * z)
    turn = math.sqrt(0.5) * torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    height = torch.full((4, 1), z, dtype=torch.float64)
    return torch.cat([torch.cat([square, height], 1), torch.cat([square @ turn.T, -height], 1)])


def _named() -> dict[str, Tensor]:
    one = torch.ones(1, 1, dtype=torch.float64)
    shapes = {"own dimension": one, "digon": torch.cat([one, -one])}
    shapes |= {name: polygon(n) for n, name in POLYGONS.items()}
    shapes["tetrahedron"] = simplex(3)
    shapes |= {f"{m}-simplex": simplex(m) for m in range(4, MOST_DIMENSIONS + 1)}
    shapes["square antiprism"] = antiprism(math.sqrt(1 / 3))
    return shapes


SHAPES: dict[str, Float64[Tensor, "n m"]] = _named()
"""Vertices by name; none is an orthogonal sum of others."""

HEIGHTS = tuple(0.4 + 0.02 * i for i in range(16))
"""Of antiprisms that have the name too: what is best to learn is flatter than the tight frame."""


def variants(name: str) -> tuple[Float64[Tensor, "n m"], ...]:
    """All shapes of this name."""
    return tuple(map(antiprism, HEIGHTS)) if name == "square antiprism" else (SHAPES[name],)


COMPOSED = {
    ("digon", "digon"): "square",
    ("digon", "digon", "digon"): "octahedron",
    ("digon", "triangle"): "triangular bipyramid",
    ("digon", "pentagon"): "pentagonal bipyramid",
    ("digon", "digon", "digon", "digon"): "16-cell",
}
"""Sums of shapes in dimensions that are orthogonal to one another, sorted by name."""


def composed(parts: list[str]) -> str:
    """The name of several shapes together: one of `COMPOSED`, or a count of each."""
    known = COMPOSED.get(tuple(sorted(parts)))
    if known is not None:
        return known
    counts = Counter(parts)
    return " + ".join(f"{n} x {name}" if n > 1 else name for name, n in sorted(counts.items()))

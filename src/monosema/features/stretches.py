"""Stretches of different widths laid end to end: how windows of a text become columns without a loop."""

import numpy as np
from jaxtyping import Int

Array = np.ndarray


def stretches(begins: Int[Array, "n"], widths: Int[Array, "n"]) -> tuple[Int[Array, "edges"], Int[Array, "member"]]:
    """Where each stretch begins and the last ends when all are laid end to end; and where each of their members
    stands by itself, counted from the stretch's own beginning `begins`."""
    edges = np.append(0, np.cumsum(widths, dtype=np.int64))
    return edges, np.arange(edges[-1]) - np.repeat(edges[:-1] - begins, widths)

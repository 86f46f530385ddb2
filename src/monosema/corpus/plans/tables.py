"""Random tables that give nothing away by their rows or columns."""

import torch
from jaxtyping import Int64
from torch import Tensor

TURNS = 50
"""Attempted swaps per cell; a chain of them forgets where it began."""


def balanced(n_rows: int, n_columns: int, draws: torch.Generator) -> Int64[Tensor, "row column"]:
    """Zeros and ones, as many of each in every row and every column; both numbers even.

    A checkerboard of which random 2 x 2 corners (1 0 / 0 1) are turned over, which keeps all sums.
    """
    table = (torch.arange(n_rows)[:, None] + torch.arange(n_columns)) % 2
    picks = [torch.randint(n, (TURNS * table.numel(), 2), generator=draws).tolist() for n in (n_rows, n_columns)]
    for (i, j), (k, m) in zip(*picks, strict=True):
        if table[i, k] == table[j, m] != table[i, m] == table[j, k]:
            table[i, k], table[j, m], table[i, m], table[j, k] = (int(table[i, m]),) * 2 + (int(table[i, k]),) * 2
    return table


def dealt(n: int, values: int, draws: torch.Generator) -> Int64[Tensor, "n"]:
    """`n` values from 0 on, each as often as the others (one more or less where they do not divide n)."""
    return (torch.arange(n) % values)[torch.randperm(n, generator=draws)]

"""The largest and smallest of each row, as a stable sort of the whole row would order them, without sorting it."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor


def largest(values: Float[Tensor, "row n"], k: int) -> Int64[Tensor, "row k"]:
    """Where the `k` largest of each row are (all, if there are fewer), in order; of equals the first. No value
    may be not a number."""
    n_rows, n = values.shape
    k = min(k, n)
    if not n_rows or not k:
        return torch.zeros(n_rows, k, dtype=torch.int64)
    least = values.topk(k, dim=1).values[:, -1:]
    row, column = (values >= least).nonzero(as_tuple=True)
    order = torch.from_numpy(np.lexsort((column.numpy(), -values[row, column].numpy(), row.numpy())))
    per_row = torch.bincount(row, minlength=n_rows)
    first = (per_row.cumsum(0) - per_row).unsqueeze(1)
    return column[order][first + torch.arange(k)]


def smallest(values: Float[Tensor, "row n"], k: int) -> Int64[Tensor, "row k"]:
    """Where the `k` smallest are, the smallest first; of equals the last: `largest` from the other end."""
    return values.shape[1] - 1 - largest(-values.flip(1), k)

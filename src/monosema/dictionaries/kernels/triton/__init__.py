"""The kernels for CUDA, in float32: the encoder and the choice of what fires in one pass over the weights.

    dense.py    the same selections and sums as dense products, a few rows at a time
    split.py    rows in bfloat16, the norms of the rows, and of what the rounding drops
    scan.py     one tiled product in bfloat16, whose tiles only nominate: no batch x n_features matrix
    sums.py     weighted sums of gathered rows, and inner products of gathered pairs
    rank.py     the k-th largest of each row
    plan.py     how many to nominate, and the tiles
    select.py   the nominated scored again in float32, and the proof that nobody else belongs

Selections are exact, and every result is the same bits from run to run: nothing is added atomically.
Importing this package imports triton. With TRITON_INTERPRET=1 in the environment before that, the
kernels run on the CPU, slowly, as they are tested.
"""

from monosema.dictionaries.kernels.plain import adam, perpendicular, squared_norm
from monosema.dictionaries.kernels.triton.select import select_above, select_batch_topk, select_topk
from monosema.dictionaries.kernels.triton.sums import products, residual, sum_by_feature, sum_by_row

__all__ = [
    "adam",
    "perpendicular",
    "products",
    "residual",
    "select_above",
    "select_batch_topk",
    "select_topk",
    "squared_norm",
    "sum_by_feature",
    "sum_by_row",
]

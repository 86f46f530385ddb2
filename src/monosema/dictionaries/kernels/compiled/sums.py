"""Sums over what fired, compiled. A thread takes rows, or features, and writes only its own."""

import numpy as np

from monosema.dictionaries.kernels.compiled.loops import compiled

SLICE = 128
"""Columns summed at a time: 4,096 rows of as many stay in a core's own cache."""


@compiled
def residual_rows(indices, offsets, values, W, b, y, error, products, start, stop):
    """error = sum_j values_j W[indices_j] + b - y, and <error, W[indices_j]> while the rows of W are at hand."""
    d = W.shape[1]
    for r in range(start, stop):
        row, target = error[r], y[r]
        for q in range(d):
            row[q] = b[q] - target[q]
        begin, end = offsets[r], offsets[r + 1]
        for j in range(begin, end):
            value, weights = values[j], W[indices[j]]
            for q in range(d):
                row[q] += value * weights[q]
        for j in range(begin, end):
            weights = W[indices[j]]
            total = np.float32(0)
            for q in range(d):
                total += row[q] * weights[q]
            products[j] = total


@compiled
def slice_rows(table, slices, start, stop):
    """Copy the table as slices of columns [n_slices, rows, SLICE]; what is beyond the last column stays."""
    d = table.shape[1]
    for r in range(start, stop):
        for s in range(len(slices)):
            first = s * SLICE
            part = slices[s, r]
            for q in range(min(SLICE, d - first)):
                part[q] = table[r, first + q]


@compiled
def sum_features(order, rows, values, offsets, slices, out, start, stop):
    """out[f] = sum over f's entries of values_j table[rows_j], slice by slice, four entries at a time."""
    d = out.shape[1]
    for s in range(len(slices)):
        table, first = slices[s], s * SLICE
        width = min(table.shape[1], d - first)
        for f in range(start, stop):
            total = out[f, first : first + width]
            for q in range(width):
                total[q] = 0
            j, end = offsets[f], offsets[f + 1]
            while j + 4 <= end:
                a, b, c, e = order[j], order[j + 1], order[j + 2], order[j + 3]
                row_a, row_b, row_c, row_e = table[rows[a]], table[rows[b]], table[rows[c]], table[rows[e]]
                v_a, v_b, v_c, v_e = values[a], values[b], values[c], values[e]
                for q in range(width):
                    total[q] += v_a * row_a[q] + v_b * row_b[q] + v_c * row_c[q] + v_e * row_e[q]
                j += 4
            while j < end:
                value, row = values[order[j]], table[rows[order[j]]]
                for q in range(width):
                    total[q] += value * row[q]
                j += 1

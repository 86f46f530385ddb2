"""Whole rows of a scanned chunk: from bits to what fires. Each function takes a range of rows, so that
threads can share a chunk; `first` is the number of the chunk's first row in the batch.

cuts [batch, 2]   in units of s: less than (floor (1 - 2 rounding) - cuts[0]) and less than cuts[1] is out
"""

import numpy as np

from monosema.dictionaries.kernels.compiled.loops import (
    collect,
    columns,
    compiled,
    fold,
    keep_largest,
    kth_largest,
    score,
)


@compiled
def as_float(bits, narrow, box):
    """The float whose bits these are; `narrow`: the upper half of a float32's."""
    box[0] = np.int32(bits) << 16 if narrow else np.int32(bits)
    return box.view(np.float32)[0]


@compiled
def as_bits(value, narrow, box):
    """The largest bits whose float is at most `value`, if that is positive; else 1, the smallest positive."""
    box.view(np.float32)[0] = value
    bits = np.int64(box[0])
    if narrow:
        bits >>= 16
    return max(bits, 1)


@compiled
def largest_of_rows(chunk, first, rounding, cuts, x, W, b, k, indices, values, counts, start, stop):
    """Write the k largest positive pre-activations of each row to indices, values [batch, k]; how many to counts."""
    n = chunk.shape[1]
    narrow, top = chunk.itemsize == 2, np.iinfo(chunk.dtype).max
    maxima = np.empty(columns(n, k), chunk.dtype)
    hits, found, scores = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    passing, box = np.empty(n, chunk.dtype), np.empty(1, np.int32)
    for local in range(start, stop):
        bits, r = chunk[local], first + local
        fold(bits, maxima)
        floor = as_float(kth_largest(maxima, k, top), narrow, box)
        cut = as_bits(max(floor * (1 - 2 * rounding) - cuts[r, 0], cuts[r, 1]), narrow, box)
        n_found = collect(bits, maxima, cut, hits, found)
        if n_found > k:
            for j in range(n_found):
                passing[j] = bits[found[j]]
            floor = as_float(kth_largest(passing[:n_found], k, top), narrow, box)
            cut = as_bits(max(floor * (1 - 2 * rounding) - cuts[r, 0], cuts[r, 1]), narrow, box)
            n_left = 0
            for j in range(n_found):
                if passing[j] >= cut:
                    found[n_left] = found[j]
                    n_left += 1
            n_found = n_left
        if rounding > 0:
            score(x[r], W, b, found, n_found, scores)
        else:
            for j in range(n_found):
                scores[j] = as_float(bits[found[j]], narrow, box)
        counts[r] = keep_largest(k, found, scores, n_found, indices[r], values[r])


@compiled
def above_of_rows(chunk, first, rounding, cuts, x, W, b, threshold, indices, values, counts, start, stop):
    """Write all pre-activations above `threshold` [n_features] to indices, values [rows, room].

    counts gets how many there are; where that is more than there is room for, the row is not written.
    b is the bias; what was scanned had the threshold taken off it.
    """
    n, room = chunk.shape[1], indices.shape[1]
    narrow = chunk.itemsize == 2
    maxima = np.empty(columns(n, 1), chunk.dtype)
    hits, found, scores = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    box = np.empty(1, np.int32)
    for local in range(start, stop):
        bits, r = chunk[local], first + local
        fold(bits, maxima)
        n_found = collect(bits, maxima, as_bits(cuts[r, 1], narrow, box), hits, found)
        if rounding > 0:
            score(x[r], W, b, found, n_found, scores)
        else:
            for j in range(n_found):
                scores[j] = as_float(bits[found[j]], narrow, box) + threshold[found[j]]
        n_kept = 0
        for j in range(n_found):
            if scores[j] > threshold[found[j]]:
                if n_kept < room:
                    indices[local, n_kept] = found[j]
                    values[local, n_kept] = scores[j]
                n_kept += 1
        counts[r] = n_kept


@compiled
def pack(indices, values, counts, offsets, flat_indices, flat_values, start, stop):
    """Lay the rows of a chunk end to end."""
    for r in range(start, stop):
        at = offsets[r]
        for j in range(counts[r]):
            flat_indices[at + j] = indices[r, j]
            flat_values[at + j] = values[r, j]

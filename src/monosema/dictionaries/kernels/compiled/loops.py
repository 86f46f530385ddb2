"""The inner loops of selection, compiled by numba: plain scans over the bits of one row at a time.

bits    a scanned row as integers: of a float that is not negative, they are ordered as it is
maxima  the row folded into columns c, c + m, c + 2m, ... and the largest of each; the k-th largest of
        the maxima is at most the k-th largest of the row, and what passes it lies in few columns
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

FOLD = 32
"""Entries a column, where that leaves enough columns."""


def compiled(loop: Callable[..., Any]) -> Any:
    """The loop in machine code, made at its first call and kept on disk; it holds no lock of Python's.

    Sums may be taken in any order, the same at every call. What wraps the loop (a type checker in the
    tests) is not compiled.
    """
    options = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"}, "cache": True, "error_model": "numpy"}
    return njit(**options)(inspect.unwrap(loop))


@compiled
def columns(n, k):
    """How many columns to fold n entries into, to find the k largest."""
    return min(n, max((n + FOLD - 1) // FOLD, 4 * k))


@compiled
def fold(bits, maxima):
    """The largest entry of every column, no less than zero."""
    n, m = len(bits), len(maxima)
    maxima[:] = 0
    for start in range(0, n, m):
        part = bits[start : min(start + m, n)]
        for c in range(len(part)):
            maxima[c] = max(maxima[c], part[c])


@compiled
def kth_largest(entries, k, top):
    """The largest value that k of `entries` reach, in [0, top], by bisection; 0 when fewer reach 1."""
    low, high = 0, top
    while low < high:
        middle = (low + high + 1) >> 1
        value = entries.dtype.type(middle)
        count = 0
        for i in range(len(entries)):
            if entries[i] >= value:
                count += 1
        if count >= k:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def collect(bits, maxima, cut, hits, found):
    """Write the indices of all entries that reach `cut` to `found`, in order; returns how many."""
    n, m = len(bits), len(maxima)
    n_hits = 0
    for c in range(m):
        if maxima[c] >= cut:
            hits[n_hits] = c
            n_hits += 1
    n_found = 0
    for start in range(0, n, m):
        for h in range(n_hits):
            i = start + hits[h]
            if i < n and bits[i] >= cut:
                found[n_found] = i
                n_found += 1
    return n_found


@compiled
def score(row, W, b, found, n_found, values):
    """The exact pre-activation of each found feature."""
    for j in range(n_found):
        weights = W[found[j]]
        total = np.float32(0)
        for q in range(len(row)):
            total += row[q] * weights[q]
        values[j] = total + b[found[j]]


@compiled
def keep_largest(k, found, values, n_found, indices, kept):
    """Write the k largest positive values and their features out, in order; returns how many."""
    order = values[:n_found].view(np.int32)
    low = np.int32(1)
    if n_found > k:
        low = np.int32(max(kth_largest(order, k, np.int32(0x7F7FFFFF)), 1))
    spare = k
    for j in range(n_found):
        if order[j] > low:
            spare -= 1
    n = 0
    for j in range(n_found):
        tie = order[j] == low and spare > 0
        if order[j] > low or tie:
            if tie:
                spare -= 1
            indices[n] = found[j]
            kept[n] = values[j]
            n += 1
    return n


@compiled
def halve(rows, halves, norms, dropped, start, stop):
    """bfloat16 bits of the rows, rounded to even; the norms of the rows and of what they lose."""
    source = rows.view(np.uint32)
    d = rows.shape[1]
    back = np.empty(d, np.uint32)
    for r in range(start, stop):
        bits, row, out = source[r], rows[r], halves[r]
        for q in range(d):
            u = bits[q]
            top = (u + np.uint32(0x7FFF) + ((u >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
            out[q] = np.uint16(top)
            back[q] = top << np.uint32(16)
        kept = back.view(np.float32)
        whole, lost = np.float32(0), np.float32(0)
        for q in range(d):
            whole += row[q] * row[q]
            lost += (row[q] - kept[q]) * (row[q] - kept[q])
        norms[r], dropped[r] = np.sqrt(whole), np.sqrt(lost)

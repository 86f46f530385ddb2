"""The loop that draws sparse features, compiled: a hash of a counter is a random number, so rows can be drawn apart.

state = seed + (stream * rows + row + 1) * GOLDEN       SplitMix64 (Steele, Lea & Flood 2014), a step a number
"""

import numpy as np

from monosema.dictionaries.kernels.compiled.loops import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31, S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)
BIT = np.float32(2.0**-24)


@compiled
def uniform(state):
    """A number in [0, 1) of 24 bits."""
    z = (state ^ (state >> S30)) * FIRST
    z = (z ^ (z >> S27)) * SECOND
    z = z ^ (z >> S31)
    return np.float32(np.int32(z >> S40)) * BIT


@compiled
def fill_rows(seed, switch, low, high, own, x, signed, start, stop):
    """x[r]: where low <= u < high the magnitude, else 0. u is drawn by the stream `switch[r]`; the magnitude is
    u's place in the interval, or by the row's `own` stream."""
    n_rows = np.uint64(x.shape[1])
    scale, shift = (np.float32(2), np.float32(-1)) if signed else (np.float32(1), np.float32(0))
    for r in range(start, stop):
        row, a, b = x[r], low[r], high[r]
        wide = np.float32(1) / (b - a)
        state = np.uint64(seed) + (np.uint64(switch[r]) * n_rows + np.uint64(1)) * GOLDEN
        if own[r]:
            second = np.uint64(seed) + (np.uint64(r) * n_rows + np.uint64(1)) * GOLDEN
            for c in range(len(row)):
                step = np.uint64(c) * GOLDEN
                u = uniform(state + step)
                row[c] = shift + scale * uniform(second + step) if a <= u < b else np.float32(0)
        else:
            for c in range(len(row)):
                u = uniform(state + np.uint64(c) * GOLDEN)
                row[c] = shift + scale * ((u - a) * wide) if a <= u < b else np.float32(0)

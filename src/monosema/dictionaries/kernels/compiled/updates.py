"""The optimiser's loops, compiled: one row of a matrix at a time, each number read and written once."""

import numpy as np

from monosema.dictionaries.kernels.compiled.loops import compiled


@compiled
def perpendicular_rows(W, gradient, squares, start, stop):
    """Take off each gradient row what is parallel to W's (of unit norm); the squared norms of what is left."""
    for r in range(start, stop):
        row, direction = gradient[r], W[r]
        along = np.float32(0)
        for q in range(len(row)):
            along += row[q] * direction[q]
        total = np.float32(0)
        for q in range(len(row)):
            row[q] -= along * direction[q]
            total += row[q] * row[q]
        squares[r] = total


@compiled
def squared_norms(gradient, squares, start, stop):
    """The squared norm of each row."""
    for r in range(start, stop):
        row = gradient[r]
        total = np.float32(0)
        for q in range(len(row)):
            total += row[q] * row[q]
        squares[r] = total


@compiled
def adam_rows(W, gradient, first, second, numbers, unit, start, stop):
    """Adam's update of each row, and its length brought to 1 where `unit`.

    numbers  gradient scale, beta1, beta2, lr / bias correction 1, sqrt(bias correction 2), epsilon
    """
    scale, beta1, beta2, rate, correction, epsilon = numbers
    for r in range(start, stop):
        w, g, m, v = W[r], gradient[r], first[r], second[r]
        total = np.float32(0)
        for q in range(len(w)):
            slope = scale * g[q]
            m[q] += (np.float32(1) - beta1) * (slope - m[q])
            v[q] += (np.float32(1) - beta2) * (slope * slope - v[q])
            w[q] -= rate * m[q] / (np.sqrt(v[q]) / correction + epsilon)
            total += w[q] * w[q]
        if unit:
            shrink = np.float32(1) / np.sqrt(total)
            for q in range(len(w)):
                w[q] *= shrink

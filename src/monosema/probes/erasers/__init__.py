"""Erasers: affine maps of low rank after which no linear probe reads a concept, what that certifies and what it costs.

    moments -> closed -> eraser          LEACE, its orthogonal variant, mean difference, the oracle
    regression -> fitting                INLP, the random control, and one call for any of them
    certificate, price                   what is still read, and what was paid
    scrubbing                            every layer in turn; the price in a model's loss
    demonstration                        two discrete predictors: why this is linear algebra

The public names are in `monosema.probes`.
"""

"""Whether features are simple enough to read by eye, above what a control's features are."""

import torch

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.features.rows import FeatureSample

NAME = "token_f1"


def readability(sample: FeatureSample, control: FeatureSample | None, control_is: str) -> Finding | None:
    """Mean over features of the F1 of each one's best single-token rule, in [0, 1].

    The features are drawn uniformly from those that fire at least MIN_FIRINGS times; the rule is "the
    token is t" or "the previous token is t", chosen on half of the documents and measured on the
    other (see `Detector`). High: most features are a token's name, and the control says how much of
    that a dictionary gets from the token embeddings alone. It is a floor on what can be read: a
    feature with a low F1 may mean something that no single token says.

    The interval is over features. None when fewer than two features fire often enough.
    """
    if len(sample.scored) < 2:
        return None
    terms = torch.tensor([[feature.f1, 1.0] for feature in sample.scored], dtype=torch.float64)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(sample.config.seed, "readability"))
    other = None
    if control is not None and control.scored:
        other = sum(feature.f1 for feature in control.scored) / len(control.scored)
    return Finding(NAME, value, other, control_is, low, high, len(terms), "features")

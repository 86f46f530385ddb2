"""What a sample of features comes to: whether they can be read by eye, and whether they say what follows."""

import torch

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.features.rows import FeatureSample


def readability(sample: FeatureSample, control: FeatureSample | None, control_is: str) -> Finding | None:
    """Mean over features of the F1 of each one's best single-token rule, in [0, 1].

    The features are drawn uniformly from those that fire at least MIN_FIRINGS times; the rule is "the
    token is t" or "the previous token is t", chosen on half of the documents and measured on the
    other (see `Detector`). High: most features are a token's name, and the control says how much of
    that a dictionary gets from the token embeddings alone. It is a floor on what can be read: a
    feature with a low F1 may mean something that no single token says.

    The interval is over features. None when fewer than two features fire often enough.
    """
    other = [feature.f1 for feature in control.scored] if control else []
    return _mean("token_f1", [feature.f1 for feature in sample.scored], other, control_is, sample.config.seed)


def foresight(sample: FeatureSample, control: FeatureSample | None, control_is: str) -> Finding | None:
    """Mean over the same features of `foretells`: how much higher their own logits rank the next token
    where they fire than everywhere, in [-1, 1]; 0 is chance (see `foretelling`).

    None when the dictionary has no direct logit effect.
    """
    values, other = ([f.foretells for f in s.scored if f.foretells is not None] if s else [] for s in (sample, control))
    return _mean("foretells", values, other, control_is, sample.config.seed)


def _mean(name: str, values: list[float], control: list[float], control_is: str, seed: int) -> Finding | None:
    if len(values) < 2:
        return None
    terms = torch.tensor([[value, 1.0] for value in values], dtype=torch.float64)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "readability"))
    other = sum(control) / len(control) if control else None
    return Finding(name, value, other, control_is, low, high, len(values), "features")

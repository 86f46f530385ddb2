"""The metrics and the controls of a check, as its page names them."""

from monosema.evaluation.checks import ControlSaid, MetricSaid
from monosema.evaluation.metrics import METRICS
from monosema.evaluation.random_decoder import WHAT
from monosema.evaluation.stability import MEASURES, RANDOM

FIDELITY = {
    "variance_explained": "variance explained",
    "mse": "squared error",
    "loss_recovered_mean": "loss recovered (mean ablation)",
    "loss_recovered_zero": "loss recovered (zero ablation)",
    "l0": "L0",
    "alive": "features that fire at all",
}
"""Metrics of the scorecard that are taken side by side."""

SHUFFLED = "the tokens of each document permuted within each block; BOS, padding and borders stay where they are"

CONTROLS = (
    ControlSaid("random", "random directions", f"{WHAT}; the best single gain for all, nothing trained"),
    ControlSaid("randomised", "random weights", "the same recipe on the model with its weights randomised"),
    ControlSaid("shuffled", "shuffled text", f"the same recipe on shuffled text, scored on shuffled text: {SHUFFLED}"),
    ControlSaid("shuffled_on_text", "trained on shuffled text", "that dictionary, scored on the text as it is"),
    ControlSaid(
        "same_place",
        "a random direction in its place",
        "of the feature's norm, taken off where, and as strongly as, the feature fires",
    ),
    ControlSaid("floor", "the n-gram floor", "what the token and the one before say, scored on the same windows"),
    ControlSaid("directions", "random directions", f"{RANDOM}, matched with the same seeds' dictionaries"),
)

_OF_FEATURES = (
    ("foretells", "foretelling of the next token", "mean rank of the next token in the feature's logits where it "
     "fires, less the same everywhere", "share of the vocabulary", "higher"),
    ("importance", "importance", "mean loss without the feature, less the loss as it is", "nats per 1,000 tokens",
     "higher"),
    ("floor_r", "correlation with the n-gram floor", "correlation of the activation with its mean given the token and "
     "the one before, on documents not fitted", "correlation", "lower"),
    ("floor_f1", "F1 of the n-gram floor", "F1 of that mean above a threshold as a detector of firing, on documents "
     "not fitted", "F1 in [0, 1]", "lower"),
)  # fmt: skip

_OF_SEEDS = {
    "mean_max_cosine": "cosine to the nearest feature",
    "mean_matched_cosine": "cosine to the partner",
    "found_7": "features found again at .7",
    "found_9": "features found again at .9",
}

METRICS_SAID = (
    *(
        MetricSaid(name, words, "Fidelity", METRICS[name].formula, METRICS[name].unit, METRICS[name].better)
        for name, words in FIDELITY.items()
    ),
    *(MetricSaid(name, words, "Features", *rest) for name, words, *rest in _OF_FEATURES),
    *(
        MetricSaid(name, words, "Other seeds", MEASURES[name], "share" if "found" in name else "cosine", "higher")
        for name, words in _OF_SEEDS.items()
    ),
    MetricSaid("explanation", "explanation score", "Explanations", "balanced accuracy of detection", "share", "higher"),
)
"""Every metric of a check, in the order of the page."""

"""A batch in the JSON that SAEDashboard 0.8 writes for Neuronpedia, so that its tools read our features.

Its histograms have bars even in the activation, ours in its logarithm: each of our bins stands as one of
its bars, at the middle of the bin. Loss effects have no place in this format.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monosema.core.runs import write_text
from monosema.core.sites import parse
from monosema.dashboard.exports.selection import Selection
from monosema.features.browse.rows import ExampleGroup, FeatureDetail, Histogram, Neighbour

GROUPS = ("top", "interval")
"""The groups that the format has a place for: its bins are intervals of activation, and the top."""


def write_saedashboard(path: Path, selection: Selection) -> None:
    """Write the batch to one file."""
    write_text(path, batch(selection))


def batch(selection: Selection) -> str:
    """The batch as JSON."""
    manifest = selection.table.manifest
    described = {
        "model_id": manifest.model_fingerprint,
        "layer": parse(manifest.reads[0]).layer or 0,
        "sae_set": manifest.dictionary,
        "features": [_feature(selection, detail, groups) for detail, groups in selection.each()],
    }
    return json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _feature(selection: Selection, detail: FeatureDetail, groups: Sequence[ExampleGroup]) -> dict[str, Any]:
    manifest, row = selection.table.manifest, detail.row
    acts, logits = histogram_bars(detail.acts), histogram_bars(detail.logits)
    decoder = near(detail.neighbours, "decoder")
    together = near(detail.neighbours, "coactivation")
    return {
        "feature_index": row.feature,
        "neuron_alignment_indices": [],
        "neuron_alignment_values": [],
        "neuron_alignment_l1": [],
        "correlated_neurons_indices": [],
        "correlated_neurons_l1": [],
        "correlated_neurons_pearson": [],
        "correlated_features_indices": [n.feature for n in together],
        "correlated_features_l1": [short(n.value) for n in together],
        "correlated_features_pearson": [],
        "neg_str": [e.text for e in detail.bottom_logits],
        "neg_values": [short(e.effect) for e in detail.bottom_logits],
        "pos_str": [e.text for e in detail.top_logits],
        "pos_values": [short(e.effect) for e in detail.top_logits],
        "frac_nonzero": row.frequency,
        "freq_hist_data_bar_values": acts[0],
        "freq_hist_data_bar_heights": acts[1],
        "logits_hist_data_bar_heights": logits[1],
        "logits_hist_data_bar_values": logits[0],
        "n_prompts_total": manifest.n_documents,
        "n_tokens_in_prompt": manifest.context,
        "dataset": manifest.corpus_fingerprint,
        "decoder_weights_dist": [],
        "topk_cos_sim_indices": [n.feature for n in decoder],
        "topk_cos_sim_values": [short(n.value) for n in decoder],
        "activations": [a for group in groups for a in _activations(group, row.max_act)],
    }


def _activations(group: ExampleGroup, largest: float) -> list[dict[str, Any]]:
    if group.name not in GROUPS:
        return []
    low, high, share = bin_of(group, largest)
    return [
        {
            "bin_min": low,
            "bin_max": high,
            "bin_contains": share,
            "tokens": list(e.texts),
            "values": [short(a) for a in e.acts],
            "qualifying_token_index": e.at,
        }
        for e in group.examples
    ]


def bin_of(group: ExampleGroup, largest: float) -> tuple[float, float, float]:
    """Lower and upper bound and share of an interval; -1, the largest activation and -1 for the others."""
    if group.name != "interval" or group.low is None or group.high is None:
        return -1.0, short(largest), -1.0
    return short(group.low), short(group.high), short(group.share or 0.0)


def histogram_bars(found: Histogram | None) -> tuple[list[float], list[float]]:
    """The middles and heights of the bars."""
    if found is None:
        return [], []
    n, low, high = len(found.counts), found.low, found.high
    log = found.log and 0 < low < high
    a, b = (math.log(low), math.log(high)) if log else (low, high)
    middles = [a + (i + 0.5) / n * (b - a) for i in range(n)]
    return [short(math.exp(m) if log else m) for m in middles], [float(c) for c in found.counts]


def near(neighbours: Sequence[Neighbour], kind: str) -> list[Neighbour]:
    """The neighbours of one kind in the same dictionary."""
    return [n for n in neighbours if n.kind == kind and not n.dictionary]


def short(value: float) -> float:
    """To four significant digits: files stay small."""
    return float(f"{value:.4g}")

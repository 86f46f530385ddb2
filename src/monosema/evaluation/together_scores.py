"""How well dictionaries do that replace several sites of a model at once: plain values for files and tables.

together.findings["loss_recovered_mean"]     0.81 (control -0.4; 95% 0.79..0.83; n=120 documents)
together.layers[2].loss_up_to                the loss with the first three written sites replaced
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.core.findings import Finding
from monosema.core.shown import Shown
from monosema.evaluation.scorecard import findings, plain, record

NAMES = (
    "l0",
    "loss_model",
    "loss_zero",
    "loss_mean",
    "loss_together",
    "loss_recovered_zero",
    "loss_recovered_mean",
    "kl_together",
    "same_top",
    "change",
    "carried_held",
    "carried",
    "carried_with_errors",
)
"""The findings of a set, in the order in which they are shown; docs/scorecards.md has the formulas."""


@dataclass(frozen=True)
class LayerScore:
    """One site that is replaced.

    variance_explained    of the site, when all dictionaries read the model as it is
    loss_recovered_mean   this site alone replaced, against its mean
    loss_alone            this site alone replaced, nats per token
    loss_up_to            this site and all before it replaced
    """

    site: str
    variance_explained: Finding
    loss_recovered_mean: Finding
    loss_alone: Finding
    loss_up_to: Finding


@dataclass(frozen=True)
class Together(Shown):
    """The scores of dictionaries that replace `layers` together, on the same held-out tokens."""

    findings: Mapping[str, Finding]
    layers: tuple[LayerScore, ...]
    dictionaries: tuple[str, ...]
    model: str
    control_is: str
    n_tokens: int
    n_documents: int

    def to_json(self) -> dict[str, Any]:
        """Plain values for core.runs.write_json."""
        return plain(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Together":
        """What `to_json` gave. Raises DamagedError when a part is missing, unknown or of another kind."""
        with_parts = dict(data)
        if "findings" in with_parts:
            with_parts["findings"] = findings(with_parts["findings"])
        if "layers" in with_parts:
            with_parts["layers"] = [_layer_score(layer) for layer in with_parts["layers"]]
        return record(Together, with_parts)


def _layer_score(data: Mapping[str, Any]) -> LayerScore:
    return record(LayerScore, {**findings({k: v for k, v in data.items() if k != "site"}), "site": data["site"]})

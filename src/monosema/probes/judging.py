"""A probe and everything that its accuracy must stand beside, in one call.

fit on `train` --> Probe --on `test`--> accuracy | majority . random directions . shuffled labels
                                        cosine with the mean difference | a random direction's
                                        CCS: loss | the constant probe's; XOR a coin
                                        the same method asked for a distractor
"""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from monosema.core.config import require_range
from monosema.core.findings import Finding
from monosema.probes.controls import Spread, fit_with_shuffled, random_probes, shuffled_labels
from monosema.probes.data import Contrast, Data
from monosema.probes.fitting import fit
from monosema.probes.identities import Invariance, ccs_loss, cosine_with_mean_difference, xor_invariance
from monosema.probes.probe import Probe


@dataclass(frozen=True)
class Judged:
    """accuracy (beside the commoner class), beside_random and beside_shuffled are one value beside three controls,
    all on the test rows. distractor: the accuracy of the same method on the distractor's labels. Without labels of a
    distractor it is None, and loss and xor are None of all methods but CCS."""

    probe: Probe
    accuracy: Finding
    beside_random: Finding
    beside_shuffled: Finding
    random: Spread
    shuffled: Spread
    cosine: Finding
    distractor: Finding | None
    loss: Finding | None
    xor: Invariance | None
    says: tuple[str, ...]

    @property
    def findings(self) -> dict[str, Finding]:
        """All of them by name."""
        found = {
            "accuracy": self.accuracy,
            "beside_random": self.beside_random,
            "beside_shuffled": self.beside_shuffled,
            "cosine": self.cosine,
        }
        if self.distractor is not None:
            found["distractor"] = self.distractor
        if self.loss is not None and self.xor is not None:
            found |= {"loss": self.loss, "xor_loss": self.xor.loss, "xor_accuracy": self.xor.accuracy}
        return found


@dataclass(frozen=True)
class ControlConfig:
    """draws: random directions. permutations: shufflings of the labels."""

    draws: int = 200
    permutations: int = 20

    def __post_init__(self) -> None:
        require_range("draws", self.draws, 2)
        require_range("permutations", self.permutations, 2)


def judge(
    config: Any,
    train: Data,
    test: Data,
    controls: ControlConfig | None = None,
    seed: int = 0,
    distractor: tuple[Tensor, Tensor] | None = None,
) -> Judged:
    """Fit on `train`, measure on `test`. distractor: labels 0 or 1 of a distractor, for the rows of both."""
    asked = controls or ControlConfig()
    probe, others = fit_with_shuffled(config, train, asked.permutations, seed)
    accuracy = probe.accuracy(test)
    random = random_probes(probe, train, test, asked.draws, seed)
    shuffled = shuffled_labels(probe, others, test, seed)
    pairs = test if isinstance(test, Contrast) and probe.reads == "sides" else None
    loss = None if pairs is None else ccs_loss(probe, pairs)
    xor = None if pairs is None else xor_invariance(probe, pairs, seed)
    cosine = cosine_with_mean_difference(probe, train)
    return Judged(
        probe,
        accuracy,
        replace(accuracy, control=random.mean, control_is=f"random directions: {random}"),
        replace(accuracy, control=shuffled.mean, control_is=f"shuffled labels: {shuffled}"),
        random,
        shuffled,
        cosine,
        None if distractor is None else _on_distractor(config, train, test, distractor, seed),
        loss,
        xor,
        _says(probe, accuracy, random, shuffled, cosine, xor),
    )


def _on_distractor(config: Any, train: Data, test: Data, labels: tuple[Tensor, Tensor], seed: int) -> Finding:
    probe = fit(config, train.relabelled(labels[0]), seed)
    found = probe.accuracy(test.relabelled(labels[1]))
    return replace(found, name=f"accuracy of {probe.method} on the distractor")


def _says(
    probe: Probe, accuracy: Finding, random: Spread, shuffled: Spread, cosine: Finding, xor: Invariance | None
) -> tuple[str, ...]:
    best = max(accuracy.control or 0.0, random.high, shuffled.mean)
    if accuracy.low > best:
        first = f"{probe.method} is right in {accuracy.value:.1%} of the rows, above all its controls."
    else:
        first = (
            f"{probe.method} is right in {accuracy.value:.1%} of the rows: not shown to be above its controls "
            f"(the highest reaches {best:.1%})."
        )
    signs = {
        "supervised": (),
        "by most training labels": ("Its sign was settled by the majority of the training labels.",),
        "unsettled": ("Its sign is not settled: the accuracy is of the better sign, and so are its controls.",),
    }
    mean = (
        f"Its |cosine| with the difference of the classes' means is {cosine.value:.2f}, where a random direction has "
        f"{cosine.control or 0.0:.2f}."
    )
    return (first, *signs[probe.sign], mean, *(() if xor is None else (xor.says,)))

"""Does a direction hold elsewhere? Fitted on one set (or layer), measured on every other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.core.config import require
from monosema.core.exhibits import Heatmap, Table
from monosema.core.findings import Finding
from monosema.probes.controls import fit_with_shuffled, shuffled_labels
from monosema.probes.data import Data

SHUFFLED = "fitted on shuffled labels"


@dataclass(frozen=True)
class Transfer:
    """accuracy[i][j]: fitted on names[i], measured on the test rows of names[j], beside the mean accuracy of the
    same method fitted on shuffled labels of names[i]."""

    method: str
    names: tuple[str, ...]
    accuracy: tuple[tuple[Finding, ...], ...]

    def panels(self) -> tuple[Heatmap, Heatmap, Table]:
        """The accuracies, their controls, and both as a table under the names; the maps number the sets from 0."""
        numbers = tuple(range(len(self.names)))
        named = ", ".join(f"{i} {name}" for i, name in enumerate(self.names))
        values = tuple(tuple(cell.value for cell in row) for row in self.accuracy)
        controls = tuple(tuple(cell.control or 0.0 for cell in row) for row in self.accuracy)
        axes = ("measured on", "fitted on", numbers, numbers)
        says = f"Fitted on the row's set, measured on the column's: {named}. {self.says()}"
        rows = tuple(
            (name, *(f"{cell.value:.3f} ({cell.control:.3f})" for cell in row))
            for name, row in zip(self.names, self.accuracy, strict=True)
        )
        return (
            Heatmap(f"Transfer of {self.method}", says, *axes, values),
            Heatmap(f"Transfer of {self.method}, {SHUFFLED}", f"The control: {named}.", *axes, controls),
            Table(
                f"Transfer of {self.method} by name",
                f"Accuracy, and in brackets {SHUFFLED}.",
                ("fitted on", *self.names),
                rows,
            ),
        )

    def says(self) -> str:
        """The mean on the set it was fitted on, and on the others, in a sentence."""
        n = len(self.names)
        own = sum(self.accuracy[i][i].value for i in range(n)) / n
        if n == 1:
            return f"On its own set it is right in {own:.1%} of the rows."
        others = sum(self.accuracy[i][j].value for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        return f"On the set it was fitted on it is right in {own:.1%} of the rows, on the others in {others:.1%}."


def transfer(
    config: Any, train: Mapping[str, Data], test: Mapping[str, Data], permutations: int = 20, seed: int = 0
) -> Transfer:
    """Fit on every set of `train`, measure on every set of `test`: the same names, which are datasets or sites."""
    require(list(train) == list(test) and bool(train), "train and test must have the same sets in the same order")
    rows = []
    name = ""
    for fitted_on in train.values():
        probe, shuffled = fit_with_shuffled(config, fitted_on, permutations, seed)
        name = probe.method
        cells = []
        for data in test.values():
            found = probe.accuracy(data)
            control = shuffled_labels(probe, shuffled, data, seed).mean
            cells.append(
                Finding(found.name, found.value, control, SHUFFLED, found.low, found.high, found.n, found.unit)
            )
        rows.append(tuple(cells))
    return Transfer(name, tuple(train), tuple(rows))

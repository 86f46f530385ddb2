"""Where in the model can it be read? Every method at every site, with its controls, as curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monosema.core.config import require
from monosema.core.exhibits import Curves, Line
from monosema.probes.data import Data
from monosema.probes.judging import ControlConfig, Judged, judge
from monosema.probes.table import method_of


@dataclass(frozen=True)
class LayerCurves:
    """judged[method][site], sites in the order they were given."""

    sites: tuple[str, ...]
    judged: Mapping[str, Mapping[str, Judged]]

    def best(self, method: str) -> str:
        """The site with the highest accuracy; of several the first. It is chosen on the rows it is measured on."""
        found = self.judged[method]
        return max(self.sites, key=lambda site: found[site].accuracy.value)

    def curves(self) -> tuple[Curves, ...]:
        """A plot for each method: accuracy by site with its interval, and the three controls."""
        return tuple(self._curves_of(method) for method in self.judged)

    def _curves_of(self, method: str) -> Curves:
        of = [self.judged[method][site] for site in self.sites]
        x = tuple(range(len(of)))
        found, first = [j.accuracy for j in of], of[0]
        best = self.best(method)
        top = self.judged[method][best]
        lines = (
            Line(
                method,
                x,
                tuple(f.value for f in found),
                tuple(f.low for f in found),
                tuple(f.high for f in found),
            ),
            Line("commoner class", x, tuple(f.control or 0.0 for f in found), role="control"),
            Line(
                f"random directions ({first.random.n})",
                x,
                tuple(j.random.mean for j in of),
                tuple(j.random.low for j in of),
                tuple(j.random.high for j in of),
                role="control",
            ),
            Line(
                f"shuffled labels ({first.shuffled.n})",
                x,
                tuple(j.shuffled.mean for j in of),
                tuple(j.shuffled.low for j in of),
                tuple(j.shuffled.high for j in of),
                role="control",
            ),
        )
        named = ", ".join(f"{i} {site}" for i, site in enumerate(self.sites))
        says = (
            f"{method} is best at {best}, right in {top.accuracy.value:.1%} of the rows; random directions reach "
            f"{top.random.high:.1%}, shuffled labels {top.shuffled.high:.1%}. Sites: {named}."
        )
        return Curves(f"{method} by site", says, "site", "accuracy", lines)


def by_layer(
    configs: Sequence[Any],
    train: Mapping[str, Data],
    test: Mapping[str, Data],
    controls: ControlConfig | None = None,
    seed: int = 0,
) -> LayerCurves:
    """`judge` of every method at every site of `train` and `test` (`read_labelled` or `read_contrast` give both)."""
    require(list(train) == list(test) and bool(train), "train and test must have the same sites in the same order")
    require(len(configs) > 0, "name at least one method")
    judged = {}
    for config in configs:
        name = method_of(config)[0]
        judged[name] = {site: judge(config, train[site], test[site], controls, seed) for site in train}
    return LayerCurves(tuple(train), judged)

"""A number with its control: what monosema prints instead of a number.

    0.91 (control 0.52; 95% 0.89..0.93; n=2,048 documents)

The interval is the percentile bootstrap over documents (Efron 1979), because tokens of one document
are not independent: each document brings a numerator and a denominator, and a resample of documents
gives the ratio of their sums. A mean per token is the case numerator = sum, denominator = count.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

RESAMPLES = 1000


@dataclass(frozen=True)
class Finding:
    """A measured value beside the same measurement where there is nothing to find.

    `control` is None only when the user skipped it, and `control_is` then says so. `low` and `high`
    bound the 95% interval of the value; equal to it when the quantity is a property of the weights
    and has no sampling error (`n` is then what it was computed over, `unit` of what).
    """

    name: str
    value: float
    control: float | None
    control_is: str
    low: float
    high: float
    n: int
    unit: str = "documents"

    def __str__(self) -> str:
        control = f"control {short(self.control)}" if self.control is not None else f"no control: {self.control_is}"
        return f"{short(self.value)} ({control}{self._interval()}; n={self.n:,} {self.units})"

    @property
    def units(self) -> str:
        """The unit as its number asks for: 'seeds', and of one 'seed'."""
        return self.unit.removesuffix("s") if self.n == 1 else self.unit

    def _interval(self) -> str:
        if self.low == self.value == self.high:
            return ""
        if math.isnan(self.low) or math.isnan(self.high):
            return "; no interval"
        return f"; 95% {short(self.low)}..{short(self.high)}"


def short(value: float | None) -> str:
    """A number as findings print it: about three significant digits, "undefined" when there is none."""
    # Zeros at the end are kept where they are the result of rounding: 0.91 is exact, 0.910 is not.
    if value is None or math.isnan(value):
        return "undefined"
    if value != 0 and (abs(value) < 0.001 or abs(value) >= 100_000):
        return f"{value:.2e}"
    text = f"{value:,.{0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3}f}"
    exact = math.isclose(float(text.replace(",", "")), value, rel_tol=1e-9)
    return text.rstrip("0").removesuffix(".") if exact and "." in text else text


def bootstrap(
    terms: "torch.Tensor", formula: "Callable[[torch.Tensor], torch.Tensor]", generator: "torch.Generator"
) -> tuple[float, float, float]:
    """Value and 95% interval of a formula of per-document sums.

    terms      [documents, n_terms]: what each document adds to each sum, float64
    formula    takes sums [..., n_terms], gives values [...]; for a mean per token with terms
               (sum, count) it is `lambda s: s[..., 0] / s[..., 1]`
    generator  on the CPU; the same generator state gives the same interval

    Returns (value, low, high): the formula of the sums of all documents, and the 2.5% and 97.5%
    percentiles over resamples of the documents. With fewer than two documents there is no
    interval: low and high are NaN. Resamples on which the formula is undefined are left out.
    """
    import torch

    n = len(terms)
    terms = terms.to("cpu", torch.float64)
    value = float(formula(terms.sum(0)))
    if n < 2:
        return value, math.nan, math.nan
    sums = torch.empty(RESAMPLES, terms.shape[1], dtype=torch.float64)
    for start in range(0, RESAMPLES, 50):
        picks = torch.randint(n, (50, n), generator=generator)
        one = torch.ones(1, dtype=torch.float64).expand(50, n)
        counts = torch.zeros(50, n, dtype=torch.float64).scatter_add_(1, picks, one)
        sums[start : start + 50] = counts @ terms
    values = formula(sums)
    values = values[torch.isfinite(values)]
    if len(values) == 0:
        return value, math.nan, math.nan
    low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return value, low, high

"""When a claim holds: the whole interval clears the bar and the control does not; of nothing measured nothing holds."""

import math

import pytest
import torch

from monosema.core.findings import Finding
from monosema.core.seeding import generator
from monosema.pipeline.mechanisms import claims
from monosema.pipeline.mechanisms.claims import Claim

MOST = Claim("most", "Most are.", "share", "chance", 0.8)
FEW = Claim("few", "Few are.", "share", "chance", 0.2, "at most")


def found(claim: Claim, value: float, low: float, high: float, control: float | None) -> Finding:
    return Finding(claim.name, value, control, claim.control, low, high, 10, claim.unit)


@pytest.mark.parametrize(
    ("claim", "value", "low", "high", "control", "holds"),
    [
        (MOST, 0.9, 0.85, 0.95, 0.1, True),
        (MOST, 0.9, 0.79, 0.95, 0.1, False),  # the interval crosses the bar
        (MOST, 0.9, 0.85, 0.95, 0.8, False),  # the control clears it too
        (FEW, 0.1, 0.05, 0.15, 0.9, True),
        (FEW, 0.1, 0.05, 0.21, 0.9, False),
        (FEW, 0.1, 0.05, 0.15, 0.1, False),
        (MOST, math.nan, math.nan, math.nan, 0.1, False),
        (MOST, 0.9, 0.85, 0.95, None, False),  # nothing is claimed without a control
    ],
)
def test_a_claim_holds_when_its_interval_clears_the_bar_and_its_control_does_not(
    claim: Claim, value: float, low: float, high: float, control: float | None, holds: bool
):
    assert claim.holds(found(claim, value, low, high, control)) is holds


def test_a_share_has_wilsons_interval_and_a_share_of_nothing_is_undefined():
    # Of 10 of 10: Wilson's lower end is 1 / (1 + z^2 / 10).
    of_all = MOST.share(torch.ones(10, dtype=torch.bool), 0.5)
    assert (of_all.value, of_all.high) == (1.0, 1.0) and of_all.low == pytest.approx(1 / (1 + 1.959964**2 / 10), 1e-6)
    none = MOST.share(torch.zeros(0, dtype=torch.bool), 0.5)
    assert math.isnan(none.value) and none.n == 0 and not MOST.holds(none)


def test_a_ratio_is_of_sums_not_of_cases():
    # Left over 1 of 2 and 0 of 8: 1 - 1/10, where the mean of the cases' shares would be 3/4.
    terms = torch.tensor([[1.0, 2.0], [0.0, 8.0]], dtype=torch.float64)
    one = MOST.ratio(terms, 0.1, generator(0, "test"))
    assert one.value == 0.9 and (one.low, one.high) == (0.5, 1.0) and one.n == 2


def test_several_models_give_a_mean_and_say_how_many_hold():
    runs = [{"most": found(MOST, v, v, v, c)} for v, c in ((0.9, 0.1), (0.7, 0.2), (1.0, 0.3))]
    mean = claims.pooled(MOST, runs)
    assert mean.value == pytest.approx(2.6 / 3) and mean.control == pytest.approx(0.2)
    assert mean.high == 1.0 and mean.low < 0.7 and (mean.n, mean.unit) == (3, "models")
    assert claims.held(MOST, runs) == 2
    assert (
        claims.said((MOST,), runs)
        == "0 of 1 claims hold in all 3 models. The others fail in at least one: most (2 of 3)."
    )
    assert claims.said((MOST,), runs[:1]) == "1 of 1 claims hold in the model."


def test_a_span_is_one_number_where_its_ends_read_the_same():
    assert claims.span([0.5], ".0%") == claims.span([0.5, 0.5001], ".0%") == "50%"
    assert claims.span([0.9, 0.5], ".0%") == "50% to 90%"


def test_a_claim_that_fails_stays_in_the_tables():
    runs = [{"most": found(MOST, 0.7, 0.6, 0.8, 0.1), "few": found(FEW, 0.1, 0.1, 0.1, 0.9)}]
    rows = claims.table((MOST, FEW), runs).rows
    assert [row[1] for row in rows] == ["fails", "holds"]
    assert rows[0][2:] == ("≥\N{NO-BREAK SPACE}0.8", "0.7", "0.1", "0.6 .. 0.8", "share")
    assert claims.by_model((MOST, FEW), runs, (4,)).rows[0] == ("most", "≥\N{NO-BREAK SPACE}0.8", "0.7 (0.1) fails")

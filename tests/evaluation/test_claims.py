"""Verdicts on made-up measures: each rule at its edge."""

import math
from dataclasses import replace

import pytest

from monosema.core.config import from_json, to_json
from monosema.evaluation.checks import OWN, TWIN, Check, Checked, Contrast, Measure, Missing
from monosema.evaluation.claims import CLAIMS, CONTROL_WORDS, METRIC_WORDS, Claim, Condition, judge, judge_all


def measure(metric: str, value: float, contrast: Contrast | None = None, of: str = OWN, half: float = 0.01) -> Measure:
    beside = () if contrast is None else (contrast,)
    return Measure(metric, of, value, value - half, value + half, 20, "documents", beside)


def apart(difference: float, half: float, control: str = "random", value: float = 0.3) -> Contrast:
    return Contrast(control, value, difference, difference - half, difference + half)


def claim(*conditions: Condition) -> Claim:
    return Claim("c", "It is so.", conditions, "{name}: {value} against {control}.", "{name}: {value}, not {control}.")


BETTER = claim(Condition("variance_explained", "random", least=0.1))


@pytest.mark.parametrize(
    ("difference", "half", "outcome"),
    [
        (0.4, 0.05, "supported"),
        (0.1, 0.05, "supported"),
        (0.09, 0.05, "not supported"),  # clear of zero, and too small
        (0.4, 0.41, "not supported"),  # large, and not clear of zero
        (-0.4, 0.05, "not supported"),
        (math.nan, 0.05, "not measured"),
        (0.4, math.nan, "not measured"),
    ],
)
def test_a_difference_must_be_clear_and_large(difference, half, outcome):
    found = judge(BETTER, "topk", [measure("variance_explained", 0.7, apart(difference, half))])
    assert found.outcome == outcome


def test_the_sentence_has_the_numbers():
    yes = judge(BETTER, "topk", [measure("variance_explained", 0.7, apart(0.4, 0.05))])
    no = judge(BETTER, "topk", [measure("variance_explained", 0.7, apart(0.05, 0.01))])
    assert (yes.sentence, no.sentence) == ("topk: 0.7 against 0.3.", "topk: 0.7, not 0.3.")
    assert yes.reasons == (
        "variance explained 0.7, random directions 0.3: difference 0.4, 95% 0.35..0.45: clear and large enough",
    )
    assert yes.rule == (
        "variance explained, less that of random directions: the 95% interval lies above 0, and it is at least 0.1"
    )


def test_one_condition_that_fails_is_enough_and_one_that_is_missing_leaves_it_open():
    both = claim(Condition("variance_explained", "random"), Condition("foretells", "randomised"))
    good, bad = (measure("variance_explained", 0.7, apart(d, 0.05)) for d in (0.4, -0.4))
    said = Missing("randomised", "--quick trains nothing")
    nothing = replace(measure("foretells", 0.2), missing=(said,))
    open_ = judge(both, "topk", [good, nothing])
    assert open_.outcome == "not measured" and "--quick trains nothing" in open_.reasons[1]
    assert open_.sentence == "Nothing may be said of topk here: it was not measured."
    assert judge(both, "topk", [bad, nothing]).outcome == "not supported"
    found = measure("foretells", 0.2, apart(0.2, 0.02, "randomised", 0.0))
    assert judge(both, "topk", [good, found]).outcome == "supported"


@pytest.mark.parametrize(("own", "twin"), [(0.4, 0.01), (0.01, 0.4)])
def test_with_shorter_controls_the_dictionary_and_its_twin_must_both_pass(own, twin):
    measures = [measure("variance_explained", 0.7, apart(own, 0.005))]
    measures.append(measure("variance_explained", 0.6, apart(twin, 0.005), of=TWIN))
    found = judge(BETTER, "topk", measures)
    assert found.outcome == "not supported" and len(found.reasons) == 2
    assert "(as long as its controls)" in found.reasons[1]


def test_a_value_by_itself_must_lie_above_a_limit_with_its_interval():
    half_found = claim(Condition("found_7", "", least=0.5))
    for value, outcome in ((0.52, "supported"), (0.505, "not supported"), (0.4, "not supported")):
        assert judge(half_found, "topk", [measure("found_7", value)]).outcome == outcome
    assert judge(half_found, "topk", [measure("found_7", math.nan)]).outcome == "not measured"


def test_times_is_a_multiple_of_the_controls_size():
    twice = claim(Condition("importance", "same_place", times=1.0))
    for difference, outcome in ((0.31, "supported"), (0.29, "not supported")):
        found = measure("importance", 0.6, apart(difference, 0.01, "same_place", value=-0.3))
        assert judge(twice, "topk", [found]).outcome == outcome


def test_lower_is_the_other_way_round():
    more = claim(Condition("floor_r", "randomised", least=0.05, lower=True))
    for difference, outcome in ((-0.2, "supported"), (0.2, "not supported"), (-0.04, "not supported")):
        found = measure("floor_r", 0.4, apart(difference, 0.01, "randomised"))
        assert judge(more, "topk", [found]).outcome == outcome


def test_of_nothing_nothing_is_claimed():
    found = judge_all("topk", [])
    assert [verdict.claim for verdict in found] == [claim.claim for claim in CLAIMS]
    assert {verdict.outcome for verdict in found} == {"not measured"}


def test_every_condition_speaks_of_what_the_page_names():
    for each in CLAIMS:
        for condition in each.conditions:
            assert condition.metric in METRIC_WORDS
            assert condition.control in ("", *CONTROL_WORDS)
        for sentence in (each.yes, each.no):
            assert "{" not in sentence.format(name="a", value="b", control="c") and "{name}" in sentence


def test_a_check_comes_back_from_json_with_what_is_undefined():
    beside = Contrast("random", math.nan, math.nan, math.nan, math.nan)
    measures = (measure("variance_explained", 0.7, beside),)
    one = Checked("topk", "topk", "a recipe", measures, (), judge_all("topk", measures))
    check = Check((one,), (), (), "tiny", 100, 3, 10, 20, 3)
    again = from_json(Check, to_json(check))
    assert math.isnan(again.checked("topk").measures[0].contrasts[0].difference)
    assert to_json(again) == to_json(check)

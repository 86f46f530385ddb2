"""What may be claimed of a dictionary: each claim with its rule, and the verdict that the measures give.

A condition holds when the 95% interval of a difference lies on the right side of zero AND the difference is
large enough to matter. A claim is supported when all of its conditions hold, of the dictionary itself and,
where controls were trained on fewer rows, also of the same recipe on as few. It is not supported when one fails,
and otherwise not measured. How large is large enough is a convention; it is printed with each verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monosema.core.findings import short
from monosema.evaluation.check_terms import CONTROLS, METRICS_SAID
from monosema.evaluation.checks import OWN, Contrast, Measure, Outcome, Verdict


@dataclass(frozen=True)
class Condition:
    """`metric` against `control`, or (control '') the value itself against `least`.

    least   the smallest difference that counts       times   the same, as a multiple of the control's size
    lower   the value must be below the control's
    """

    metric: str
    control: str
    least: float = 0.0
    times: float = 0.0
    lower: bool = False

    def said(self) -> str:
        """The condition in words."""
        words, limit = METRIC_WORDS[self.metric], f"{self.least:g}"
        if not self.control:
            return f"{words}: the 95% interval lies above {limit}"
        if self.times:
            limit = f"{self.times:g} times the control's size"
        side = "below" if self.lower else "above"
        enough = f", and it is at least {limit}" if self.least or self.times else ""
        return f"{words}, less that of {CONTROL_WORDS[self.control]}: the 95% interval lies {side} 0{enough}"


@dataclass(frozen=True)
class Claim:
    """A claim, and the sentences to write when it holds and when it does not.

    {name} is the dictionary; {value} and {control} are those of the first condition, times `scale` and with `unit`;
    at equal rows, where the controls saw fewer.
    """

    claim: str
    says: str
    conditions: tuple[Condition, ...]
    yes: str
    no: str
    scale: float = 1.0
    unit: str = ""

    def rule(self) -> str:
        """All conditions in words."""
        return "; and ".join(condition.said() for condition in self.conditions)


AT_EQUAL_ROWS = " (Both as long as the control was trained.)"

METRIC_WORDS = {said.metric: said.words for said in METRICS_SAID}
CONTROL_WORDS = {said.control: said.words for said in CONTROLS}

CLAIMS = (
    Claim(
        "reconstruction",
        "It reconstructs the activations better than random directions that fire as often.",
        (Condition("variance_explained", "random", least=0.1),),
        "{name} explains {value} of the variance; random directions that fire as often explain {control}.",
        "The reconstruction of {name} ({value} of the variance) is not shown to be better than that of random "
        "directions that fire as often ({control}).",
    ),
    Claim(
        "predictions",
        "The model still predicts with its reconstruction in place of the activations.",
        (Condition("loss_recovered_mean", "", least=0.5), Condition("loss_recovered_mean", "random", least=0.1)),
        "With the reconstruction of {name} in place, the model keeps {value} of what mean ablation takes from it.",
        "It is not shown that the model predicts with the reconstruction of {name} in place: {value} of the loss is "
        "recovered.",
    ),
    Claim(
        "learnt",
        "It reconstructs this model better than the same recipe reconstructs random weights.",
        (Condition("variance_explained", "randomised", least=0.02),),
        "{name} explains {value} of the variance; the same recipe on random weights explains {control}.",
        "That {name} explains {value} of the variance says nothing of what the model has learnt: on random weights the "
        "same recipe explains {control}.",
    ),
    Claim(
        "order",
        "It holds something of the order of tokens: a dictionary of shuffled text reconstructs less.",
        (Condition("variance_explained", "shuffled_on_text", least=0.02),),
        "{name} explains {value} of the variance; one trained on shuffled text explains {control} of the same.",
        "{name} explains {value} of the variance, and one trained on text without any order {control}: nothing shows "
        "that {name} holds more than single tokens.",
    ),
    Claim(
        "model",
        "Its features are about the trained model rather than about any model.",
        (
            Condition("foretells", "randomised", least=0.05),
            Condition("importance", "randomised", times=1.0),
            Condition("variance_explained", "random", least=0.1),
        ),
        "The features of {name} do in the trained model what the same recipe's do not in random weights: they raise "
        "what comes next (foretelling {value} against {control}) and removing them costs loss.",
        "It is not shown that the features of {name} are about the trained model rather than about any model.",
    ),
    Claim(
        "foretell",
        "Its features foretell the next token.",
        (Condition("foretells", "randomised", least=0.05), Condition("foretells", "random", least=0.02)),
        "Where a feature of {name} fires, its logits rank the next token {value} of the vocabulary higher than "
        "elsewhere; on random weights {control}.",
        "It is not shown that the features of {name} foretell the next token ({value}) more than controls do.",
    ),
    Claim(
        "importance",
        "The model relies on its features more than on random directions of the same size.",
        (Condition("importance", "same_place", times=0.5),),
        "Removing a feature of {name} costs {value} nats per 1,000 tokens on average; a random direction in its place "
        "costs {control}.",
        "Removing a feature of {name} costs {value} nats per 1,000 tokens; it is not shown to be more than a random "
        "direction in its place costs ({control}).",
    ),
    Claim(
        "tokens",
        "Its features are more than the current token and the one before.",
        (
            Condition("floor_r", "randomised", least=0.05, lower=True),
            Condition("variance_explained", "random", least=0.1),  # of noise, too, tokens say little
        ),
        "The token and the one before foretell the features of {name} with a correlation of {value}, those of random "
        "weights with {control}.",
        "The token and the one before foretell the features of {name} with a correlation of {value}; on random weights "
        "it is {control}: it is not shown that they are more than tokens, or noise.",
    ),
    Claim(
        "again",
        "Its features are found again with another seed.",
        (Condition("found_7", "", least=0.5), Condition("found_7", "directions", least=0.1)),
        "{value} of the features of {name} are found again with another seed, at a cosine of at least .7.",
        "Most features of {name} are not shown to be found again with another seed (found: {value}): say of a single "
        "feature that it is one of this dictionary, not of the model.",
        scale=100.0,
        unit="%",
    ),
    Claim(
        "stabler",
        "Its features are found again more often than those of random weights are.",
        (Condition("found_7", "randomised", least=0.05),),
        "{value} of the features of {name} are found again with another seed, of those of random weights {control}.",
        "{value} of the features of {name} are found again with another seed; on random weights it is {control}: being "
        "found again says nothing about the model.",
        scale=100.0,
        unit="%",
    ),
    Claim(
        "explanations",
        "Its explanations beat the n-gram floor.",
        (Condition("explanation", "floor"),),
        "The explanations of {name} score {value}, the n-gram floor on the same windows {control}.",
        "The explanations of {name} score {value}; it is not shown to be above the n-gram floor ({control}).",
    ),
)
"""In the order of the page."""


@dataclass(frozen=True)
class _Held:
    """Whether a condition holds (None: it was not measured), and the numbers that say so."""

    holds: bool | None
    why: str


def judge(claim: Claim, name: str, measures: Sequence[Measure]) -> Verdict:
    """The verdict on `claim` of the dictionary called `name`."""
    held = [one for condition in claim.conditions for one in _held(condition, measures)]
    outcome: Outcome = "supported"
    if any(one.holds is None for one in held):
        outcome = "not measured"
    if any(one.holds is False for one in held):
        outcome = "not supported"
    reasons = tuple(one.why for one in held)
    return Verdict(claim.claim, claim.says, outcome, claim.rule(), reasons, _sentence(claim, name, measures, outcome))


def judge_all(name: str, measures: Sequence[Measure]) -> tuple[Verdict, ...]:
    """The verdict on each of CLAIMS."""
    return tuple(judge(claim, name, measures) for claim in CLAIMS)


def _held(condition: Condition, measures: Sequence[Measure]) -> list[_Held]:
    """One for each measure that the condition speaks of: of the dictionary, and of its twin where there is one."""
    its = [measure for measure in measures if measure.metric == condition.metric]
    words = METRIC_WORDS[condition.metric]
    if not condition.control:
        own = [measure for measure in its if measure.of == OWN]
        return [_above(words, measure, condition) for measure in own] or [_Held(None, f"{words}: not measured")]
    found = [
        _apart(words, measure, contrast, condition)
        for measure in its
        if (contrast := measure.beside(condition.control)) is not None
    ]
    control = CONTROL_WORDS[condition.control]
    return found or [_Held(None, f"{words} beside {control}: not measured, {_why(condition.control, its)}")]


def _why(control: str, measures: Sequence[Measure]) -> str:
    said = [missing.why for measure in measures for missing in measure.missing if missing.control == control]
    return said[0] if said else "nobody asked for it"


def _above(words: str, measure: Measure, condition: Condition) -> _Held:
    if math.isnan(measure.low):
        return _Held(None, f"{words} {short(measure.value)}: no interval")
    holds = measure.low > condition.least
    interval = f"95% {short(measure.low)}..{short(measure.high)}"
    return _Held(holds, f"{words} {short(measure.value)} ({interval}): {_yes(holds)} above {condition.least:g}")


def _apart(words: str, measure: Measure, contrast: Contrast, condition: Condition) -> _Held:
    control, which = CONTROL_WORDS[contrast.control], "" if measure.of == OWN else f" ({measure.of})"
    said = f"{words}{which} {short(measure.value)}, {control} {short(contrast.value)}"
    if math.isnan(contrast.low) or math.isnan(contrast.difference):
        return _Held(None, f"{said}: no interval of the difference")
    sign = -1.0 if condition.lower else 1.0
    nearest = min(sign * contrast.low, sign * contrast.high)
    enough = max(condition.least, condition.times * abs(contrast.value))
    clear, large = nearest > 0, sign * contrast.difference >= enough
    interval = f"difference {short(contrast.difference)}, 95% {short(contrast.low)}..{short(contrast.high)}"
    verdict = "clear and large enough" if clear and large else "too small" if clear else "not clear of zero"
    return _Held(clear and large, f"{said}: {interval}: {verdict}")


def _yes(holds: bool) -> str:
    return "clearly" if holds else "not clearly"


def _sentence(claim: Claim, name: str, measures: Sequence[Measure], outcome: Outcome) -> str:
    if outcome == "not measured":
        return f"Nothing may be said of {name} here: it was not measured."
    first = claim.conditions[0]
    its = [m for m in measures if m.metric == first.metric]
    fair = [m for m in its if m.of != OWN and m.beside(first.control)] or [m for m in its if m.of == OWN]
    beside = fair[0].beside(first.control) if fair else None
    value = "unknown" if not fair else f"{claim.scale * fair[0].value:.3g}{claim.unit}"
    control = "unknown" if beside is None else f"{claim.scale * beside.value:.3g}{claim.unit}"
    equal = "" if not fair or fair[0].of == OWN else AT_EQUAL_ROWS
    sentence = claim.yes if outcome == "supported" else claim.no
    return sentence.format(name=name, value=value, control=control) + equal

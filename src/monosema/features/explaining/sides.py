"""The two sides of a comparison: some features of a dictionary, and some of its control's, with their windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monosema.core.errors import DataError
from monosema.core.progress import progress
from monosema.core.seeding import generator
from monosema.features.explaining.baselines import (
    Background,
    Fitted,
    fitted,
    intruder,
    rules,
    scored,
)
from monosema.features.explaining.config import BASELINES, ExplainConfig
from monosema.features.explaining.drawing import Drawn, draw, why_too_few, windows_of
from monosema.features.explaining.measures import Interval, Tally, interval, margin
from monosema.features.explaining.results import Explanation, ScoreRow
from monosema.features.explaining.sources import Source

DEFINED: Mapping[str, tuple[str, ...]] = {
    "ngrams": ("detection", "detection_auc", "fuzzing", "simulation", "embedding"),
    "tokens": ("detection", "detection_auc", "fuzzing", "simulation", "embedding"),
    "tfidf": ("detection", "detection_auc", "embedding", "intruder"),
}
"""The scores of each baseline."""

WHY_UNDEFINED = {
    "fuzzing": "it fires on more than half of the tokens of every window",
    "simulation": "what is said of the tokens, or the activation, does not vary",
    "intruder": "there are too few windows to ask",
}

AT_ONCE = 128
"""Features read at a time while they are chosen."""


@dataclass
class Side:
    """Some features of one dictionary. `left_out`: those that were asked for and cannot be explained, and why.

    name 'trained' or 'control'     folder  where its rows go     tallies  of the floor, by feature
    """

    name: str
    folder: Path
    drawn: list[Drawn]
    left_out: dict[int, str]
    n_too_few: int
    floor: dict[int, Mapping[str, Tally]] = field(default_factory=dict)
    explanations: list[Explanation] = field(default_factory=list)
    scores: list[ScoreRow] = field(default_factory=list)


def chosen(
    candidates: Sequence[int], source: Source, background: Background, config: ExplainConfig, n: int
) -> tuple[list[Drawn], dict[int, str]]:
    """The first n of the candidates that have enough windows; and why those before them have not."""
    found: list[Drawn] = []
    left_out: dict[int, str] = {}
    windows = background.windows
    for start in range(0, len(candidates), AT_ONCE):
        some = candidates[start : start + AT_ONCE]
        for feature, acts in zip(some, source.acts(some), strict=True):
            if len(found) == n:
                return found, left_out
            why = why_too_few(windows_of(acts, windows), windows, config.n_least)
            if why:
                left_out[feature] = why
            else:
                found.append(draw(feature, acts, windows, config))
    return found, left_out


def require_some(side: Side, n_least: int) -> None:
    """Raise DataError when a side has no feature to explain."""
    if not side.drawn:
        first = next(iter(side.left_out.items()), None)
        why = f": feature {first[0]}, for one: {first[1]}" if first else ""
        raise DataError(
            f"no feature has {n_least} windows of each kind to explain from and to score on{why}. "
            "Build the table from more text (`monosema features RUN --max-tokens ...`), or give a smaller --n-least"
        )


def score_baselines(side: Side, background: Background, seed: int) -> None:
    """Explain every feature of a side by every baseline, and score that; beside each the explanation of the next
    feature, in the random order in which they were drawn."""
    n = len(side.drawn)
    step = max(1, background.grammar.at_once - 1)
    with progress(f"explanations without a language model: {side.name}", n, "feature") as bar:
        for start in range(0, n, step):
            some = side.drawn[start : start + step]
            together = [*some, side.drawn[(start + len(some)) % n]] if n > 1 else some
            for name, its in rules(together, background).items():
                ready = [fitted(rule, drawn) for rule, drawn in zip(its, together, strict=True)]
                for i, drawn in enumerate(some):
                    partner = ready[i + 1] if i + 1 < len(ready) else None
                    _score(side, name, drawn, (ready[i], partner), background, seed)
            bar.advance(len(some))


def _score(
    side: Side, name: str, drawn: Drawn, by: tuple[Fitted, Fitted | None], background: Background, seed: int
) -> None:
    own, partner = by
    tallies = dict(scored(own, drawn, background))
    if name == "tfidf" and (found := intruder(drawn.odd, background)) is not None:
        tallies["intruder"] = found
    if name == BASELINES[0]:
        side.floor[drawn.feature] = tallies
    others = {} if partner is None else {k: t.value for k, t in scored(partner, drawn, background).items()}
    side.explanations.append(Explanation(drawn.feature, name, own.rule.text, "done"))
    side.scores += rows_of_scores(side, drawn.feature, name, DEFINED[name], tallies, others, seed)


def rows_of_scores(
    side: Side,
    feature: int,
    explainer: str,
    names: Sequence[str],
    tallies: Mapping[str, Tally],
    shuffled: Mapping[str, float | None],
    seed: int,
) -> list[ScoreRow]:
    """A row for each of the scores in `names`, with intervals and the margin over the floor on the same windows."""
    floor = side.floor.get(feature, {})
    rows = []
    for name in names:
        tally = tallies.get(name)
        random = generator(seed, "explanations", side.name, feature, explainer, name)
        own = Interval(None, None, None) if tally is None else interval(tally, random)
        above = Interval(None, None, None)
        if tally is not None and explainer != BASELINES[0] and name in floor:
            above = margin(tally, floor[name], random)
        is_there = own.value is not None
        rows.append(
            ScoreRow(
                feature=feature,
                explainer=explainer,
                score=name,
                value=own.value,
                low=own.low,
                high=own.high,
                n=tally.n if tally is not None else 0,
                shuffled=shuffled.get(name),
                margin=above.value,
                margin_low=above.low,
                margin_high=above.high,
                state="done" if is_there else "undefined",
                reason="" if is_there else WHY_UNDEFINED.get(name, "it is not defined on these windows"),
            )
        )
    return rows


def failed_row(feature: int, explainer: str, score: str, reason: str) -> ScoreRow:
    """A score that failed."""
    return ScoreRow(feature, explainer, score, None, None, None, 0, None, None, None, None, "failed", reason)

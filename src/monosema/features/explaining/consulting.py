"""An endpoint asked about the features of both sides: first what it will cost, then explanations, then scores.

trained   every feature: explain, each score           control   the first n_control features: the same
shuffled  the first n_control features of the trained side, each judged by the explanation of the next
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monosema.core.progress import progress
from monosema.features.explaining import prompts
from monosema.features.explaining.answers import Answers
from monosema.features.explaining.asked import Questioner
from monosema.features.explaining.asking import Asker, Cost, Failure, Question, estimate
from monosema.features.explaining.client import Endpoint
from monosema.features.explaining.config import EndpointConfig, Score
from monosema.features.explaining.drawing import Drawn
from monosema.features.explaining.results import Explanation
from monosema.features.explaining.sides import Side, failed_row, rows_of_scores

FEATURES_AT_ONCE = 16
"""Features whose scores are asked together: their questions are in memory."""

SCORES: Mapping[Score, tuple[str, ...]] = {
    "detection": ("detection", "detection_auc"),
    "fuzzing": ("fuzzing",),
    "intruder": ("intruder",),
    "simulation": ("simulation",),
    "embedding": ("embedding",),
}
"""The rows that each question of a score comes to."""


@dataclass(frozen=True)
class Estimate:
    """What is still to be asked, by part of the work, and how many answers are there already."""

    parts: Mapping[str, Cost]
    n_answered: int

    @property
    def total(self) -> Cost:
        """Of all parts."""
        return sum(self.parts.values(), Cost())


@dataclass(frozen=True)
class Asked:
    """What an endpoint was asked in the end."""

    spent: Cost
    n_answered: int
    n_failed: int


class Consulting:
    """The questions of one table to one endpoint."""

    def __init__(
        self,
        config: EndpointConfig,
        sides: Sequence[tuple[Side, Questioner]],
        endpoint: Endpoint,
        answers: Answers,
        seed: int,
    ) -> None:
        self.config, self.seed, self.answers = config, seed, answers
        self.sides = [
            (side, questioner, side.drawn if side.name == "trained" else side.drawn[: config.n_control])
            for side, questioner in sides
        ]
        self.asker = Asker(endpoint, answers)
        self.texts: dict[tuple[str, int], str | Failure] = {}

    def estimate(self) -> Estimate:
        """What the questions without an answer will cost. Exact in calls, if none fails; tokens by characters."""
        parts: dict[str, Cost] = {}
        n_answered = 0
        for part, questions in self._all():
            missing = [question for question in questions if self.asker.key(question) not in self.answers]
            n_answered += len(questions) - len(missing)
            parts[part] = parts.get(part, Cost()) + estimate(missing)
        return Estimate({part: cost for part, cost in parts.items() if cost.calls}, n_answered)

    def _all(self) -> Iterator[tuple[str, list[Question]]]:
        """Every question, with a placeholder where an explanation is not there yet."""
        for side, questioner, members in self.sides:
            for drawn in members:
                yield f"{side.name}: explain", [questioner.explanation(drawn)]
                for score in self.config.scores:
                    its = questioner.of_score(score, drawn, self._known(questioner, drawn), drawn.feature)
                    yield f"{side.name}: {score}", its
            for drawn, other in self._pairs(side, members):
                for score in self._shuffled_scores():
                    its = questioner.of_score(score, drawn, self._known(questioner, other), other.feature)
                    yield f"{side.name}, shuffled: {score}", its

    def _known(self, questioner: Questioner, drawn: Drawn) -> str:
        question = questioner.explanation(drawn)
        answer = self.answers.get(self.asker.key(question))
        return prompts.PLACEHOLDER if answer is None else question.read(answer.content)

    def _shuffled_scores(self) -> list[Score]:
        return [score for score in self.config.scores if score != "intruder"]

    def _pairs(self, side: Side, members: Sequence[Drawn]) -> list[tuple[Drawn, Drawn]]:
        """Features of the trained side with the next one that has an explanation, or may get one."""
        if side.name != "trained":
            return []
        able = [i for i, d in enumerate(members) if not isinstance(self.texts.get((side.name, d.feature)), Failure)]
        pairs = []
        for i, drawn in enumerate(members[: self.config.n_control]):
            following = next((j for j in [*able, *able] if j > i), None) or next(iter(able), i)
            if following != i:
                pairs.append((drawn, members[following]))
        return pairs

    def run(self) -> Asked:
        """Ask everything, and add explanations and scores to the sides."""
        already = self.asker.n_reread
        for side, questioner, members in self.sides:
            with progress(f"explanations by {self.config.model}: {side.name}", len(members), "question") as bar:
                found = self.asker.ask([questioner.explanation(drawn) for drawn in members], bar.advance)
            for drawn, text in zip(members, found, strict=True):
                self.texts[side.name, drawn.feature] = text
                side.explanations.append(self._explanation(drawn, text))
        n_failed = 0
        for side, questioner, members in self.sides:
            partners = {drawn.feature: other for drawn, other in self._pairs(side, members)}
            with progress(f"scores by {self.config.model}: {side.name}", 0, "question") as bar:
                for start in range(0, len(members), FEATURES_AT_ONCE):
                    some = members[start : start + FEATURES_AT_ONCE]
                    asked = self._questions(side, questioner, some, partners)
                    answers = iter(self.asker.ask([q for _, its in asked for q in its], bar.advance))
                    found_by = {key: [next(answers) for _ in its] for key, its in asked}
                    for drawn in some:
                        n_failed += self._score(side, questioner, drawn, partners.get(drawn.feature), found_by)
        return Asked(self.asker.asked, self.asker.n_reread - already, n_failed)

    def _explanation(self, drawn: Drawn, text: str | Failure) -> Explanation:
        if isinstance(text, Failure):
            return Explanation(drawn.feature, self.config.model, "", "failed", text.reason)
        return Explanation(drawn.feature, self.config.model, text, "done")

    def _questions(
        self, side: Side, questioner: Questioner, some: Sequence[Drawn], partners: Mapping[int, Drawn]
    ) -> list[tuple[tuple[int, int, Score], list[Question]]]:
        """The questions of some features, by feature, by whose explanation, and by score."""
        found = []
        for drawn in some:
            for score in self.config.scores:
                text = self.texts[side.name, drawn.feature]
                if not isinstance(text, Failure):
                    key = (drawn.feature, drawn.feature, score)
                    found.append((key, questioner.of_score(score, drawn, text, drawn.feature)))
                other = partners.get(drawn.feature)
                if other is not None and score != "intruder":
                    said = self.texts[side.name, other.feature]
                    assert isinstance(said, str), "a partner has an explanation"
                    key = (drawn.feature, other.feature, score)
                    found.append((key, questioner.of_score(score, drawn, said, other.feature)))
        return found

    def _score(
        self,
        side: Side,
        questioner: Questioner,
        drawn: Drawn,
        other: Drawn | None,
        found: Mapping[tuple[int, int, Score], list],
    ) -> int:
        """Add the rows of one feature; 1 if any of it failed."""
        model, text = self.config.model, self.texts[side.name, drawn.feature]
        if isinstance(text, Failure):
            reason = f"there is no explanation: {text.reason}"
            for score in self.config.scores:
                side.scores += [failed_row(drawn.feature, model, name, reason) for name in SCORES[score]]
            return 1
        own: dict[Score, list] = {score: found[drawn.feature, drawn.feature, score] for score in self.config.scores}
        judged = questioner.judged(drawn, text, own)
        shuffled: dict[str, float | None] = {}
        if other is not None:
            said = self.texts[side.name, other.feature]
            assert isinstance(said, str), "a partner has an explanation"
            theirs: dict[Score, list] = {
                score: found[drawn.feature, other.feature, score] for score in self._shuffled_scores()
            }
            shuffled = {name: tally.value for name, tally in questioner.judged(drawn, said, theirs).tallies.items()}
        for score in self.config.scores:
            if score in judged.failed:
                reason = judged.failed[score]
                side.scores += [failed_row(drawn.feature, model, name, reason) for name in SCORES[score]]
            else:
                side.scores += rows_of_scores(
                    side, drawn.feature, model, SCORES[score], judged.tallies, shuffled, self.seed
                )
        return int(bool(judged.failed))

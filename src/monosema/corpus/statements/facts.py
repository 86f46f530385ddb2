"""Facts from a list: a true one is in it, a false one has the answer that belongs to another."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

from monosema.corpus.statements.source import Claim, Source


@final
@dataclass(frozen=True)
class Facts(Source):
    """Rows (subject, answer), each answer as often as any other; `texts` are wordings with {subject} and {answer}.

    A false claim has an answer of the list that is not the subject's, nor the subject itself. A group is a subject;
    where `mutual`, the subject and its answer, which is then a subject too.
    """

    about: str
    rows: tuple[tuple[str, str], ...]
    texts: tuple[str, ...]
    mutual: bool = False

    @cached_property
    def _false(self) -> tuple[tuple[str, str, str], ...]:
        answers = tuple(dict.fromkeys(answer for _, answer in self.rows))
        known = set(self.rows)
        return tuple(
            (subject, right, wrong)
            for subject, right in self.rows
            for wrong in answers
            if wrong != subject and (subject, wrong) not in known
        )

    @property
    def wordings(self) -> int:
        return len(self.texts)

    def count(self, true: bool) -> int:
        return len(self.rows) if true else len(self._false)

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        subject, right, answer = (*self.rows[i], self.rows[i][1]) if true else self._false[i]
        group = ", ".join(sorted((subject, right))) if self.mutual else subject
        return Claim(self.texts[wording].format(subject=subject, answer=answer), group)


def listed(text: str) -> tuple[tuple[str, str], ...]:
    """The rows of `subject: answer; subject: answer`, on any number of lines."""
    pairs = (item.split(":") for item in text.replace("\n", ";").split(";") if item.strip())
    return tuple((subject.strip(), answer.strip()) for subject, answer in pairs)


def classed(text: str) -> tuple[tuple[str, str], ...]:
    """The rows of `answer: subject, subject`, a line for every answer."""
    lines = (line.split(":") for line in text.splitlines() if line.strip())
    return tuple((subject.strip(), answer.strip()) for answer, subjects in lines for subject in subjects.split(","))

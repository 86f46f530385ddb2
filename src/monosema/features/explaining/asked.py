"""An endpoint as explainer and as judge: every question about a feature, and what its answers score.

explain   1 question of the examples            detection, simulation   5 windows a question
fuzzing   5 marked windows a question           intruder                4 windows where it fires, 1 where not
embedding 1 request of the explanation and its windows; by words (TF-IDF) it takes none
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.features.explaining import prompts
from monosema.features.explaining.asking import Failure, Question
from monosema.features.explaining.baselines import Background, embedded, simulated
from monosema.features.explaining.config import AT_ONCE, Score
from monosema.features.explaining.drawing import Drawn
from monosema.features.explaining.measures import Tally, accuracy, auc, balanced_accuracy
from monosema.features.explaining.windows import Windows
from monosema.features.tables.database import Database, rows_of


class Texts:
    """The texts of windows, each token as it reads in its block."""

    def __init__(self, folder: Path, windows: Windows, database: Database) -> None:
        self.path, self.windows, self.database = folder / "contexts.parquet", windows, database
        self._blocks: dict[int, list[str]] = {}

    def of(self, window: int) -> list[str]:
        """The tokens of one window."""
        context, start = self.windows.text.context, int(self.windows.starts[window])
        block, first = divmod(start, context)
        if block not in self._blocks:
            rows = self.database.fetch(f"SELECT texts FROM {rows_of([self.path])} WHERE block = {block}")
            self._blocks[block] = [str(text) for text in rows["texts"][0]]
        return self._blocks[block][first : first + int(self.windows.sizes[window])]


@dataclass(frozen=True)
class Judged:
    """What an endpoint's answers about one explanation come to: tallies, and reasons where a score failed."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Questioner:
    """Makes the questions about features of one dictionary. `side` is 'trained' or 'control'."""

    side: str
    background: Background
    texts: Texts
    embedding: str

    def explanation(self, drawn: Drawn) -> Question:
        """The question that an explanation answers."""
        windows = self.background.windows
        shown = []
        for window in drawn.examples.tolist():
            places, _ = windows.places(torch.tensor([window]))
            shown.append((self.texts.of(window), prompts.levels(drawn.acts.at(places).tolist(), drawn.largest)))
        about = f"{self.side} {drawn.feature}"
        return Question(about, "explain", prompts.explain(shown), prompts.read_explanation, expected=40)

    def of_score(self, score: Score, drawn: Drawn, explanation: str, whose: int) -> list[Question]:
        """The questions of one score, about the explanation of feature `whose`."""
        about = f"{self.side} {drawn.feature} by {whose}"
        make: dict[str, Callable[[Drawn, str, str], list[Question]]] = {
            "detection": self._detection,
            "fuzzing": self._fuzzing,
            "intruder": self._intruder,
            "simulation": self._simulation,
            "embedding": self._embedding,
        }
        return make[score](drawn, explanation, about)

    def _detection(self, drawn: Drawn, explanation: str, about: str) -> list[Question]:
        return [
            Question(
                f"{about} {i}",
                "detection",
                prompts.detect(explanation, [self.texts.of(w) for w in few]),
                partial(prompts.read_ratings, n=len(few)),
                expected=8 + 3 * len(few),
            )
            for i, few in enumerate(_some(drawn.judging.windows.tolist()))
        ]

    def _fuzzing(self, drawn: Drawn, explanation: str, about: str) -> list[Question]:
        marks, found = drawn.marks, []
        half = len(marks) // 2
        rows = list(range(len(marks)))
        for i, few in enumerate([*_some(rows[:half]), *_some(rows[half:])]):
            shown = [(self.texts.of(int(marks.windows[row])), self._on(drawn, row)) for row in few]
            read, expected = partial(prompts.read_ratings, n=len(few)), 8 + 3 * len(few)
            found.append(Question(f"{about} {i}", "fuzzing", prompts.fuzz(explanation, shown), read, expected))
        return found

    def _on(self, drawn: Drawn, row: int) -> list[bool]:
        places, _ = self.background.windows.places(drawn.marks.windows[row : row + 1])
        return torch.isin(places, drawn.marks.places[row]).tolist()

    def _intruder(self, drawn: Drawn, explanation: str, about: str) -> list[Question]:  # noqa: ARG002
        shown = [[self.texts.of(w) for w in odd.windows.tolist()] for odd in drawn.odd]
        read = partial(prompts.read_window, n=AT_ONCE)
        return [
            Question(f"{about} {i}", "intruder", prompts.intrude(few), read, expected=8) for i, few in enumerate(shown)
        ]

    def _simulation(self, drawn: Drawn, explanation: str, about: str) -> list[Question]:
        found = []
        for i, few in enumerate(_some(drawn.judging.windows.tolist())):
            texts = [self.texts.of(w) for w in few]
            sizes = [len(window) for window in texts]
            read, n = partial(prompts.read_activations, sizes=sizes), 2 * sum(sizes) + 20
            messages = prompts.simulate(explanation, texts)
            found.append(Question(f"{about} {i}", "simulation", messages, read, n, limit=2000 + 2 * n))
        return found

    def _embedding(self, drawn: Drawn, explanation: str, about: str) -> list[Question]:
        if not self.embedding:
            return []
        texts = [explanation, *("".join(self.texts.of(w)) for w in drawn.judging.windows.tolist())]
        return [Question(about, "embedding", (), _likeness, expected=0, texts=tuple(texts))]

    def judged(self, drawn: Drawn, explanation: str, answers: Mapping[Score, Sequence[Any]]) -> Judged:
        """What the answers to the questions of each score come to."""
        tallies: dict[str, Tally] = {}
        failed: dict[str, str] = {}
        for score, found in answers.items():
            failures = [answer for answer in found if isinstance(answer, Failure)]
            if failures:
                failed[score] = f"{len(failures)} of {len(found)} questions failed: {failures[0].reason}"
            else:
                tallies |= self._tallies(score, drawn, explanation, found)
        return Judged(tallies, failed)

    def _tallies(self, score: Score, drawn: Drawn, explanation: str, found: Sequence[Any]) -> dict[str, Tally]:
        windows, shown = self.background.windows, drawn.judging
        documents = windows.documents[shown.windows]
        if score == "detection":
            ratings = torch.tensor(_flat(found))
            said = balanced_accuracy(ratings >= prompts.YES, shown.fires, documents)
            return {"detection": said, "detection_auc": auc(ratings.double(), shown.fires, documents)}
        if score == "fuzzing":
            marks, ratings = drawn.marks, torch.tensor(_flat(found))
            if not len(marks):
                return {}
            said = balanced_accuracy(ratings >= prompts.YES, marks.right, windows.documents[marks.windows])
            return {"fuzzing": said}
        if score == "intruder":
            if not drawn.odd:
                return {}
            right = torch.tensor([said == odd.at for said, odd in zip(found, drawn.odd, strict=True)])
            return {"intruder": accuracy(right, _documents_of_the_odd(drawn, windows))}
        if score == "simulation":
            predicted = torch.tensor(_flat([row for rows in found for row in rows])).float()
            return {"simulation": simulated(predicted, drawn, windows)}
        if not self.embedding:
            return {"embedding": embedded(self.background.vectors.of_text(explanation), shown, self.background)}
        return {"embedding": auc(torch.tensor(found[0]).double(), shown.fires, documents)}


def _documents_of_the_odd(drawn: Drawn, windows: Windows) -> Int64[Tensor, "question"]:
    return windows.documents[torch.stack([odd.windows[odd.at] for odd in drawn.odd])]


def _some(rows: Sequence[int]) -> list[list[int]]:
    return [list(rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE)]


def _flat(rows: Sequence[Sequence[int]]) -> list[int]:
    return [value for row in rows for value in row]


def _likeness(vectors: list[list[float]]) -> list[float]:
    """The cosine of the first vector with each of the others."""
    x = np.array(vectors, dtype=np.float64)
    norms = np.linalg.norm(x, axis=1)
    return (x[1:] @ x[0] / np.maximum(norms[1:] * norms[0], 1e-300)).round(6).tolist()

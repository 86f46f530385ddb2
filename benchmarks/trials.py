"""Many trainings on as many processes as there are cores, each kept once: a run that is cut off goes on.

Lanes            one thread per core; a lane has a worker of each library, which does one training after another
Book             the results so far, a line of JSON each; what is written there is not trained again
Trials.run       one training: from what it is asked to its measures
Trials.series    five seeds at one L0; where a penalty sets L0, that is looked for first
"""

import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, final

from benchmarks.contenders import Contender
from benchmarks.grounds import Ground
from benchmarks.judged import Judged
from benchmarks.processes import Worker, WorkerError
from benchmarks.race import say

NEAR = 0.1
"""A penalty is good when L0 is within this share of what is wanted."""

TRIES = 5
STEEPEST = 4.0
"""A penalty is changed by at most this factor at a time."""

FLATTEST = -0.05
LEAST_L0 = 1e-3

SEARCH_SEED = 1000
"""Learning rates are compared on a seed that no table uses."""


@dataclass(frozen=True)
class Question:
    """One training. lr None: the library's own default."""

    name: str
    ground: str
    l0: int
    lr: float | None
    penalty: float | None
    seed: int


@dataclass(frozen=True)
class Series:
    """The same training on several seeds. lr: as in a question."""

    judged: Judged
    ground: Ground
    l0: int
    lr: float | None


Answer = dict[str, Any]
"""l0, nmse, seconds, and the measures of `recover`, each with its control under 'control'; or 'failed', a reason."""


@final
class Book:
    """Answers on disk, by question."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.answers: dict[str, Answer] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self.answers[entry["question"]] = entry["answer"]

    def known(self, question: Question) -> Answer | None:
        return self.answers.get(_key(question))

    def write(self, question: Question, answer: Answer) -> None:
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            self.answers[_key(question)] = answer
            file.write(json.dumps({"question": _key(question), "answer": answer}) + "\n")


def _key(question: Question) -> str:
    return json.dumps(asdict(question), sort_keys=True)


@final
class Lanes:
    """`n` threads, each with workers of its own, one per library, kept alive from one training to the next."""

    def __init__(self, n: int, first: Callable[[Contender], Any]) -> None:
        """first: the task that a worker starts with, of a contender."""
        self.n, self.first = n, first
        self.local = threading.local()
        self.started: SimpleQueue[Worker] = SimpleQueue()

    def __enter__(self) -> "Lanes":
        return self

    def __exit__(self, *_: object) -> None:
        while not self.started.empty():
            self.started.get().close()

    def each(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """`work` on every item, in order of items, as many at once as there are lanes."""
        with ThreadPoolExecutor(self.n, initializer=self._begin) as pool:
            yield from pool.map(work, items)

    def _begin(self) -> None:
        self.local.workers = {}

    def ask(self, contender: Contender, task: dict[str, Any]) -> Answer:
        """The answer of this lane's worker of the contender's library; one that dies is replaced when next asked."""
        workers: dict[str, Worker] = self.local.workers
        try:
            if contender.worker not in workers:
                workers[contender.worker] = worker = Worker(contender, self.first(contender), "series")
                self.started.put(worker)
                worker.ready()
            return workers[contender.worker].train(task)
        except WorkerError as error:
            workers.pop(contender.worker).close()
            say(f"{contender.name}: {error}")
            return {"failed": str(error)}


class Trials:
    """What is asked of the contenders, and answered from the book or by training."""

    def __init__(self, lanes: Lanes, book: Book, folder: Path) -> None:
        """folder: for what a worker keeps until it is judged. found: the last penalty that gave the L0 asked for, and
        that L0, of each contender on each world."""
        self.lanes, self.book, self.folder = lanes, book, folder
        self.found: dict[tuple[str, str], tuple[float, int]] = {}

    def run(self, series: Series, penalty: float | None, seed: int) -> Answer:
        judged, ground = series.judged, series.ground
        question = Question(judged.name, ground.name, series.l0, series.lr, penalty, seed)
        answer = self.book.known(question)
        if answer is None:
            answer = self.train(series, penalty, seed)
            if "failed" not in answer:
                self.book.write(question, answer)
        return answer

    def train(self, series: Series, penalty: float | None, seed: int) -> Answer:
        """One training and its measures, whatever the book holds."""
        kept = self.folder / f"kept-{threading.get_ident()}.safetensors"
        files = series.ground.files
        task = {
            "rows": str(files.rows),
            "held_out": str(files.held_out),
            "k": series.l0,
            "seed": seed,
            "keep": str(kept),
        }
        task["settings"] = series.judged.at(series.lr, series.l0, penalty)
        answer = self.lanes.ask(series.judged.contender, task)
        if "failed" in answer:
            return answer
        found = series.ground.judge(kept)
        kept.unlink()
        measures = {name: value for name, (value, _) in found.items()}
        return answer | measures | {"control": {name: control for name, (_, control) in found.items()}}

    def series(self, series: Series, seeds: Sequence[int]) -> list[Answer]:
        """The answers of all seeds, without those that failed."""
        penalty = self.penalty(series, seeds[0])
        answers = [self.run(series, penalty, seed) for seed in seeds]
        return [answer for answer in answers if "failed" not in answer]

    def penalty(self, series: Series, seed: int) -> float | None:
        """The penalty whose L0 is nearest to what is wanted of those tried; None where none sets it.

        L0 falls with the penalty: the next one is read off the line through the last two, in logarithms. The first
        is where the contender's last search on this world ended; a search ends where L0 does not answer.
        """
        if series.judged.start is None:
            return None
        key = (series.judged.name, series.ground.name)
        last, at = self.found.get(key, (series.judged.start, series.l0))
        penalty, tried = _rounded(last * at / series.l0), dict[float, float]()
        for _ in range(TRIES):
            answer = self.run(series, penalty, seed)
            if "failed" in answer:
                break
            tried[penalty] = math.log(max(answer["l0"], LEAST_L0) / series.l0)
            if abs(tried[penalty]) < NEAR or _is_flat(list(tried.items())):
                break
            penalty = _next(list(tried.items()))
        if not tried:
            return series.judged.start
        best = min(tried, key=lambda each: abs(tried[each]))
        if abs(tried[best]) < NEAR:
            self.found[key] = best, series.l0
        return best

    def best_rate(self, series: Series, rates: Sequence[float]) -> float | None:
        """The learning rate of largest mcc: one of `rates`, or None for the library's own."""
        scores: dict[float | None, float] = {}
        for lr in (None, *rates):
            found = self.series(Series(series.judged, series.ground, series.l0, lr), [SEARCH_SEED])
            scores[lr] = found[0]["mcc"] if found else -1.0
        return max(scores, key=lambda lr: scores[lr])


def _next(tried: Sequence[tuple[float, float]]) -> float:
    """Where the line through the last two crosses zero, at most STEEPEST away; its slope is -1 until two are known.

    tried: penalties, and the logarithm of L0 over what is wanted
    """
    penalty, error = tried[-1]
    slope = min(_slope(tried), FLATTEST)
    step = max(-math.log(STEEPEST), min(math.log(STEEPEST), -error / slope))
    return _rounded(penalty * math.exp(step))


def _slope(tried: Sequence[tuple[float, float]]) -> float:
    """By the last two, in logarithms; -1 of one."""
    if len(tried) < 2:
        return -1.0
    (before, its_error), (penalty, error) = tried[-2:]
    return (error - its_error) / math.log(penalty / before)


def _is_flat(tried: Sequence[tuple[float, float]]) -> bool:
    """Whether the last step, a large one, changed next to nothing."""
    return len(tried) > 1 and abs(math.log(tried[-1][0] / tried[-2][0])) > 1 and _slope(tried) > FLATTEST


def _rounded(penalty: float) -> float:
    return float(f"{penalty:.4g}")

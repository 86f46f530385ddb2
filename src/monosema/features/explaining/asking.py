"""Questions to an endpoint: what they cost, and their answers, several at a time.

questions --not answered yet?--> endpoint --read--> answers.jsonl
                                    |
                                    `-- of no use: asked again, with the reason, TRIES times; then a Failure
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from monosema.features.explaining.answers import Answer, Answers, key_of
from monosema.features.explaining.client import Endpoint, Reply, UnansweredError

TRIES = 3
"""How often a question is asked whose answers cannot be read."""

CHARACTERS_A_TOKEN = 3.5
"""By which tokens are estimated from text; code and other languages have fewer."""

TOKENS_A_MESSAGE = 4


class UnreadableError(Exception):
    """An answer that is not of the form that was asked for; the message says why. Never leaves this package."""


@dataclass(frozen=True)
class Question:
    """One question. `read` makes of the answer's text what was asked for, or raises UnreadableError.

    about     what it is about, such as 'trained 12 detection 3': part of its key
    messages  of a chat; for an embedding the texts, as one list
    expected  tokens that a good answer has        limit  of an answer
    """

    about: str
    kind: str
    messages: tuple[dict[str, str], ...]
    read: Callable[[Any], Any]
    expected: int
    limit: int = 2000
    texts: tuple[str, ...] = ()

    def key(self, model: str) -> str:
        """By which its answer is kept."""
        return key_of(model, f"{self.kind} {self.about}", list(self.messages) or list(self.texts))

    @property
    def characters(self) -> int:
        """Of everything that is sent as text."""
        return sum(len(m["content"]) for m in self.messages) + sum(map(len, self.texts))


@dataclass(frozen=True)
class Failure:
    """A question that was not answered, and why."""

    reason: str


@dataclass(frozen=True)
class Cost:
    """Calls and tokens."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def price(self, price_in: float | None, price_out: float | None) -> float | None:
        """What the tokens cost; None without both prices."""
        if price_in is None or price_out is None:
            return None
        return (self.prompt_tokens * price_in + self.completion_tokens * price_out) / 1e6


def estimate(questions: Iterable[Question]) -> Cost:
    """What some questions will cost, from their texts."""
    total = Cost()
    for question in questions:
        n = max(len(question.messages), len(question.texts))
        prompt = round(question.characters / CHARACTERS_A_TOKEN) + TOKENS_A_MESSAGE * n
        total += Cost(1, prompt, question.expected)
    return total


class Asker:
    """Asks the questions that have no answer yet. `asked` is what that cost, unreadable answers included."""

    def __init__(self, endpoint: Endpoint, answers: Answers) -> None:
        self.endpoint, self.answers = endpoint, answers
        self.asked, self.n_reread = Cost(), 0

    def key(self, question: Question) -> str:
        """By which its answer is kept."""
        config = self.endpoint.config
        return question.key(config.embedding if question.texts else config.model)

    def ask(self, questions: Sequence[Question], advance: Callable[[int], object]) -> list[Any]:
        """What each answer says, or its Failure, in the order of the questions.

        When interrupted, or where the endpoint cannot be used at all (EndpointError), what has been answered
        is kept.
        """
        missing = [i for i, question in enumerate(questions) if self.key(question) not in self.answers]
        failures: dict[int, Failure] = {}
        pool = ThreadPoolExecutor(self.endpoint.config.concurrency)
        before, done_all = self.endpoint.sent, False
        try:
            running: dict[Future[Failure | Cost], int] = {}
            for i in missing:
                running[pool.submit(self._one, questions[i])] = i
            for future in as_completed(running):
                found = future.result()
                if isinstance(found, Failure):
                    failures[running[future]] = found
                else:
                    self.asked += found
                advance(1)
            done_all = True
        finally:
            if not done_all:
                self.endpoint.stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self.asked += Cost(self.endpoint.sent - before)
        self.n_reread += len(questions) - len(missing)
        return [failures.get(i) or self._read(question) for i, question in enumerate(questions)]

    def _read(self, question: Question) -> Any:
        answer = self.answers.get(self.key(question))
        assert answer is not None, "what did not fail was answered"
        return answer.content if question.texts else question.read(answer.content)

    def _one(self, question: Question) -> Failure | Cost:
        """Ask until the answer can be read, and keep it; what it cost but for the calls, which are counted as sent."""
        messages, spent = list(question.messages), Cost()
        reason = ""
        for _ in range(TRIES):
            try:
                reply = self._reply(question, messages)
            except UnansweredError as error:
                return Failure(str(error))
            spent += Cost(0, reply.prompt_tokens, reply.completion_tokens)
            try:
                read = question.read(reply.data)
            except UnreadableError as error:
                reason = str(error)
                again = f"That answer cannot be used: {reason}. Answer again, in exactly the form that was asked for."
                if not question.texts:
                    said = [{"role": "assistant", "content": reply.data}, {"role": "user", "content": again}]
                    messages = [*question.messages, *said]
                continue
            content = read if question.texts else reply.data
            self.answers.add(Answer(self.key(question), question.kind, content, *_tokens(reply)))
            return spent
        return Failure(f"{TRIES} answers could not be used, the last because {reason}")

    def _reply(self, question: Question, messages: Sequence[dict[str, str]]) -> Reply:
        if question.texts:
            return self.endpoint.embed(question.texts)
        return self.endpoint.chat(messages, question.limit)


def _tokens(reply: Reply) -> tuple[int, int]:
    return reply.prompt_tokens, reply.completion_tokens

"""The grammar: what may follow, how likely, and the state it leads to. Only the topic is not settled by the words.

    sentence    clause .
    clause      nouns(subject) (preposition nouns | aside)* verb [nouns(object) aside*]
    nouns       determiner (adjective | first [second])* noun [mark]
    aside       ( clause ), or another bracket

The subject and the verb of a clause agree in number, whatever stands between them. Every word is of one class, and
within its class its probability depends on the topic alone, so probabilities multiply and entropies add up.
"""

from functools import cache
from typing import Literal, NamedTuple, final

from monosema.corpus.languages.config import LanguageConfig

Slot = Literal[
    "start", "subject", "attractor", "object", "before verb", "after preposition", "after verb", "after object"
]
Number = Literal["", "singular", "plural"]

HEADS: dict[Slot, Slot] = {"start": "subject", "after preposition": "attractor", "after verb": "object"}


class Frame(NamedTuple):
    """What an open bracket interrupts: the number of the clause around it, and where that goes on."""

    kind: int
    number: Number
    attracted: bool
    slot: Slot


class Expected(NamedTuple):
    """One word that follows at once with probability `p`: the second of a phrase, or a mark."""

    name: str
    word: int
    p: float


class State(NamedTuple):
    """What the words so far settle.

    number      of the subject whose verb is awaited, "" where none is
    attracted   a noun of the other number has come since that subject
    frames      the open brackets, outermost first
    """

    slot: Slot = "start"
    number: Number = ""
    attracted: bool = False
    expected: Expected | None = None
    frames: tuple[Frame, ...] = ()

    @property
    def context(self) -> int:
        """0 outside brackets, else 1 + the kind of the innermost."""
        return 1 + self.frames[-1].kind if self.frames else 0


class Choice(NamedTuple):
    """A word of class `name` with probability `p`: the `word` of that index, or for -1 any, by the topic."""

    p: float
    name: str
    word: int = -1


def fallen(choices: tuple[Choice, ...], u: float) -> Choice:
    """The choice on which `u` in [0, 1) falls."""
    for choice in choices:
        u -= choice.p
        if u < 0:
            return choice
    return choices[-1]


@final
class Grammar:
    """The rules of `config`, as two functions of a state."""

    def __init__(self, config: LanguageConfig) -> None:
        self.config = config
        self._choices = cache(self._worked_out)

    def choices(self, state: State) -> tuple[Choice, ...]:
        """What may come next; of disjoint words, with probabilities above 0 that add up to 1."""
        number: Number = state.number if state.slot == "before verb" else ""
        closes = state.frames[-1].kind if state.frames else -1
        return self._choices(state.slot, number, state.expected, closes, len(state.frames))

    def _worked_out(
        self, slot: Slot, number: Number, expected: Expected | None, closes: int, depth: int
    ) -> tuple[Choice, ...]:
        found = self._at(slot, number, closes, depth)
        if expected is not None:
            rest = 1 - expected.p
            found = [Choice(expected.p, expected.name, expected.word)] + [c._replace(p=rest * c.p) for c in found]
        return tuple(choice for choice in found if choice.p > 0)

    def _at(self, slot: Slot, number: Number, closes: int, depth: int) -> list[Choice]:
        c = self.config
        opens = c.nesting.open if depth < c.nesting.max_depth else 0.0
        end = Choice(1.0, "stop") if closes < 0 else Choice(1.0, "close", closes)
        match slot:
            case "start" | "after preposition":
                return [Choice(1.0, "determiner")]
            case "subject" | "attractor" | "object":
                phrase = c.phrases.share if c.phrases.n else 0.0
                noun = 1 - c.words.adjective - phrase
                return [
                    Choice(c.words.adjective, "adjective"),
                    Choice(phrase, "first"),
                    Choice(noun * (1 - c.agreement.plural), "singular noun"),
                    Choice(noun * c.agreement.plural, "plural noun"),
                ]
            case "before verb":
                attractor = c.agreement.attractor
                verb = Choice(1 - attractor - opens, f"{number} verb")
                return [Choice(attractor, "preposition"), Choice(opens, "open"), verb]
            case "after verb":
                return [Choice(c.object, "determiner"), end._replace(p=1 - c.object)]
            case "after object":
                return [Choice(opens, "open"), end._replace(p=1 - opens)]

    def after(self, state: State, name: str, index: int) -> State:
        """The state behind word `index` of class `name`."""
        match name:
            case "determiner":
                return state._replace(slot=HEADS[state.slot], expected=None)
            case "first":
                return state._replace(expected=Expected("second", index, self.config.phrases.fidelity))
            case "singular noun" | "plural noun":
                return self._after_noun(state, "singular" if name == "singular noun" else "plural", index)
            case "preposition":
                return state._replace(slot="after preposition", expected=None)
            case "singular verb" | "plural verb":
                return State("after verb", frames=state.frames)
            case "open":
                frame = Frame(index, state.number, state.attracted, state.slot)
                return State(frames=(*state.frames, frame))
            case "close":
                frame = state.frames[-1]
                return State(frame.slot, frame.number, frame.attracted, None, state.frames[:-1])
            case "stop":
                return State()
            case _:  # an adjective, the second of a phrase, a mark: where one was, one still is
                return state._replace(expected=None)

    def _after_noun(self, state: State, number: Number, index: int) -> State:
        senses = self.config.senses
        expected = None
        if number == "singular" and index < senses.n:
            expected = Expected("mark", (index + state.context) % senses.n, senses.share)
        if state.slot == "object":
            return state._replace(slot="after object", expected=expected)
        if state.slot == "subject":
            return State("before verb", number, False, expected, state.frames)
        attracted = state.attracted or number != state.number
        return State("before verb", state.number, attracted, expected, state.frames)

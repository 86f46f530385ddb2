"""What an endpoint is asked, word for word, and how its answers are read.

Every answer is one JSON object with one key. Tokens are marked «like this»; activations are shown as
ceil(10 a / largest), 0 to 10, the largest being that on the documents that explain.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

from monosema.features.explaining.asking import UnreadableError

LEVELS = 10
YES = 5
"""The rating from which an answer is a yes."""

LONGEST = 600
"""Characters of an explanation."""

PLACEHOLDER = "?" * 160
"""Stands for an explanation that is not written yet, where cost is estimated."""

Messages = tuple[dict[str, str], ...]

_FEATURE = (
    "A feature of a language model is a direction in its activations. It is active on some tokens of a text, more or "
    "less strongly, and silent on the others. "
)
_EXPLAIN = _FEATURE + (
    "You are shown windows of text in which one feature is active. The tokens on which it is active are marked "
    "«like this», and after each window stand the marked tokens with their activation from 1 to 10. Say in one short "
    "sentence what the tokens, and the text before them, have in common: precise enough to tell which tokens of "
    "another text are marked. Do not speak of the marks, of features or of activations. Answer with JSON and nothing "
    'else: {"explanation": "..."}'
)
_DETECT = _FEATURE + (
    "You are given an explanation of one feature and some windows of text. Rate for each window whether the feature "
    "is active anywhere in it: 0 is certainly not, 10 is certainly, 5 and more counts as yes. Answer with JSON and "
    'nothing else, one whole number a window in their order: {"ratings": [...]}'
)
_FUZZ = _FEATURE + (
    "You are given an explanation of one feature and some windows of text with tokens marked «like this». In some "
    "windows the marked tokens are those on which the feature is active, in others they are wrong. Rate for each "
    "window whether its marked tokens are the right ones: 0 is certainly not, 10 is certainly, 5 and more counts as "
    'yes. Answer with JSON and nothing else, one whole number a window in their order: {"ratings": [...]}'
)
_INTRUDE = _FEATURE + (
    "You are given some windows of text. One feature is active in all of them but one. Which window does not belong? "
    'Answer with JSON and nothing else, its number: {"window": ...}'
)
_SIMULATE = _FEATURE + (
    "You are given an explanation of one feature and some windows of text, each as a list of its tokens. Foretell the "
    "feature's activation on every token, from 0 (silent, as on most tokens) to 10 (its strongest). Answer with JSON "
    "and nothing else, one list of whole numbers a window, each as long as the window's list of tokens: "
    '{"activations": [[...], ...]}'
)


def levels(acts: Sequence[float], largest: float) -> list[int]:
    """Activations as they are shown: ceil(10 a / largest), at most 10."""
    return [min(LEVELS, math.ceil(LEVELS * act / largest)) if act > 0 else 0 for act in acts]


def marked(texts: Sequence[str], on: Sequence[bool]) -> str:
    """A window with some tokens marked; neighbours that are both marked, each by itself."""
    plain = [text.replace("«", "<<").replace("»", ">>") for text in texts]
    return "".join(f"«{text}»" if mark else text for text, mark in zip(plain, on, strict=True))


def explain(windows: Sequence[tuple[Sequence[str], Sequence[int]]]) -> Messages:
    """Of windows with the level of every token."""
    shown = []
    for texts, level in windows:
        listed = ", ".join(f"{json.dumps(t, ensure_ascii=False)} {n}" for t, n in zip(texts, level, strict=True) if n)
        shown.append(f"{marked(texts, [n > 0 for n in level])}\nactive: {listed}")
    return _messages(_EXPLAIN, _windows(shown))


def detect(explanation: str, windows: Sequence[Sequence[str]]) -> Messages:
    """Of windows without marks."""
    return _messages(_DETECT, f"Explanation: {explanation}\n\n{_windows([''.join(texts) for texts in windows])}")


def fuzz(explanation: str, windows: Sequence[tuple[Sequence[str], Sequence[bool]]]) -> Messages:
    """Of windows with marks."""
    return _messages(_FUZZ, f"Explanation: {explanation}\n\n{_windows([marked(*window) for window in windows])}")


def intrude(windows: Sequence[Sequence[str]]) -> Messages:
    """Of windows of which one does not belong."""
    return _messages(_INTRUDE, _windows(["".join(texts) for texts in windows]))


def simulate(explanation: str, windows: Sequence[Sequence[str]]) -> Messages:
    """Of the tokens of windows."""
    shown = [json.dumps(list(texts), ensure_ascii=False) for texts in windows]
    return _messages(_SIMULATE, f"Explanation: {explanation}\n\n{_windows(shown)}")


def read_explanation(answer: str) -> str:
    """The sentence. Raises UnreadableError."""
    text = _value(answer, "explanation")
    if not isinstance(text, str) or not text.strip():
        raise UnreadableError("'explanation' is not a sentence")
    return " ".join(text.split())[:LONGEST]


def read_ratings(answer: str, n: int) -> list[int]:
    """One rating a window, 0 to 10. Raises UnreadableError."""
    return _whole(_value(answer, "ratings"), n, "ratings")


def read_window(answer: str, n: int) -> int:
    """The number of a window, counted from 0 (the answer counts from 1). Raises UnreadableError."""
    number = _value(answer, "window")
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= n:
        raise UnreadableError(f"'window' is not a number from 1 to {n}")
    return number - 1


def read_activations(answer: str, sizes: Sequence[int]) -> list[list[int]]:
    """One level a token of each window. Raises UnreadableError."""
    rows = _value(answer, "activations")
    if not isinstance(rows, list) or len(rows) != len(sizes):
        raise UnreadableError(f"'activations' is not a list of {len(sizes)} lists")
    named = f"the lists of 'activations', which have {', '.join(map(str, sizes))} tokens,"
    return [_whole(row, size, named) for row, size in zip(rows, sizes, strict=True)]


def _whole(values: Any, n: int, what: str) -> list[int]:
    if not isinstance(values, list) or len(values) != n:
        raise UnreadableError(f"{what} are not as many as was asked for: {n}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LEVELS:
            raise UnreadableError(f"{what} hold something that is not a number from 0 to {LEVELS}")
    return [round(value) for value in values]


def _value(answer: str, key: str) -> Any:
    """What `key` is in the first JSON object of an answer that has it, whatever stands around it."""
    decoder, at = json.JSONDecoder(), answer.find("{")
    while at >= 0:
        try:
            found, _ = decoder.raw_decode(answer, at)
        except (json.JSONDecodeError, RecursionError):
            found = None
        if isinstance(found, dict) and key in found:
            return found[key]
        at = answer.find("{", at + 1)
    raise UnreadableError(f"it holds no JSON object with '{key}'")


def _messages(system: str, user: str) -> Messages:
    return ({"role": "system", "content": system}, {"role": "user", "content": user})


def _windows(shown: Sequence[str]) -> str:
    return "\n\n".join(f"Window {i}:\n{text}" for i, text in enumerate(shown, 1))

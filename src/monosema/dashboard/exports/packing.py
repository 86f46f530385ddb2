"""Examples as columns of whole numbers, gzipped and in base64: what a single file carries of each feature.

    chunk = JSON of the features' facts and the shape of the columns, then the columns of 16-bit numbers
    tokens (low, high half of a number in the vocabulary)   acts (of LEVELS)   total, direct (of EFFECTS)

A window that stands in several groups is stored once. An activation is kept to 1/500 of the feature's
largest, an effect to 1/120 of the largest on any token of its examples.
"""

import base64
import gzip
import json
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from monosema.dashboard.windows import largest_effect
from monosema.features.browse.rows import Example, ExampleGroup

LEVELS, EFFECTS = 500, 120
NOT_MEASURED = -32768


class Vocabulary:
    """Texts by number, in the order in which they are met."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))

    def texts(self) -> list[str]:
        """All texts in order of number."""
        return list(self.numbers)


class Columns:
    """The examples of some features, one after the other."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.low, self.high = array("H"), array("H")
        self.acts, self.total, self.direct = array("h"), array("h"), array("h")

    def add(self, groups: Sequence[ExampleGroup], largest: float) -> dict[str, Any]:
        """Put in a feature's examples; which windows there are, and which are in which group."""
        scale = largest_effect(groups)
        windows: dict[int, int] = {}
        shapes: list[list[Any]] = []
        members = []
        for group in groups:
            for example in group.examples:
                if example.pos not in windows:
                    windows[example.pos] = len(shapes)
                    shapes.append(self._window(example, largest, scale))
            members.append([windows[example.pos] for example in group.examples])
        return {"windows": shapes, "members": members, "largest": largest, "scale": scale}

    def bytes(self) -> bytes:
        """The columns, little-endian, each as long as there are tokens."""
        columns = (self.low, self.high, self.acts, self.total, self.direct)
        if sys.byteorder == "big":
            for column in columns:
                column.byteswap()
        return b"".join(column.tobytes() for column in columns)

    def _window(self, e: Example, largest: float, scale: float) -> list[Any]:
        numbers = [self.vocabulary.number(text) for text in e.texts]
        self.low.extend([number & 0xFFFF for number in numbers])
        self.high.extend([number >> 16 for number in numbers])
        share = LEVELS / largest if largest > 0 else 0.0
        self.acts.extend([round(share * act) if act else 0 for act in e.acts])
        for column, values in ((self.total, e.effect and e.effect.total), (self.direct, e.effect and e.effect.direct)):
            column.extend(_effects(values or (), scale, len(e.texts)))
        known = e.effect is not None and e.effect.p_with is not None and e.effect.p_without is not None
        p = [round(e.effect.p_with or 0, 4), round(e.effect.p_without or 0, 4)] if e.effect and known else []
        return [len(e.texts), e.at, self.vocabulary.number(e.name), e.pos, float(f"{e.act:.4g}"), *p]


def _effects(values: Sequence[float | None], scale: float, n: int) -> "array[int]":
    if not values or scale <= 0:
        return array("h", (NOT_MEASURED,)) * n
    return array("h", [NOT_MEASURED if value is None else round(EFFECTS * value / scale) for value in values])


def packed(value: Any, columns: bytes = b"") -> str:
    """JSON and columns as one text: length of the JSON (4 bytes), the JSON, padding to an even place, columns."""
    head = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    head += b" " * (len(head) % 2)
    data = len(head).to_bytes(4, "little") + head + columns
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()

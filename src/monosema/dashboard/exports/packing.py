"""Examples as columns of whole numbers, gzipped and in base64: what a single file carries of each feature.

    chunk = JSON of the features' facts and the shape of the columns, then the columns of 16-bit numbers
    tokens (low, high half of a number in the vocabulary)   acts (of LEVELS)   total, direct (of EFFECTS)

A window that stands in several groups is stored once. An activation is kept to 1/500 of the feature's
largest, an effect to 1/120 of the largest on any token of its examples.
"""

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from monosema.dashboard.windows import heading
from monosema.features.browse.windows import Windows

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
    """The examples of some features, one after the other; `largest` are their largest activations."""

    def __init__(self, windows: Windows, largest: Sequence[float], vocabulary: Vocabulary) -> None:
        self.windows, self.largest, self.scales = windows, largest, windows.largest_effects().tolist()
        words = windows.words_as([vocabulary.number(text) for text in windows.texts])
        self.columns = (
            (words % 2**16).astype("<u2"),
            (words // 2**16).astype("<u2"),
            windows.in_steps(windows.acts, largest, LEVELS, 0),
            windows.in_steps(windows.total, self.scales, EFFECTS, NOT_MEASURED),
            windows.in_steps(windows.direct, self.scales, EFFECTS, NOT_MEASURED),
        )
        self.shapes = _shapes(windows, [vocabulary.number(name) for name in windows.names])

    def facts(self, i: int) -> dict[str, Any]:
        """Which windows the i-th feature has, and which are in which group."""
        first, stop = self.windows.edges[i : i + 2].tolist()
        return {
            "groups": [heading(group) for group, _ in self.windows.groups[i]],
            "windows": self.shapes[first:stop],
            "members": [members for _, members in self.windows.groups[i]],
            "largest": self.largest[i],
            "scale": self.scales[i],
        }

    def bytes(self, first: int, stop: int) -> bytes:
        """The columns of the features first .. stop - 1, little-endian, each as long as there are tokens."""
        edges = self.windows.token_edges[self.windows.edges[[first, stop]]]
        return b"".join(column[edges[0] : edges[1]].tobytes() for column in self.columns)


def _shapes(windows: Windows, names: Sequence[int]) -> list[list[Any]]:
    """Of each window: tokens, place of the chosen one, name of the document, position, activation, and the
    probability of the next token with and without the feature where it is known."""
    width = (windows.token_edges[1:] - windows.token_edges[:-1]).tolist()
    acts = [float(f"{act:.4g}") for act in windows.act.tolist()]
    shapes: list[list[Any]] = [
        list(shape) for shape in zip(width, windows.at.tolist(), names, windows.pos.tolist(), acts, strict=True)
    ]
    known = (windows.p_with == windows.p_with) & (windows.p_without == windows.p_without)
    for i in known.nonzero()[0].tolist():
        shapes[i] += [round(float(windows.p_with[i]), 4), round(float(windows.p_without[i]), 4)]
    return shapes


def laid_out(value: Any, columns: bytes = b"") -> bytes:
    """Length of the JSON (4 bytes), the JSON, padding to an even place, columns."""
    head = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    head += b" " * (len(head) % 2)
    return len(head).to_bytes(4, "little") + head + columns


def compressed(data: bytes) -> str:
    """Bytes as text, gzipped; while it works other threads may run Python."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def packed(value: Any) -> str:
    """JSON as one such text."""
    return compressed(laid_out(value))

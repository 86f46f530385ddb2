"""Text of a corpus as a reader can see it: what has no shape of its own gets one.

    newline ↵     tab ⇥     NUL ⟨U+0000⟩     right-to-left override ⟨U+202E⟩     half a character ⟨U+D800⟩

Nothing here is markup: the templates escape what comes out. Marks that change the direction of
text are spelt out, so that a corpus cannot reorder the page around it.
"""

import re
import unicodedata

_NAMED = {"\n": "↵", "\t": "⇥"}

_JOINERS = "\u200c\u200d"
"""Zero width, but part of how scripts and emoji are written: left as they are."""

_SPACES = re.compile(" {4,}")


def visible(text: str) -> str:
    """`text` with line ends, control characters and direction marks shown as signs; spaces are kept."""
    return text if text.isprintable() else "".join(_shown(c) for c in text)


def token(text: str, number: int) -> str:
    """A single token: as `visible`, its spaces shown too, long runs of them counted. A piece of a
    character has no text of its own: its id stands for it."""
    if not text or "\ufffd" in text:
        return f"⟨bytes {number}⟩"
    spaced = _SPACES.sub(lambda match: f"␣\u00d7{len(match[0])}", visible(text))
    return spaced.replace(" ", "␣")


def _shown(c: str) -> str:
    if c in _NAMED:
        return _NAMED[c]
    if c.isprintable() or c in _JOINERS or unicodedata.category(c) == "Zs":
        return c
    return f"⟨U+{ord(c):04X}⟩"

"""What every token of a vocabulary is as text, and the class that its text puts it in.

    'Ġself' -> ' self' -> after a space        '▁Self' -> ' Self' -> Capital after a space
    '##ing' -> 'ing'   -> inside a word        'Â' of byte-level BPE -> b'\\xc2' -> byte

A piece is read as its tokenizer writes it: byte-level, sentencepiece (`▁`, `<0x0A>`) or WordPiece, where what has no
`##` begins a word and is given a space.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from monosema.corpus.tokenizer import Tokenizer

Text = str | bytes
"""A token's text; bytes where it is no whole character."""

CLASSES = (
    "after a space",
    "Capital after a space",
    "inside a word",
    "Capital inside",
    "CAPITALS",
    "digits",
    "punctuation",
    "white space",
    "mixed",
    "not ASCII",
    "byte",
    "special",
)
"""Classes of tokens, by their text alone."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer: their ids, rising; text; piece as the tokenizer writes it; and which are special."""

    ids: tuple[int, ...]
    texts: tuple[Text, ...]
    pieces: tuple[str, ...]
    special: frozenset[int]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def written(self) -> tuple[str, ...]:
        """Each text in quotation marks, with what has no shape of its own spelt out."""
        return tuple(map(repr, self.texts))

    @cached_property
    def place(self) -> dict[str, int]:
        """The place in `ids` of a token by its text, else by its piece."""
        found = {piece: i for i, piece in enumerate(self.pieces)}
        return found | {text: i for i, text in enumerate(self.texts) if isinstance(text, str)}

    def classes(self) -> tuple[str, ...]:
        """The class of every token."""
        return tuple(
            "special" if i in self.special else class_of(text) for i, text in zip(self.ids, self.texts, strict=True)
        )


def vocabulary(tokenizer: Tokenizer, n_rows: int) -> Vocabulary:
    """The tokens of `tokenizer` that have one of `n_rows` rows. A row without a token is padding, and left out."""
    added = tokenizer.raw.get_added_tokens_decoder()
    read = _reader(json.loads(tokenizer.raw.to_str()))
    ids, texts, pieces = [], [], []
    for i in range(min(n_rows, tokenizer.vocab_size)):
        piece = tokenizer.raw.id_to_token(i)
        if piece is not None:
            ids.append(i)
            texts.append(added[i].content if i in added else read(piece))
            pieces.append(piece)
    named = {i for i in (tokenizer.bos, tokenizer.eos, tokenizer.pad) if i is not None}
    special = named | {i for i, token in added.items() if token.special}
    return Vocabulary(tuple(ids), tuple(texts), tuple(pieces), frozenset(special))


def class_of(text: Text) -> str:
    """The class of a token that is not special, one of `CLASSES`."""
    if isinstance(text, bytes):
        return "byte"
    bare = text.strip()
    if not bare:
        return "white space"
    if not bare.isprintable():
        return "byte"
    if not bare.isascii():
        return "not ASCII"
    if bare.isdigit():
        return "digits"
    letters = bare.replace("_", "")
    if not any(c.isalnum() for c in bare):
        return "punctuation"
    if not letters.isalpha():
        return "mixed"
    if len(letters) > 1 and letters.isupper():
        return "CAPITALS"
    capital, spaced = letters[0].isupper(), text[0].isspace()
    if spaced:
        return "Capital after a space" if capital else "after a space"
    return "Capital inside" if capital else "inside a word"


def _reader(described: dict[str, Any]) -> Callable[[str], Text]:
    """How a piece of the tokenizer that is described is read."""
    kinds = json.dumps([described.get("decoder"), described.get("pre_tokenizer")])
    if '"ByteLevel"' in kinds:
        return _byte_level
    if described["model"].get("type") == "WordPiece":
        prefix = described["model"]["continuing_subword_prefix"]
        return lambda piece: piece.removeprefix(prefix) if piece.startswith(prefix) else f" {piece}"
    return _sentencepiece


def _sentencepiece(piece: str) -> Text:
    byte = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", piece)
    return bytes.fromhex(byte[1]) if byte else piece.replace("▁", " ")


def _byte_level(piece: str) -> Text:
    """GPT-2's writing of bytes as characters, undone."""
    data = bytes(_BYTES[c] for c in piece if c in _BYTES)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _table() -> dict[str, int]:
    """Printable bytes stand for themselves; the n-th of the others is character 256 + n."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + n): b for n, b in enumerate(others)}


_BYTES = _table()

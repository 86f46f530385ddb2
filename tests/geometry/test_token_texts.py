"""Tokens as text, whichever way a tokenizer writes them, and the class that the text puts them in."""

from typing import Any

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from monosema.corpus import Document, Tokenizer, train_tokenizer
from monosema.geometry import vocabulary
from monosema.geometry.token_texts import CLASSES, class_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" self", "after a space"),
        (" Self", "Capital after a space"),
        (" I", "Capital after a space"),
        ("self", "inside a word"),
        ("_name", "inside a word"),
        ("Name", "Capital inside"),
        ("A", "Capital inside"),
        ("HTTP", "CAPITALS"),
        (" MAX_", "CAPITALS"),
        ("42", "digits"),
        (" 0", "digits"),
        ("):\n", "punctuation"),
        ("__", "punctuation"),
        ("\n    ", "white space"),
        ("utf8", "mixed"),
        ("'t", "mixed"),
        (" größe", "not ASCII"),
        ("中", "not ASCII"),
        ("\x04", "byte"),
        (b"\xc2", "byte"),
    ],
)
def test_classes_by_hand(text: str | bytes, name: str):
    assert class_of(text) == name and name in CLASSES


def test_byte_level_pieces_are_read_as_text_or_as_bytes():
    tokenizer = train_tokenizer([Document("a", "def f(self):\n    return self" * 20)], 300)
    words = vocabulary(tokenizer, 10_000)
    assert len(words) == tokenizer.vocab_size and words.ids == tuple(range(len(words)))
    assert " self" in words.texts and b"\xc2" in words.texts and "\n" in words.texts
    assert words.pieces[words.place[" self"]] == "Ġself" and words.place["Ġself"] == words.place[" self"]
    assert words.written[words.place[" self"]] == "' self'"
    classes = dict(zip(words.texts, words.classes(), strict=True))
    assert classes["<|bos|>"] == classes["<|pad|>"] == "special" and classes[" self"] == "after a space"
    text = "if x:\n\té = 'z'"
    (ids,) = tokenizer.encode([text])
    parts = [words.texts[i] for i in ids]
    assert b"".join(p.encode() if isinstance(p, str) else p for p in parts).decode() == text


def other(model: Any, decoder: Any, splits: Any) -> Tokenizer:
    raw = tokenizers.Tokenizer(model)
    raw.decoder, raw.pre_tokenizer = decoder, splits
    return Tokenizer(raw, None, None, None)


def test_sentencepiece_and_wordpiece():
    pieces = {"<unk>": 0, "▁the": 1, "ing": 2, "<0x0A>": 3}
    spaced = other(
        models.BPE(vocab=pieces, merges=[], byte_fallback=True), decoders.Metaspace(), pre_tokenizers.Metaspace()
    )
    assert vocabulary(spaced, 10).texts == ("<unk>", " the", "ing", b"\n")
    words = {"[UNK]": 0, "the": 1, "##ing": 2}
    wordpiece = other(
        models.WordPiece(vocab=words, unk_token="[UNK]"), decoders.WordPiece(), pre_tokenizers.Whitespace()
    )
    found = vocabulary(wordpiece, 10)
    assert found.texts[1:] == (" the", "ing") and found.place["##ing"] == 2


def test_rows_beyond_the_vocabulary_and_ids_without_a_token_are_left_out():
    pieces = {"a": 0, "b": 2, "c": 5}
    tokenizer = other(models.WordLevel(vocab=pieces, unk_token="a"), None, None)
    assert vocabulary(tokenizer, 8).ids == (0, 2, 5) and vocabulary(tokenizer, 4).ids == (0, 2)

"""Text of a corpus, made visible."""

import sys
import unicodedata

import pytest

from monosema.dashboard.text import token, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("x\n\ty\r", "x↵⇥y⟨U+000D⟩"),
        ("\x00\x1b\x7f", "⟨U+0000⟩⟨U+001B⟩⟨U+007F⟩"),
        ("\u202eabc\u202c", "⟨U+202E⟩abc⟨U+202C⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\ufeff\u200b\x85", "⟨U+FEFF⟩⟨U+200B⟩⟨U+0085⟩"),
        ("<b>&amp;", "<b>&amp;"),
        ("שלום é 👩\u200d👧", "שלום é 👩\u200d👧"),
        ("", ""),
    ],
)
def test_what_has_no_shape_gets_one_and_the_rest_stays(text: str, shown: str):
    assert visible(text) == shown


def test_nothing_invisible_is_left_and_all_of_it_can_be_written():
    every = "".join(chr(c) for c in range(sys.maxunicode + 1))
    shown = visible(every)
    shown.encode("utf-8")
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")}
    assert left <= {"\u200c", "\u200d"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [(" self", "␣self"), ("\n        ", "↵␣\u00d78"), ("   ", "␣␣␣"), ("\ufffd", "⟨bytes 7⟩"), ("", "⟨bytes 7⟩")],
)
def test_a_token_shows_its_spaces_and_a_piece_of_a_character_its_id(text: str, shown: str):
    assert token(text, 7) == shown

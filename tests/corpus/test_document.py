import subprocess
import sys

import pytest

from monosema.core.errors import DataError
from monosema.corpus.document import Document, documents


def test_a_corpus_that_does_not_exist_is_named_at_once(tmp_path):
    with pytest.raises(DataError, match=r"corpus '.*nowhere' does not exist: give a file, a folder"):
        documents(tmp_path / "nowhere")


def test_documents_without_text_are_left_out():
    given = [Document("a", ""), Document("b", "text"), Document("c", " \n")]
    assert list(documents(given)) == [Document("b", "text")]


@pytest.mark.parametrize(
    ("given", "said"),
    [([], "the corpus holds no documents"), ([Document("a", " ")] * 2, "holds 2 documents, all of them empty")],
)
def test_an_empty_corpus_is_refused(given, said):
    with pytest.raises(DataError, match=said):
        list(documents(given))


def test_an_empty_file_is_an_empty_corpus(tmp_path):
    (tmp_path / "a.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"a.txt holds no documents"):
        list(documents(tmp_path / "a.txt"))


def test_half_a_character_is_refused_in_words():
    with pytest.raises(
        DataError, match=r"document 'b' holds half a character \(lone surrogate \\ud83d at position 2\)"
    ):
        list(documents([Document("a", "whole 😀"), Document("b", "ab\ud83d")]))


def test_documents_come_one_at_a_time():
    def endless():
        while True:
            yield Document("a", "text")

    assert next(documents(endless())).text == "text"


def test_reading_and_tokenizing_import_no_torch():
    names = "c.documents, c.Tokenizer, c.pack, c.open_tokens"
    code = f"import sys, monosema.corpus as c; {names}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_every_public_name_is_there_and_a_wrong_one_is_not():
    import monosema.corpus

    assert {name for name in monosema.corpus.__all__ if callable(getattr(monosema.corpus, name))} == set(
        monosema.corpus.__all__
    )
    with pytest.raises(AttributeError, match="no attribute 'documets'"):
        monosema.corpus.documets  # noqa: B018

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monosema.core.errors import DataError
from monosema.corpus import text_files
from monosema.corpus.document import Document, documents


def texts(spec):
    return [document.text for document in documents(spec)]


def test_a_byte_order_mark_and_windows_line_ends_are_not_text(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\ntwo\rthree €".encode())
    assert texts(tmp_path / "a.txt") == ["one\ntwo\nthree €"]


# Every cut falls once inside "\r\n", once inside the three bytes of "€".
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
def test_text_does_not_depend_on_the_size_of_a_chunk(tmp_path, monkeypatch, chunk):
    (tmp_path / "a.txt").write_bytes("\ufeffa€\r\nb€\n".encode())
    monkeypatch.setattr(text_files, "CHUNK", chunk)
    assert "".join(text_files.chunks(tmp_path / "a.txt")) == "a€\nb€\n"


@pytest.mark.parametrize("chunk", [1, 4, 5, 100])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"good\xffbad", "is not UTF-8: byte 0xff at offset 4"),
        (b"caf\xe9 au lait", "is not UTF-8: byte 0xe9 at offset 3"),
        (b"cut off \xe2\x82", "is not UTF-8: byte 0xe2 at offset 8"),
        (b"abcdef\0g", "is not text: NUL byte at offset 6"),
    ],
)
def test_what_is_not_text_is_named_with_its_offset(tmp_path, monkeypatch, chunk, data, said):
    (tmp_path / "bad.txt").write_bytes(data)
    monkeypatch.setattr(text_files, "CHUNK", chunk)
    with pytest.raises(DataError, match=f"bad.txt {said}"):
        texts(tmp_path)


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        ("text".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x08rest", "gzip"),
        (b"PK\x03\x04\x14\x00", "a zip archive"),
        (b"PAR1\x15\x00", "Parquet"),
    ],
)
def test_a_known_format_under_the_wrong_name_is_recognised(tmp_path, data, looks_like):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match=f"it looks like {looks_like}"):
        texts(tmp_path / "a.txt")


def test_text_that_only_begins_like_a_known_format_is_text(tmp_path):
    (tmp_path / "a.txt").write_text("PAR1 is a prefix")
    assert texts(tmp_path / "a.txt") == ["PAR1 is a prefix"]


# With sections of 10 characters: cut at the first blank line from 10 on; if none comes by 20, at the line end.
def test_a_long_text_is_cut_at_blank_lines(monkeypatch):
    monkeypatch.setattr(text_files, "SECTION", 10)
    text = "aaaa\n\nbbbbbbb\n\ncc\n\nddddd\neeeee\nfffff\nggggg\nhh"
    # "aaaa\n\n" is too short to be cut off; "cc..." has no blank line until it is 20 long.
    assert list(text_files.sections([text])) == ["aaaa\n\nbbbbbbb", "cc\n\nddddd\neeeee\nfffff", "ggggg\nhh"]


def test_a_text_without_line_ends_is_cut_too(monkeypatch):
    monkeypatch.setattr(text_files, "SECTION", 10)
    assert list(text_files.sections(["0123456789" * 5])) == ["0123456789" * 2, "0123456789" * 2, "0123456789"]


def test_the_usual_separator_ends_a_document_however_short():
    text = "one\n<|endoftext|>\ntwo\n\n<|endoftext|>three<|endoftext|>\n"
    assert list(text_files.sections([text])) == ["one", "two", "three"]


@given(st.text(alphabet="ab \n€", max_size=300).map(lambda s: s.replace("b", "<|endoftext|>")), st.integers(1, 20))
def test_sections_lose_nothing_and_do_not_depend_on_chunks(text, size):
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    section, text_files.SECTION = text_files.SECTION, 10
    try:
        found = list(text_files.sections(pieces))
        assert found == list(text_files.sections([text]))
    finally:
        text_files.SECTION = section
    assert "".join("".join(found).split()) == "".join(text.replace("<|endoftext|>", "").split())
    # A piece is at most 10 long, and one may follow when 19 are held.
    assert all(len(part) < 30 for part in found)


def test_a_file_given_alone_is_cut_and_one_in_a_folder_is_not(tmp_path):
    text = "x" * 4_000 + "\n\n" + "y" * 10
    (tmp_path / "book.txt").write_text(text)
    assert [d.id for d in documents(tmp_path / "book.txt")] == ["book.txt#1", "book.txt#2"]
    assert list(documents(tmp_path)) == [Document("book.txt", text)]


def test_a_very_long_file_in_a_folder_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LONG", 5_000)
    (tmp_path / "book.txt").write_text("x" * 4_000 + "\n\n" + "y" * 4_000)
    (tmp_path / "note.txt").write_text("short")
    assert [d.id for d in documents(tmp_path)] == ["book.txt#1", "book.txt#2", "note.txt"]

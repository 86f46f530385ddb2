"""Plain text: one file as one string, or a long file as many sections, never half a character.

    book.txt  ->  book.txt#1  book.txt#2  ...    about 4,000 characters each, cut at blank lines

Text is UTF-8. A byte-order mark is dropped and line ends become "\\n", as Python's own `open` reads
text. Anything else that is not text (another encoding, a binary file) is a DataError that names the
file and the byte.
"""

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from monosema.core.errors import DataError

SECTION = 4_000
SEPARATOR = "<|endoftext|>"
# Stands for the separator inside this file; text never holds it, NUL is refused.
MARK = "\0"
LONG = 2_000_000
CHUNK = 1 << 20

# fmt: off
SUFFIXES = frozenset([
    ".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".org", ".adoc", ".html", ".htm", ".xml", ".csv", ".tsv",
    ".py", ".pyi", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".cu", ".cs", ".java", ".kt", ".scala", ".go", ".rs",
    ".swift", ".js", ".jsx", ".mjs", ".ts", ".tsx", ".vue", ".css", ".scss", ".rb", ".php", ".pl", ".lua", ".r", ".jl",
    ".m", ".hs", ".ml", ".el", ".lisp", ".clj", ".ex", ".erl", ".f90", ".sql", ".sh", ".bash", ".zsh", ".ps1", ".bat",
    ".toml", ".yaml", ".yml", ".ini", ".cfg", ".cmake", ".proto", ".log", ".srt",
])
# fmt: on

MAGIC = {
    b"\x1f\x8b": "gzip, unpack it first",
    b"\x28\xb5\x2f\xfd": "Zstandard, unpack it first",
    b"PK\x03\x04": "a zip archive, unpack it first",
    b"PAR1": "Parquet, give it the suffix .parquet",
    b"\xff\xfe": "UTF-16, convert it first: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16, convert it first: iconv -f UTF-16 -t UTF-8",
}


def chunks(path: Path) -> Iterator[str]:
    """The text of a file, a megabyte at a time. Raises DataError where it is not UTF-8 text."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
    offset = 0
    for data in byte_chunks(path):
        yield _decoded(decoder, data, path, offset)
        offset += len(data)


def byte_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a megabyte at a time, and b"" at the end. Raises DataError if it cannot be read."""
    try:
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                yield data
            yield b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _decoded(decoder: io.IncrementalNewlineDecoder, data: bytes, path: Path, offset: int) -> str:
    known = [what for magic, what in MAGIC.items() if offset == 0 and data.startswith(magic)]
    hint = f" (it looks like {known[0]})" if known else ""
    if b"\0" in data:
        raise DataError(f"{path} is not text: NUL byte at offset {offset + data.index(0)}{hint}")
    try:
        return decoder.decode(data, final=not data)
    except UnicodeDecodeError as error:
        # The decoder puts the bytes it kept from the chunk before in front of this one.
        at = offset + len(data) - len(error.object) + error.start
        raise DataError(f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {at}{hint}") from error


def sections(pieces: Iterable[str]) -> Iterator[str]:
    """A long text as documents: cut at `<|endoftext|>`, else at the first blank line after 4,000
    characters, else (no blank line by 8,000) at the next line end. Newlines at a cut are dropped.
    """
    held: list[str] = []
    size = 0
    for line in _lines(_marked(pieces)):
        *ends, line = line.split(MARK)
        for end in ends:
            yield from _section([*held, end])
            held, size = [], 0
        held.append(line)
        size += len(line)
        if (size >= SECTION and line.isspace()) or size >= 2 * SECTION:
            yield from _section(held)
            held, size = [], 0
    yield from _section(held)


def _section(held: list[str]) -> Iterator[str]:
    text = "".join(held).strip("\n")
    if text and not text.isspace():
        yield text


def _marked(pieces: Iterable[str]) -> Iterator[str]:
    """The same text with each separator as one MARK, also where a separator lies across two pieces."""
    rest = ""
    tail = len(SEPARATOR) - 1
    for piece in pieces:
        text = (rest + piece).replace(SEPARATOR, MARK)
        rest = text[-tail:]
        yield text[:-tail]
    yield rest


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines with their ends; a line longer than a section comes in several parts."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            yield from _parts(line + "\n")
        while len(rest) > SECTION:
            yield rest[:SECTION]
            rest = rest[SECTION:]
    if rest:
        yield rest


def _parts(line: str) -> Iterator[str]:
    return (line[i : i + SECTION] for i in range(0, len(line), SECTION))


def read(path: Path, name: str, alone: bool) -> Iterator[tuple[str, str]]:
    """(id, text) of each document in a text file: its sections when it was given `alone` or is longer
    than 2 million characters, else the whole file under its own name."""
    pieces = chunks(path)
    start: list[str] = []
    if not alone:
        for piece in pieces:
            start.append(piece)
            if sum(map(len, start)) > LONG:
                break
        else:
            yield name, "".join(start)
            return
    for number, text in enumerate(sections(chain(start, pieces)), start=1):
        yield f"{name}#{number}", text

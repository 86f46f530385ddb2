"""Plain text: one file as one string, or a long file as many sections, never half a character.

    book.txt  ->  book.txt#1  book.txt#2  ...    about 4,000 characters each, cut at blank lines

Text is UTF-8. A byte-order mark is dropped and line ends become "\\n", as Python's own `open` reads
text. Anything else that is not text (another encoding, a binary file) is a DataError that names the
file and the byte.
"""

import codecs
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from monosema.core.errors import DataError

SECTION = 4_000
SEPARATOR = "<|endoftext|>"
LONG = 2_000_000
CHUNK = 1 << 20

# fmt: off
TEXT_SUFFIXES = frozenset([
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
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
    try:
        with path.open("rb") as file:
            offset = 0
            while True:
                data = file.read(CHUNK)
                text = _decoded(decoder, data, path, offset)
                yield text.removeprefix("\ufeff") if offset == 0 else text
                offset += len(data)
                if not data:
                    return
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _decoded(decoder: io.IncrementalNewlineDecoder, data: bytes, path: Path, offset: int) -> str:
    if b"\0" in data and not _looks_like(data, offset):
        raise DataError(f"{path} is not text: NUL byte at offset {offset + data.index(0)}. Is it a binary file?")
    try:
        return decoder.decode(data, final=not data)
    except UnicodeDecodeError as error:
        # The decoder puts the bytes it kept from the chunk before in front of this one.
        at = offset + len(data) - len(error.object) + error.start
        known = _looks_like(data, offset)
        hint = f" (it looks like {known})" if known else ": convert it to UTF-8"
        raise DataError(f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {at}{hint}") from error


def _looks_like(data: bytes, offset: int) -> str | None:
    found = (name for magic, name in MAGIC.items() if offset == 0 and data.startswith(magic))
    return next(found, None)


def whole(path: Path) -> str:
    """All the text of a file."""
    return "".join(chunks(path))


def sections(pieces: Iterable[str]) -> Iterator[str]:
    """A long text as documents: cut at `<|endoftext|>`, else at the first blank line after 4,000
    characters, else (no blank line by 8,000) at the next line end. Newlines at a cut are dropped.
    """
    held: list[str] = []
    size = 0
    for line in _lines(pieces):
        *ends, line = line.split(SEPARATOR)
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
    than 2 MB, else the whole file under its own name."""
    if alone or path.stat().st_size > LONG:
        for number, text in enumerate(sections(chunks(path)), start=1):
            yield f"{name}#{number}", text
    else:
        yield name, whole(path)

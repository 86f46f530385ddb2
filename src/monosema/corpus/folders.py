"""Several files as one corpus: a folder, a pattern, the standard library.

Files are read in sorted order, the library in a mixed one; hidden files are left out.

Text files and tables are not mixed in silence: a folder that holds both is refused with the patterns
that would choose one of them.
"""

import hashlib
import os
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from monosema.core.errors import DataError
from monosema.corpus import tables, text_files

Pair = tuple[str, str]

WILD = frozenset("*?[")
NOT_STDLIB = frozenset({"test", "tests", "idle_test", "encodings", "site-packages", "dist-packages"})


def one(path: Path, field: str) -> Iterator[Pair]:
    """The documents of the file `path`: its rows, or its sections."""
    # A .json file given by name is often JSON lines; among others it is rarely a corpus.
    read = tables.jsonl if path.suffix == ".json" else tables.READERS.get(path.suffix.lower())
    return text_files.read(path, path.name, alone=True) if read is None else read(path, path.name, field)


def folder(root: Path, field: str) -> Iterator[Pair]:
    """The documents of a folder: a data set saved there, or its files of a known kind."""
    for marker, read in tables.SAVED.items():
        if (root / marker).exists():
            return read(root, root.resolve().name, field)
    found = list(_visible(root, frozenset()))
    names = [name for name in found if _suffix(name) in text_files.SUFFIXES or _suffix(name) in tables.READERS]
    if not names:
        suffixes = Counter(_suffix(name) or "no suffix" for name in found).most_common(5)
        others = ", ".join(f"{n} {suffix}" for suffix, n in suffixes) or "no files"
        raise DataError(
            f"{root} holds no text files and no tables, but {others}. Text files are .txt, .md, .py and the like, "
            f"tables {', '.join(tables.READERS)}; for others give a pattern: '{root}/**/*.suffix'"
        )
    return _several(root, names, field)


def matching(pattern: str, field: str) -> Iterator[Pair]:
    """The documents of the files that match, as text whatever their suffix unless it is a table's."""
    path = Path(pattern)
    root = Path(*takewhile(lambda part: not WILD & set(part), path.parts))
    found = [file.relative_to(root) for file in root.glob(str(path.relative_to(root))) if file.is_file()]
    names = [file.as_posix() for file in found if not any(part.startswith(".") for part in file.parts)]
    if not names:
        raise DataError(f"no file matches '{pattern}'")
    return _several(root, names, field)


def _several(root: Path, names: list[str], field: str) -> Iterator[Pair]:
    rows = sorted(name for name in names if _suffix(name) in tables.READERS)
    texts = sorted(name for name in names if _suffix(name) not in tables.READERS)
    if texts and rows:
        raise DataError(
            f"{root} holds both text files ({len(texts)}, such as {texts[0]}) and tables ({len(rows)}, such as "
            f"{rows[0]}): say which, as '{root}/**/*{_suffix(texts[0])}' or '{root}/**/*{_suffix(rows[0])}'"
        )
    if texts:
        return (pair for name in texts for pair in text_files.read(root / name, name, alone=False))
    return (pair for name in rows for pair in tables.READERS[_suffix(name)](root / name, name, field))


def stdlib() -> Iterator[Pair]:
    """The source of the running Python's standard library, without tests and the tables in `encodings`.

    In an order that mixes the packages and never changes, so that the first so many tokens are a sample of all.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    names = [name for name in _visible(root, NOT_STDLIB) if name.endswith(".py")]
    names.sort(key=lambda name: (hashlib.sha256(name.encode()).digest(), name))
    if not names:
        raise DataError(f"this Python has no source of its standard library in {root}: give a folder of text")
    return ((name, _source(root / name)) for name in names)


def _source(path: Path) -> str:
    """Python source, in the encoding that the file itself declares (PEP 263)."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _visible(root: Path, without: frozenset[str]) -> Iterator[str]:
    """The files under `root`, relative to it, not going into hidden folders and those named in `without`."""
    for where, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in without]
        yield from ((Path(where) / name).relative_to(root).as_posix() for name in files if not name.startswith("."))


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()

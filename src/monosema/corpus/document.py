"""Documents: where a corpus comes from, one text at a time.

    "stdlib"                      the running Python's own source; real text on every machine
    notes.txt, book.md, ...       one text file, cut into sections of about 4,000 characters
    data.jsonl, data.parquet      one document a row
    folder/                       its text files (one document each), or its tables, recursively
    folder/**/*.py                the files that match
    folder/ by save_to_disk       a Hugging Face data set (needs pyarrow)

Everything streams: no more than one document (or one batch of rows) is in memory. A document without
any text is left out. Ids are paths relative to what was given, with `#number` for a row or section.
"""

import sysconfig
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from monosema.core.errors import DataError
from monosema.corpus import tables, text_files

Pair = tuple[str, str]

TABLES: dict[str, Callable[[Path, str, str], Iterator[Pair]]] = {
    ".jsonl": tables.jsonl,
    ".ndjson": tables.jsonl,
    ".parquet": tables.parquet,
    ".arrow": tables.arrow,
}

# A folder that holds this file is a data set of this kind. The order matters: a saved Dataset has the last two.
SAVED: dict[str, Callable[[Path, str, str], Iterator[Pair]]] = {
    "dataset_dict.json": tables.saved_dataset_dict,
    "state.json": tables.saved_dataset,
    "dataset_info.json": tables.saved_dataset,
}

NOT_STDLIB = frozenset({"test", "tests", "idle_test", "encodings", "site-packages", "dist-packages"})


@dataclass(frozen=True)
class Document:
    """One text and the name it goes by; the split into training and held-out text goes by this name."""

    id: str
    text: str


def documents(spec: str | Path | Iterable[Document], field: str = "text") -> Iterator[Document]:
    """The documents of `spec`, in a fixed order. `field` is the column of a table that holds the text.

    Raises DataError: at once when `spec` does not exist or holds nothing that can be read; while
    reading, where text is not UTF-8 (file and byte offset) or a row has no such field; at the end
    when there was no document, or none with text.
    """
    if isinstance(spec, str | Path):
        return valid((Document(*pair) for pair in _pairs(str(spec), field)), what=str(spec))
    return valid(spec)


def valid(given: Iterable[Document], what: str = "the corpus") -> Iterator[Document]:
    """The documents that have text. Raises DataError on half a character, and at the end if there were none."""
    n_given = n_kept = 0
    for document in given:
        n_given += 1
        if not document.text or document.text.isspace():
            continue
        _require_unicode(document)
        n_kept += 1
        yield document
    if n_kept == 0:
        found = f"{n_given} documents, all of them empty" if n_given else "no documents"
        raise DataError(f"{what} holds {found}: give a corpus with text in it")


def _require_unicode(document: Document) -> None:
    try:
        document.text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(document.text[error.start]):04x} at position {error.start}"
        raise DataError(
            f"document '{document.id}' holds half a character (lone surrogate {half}): "
            "it is not Unicode text, remove it or write the whole pair"
        ) from error


def _pairs(spec: str, field: str) -> Iterator[Pair]:
    if spec == "stdlib":
        return _stdlib()
    path = Path(spec)
    if path.is_dir():
        for marker, read in SAVED.items():
            if (path / marker).exists():
                return read(path, path.resolve().name, field)
        return _files(path, "**/*", field)
    if path.is_file():
        return _file(path, path.name, field, alone=True)
    if set(spec) & set("*?["):
        fixed = list(takewhile(lambda part: not set(part) & set("*?["), path.parts))
        return _files(Path(*fixed), str(Path(*path.parts[len(fixed) :])), field)
    raise DataError(
        f"corpus '{spec}' does not exist: give a file, a folder, a pattern such as 'texts/**/*.md', or stdlib"
    )


def _file(path: Path, name: str, field: str, alone: bool) -> Iterator[Pair]:
    # A .json file alone is often JSON lines; among others it is rarely a corpus.
    read = tables.jsonl if alone and path.suffix == ".json" else TABLES.get(path.suffix.lower())
    return text_files.read(path, name, alone) if read is None else read(path, name, field)


def _files(root: Path, pattern: str, field: str) -> Iterator[Pair]:
    found = _visible(root, pattern)
    any_suffix = pattern != "**/*"
    texts = [name for name, path in found if (any_suffix or path.suffix.lower() in text_files.TEXT_SUFFIXES)]
    rows = [name for name, path in found if path.suffix.lower() in TABLES]
    texts = [name for name in texts if name not in set(rows)]
    if texts and rows:
        raise DataError(
            f"{root} holds both text files ({len(texts)}, such as {texts[0]}) and tables ({len(rows)}, such as "
            f"{rows[0]}): say which, as '{root}/**/*{Path(rows[0]).suffix}' or '{root}/**/*{Path(texts[0]).suffix}'"
        )
    if not texts and not rows:
        suffixes = Counter(path.suffix or "no suffix" for _, path in found).most_common(5)
        others = ", ".join(f"{n} {suffix}" for suffix, n in suffixes) or "no files"
        raise DataError(
            f"{root} holds no text files and no tables ({others}). Text files are .txt, .md, .py and the like, tables "
            f"{', '.join(TABLES)}; for others give a pattern: '{root}/**/*.suffix'"
        )
    return (pair for name in texts or rows for pair in _file(root / name, name, field, alone=False))


def _visible(root: Path, pattern: str) -> list[tuple[str, Path]]:
    """Names under `root` and their paths, sorted, without hidden files and folders."""
    found = ((path.relative_to(root), path) for path in root.glob(pattern) if path.is_file())
    return sorted((name.as_posix(), path) for name, path in found if not any(p.startswith(".") for p in name.parts))


def _stdlib() -> Iterator[Pair]:
    root = Path(sysconfig.get_paths()["stdlib"])
    found = [(name, path) for name, path in _visible(root, "**/*.py") if not NOT_STDLIB & set(Path(name).parts)]
    if not found:
        raise DataError(f"this Python has no source of its standard library in {root}: give a folder of text")
    return ((name, _source(path)) for name, path in found)


def _source(path: Path) -> str:
    """Python source, in the encoding that the file itself declares (PEP 263)."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"cannot read {path}: {error}") from error

"""Documents: where a corpus comes from, one text at a time.

    "stdlib"                      the running Python's own source; real text on every machine
    "language,seed=3"             text by a grammar whose features are known (`languages.config`)
    "statements:comparisons"      statements, for a model to learn truth from (`statements.language_config`)
    "agreement"                   sentences whose verbs agree with their subjects (`agreement.config`)
    notes.txt, book.md, ...       one text file, cut into sections of about 4,000 characters
    data.jsonl, data.parquet      one document a row
    folder/                       its text files (one document each), or its tables, recursively
    folder/**/*.py                the files that match
    folder/ by save_to_disk       a Hugging Face data set (needs pyarrow)

Everything streams: no more than one document (or one batch of rows) is in memory. A document without
any text is left out. Ids are paths relative to what was given, with `#number` for a row or section.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from monosema.core.errors import DataError
from monosema.corpus import folders
from monosema.corpus.agreement.config import is_agreement, parse_agreement
from monosema.corpus.languages.config import is_spec, parse_language
from monosema.corpus.statements.language_config import is_statements, parse_statement_text


@dataclass(frozen=True)
class Document:
    """One text and the name it goes by; the split into training and held-out text goes by this name."""

    id: str
    text: str


def documents(spec: str | Path | Iterable[Document], field: str = "text") -> Iterator[Document]:
    """The documents of `spec`, in a fixed order. `field` is the column of a table that holds the text.

    Raises DataError: at once when `spec` does not exist or holds no file of a known kind; while
    reading, where text is not UTF-8 (file and byte offset) or a row has no such field; at the end
    when there was no document, or none with text.
    """
    if isinstance(spec, str | Path):
        return valid((Document(*pair) for pair in _pairs(spec, field)), what=str(spec))
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


def _pairs(spec: str | Path, field: str) -> Iterator[tuple[str, str]]:
    path = Path(spec)
    if spec == "stdlib":
        return folders.stdlib()
    if isinstance(spec, str) and is_spec(spec):
        from monosema.corpus.languages.language import Language

        return ((each.id, each.text) for each in Language(parse_language(spec)).documents())
    if isinstance(spec, str) and is_statements(spec):
        from monosema.corpus.statements.language import StatementText

        return StatementText(parse_statement_text(spec)).documents()
    if isinstance(spec, str) and is_agreement(spec):
        from monosema.corpus.agreement.text import AgreementText

        return AgreementText(parse_agreement(spec)).documents()
    if path.is_dir():
        return folders.folder(path, field)
    if path.is_file():
        return folders.one(path, field)
    if folders.WILD & set(str(spec)):
        return folders.matching(str(spec), field)
    raise DataError(
        f"corpus '{spec}' does not exist: give a file, a folder, a pattern such as 'texts/**/*.md', stdlib, language, "
        "agreement or statements:mixed"
    )

"""From words to a verb's Arguments, by tyro; its boxed complaints become one line."""

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import TypeVar

import tyro

from monosema.core.errors import ConfigError

T = TypeVar("T")

_FRAME = "│╭╮╰╯─ "
_TAIL = ("For full helptext", "Argument helptext")


def parse(arguments: type[T], verb: str, words: Sequence[str]) -> T:
    """The `arguments` that `words` spell. Raises ConfigError for what does not fit; `--help` prints and exits."""
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(arguments, prog=f"monosema {verb}", args=list(words))
    except SystemExit as end:
        if not end.code:
            raise
        raise ConfigError(f"{_one_line(complaint.getvalue())}. See monosema {verb} --help") from None
    finally:
        if not isinstance(sys.exception(), ConfigError):
            sys.stderr.write(complaint.getvalue())


def _one_line(box: str) -> str:
    """What stands in the box: its sections but the last, each without its rulers and its indented help."""
    said: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip(_FRAME)
        if text.startswith(_TAIL):
            break
        if text:
            said.append(text)
    return " ".join(said).rstrip(".") or "the arguments do not fit"

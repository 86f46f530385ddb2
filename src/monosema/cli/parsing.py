"""From words to a verb's Arguments, by tyro; its boxed complaints become one line."""

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import TypeVar

import tyro

from monosema.core.errors import ConfigError

T = TypeVar("T")

_FRAME = "│╭╮╰╯─-"
_TAIL = ("For full helptext", "Argument helptext")
_HELP_INDENT = 8


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
    """What stands in the box below its title, without frame, pointer to the help, and indented help of options.

    The frame is drawn in lines, or in dashes where these cannot be printed.
    """
    said: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip("│").rstrip()
        if text.strip().startswith(_TAIL):
            break
        if not text.strip(_FRAME + " "):
            said = [" ".join(said).rstrip(".") + "."] if said else []
        elif len(text) - len(text.lstrip()) <= _HELP_INDENT:
            said.append(text.strip())
    return " ".join(said).rstrip(".") or "the arguments do not fit"

"""A benchmark from the command line."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tyro

from monosema.core.errors import MonosemaError


def run(main: Callable[[Any], int], config: Any, file: str, description: str | None) -> int:
    """The exit status of `main` on the `config`, a type, that the command line gives; an error of the user's is
    one line, and 2."""
    try:
        return main(tyro.cli(config, description=description))
    except MonosemaError as error:
        print(f"benchmarks/{Path(file).name}: {error}", file=sys.stderr)
        return 2

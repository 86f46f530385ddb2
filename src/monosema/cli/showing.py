"""What a verb has to say, for a person or as JSON.

monosema score RUN          a table, what was written, and the next command to try
monosema score RUN --json   {"wrote": [...], "next": "...", "result": {...}}
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Outcome:
    """What a verb did.

    wrote   files and folders, the most useful first
    next    a command to try now; '' when there is none
    result  plain values, as --json prints them
    shown   lines, and `Grid`s, for a person
    """

    wrote: tuple[Path, ...]
    next: str
    result: Any
    shown: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table: rows of text under headings; columns of numbers are set to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[str] = field(default_factory=frozenset)


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Print `outcome` on standard output."""
    if as_json:
        wrote = [str(path) for path in outcome.wrote]
        print(json.dumps({"wrote": wrote, "next": outcome.next, "result": outcome.result}, ensure_ascii=False))
        return
    for item in outcome.shown:
        if isinstance(item, Grid):
            _print_grid(item)
        else:
            print(item)
    if outcome.wrote:
        print(f"wrote {', '.join(map(str, outcome.wrote))}")
    if outcome.next:
        print(f"next: {outcome.next}")


def _print_grid(grid: Grid) -> None:
    from rich.console import Console

    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    Console(width=columns, highlight=False, markup=False).print(_table(grid))


def _table(grid: Grid) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in grid.headings:
        table.add_column(heading, justify="right" if heading in grid.right else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*row)
    return table

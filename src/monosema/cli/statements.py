"""`monosema statements`: a set of statements, or of contrast pairs, with what is true of them, as a file."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require
from monosema.core.errors import RunError
from monosema.pipeline.probing_config import Form

if TYPE_CHECKING:
    from monosema.corpus.statements import Pairs, Statements

SAMPLE = 6
"""Rows that are shown."""


@dataclass(frozen=True)
class Arguments:
    """Write a set of statements with exact labels, or contrast pairs of them. Without a name: list the sets."""

    name: Positional[str] = ""
    """A set of the list, or package.module:Class."""
    n: int = 2000
    """Statements, half of them true."""
    out: Path | None = None
    """File to write: .csv or .jsonl."""
    pairs: Annotated[str, arg(metavar="TEMPLATE")] = ""
    """Complete every statement both ways: a template's name, or a text with {statement} and {answer}."""
    distractor: Annotated[str, arg(metavar="HOW")] = ""
    """Put something else into every text, independent of truth; its label is the column 'distractor'."""
    held_out: float = 0.0
    """Share of the rows, by groups, that goes to a second file, OUT with '.held_out' before its suffix."""
    seed: int = 0
    """Of what is drawn."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Make the rows, write them if asked, and show some."""
    if not arguments.name:
        return _list()
    from monosema.corpus.statements import generate, split, write
    from monosema.pipeline.statement_rows import completed

    a = arguments
    require(not a.held_out or a.out is not None, "--held-out writes a second file: give --out FILE.csv as well")
    for path in _files(a):
        if path.exists():
            raise RunError(f"{path} is there already: remove it, or give another --out")
    form: Form = "pairs" if a.pairs else "statements"
    data = completed(generate(a.name, a.n, a.seed), form, a.pairs, a.distractor, a.seed)
    parts = split(data, a.held_out, a.seed) if a.held_out else (data,)
    for path, part in zip(_files(a), parts, strict=False):
        write(path, part)
    rows = [_row(data, i) for i in range(min(SAMPLE, len(data)))]
    sizes = f"{len(data):,} rows, {int(data.labels.sum()):,} of them true, in {len(set(data.groups)):,} groups"
    return Outcome(
        wrote=_files(a),
        next="" if a.out else _command(a),
        result={
            "name": a.name,
            "rows": len(data),
            "true": int(data.labels.sum()),
            "groups": len(set(data.groups)),
            "parts": [len(part) for part in parts],
            "sample": rows,
        },
        shown=(Grid(list(rows[0]), [list(map(str, row.values())) for row in rows]), sizes),
    )


def _list() -> Outcome:
    from monosema.corpus.statements import DISTRACTORS, STATEMENTS, TEMPLATES, largest

    sets = [{"name": name, "most": largest(name), "about": made.about} for name, made in STATEMENTS.items()]
    templates = {name: template.text for name, template in TEMPLATES.items()}
    distractors = {name: distractor.one for name, distractor in DISTRACTORS.items()}
    return Outcome(
        wrote=(),
        next="monosema statements comparisons --n 2000 --out comparisons.csv",
        result={"sets": sets, "templates": templates, "distractors": distractors},
        shown=(
            Grid(("set", "at most", "of"), [[row["name"], f"{row['most']:,}", row["about"]] for row in sets]),
            "",
            Grid(("--pairs", "completed"), list(templates.items())),
            "",
            Grid(("--distractor", "label 1"), list(distractors.items())),
        ),
    )


def _command(a: Arguments) -> str:
    """The same again, written to a file."""
    words = ["monosema", "statements", a.name, "--n", str(a.n), "--seed", str(a.seed)]
    for option, value in (("--pairs", a.pairs), ("--distractor", a.distractor)):
        words += [option, value] if value else []
    return shlex.join([*words, "--out", f"{a.name.rpartition(':')[2]}.csv"])


def _files(a: Arguments) -> tuple[Path, ...]:
    if a.out is None:
        return ()
    return (a.out, a.out.with_suffix(f".held_out{a.out.suffix}")) if a.held_out else (a.out,)


def _row(data: "Statements | Pairs", i: int) -> dict[str, str | int]:
    from monosema.corpus.statements import Pairs

    texts = (
        {"negative": data.negative[i], "positive": data.positive[i]}
        if isinstance(data, Pairs)
        else {"statement": data.texts[i]}
    )
    more = {name: values[i].item() for name, values in data.attributes.items()}
    return {**texts, "label": int(data.labels[i]), **more}

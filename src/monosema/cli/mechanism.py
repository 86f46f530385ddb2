"""`monosema mechanism`: how small models of a task do it, in claims that are measured, as a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import CascadeSubcommandArgs, FlagCreatePairsOff, arg, configure

from monosema.cli.exhibiting import one_of, written
from monosema.cli.showing import Outcome
from monosema.pipeline.mechanisms.mechanisms import MECHANISMS

if TYPE_CHECKING:
    Settings = Any
else:
    Settings = one_of(MECHANISMS)


@configure(CascadeSubcommandArgs)
@dataclass(frozen=True)
class Arguments:
    """Train small models of a task, and test claims about how they do it: OUT/NAME.html, OUT/NAME.json, OUT/NAME/*.svg.

    Every claim has a number, a control, and a bar that was set before. Prints the answer and every claim's finding.
    """

    mechanism: Annotated[Settings, arg(name="")]
    out: Path = Path("mechanisms")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Train, measure, and write what was seen."""
    from monosema.pipeline.mechanisms.mechanisms import run_mechanism

    return written(run_mechanism(arguments.mechanism), arguments.out)

"""`monosema demo`: every stage in order."""

from dataclasses import dataclass, replace
from pathlib import Path

from tyro.conf import FlagCreatePairsOff

from monosema.cli import dash
from monosema.cli.features import table_shown
from monosema.cli.score import HEADLINES, scores
from monosema.cli.showing import Outcome, show
from monosema.core.config import require


@dataclass(frozen=True)
class Arguments:
    """Everything, end to end: text, language model, activations, dictionaries, control, scorecard, feature tables."""

    run: Path = Path("runs/demo")
    """Run directory; an interrupted demo goes on there."""
    model: Path | None = None
    """Folder of a causal language model of transformers, in place of a small one."""
    corpus: str = "stdlib"
    """Text: 'stdlib', a file, a folder, a pattern, a table, a saved data set."""
    site: str = ""
    """Where to look, such as resid_post.6; needed with --model."""
    quick: FlagCreatePairsOff[bool] = False
    """Every stage once, with small budgets: about 2 minutes."""
    full: FlagCreatePairsOff[bool] = False
    """Large budgets; says beforehand how long it takes."""
    seed: int = 0
    """Of everything that is random."""
    dash: FlagCreatePairsOff[bool] = False
    """Show the features in the browser when it is done, until interrupted."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Run the pipeline, then show the scorecard, the most important features, and where to look."""
    import sys

    a = arguments
    require(not (a.quick and a.full), "--quick and --full exclude each other")
    require(not (a.dash and a.json), "--dash and --json exclude each other")
    from monosema.core.runs import read_json
    from monosema.evaluation import Scorecard
    from monosema.pipeline.demo import BUDGETS, DemoConfig, demo

    size = "quick" if a.quick else "full" if a.full else "normal"
    print(f"about {BUDGETS[size].takes} on two cores", file=sys.stderr)
    made = demo(DemoConfig(a.run, a.model, a.corpus, a.site, size, a.seed))
    card = Scorecard.from_json(read_json(a.run / "scorecard.json"))
    outcome = Outcome(
        wrote=(made.report, a.run / "scorecard.json", *made.tables.values(), made.single),
        next=f"monosema dash {a.run}",
        result=card.to_json(),
        shown=(
            scores(card, HEADLINES),
            "",
            *table_shown(made.tables[made.best]),
            "",
            f"the report: {made.report.resolve().as_uri()}",
            f"features of {made.best}, in one file: {made.single.resolve().as_uri()}",
            f"every feature, in the browser: `monosema dash {a.run}`, then http://127.0.0.1:{dash.Arguments.port}/",
        ),
    )
    if not a.dash:
        return outcome
    show(replace(outcome, next=""), as_json=False)
    return dash.run(dash.Arguments(runs=(a.run,)))

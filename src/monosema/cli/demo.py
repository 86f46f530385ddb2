"""`monosema demo`: every stage in order."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import FlagCreatePairsOff

from monosema.cli.score import HEADLINES, scores
from monosema.cli.showing import Outcome
from monosema.core.config import require


@dataclass(frozen=True)
class Arguments:
    """Everything, end to end: text, language model, activations, dictionaries, control, scorecard, page."""

    run: Path = Path("runs/demo")
    """Run directory; an interrupted demo goes on there."""
    model: Path | None = None
    """Folder of a causal language model of transformers, in place of a small one."""
    corpus: str = "stdlib"
    """Text: 'stdlib', a file, a folder, a pattern, a table, a saved data set."""
    site: str = ""
    """Where to look, such as resid_post.6; needed with --model."""
    quick: FlagCreatePairsOff[bool] = False
    """Every stage once, with small budgets: about 90 seconds."""
    full: FlagCreatePairsOff[bool] = False
    """Large budgets; says beforehand how long it takes."""
    seed: int = 0
    """Of everything that is random."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Run the pipeline, then show the scorecard and where the page is."""
    import sys

    a = arguments
    require(not (a.quick and a.full), "--quick and --full exclude each other")
    from monosema.core.runs import read_json
    from monosema.evaluation import Scorecard
    from monosema.pipeline.demo import BUDGETS, DemoConfig, demo

    size = "quick" if a.quick else "full" if a.full else "normal"
    print(f"about {BUDGETS[size].takes} on two cores", file=sys.stderr)
    page = demo(DemoConfig(a.run, a.model, a.corpus, a.site, size, a.seed))
    card = Scorecard.from_json(read_json(a.run / "scorecard.json"))
    return Outcome(
        wrote=(page, a.run / "scorecard.json"),
        next=f"monosema score {a.run} --all",
        result=card.to_json(),
        shown=(scores(card, HEADLINES), f"open {page.resolve().as_uri()}"),
    )

"""`monosema planning`: small models that plan, and that do not, measured as a page."""

from dataclasses import dataclass, replace
from pathlib import Path

from tyro.conf import FlagCreatePairsOff

from monosema.circuits.planning.settings import Language, LearningConfig, PlanningConfig, TranscoderConfig
from monosema.cli.showing import Outcome


@dataclass(frozen=True)
class Arguments:
    """Train small models of a language with plans, and ask where they plan: OUT/LANGUAGE.html, .json, LANGUAGE/*.svg,
    and attribution graphs of some texts, OUT/graphs/*.html.

    couplets: the end word of a line is settled before the line begins; models that must plan, cannot, and need not.
    articles: "a" or "an" before a noun that comes later. Prints the answer and the findings, each with its control.
    """

    language: Language = "couplets"
    """couplets or articles."""
    models: int = 1
    """Models trained of each kind."""
    couplets: int = 512
    """Couplets on which each is measured."""
    steps: int = 450
    """Training steps of each model."""
    graphs: int = 64
    """Couplets of each model that are traced."""
    rows: int = 400_000
    """Tokens that the transcoders of each model are trained on."""
    seed: int = 0
    """Of the first model; the others count on."""
    out: Path = Path("planning")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Train, measure, and write what was seen."""
    a = arguments
    learning, transcoders = LearningConfig(steps=a.steps), TranscoderConfig(rows=a.rows)
    config = PlanningConfig(
        a.language, a.models, a.couplets, a.seed, learning, transcoders=transcoders, graphs=a.graphs
    )

    from monosema.circuits.planning.experiments import run_with_graphs
    from monosema.cli.exhibiting import written
    from monosema.pipeline.planning import write_graphs

    exhibit, graphs = run_with_graphs(config)
    other = "articles" if a.language == "couplets" else "couplets"
    outcome = written(exhibit, a.out, f"monosema planning --language {other} --out {a.out}")
    write_graphs(a.out / "graphs", graphs)
    return replace(outcome, wrote=(*outcome.wrote, a.out / "graphs"))

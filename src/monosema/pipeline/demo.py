"""The demo: every stage in order, on the embedded default or on a model and text of the user's.

text -> language model -> activations -> dictionaries -> scorecard -> prune study -> report -> feature tables
                               `------> the same on the randomised model, beside each number
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monosema.core.config import require
from monosema.core.runs import open_run
from monosema.dictionaries import TrainConfig, parse_spec
from monosema.evaluation import PruneConfig, ScoreConfig
from monosema.features import BuildConfig, SampleConfig
from monosema.pipeline.configs import PackConfig, SubjectConfig
from monosema.pipeline.feature_stage import single_file, tables_stage
from monosema.pipeline.stages import (
    harvest_stage,
    prune_stage,
    report_stage,
    score_stage,
    train_stage,
)

Size = Literal["quick", "normal", "full"]


EMBEDDED_LM = Path(__file__).parents[1] / "assets" / "lm"
"""A small GPT-2 of Python source that comes with the package; its README says how it was trained."""

EMBEDDED_SITE = "resid_post.2"


@dataclass(frozen=True)
class Budget:
    """How much of everything.

    tokens      of text harvested
    rows        activations that each dictionary sees, over as many epochs as that takes
    n_features  of each dictionary
    scored      held-out tokens behind the scorecard; a half of it behind the prune study
    tabled      tokens behind the feature tables
    takes       in words, on two cores
    """

    tokens: int
    rows: int
    n_features: int
    scored: int
    tabled: int
    takes: str


BUDGETS: dict[Size, Budget] = {
    "quick": Budget(300_000, 300_000, 512, 16_384, 16_384, "2 minutes"),
    "normal": Budget(800_000, 1_000_000, 1024, 49_152, 65_536, "5 minutes"),
    "full": Budget(4_000_000, 8_000_000, 2048, 262_144, 1_000_000, "an hour"),
}

DICTIONARIES = (
    "l1_light=l1,penalty=0.5,resample_rows=32768",
    "l1_middle=l1,penalty=1,resample_rows=32768",
    "l1_heavy=l1,penalty=2,resample_rows=32768",
    "topk,k=12",
    "batchtopk,k=12",
    "jumprelu,target=12",
)
"""What the demo trains, each with the budget's number of features."""

TABLED = ("topk", "jumprelu")
"""Those of which it makes feature tables: of about the same L0, so that they can be compared."""

SINGLE_FILE = 200
"""Features in the single file."""


@dataclass(frozen=True)
class DemoConfig:
    """model: a folder, or None for the embedded one; site: needed with a model of one's own."""

    run: Path = Path("runs/demo")
    model: Path | None = None
    corpus: str = "stdlib"
    site: str = ""
    size: Size = "normal"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.model is None or bool(self.site),
            "say where to look in your model with --site, such as resid_post.6: `monosema sites` lists them",
        )


@dataclass(frozen=True)
class Shown:
    """Where to look after a demo: the report, the feature tables by dictionary, and the most important features
    of the one of them that recovers most of the loss, in one file."""

    report: Path
    tables: dict[str, Path]
    best: str
    single: Path


def demo(config: DemoConfig) -> Shown:
    """A run through every stage; one that was interrupted goes on where it stopped."""
    budget, seed = BUDGETS[config.size], config.seed
    model, site = (config.model or EMBEDDED_LM).resolve(), config.site or EMBEDDED_SITE
    run = open_run(config.run, create=True)
    harvest_stage(
        run, SubjectConfig(str(model), (site,)), PackConfig(config.corpus, max_tokens=budget.tokens, seed=seed)
    )
    specs = [parse_spec(f"{spec},n_features={budget.n_features}", (site,), (site,)) for spec in DICTIONARIES]
    train_stage(run, specs, TrainConfig(rows=budget.rows, batch_size=2048, seed=seed))
    card = score_stage(run, ScoreConfig(max_tokens=budget.scored, seed=seed))
    prune_stage(run, PruneConfig(score=ScoreConfig(max_tokens=budget.scored // 2, seed=seed)))
    report = report_stage(run, SampleConfig(max_tokens=budget.scored, seed=seed))
    names = [name for name in TABLED if name in card.findings]
    tables = tables_stage(run, BuildConfig(max_tokens=budget.tabled, seed=seed), names)
    best = max(tables, key=lambda name: card.findings[name]["loss_recovered_mean"].value)
    return Shown(report, tables, best, single_file(run, best, SINGLE_FILE))

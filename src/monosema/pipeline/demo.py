"""The demo: every stage in order, on the embedded default or on a model and text of the user's.

text -> language model -> activations -> dictionaries -> scorecard -> prune study -> page
                               `------> the same on the randomised model, beside each number
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monosema.activations import HarvestConfig
from monosema.core.errors import ConfigError
from monosema.core.runs import open_run
from monosema.dictionaries import TrainConfig, parse_spec
from monosema.evaluation import PruneConfig, ScoreConfig
from monosema.features import SampleConfig
from monosema.models import LMConfig
from monosema.pipeline.configs import PackConfig, SubjectConfig
from monosema.pipeline.stages import (
    harvest_stage,
    lm_stage,
    pack_stage,
    prune_stage,
    report_stage,
    score_stage,
    train_stage,
)

Size = Literal["quick", "normal", "full"]


@dataclass(frozen=True)
class Budget:
    """How much of everything.

    tokens      of text read        lm_steps    of the language model
    rows        activations that each dictionary sees
    n_features  of each dictionary  scored      held-out tokens behind the scorecard
    takes       in words, on two cores
    """

    tokens: int
    lm_steps: int
    rows: int
    n_features: int
    scored: int
    takes: str


BUDGETS: dict[Size, Budget] = {
    "quick": Budget(600_000, 200, 300_000, 512, 32_768, "90 seconds"),
    "normal": Budget(2_000_000, 700, 1_000_000, 1024, 65_536, "6 minutes"),
    "full": Budget(4_000_000, 4_000, 8_000_000, 2048, 262_144, "45 minutes"),
}

DICTIONARIES = (
    "l1_light=l1,penalty=2",
    "l1_middle=l1,penalty=5",
    "l1_heavy=l1,penalty=12",
    "topk,k=12",
    "batchtopk,k=12",
    "jumprelu,target=12",
)
"""What the demo trains, each with the budget's number of features."""


@dataclass(frozen=True)
class DemoConfig:
    """model: a folder, or None for a small one trained on the spot; site: needed with a model of one's own."""

    run: Path = Path("runs/demo")
    model: Path | None = None
    corpus: str = "stdlib"
    site: str = ""
    size: Size = "normal"
    seed: int = 0


def demo(config: DemoConfig) -> Path:
    """The report of a run through every stage; one that was interrupted goes on where it stopped."""
    budget, seed = BUDGETS[config.size], config.seed
    if config.model is not None and not config.site:
        raise ConfigError(
            "say where to look in your model with --site, such as resid_post.6: `monosema sites` lists them"
        )
    run = open_run(config.run, create=True)
    site, model, text = config.site or "resid_post.2", "lm", None
    if config.model is None:
        pack_stage(run, PackConfig(config.corpus, max_tokens=budget.tokens, vocab_size=4096, seed=seed))
        lm_stage(run, LMConfig(steps=budget.lm_steps, autocast=True, seed=seed))
    else:
        model, text = str(config.model.resolve()), PackConfig(config.corpus, max_tokens=budget.tokens, seed=seed)
    harvest_stage(run, SubjectConfig(model, (site,), harvest=HarvestConfig()), text)
    specs = [parse_spec(f"{spec},n_features={budget.n_features},lr=0.003", (site,), (site,)) for spec in DICTIONARIES]
    train_stage(run, specs, TrainConfig(rows=budget.rows, seed=seed))
    score_stage(run, ScoreConfig(max_tokens=budget.scored, seed=seed))
    prune_stage(run, PruneConfig(score=ScoreConfig(max_tokens=budget.scored // 2, seed=seed)))
    return report_stage(run, SampleConfig(max_tokens=budget.scored, seed=seed))

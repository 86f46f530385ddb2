"""How long a check will take, from how long the run's own stages took."""

from datetime import datetime

from monosema.core.runs import Run
from monosema.pipeline.check_config import CheckConfig
from monosema.pipeline.sides import SPARE, Recipe, rows_of, trainings
from monosema.pipeline.subject import Subject

FIRES = 0.5
"""Share of the blocks in which a feature is taken to fire."""

IMPORTANT_BLOCKS = 32

CHEAPER = 0.3
"""A pass for the importance of a feature, which begins where it is written and needs no divergence, as a part of one
of the scorecard: 0.3 on the demo's model."""


def estimate(run: Run, subject: Subject, recipe: Recipe, config: CheckConfig) -> str:
    """In words: what will be trained, and about how many minutes that and the measuring take."""
    todo, rows = trainings(subject, recipe, config), rows_of(recipe, config)
    training = _training(run, recipe, len(todo) * rows)
    harvesting = _harvesting(run, subject, rows) if todo else 0.0
    measuring = _measuring(run, subject, config, trained=bool(todo))
    n = len(recipe.specs)
    what = (
        f"{len(todo)} trainings of {n} {'dictionary' if n == 1 else 'dictionaries'} on {rows:,} rows, then measuring"
        if todo
        else "measuring alone, nothing is trained"
    )
    if training is None or measuring is None:
        return f"{what}; how long is not known: the run does not say how long its own stages took"
    minutes = (training + harvesting + measuring) / 60
    return f"about {max(1, round(minutes))} min: {what}"


def _training(run: Run, recipe: Recipe, rows: int) -> float | None:
    """Seconds for so many rows through all dictionaries of the recipe."""
    if rows == 0:
        return 0.0
    times = [entry for entry in run.entries("train") if entry.get("event") == "time" and entry["rows_per_second"]]
    trained = len(run.config("train")["dictionaries"])
    if not times:
        return None
    return rows / times[-1]["rows_per_second"] * len(recipe.specs) / trained


def _harvesting(run: Run, subject: Subject, rows: int) -> float:
    """Seconds for the text that is read for a control."""
    blocks = min(subject.packed.train.n_blocks, SPARE * rows / subject.packed.train.context)
    stores = 2 if subject.control else 1
    return _took(run, "harvest") * blocks / (stores * subject.packed.train.n_blocks)


def _measuring(run: Run, subject: Subject, config: CheckConfig, *, trained: bool) -> float | None:
    """Seconds, by what a pass of a block through a spliced model took in the scorecard."""
    if "score" not in run.stages() or run.stages()["score"]["finished"] is None:
        return None
    context, held_out = subject.packed.held_out.context, subject.packed.held_out
    scored = min(run.config("score")["max_tokens"], held_out.n_blocks * context) // context
    n = len(run.config("train")["dictionaries"])
    a_pass = _took(run, "score") / max(1, scored * n * (2 if subject.control else 1))
    blocks = min(config.max_tokens // context, held_out.n_blocks)
    sides = 6 if trained else 3
    of_features = 2 * FIRES * CHEAPER * config.n_important * min(blocks, IMPORTANT_BLOCKS)
    return a_pass * len(subject.dictionaries) * (sides * blocks + (sides - 1) * of_features)


def _took(run: Run, stage: str) -> float:
    """Seconds between the beginning and the end of `stage`, at least half a second (its clock has whole ones)."""
    began, ended = (datetime.fromisoformat(run.stages()[stage][key]) for key in ("started", "finished"))
    return max(0.5, (ended - began).total_seconds())

"""The check of a run: its dictionaries beside every control, and what may be claimed: check.json, check.html.

sides       what is compared, trained where it is not there (`sides`)        RUN/check/
fidelity    metrics of the scorecard and frequencies, on text and shuffled text, by both models
features    scores of features drawn at random, the same way (`features.traits`)
stability   decoders against those of other seeds
verdicts    every claim of `evaluation.claims`, by its rule
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from monosema import dashboard
from monosema.core.config import from_json, to_json
from monosema.core.errors import ConfigError, unknown
from monosema.core.runs import Run, read_json, write_json
from monosema.evaluation.check_terms import CONTROLS, METRICS_SAID
from monosema.evaluation.checks import Check, Checked, Frequencies, Measure
from monosema.evaluation.claims import judge_all
from monosema.pipeline.check_config import CheckConfig
from monosema.pipeline.check_steps import Compared, features_step, fidelity_step, stability_step
from monosema.pipeline.records import begun, is_done, settings_of
from monosema.pipeline.sides import Recipe, make_sides
from monosema.pipeline.subject import Subject, open_subject

STAGE = "check"


def check_stage(
    run: Run, config: CheckConfig | None = None, names: Sequence[str] = (), tell: Callable[[str], None] = lambda _: None
) -> Check:
    """The check of the dictionaries called `names` (of all by default): check.json and check.html in the run.

    What was trained or measured before, of the same settings and inputs, is not repeated. `tell` is given the
    estimate before anything is trained. Raises ConfigError for a name that the run does not have.
    """
    from monosema.pipeline.estimating import estimate

    config, subject = config or CheckConfig(), open_subject(run)
    chosen = chosen_names(subject, names)
    subject = replace(subject, dictionaries={name: subject.dictionaries[name] for name in chosen})
    path, settings = run.path / "check.json", settings_of(config) | {"names": chosen}
    if is_done(run, STAGE, settings, subject.inputs) and path.exists():
        check = from_json(Check, read_json(path), str(path))
    else:
        recipe = Recipe.of(run, chosen)
        tell(estimate(run, subject, recipe, config))
        with begun(run, STAGE, settings, subject.inputs, config.seed):
            check = _checked(run, subject, recipe, config)
            write_json(path, to_json(check))
            run.finish(STAGE, {})
    dashboard.write_check(run.path / "check.html", check, run.path.resolve().name)
    return check


def chosen_names(subject: Subject, names: Sequence[str]) -> list[str]:
    """`names`, or all of the run's; each checked to be there."""
    for name in names:
        if name not in subject.dictionaries:
            raise ConfigError(unknown("dictionary", name, subject.dictionaries))
    return list(names or subject.dictionaries)


def _checked(run: Run, subject: Subject, recipe: Recipe, config: CheckConfig) -> Check:
    sides = make_sides(run, subject, recipe, config)
    compared = Compared(run, subject, recipe, sides, config)
    fidelity = fidelity_step(compared)
    features, stability = features_step(compared), stability_step(compared)
    measures: dict[str, tuple[Measure, ...]] = {
        name: (*fidelity.measures[name], *features[name], *stability[name]) for name in subject.dictionaries
    }
    return Check(
        dictionaries=tuple(_one(name, subject, recipe, measures, fidelity.frequencies) for name in measures),
        metrics=METRICS_SAID,
        controls=tuple(
            replace(said, what=sides.control_is) if said.control == "randomised" else said for said in CONTROLS
        ),
        model=subject.model.name,
        n_tokens=fidelity.n_tokens,
        n_documents=fidelity.n_documents,
        rows=sides.rows,
        recipe_rows=recipe.train.rows,
        seeds=max((len(of_seeds) for of_seeds in sides.again.values()), default=0),
    )


def _one(
    name: str,
    subject: Subject,
    recipe: Recipe,
    measures: Mapping[str, tuple[Measure, ...]],
    frequencies: Mapping[str, tuple[Frequencies, ...]],
) -> Checked:
    dictionary = subject.dictionaries[name]
    said = recipe.said(name) or f"{dictionary.architecture}, made by an earlier command than the last `train`"
    verdicts = judge_all(name, measures[name])
    return Checked(name, dictionary.architecture, said, measures[name], frequencies[name], verdicts)


def written(run: Run) -> tuple[Path, Path]:
    """What a check leaves: the page, and its numbers."""
    return run.path / "check.html", run.path / "check.json"

"""The check of a run: its dictionaries beside every control, and what may be claimed: check.json, check.html.

sides       what is compared, trained where it is not there (`sides`)        RUN/check/
fidelity    metrics of the scorecard and frequencies, on text and shuffled text, by both models
features    scores of features drawn at random, the same way (`features.traits`)
stability   decoders against those of other seeds
verdicts    every claim of `evaluation.claims`, by its rule
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from monosema import dashboard
from monosema.core.config import from_json, to_json
from monosema.core.errors import ConfigError, unknown
from monosema.core.runs import Run, read_json, write_json
from monosema.evaluation.check_terms import CONTROLS, METRICS_SAID
from monosema.evaluation.checks import Check, Checked
from monosema.evaluation.claims import judge_all
from monosema.pipeline.check_config import CheckConfig
from monosema.pipeline.check_steps import Compared, features_step, fidelity_step, stability_step
from monosema.pipeline.estimating import estimate
from monosema.pipeline.explained import explanation_measures, explanation_prints
from monosema.pipeline.records import Settings, begun, is_done, settings_of
from monosema.pipeline.sides import Recipe, make_sides, work_of
from monosema.pipeline.subject import Subject, open_subject

STAGE, MEASURE = "check", "measure"


def check_stage(
    run: Run, config: CheckConfig | None = None, names: Sequence[str] = (), tell: Callable[[str], None] = lambda _: None
) -> Check:
    """The check of the dictionaries called `names` (of all by default): check.json and check.html in the run.

    What was trained or measured before, of the same settings and inputs, is not repeated. `tell` is given the
    estimate before anything is trained. Raises ConfigError for a name that the run does not have.
    """
    config, subject = config or CheckConfig(), open_subject(run)
    chosen = chosen_names(subject, names)
    subject = replace(subject, dictionaries={name: subject.dictionaries[name] for name in chosen})
    path, settings = run.path / "check.json", settings_of(config) | {"names": chosen}
    inputs = subject.inputs | explanation_prints(run, chosen)
    if is_done(run, STAGE, settings, inputs) and path.exists():
        check = from_json(Check, read_json(path), str(path))
    else:
        with begun(run, STAGE, settings, inputs, config.seed):
            check = _judged(run, subject, _measured(run, subject, config, settings, tell), config.seed)
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


def _measured(
    run: Run, subject: Subject, config: CheckConfig, settings: Settings, tell: Callable[[str], None]
) -> Check:
    """Everything but explanations and verdicts, which cost nothing: RUN/check/measured.json."""
    work, recipe = work_of(run), Recipe.of(run, list(subject.dictionaries))
    path = work.path / "measured.json"
    if is_done(work, MEASURE, settings, subject.inputs) and path.exists():
        return from_json(Check, read_json(path), str(path))
    tell(estimate(run, subject, recipe, config))
    sides = make_sides(run, subject, recipe, config)
    compared = Compared(run, subject, recipe, sides, config)
    with begun(work, MEASURE, settings, subject.inputs, config.seed):
        fidelity = fidelity_step(compared)
        features, stability = features_step(compared), stability_step(compared)
        found = tuple(
            Checked(
                name,
                dictionary.architecture,
                recipe.said(name) or f"{dictionary.architecture}, made by an earlier command than the last `train`",
                (*fidelity.measures[name], *features[name], *stability[name]),
                fidelity.frequencies[name],
                (),
            )
            for name, dictionary in subject.dictionaries.items()
        )
        check = Check(
            dictionaries=found,
            metrics=METRICS_SAID,
            controls=tuple(replace(c, what=sides.control_is) if c.control == "randomised" else c for c in CONTROLS),
            model=subject.model.name,
            n_tokens=fidelity.n_tokens,
            n_documents=fidelity.n_documents,
            rows=sides.rows,
            recipe_rows=recipe.train.rows,
            seeds=max((len(of_seeds) for of_seeds in sides.again.values()), default=0),
        )
        write_json(path, to_json(check))
        work.finish(MEASURE, {})
    return check


def _judged(run: Run, subject: Subject, check: Check, seed: int) -> Check:
    """The same with explanations and verdicts."""
    judged = []
    for checked in check.dictionaries:
        dictionary = subject.dictionaries[checked.dictionary]
        explained = explanation_measures(run, checked.dictionary, dictionary.fingerprint, seed)
        measures = (*checked.measures, *explained)
        judged.append(replace(checked, measures=measures, verdicts=judge_all(checked.dictionary, measures)))
    return replace(check, dictionaries=tuple(judged))


def written(run: Run) -> tuple[Path, Path]:
    """What a check leaves: the page, and its numbers."""
    return run.path / "check.html", run.path / "check.json"

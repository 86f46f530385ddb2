"""The stage after the feature tables: explanations of their features, beside those of the control's.

features/<name>/ + the control's model and dictionaries  -->  features/<name>/explanations*.parquet, explanations.json
answers of an endpoint, as they come                     -->  answers.jsonl
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monosema.core.errors import ConfigError, RunError, unknown
from monosema.core.runs import Run, read_json
from monosema.features.explaining.config import EndpointConfig, ExplainConfig
from monosema.features.explaining.consulting import Estimate
from monosema.features.explaining.explaining import Explained, Explaining
from monosema.pipeline.records import begun, settings_of
from monosema.pipeline.subject import Subject, open_subject

STAGE = "explain"


@dataclass(frozen=True)
class Chosen:
    """What is explained, and by whom. `names`: dictionaries with a table; none is all of them."""

    names: tuple[str, ...]
    config: ExplainConfig
    endpoint: EndpointConfig
    control: bool


def tables_of(run: Run, names: Sequence[str]) -> dict[str, Path]:
    """The folders of the tables called `names`, of all by default. Raises RunError, ConfigError."""
    there = {path.parent.name: path.parent for path in sorted(run.path.glob("features/*/table.json"))}
    if not there:
        raise RunError(f"{run.path} has no feature tables: build them with `monosema features {run.path}`")
    for name in names:
        if name not in there:
            raise ConfigError(unknown("feature table", name, there))
    return {name: there[name] for name in names or there}


def prepared(run: Run, chosen: Chosen) -> dict[str, Explaining]:
    """The work on each table, with its features drawn; nothing is asked and nothing written yet.

    Raises as `Explaining` does, and MismatchError for a table of another model or dictionary than the run's.
    """
    folders = tables_of(run, chosen.names)
    subject = open_subject(run) if chosen.control else None
    control = None if subject is None else subject.control
    answers = run.path / "answers.jsonl"
    for name, folder in folders.items():
        _require_same(run, name, folder, subject)
    return {
        name: Explaining(folder, chosen.config, control, chosen.endpoint, answers) for name, folder in folders.items()
    }


def _require_same(run: Run, name: str, folder: Path, subject: Subject | None) -> None:
    """Raise RunError for a table of a dictionary that was trained anew since."""
    if subject is None:
        return
    there, own = read_json(folder / "table.json"), subject.dictionaries
    if name not in own or there.get("dictionary_fingerprint") != own[name].fingerprint:
        raise RunError(
            f"the table of '{name}' is not of the run's dictionary of that name: build it again with "
            f"`monosema features {run.path}`"
        )


def estimated(work: dict[str, Explaining]) -> Estimate | None:
    """What an endpoint will be asked for all tables together; None without one."""
    found = [estimate for one in work.values() if (estimate := one.estimate()) is not None]
    if not found:
        return None
    parts: dict[str, Any] = {}
    for estimate in found:
        for part, cost in estimate.parts.items():
            parts[part] = parts[part] + cost if part in parts else cost
    return Estimate(parts, sum(estimate.n_answered for estimate in found))


def explain_stage(
    run: Run, chosen: Chosen, work: dict[str, Explaining], told: Callable[[str], None] = lambda _: None
) -> dict[str, Explained]:
    """Explain the features of every table in `work`; `told` hears the name of each before it begins."""
    settings = settings_of(chosen.config) | {
        "names": list(work),
        "endpoint": settings_of(chosen.endpoint),
        "control": chosen.control,
    }
    inputs = {f"features/{name}": one.manifest.dictionary_fingerprint for name, one in work.items()}
    found: dict[str, Explained] = {}
    with begun(run, STAGE, settings, inputs, chosen.config.seed):
        for name, one in work.items():
            told(name)
            found[name] = one.run()
        run.finish(STAGE, {})
    return found

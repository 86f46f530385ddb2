"""What a run directory says about a stage: is it done, and was it made with these settings from these inputs?

    provenance.json  stage -> started, finished, inputs      config.json  stage -> settings

A stage that is finished, of the same settings and inputs, is not repeated. What was begun with other
ones is refused before anything is written, with the setting that differs and the command that began it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monosema.core.config import to_json
from monosema.core.errors import MismatchError, MonosemaError, RunError
from monosema.core.locks import holding
from monosema.core.runs import Run, write_text

Settings = dict[str, Any]
Prints = dict[str, str]

NOT_COMPARED = {"device", "train.device", "train.checkpoint_seconds"}
"""Settings that a repeated command may change: they change no number."""


def settings_of(config: Any) -> Settings:
    """A config as config.json holds it."""
    settings = to_json(config)
    assert isinstance(settings, dict)
    return settings


def is_finished(run: Run, stage: str) -> bool:
    """Whether the run holds `stage`, to its end."""
    return run.stages().get(stage, {"finished": None})["finished"] is not None


def is_done(run: Run, stage: str, settings: Settings, inputs: Prints) -> bool:
    """Whether the run holds `stage`, finished, made with these settings from these inputs."""
    return is_finished(run, stage) and not _differences(run, stage, settings, inputs)


@contextmanager
def begun(run: Run, stage: str, settings: Settings, inputs: Prints, seed: int) -> Iterator[None]:
    """Within it `stage` is being made, and no other process may make one in this run.

    A mistake that turns up then leaves the run's records as they were, so that it does not make what
    an earlier command finished look interrupted. A full disk and an interruption can be gone on from,
    and stay on record as such.
    """
    with holding(run.path):
        names = ("provenance.json", "config.json", "log.jsonl")
        before = {
            path: path.read_text(encoding="utf-8") if path.exists() else None for path in map(run.path.joinpath, names)
        }
        run.begin(stage, settings, inputs, seed)
        try:
            yield
        except RunError:
            raise
        except MonosemaError:
            for path, text in before.items():
                if text is None:
                    path.unlink(missing_ok=True)
                else:
                    write_text(path, text)
            raise


def require_same(run: Run, stage: str, settings: Settings, inputs: Prints) -> None:
    """Raise MismatchError naming what differs, when `stage` was begun with other settings or inputs."""
    if stage in run.stages() and (found := _differences(run, stage, settings, inputs)):
        command = run.stages()[stage]["command"]
        raise MismatchError(
            f"{run.path} was made with {found[0]}: repeat its own command (`{command}`) or give another run folder"
        )


def require_match(run: Run, what: str, expected: str, found: str) -> None:
    """Raise MismatchError unless `what`, whose fingerprint is `found`, is what the activations came from."""
    if expected != found:
        raise MismatchError(
            f"the {what} is {found}, the activations in {run.path} were harvested from {expected}: "
            "put the matching one back, or harvest into another run folder"
        )


def _differences(run: Run, stage: str, settings: Settings, inputs: Prints) -> list[str]:
    was = _flat(run.config(stage)) | run.stages()[stage]["inputs"]
    now = _flat(settings) | inputs
    keys = [key for key in {**now, **was} if key not in NOT_COMPARED and was.get(key) != now.get(key)]
    return [f"{key} {was.get(key, 'unset')}, not {now.get(key, 'unset')}" for key in keys]


def _flat(settings: Any, prefix: str = "") -> Settings:
    """Nested settings as one table with dotted keys, lists by number."""
    pairs = settings.items() if isinstance(settings, dict) else enumerate(settings)
    flat: Settings = {}
    for key, value in pairs:
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict | list) else {f"{prefix}{key}": value}
    return flat

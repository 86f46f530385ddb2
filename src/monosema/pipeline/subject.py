"""The subject of a run: everything that is measured, opened and checked against what it was made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monosema import corpus, dictionaries, models
from monosema.core.config import from_json
from monosema.core.errors import RunError
from monosema.core.runs import Run
from monosema.corpus import Packed
from monosema.dictionaries import Dictionary
from monosema.evaluation import Control
from monosema.models import Model
from monosema.pipeline.configs import ControlConfig, SubjectConfig
from monosema.pipeline.records import Prints, is_finished, require_match


@dataclass(frozen=True)
class Twin(Control):
    """The control of a run: real dictionaries on a real model, whatever is to be measured on them."""

    dictionaries: Mapping[str, Dictionary]
    model: Model


@dataclass(frozen=True)
class Subject:
    """What the stages after training measure: the model, its dictionaries, the text, and the control."""

    model: Model
    packed: Packed
    dictionaries: Mapping[str, Dictionary]
    control: Twin | None
    inputs: Prints
    """The fingerprint of everything that a number can depend on."""


def subject_config(run: Run) -> SubjectConfig:
    """What the run's harvest was told."""
    return from_json(SubjectConfig, run.config("harvest"), f"{run.path}/config.json")


def open_subject(run: Run) -> Subject:
    """Everything that is measured, opened and checked against what the run says it was made from.

    Raises RunError when a stage is missing or was interrupted, MismatchError when the model, the corpus
    or a dictionary is not the one that the activations came from.
    """
    harvested = run.require("harvest")["inputs"]
    run.require("train")
    config = subject_config(run)
    model = models.load(run.path / config.model, config.dtype, config.device)
    packed = opened_corpus(run)
    require_match(run, "model", harvested["model"], model.fingerprint)
    require_match(run, "corpus", harvested["train"], packed.train.fingerprint)
    found, prints = _checked(run, "dictionaries", harvested["model"])
    prints |= {"model": harvested["model"], "held_out": packed.held_out.fingerprint}
    if config.control is None:
        return Subject(model, packed, found, None, prints)
    if not is_finished(run, "train control"):
        raise RunError(f"'train' in {run.path} was interrupted before its control: repeat the same `monosema train`")
    other = randomised(model, config.control)
    others, their_prints = _checked(run, "control/dictionaries", other.fingerprint)
    return Subject(model, packed, found, Twin(others, other, config.control.what), prints | their_prints)


def _checked(run: Run, folder: str, model: str) -> tuple[dict[str, Dictionary], Prints]:
    """The dictionaries in `folder`, all trained on the model with this fingerprint; and their own fingerprints."""
    found = load_dictionaries(run.path / folder, [spec["name"] for spec in run.config("train")["dictionaries"]])
    for name, dictionary in found.items():
        require_match(run, f"model of {folder}/{name}", model, dictionary.metadata["model_fingerprint"])
    return found, {f"{folder}/{name}": dictionary.fingerprint for name, dictionary in found.items()}


def randomised(model: Model, config: ControlConfig) -> Model:
    return models.randomised(model, config.how, config.seed, config.keep_embeddings)


def opened_corpus(run: Run) -> Packed:
    if not (run.path / "corpus").exists():
        raise RunError(f"{run.path} has no corpus yet: give one with --corpus, such as --corpus stdlib")
    return corpus.open_packed(run.path / "corpus")


def load_dictionaries(folder: Path, first: Sequence[str]) -> dict[str, Dictionary]:
    """The dictionaries in `folder`, which diverged ones are not: those named in `first`, then the others by name."""
    there = sorted(path.parent.name for path in folder.glob("[!.]*/cfg.json"))
    names = [*(name for name in first if name in there), *(name for name in there if name not in first)]
    if not names:
        raise RunError(f"{folder} holds no dictionary: run `monosema train` first")
    return {name: dictionaries.load(folder / name) for name in names}

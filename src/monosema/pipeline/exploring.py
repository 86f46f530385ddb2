"""A run opened to be asked about prompts: its model, its tokenizer, and its dictionaries, each when it is asked for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

from monosema import dictionaries, models
from monosema.core.errors import DataError, RunError, unknown
from monosema.core.runs import Run, open_run
from monosema.corpus import Tokenizer
from monosema.dictionaries import Dictionary
from monosema.features.live import Explorer
from monosema.models import Model
from monosema.models.losses import require_next_token
from monosema.pipeline.records import require_match
from monosema.pipeline.subject import opened_corpus, subject_config


def open_explorer(path: Path | str) -> Explorer:
    """What answers about prompts, from the run directory `path`. Raises as `open_model` does."""
    return Explorer(*open_model(path))


def open_model(path: Path | str) -> "tuple[Model, Tokenizer, OnDisk]":
    """The model of the run directory `path`, its tokenizer, and its dictionaries.

    Raises RunError when its model or tokenizer is not where it was, MismatchError when the model is not
    the one that the activations came from.
    """
    run = open_run(Path(path))
    harvested = run.require("harvest")["inputs"]
    run.require("train")
    config = subject_config(run)
    folder = run.path / config.model
    if not folder.is_dir():
        raise RunError(
            f"the model of {run.path} is not at {folder} any more: put it back there to read prompts "
            "(the other pages do without it)"
        )
    tokenizer = opened_corpus(run).tokenizer()
    model = models.load(folder, config.dtype, config.device)
    require_match(run, "model", harvested["model"], model.fingerprint)
    require_next_token(model, "reading prompts")
    return model, tokenizer, OnDisk(run, harvested["model"])


@final
class OnDisk(Mapping[str, Dictionary]):
    """The dictionaries of a run by name; each is read when it is first asked for, and kept."""

    def __init__(self, run: Run, model: str) -> None:
        self.run, self.model = run, model
        self._read: dict[str, Dictionary] = {}

    def __getitem__(self, name: str) -> Dictionary:
        if name not in self._read:
            if name not in list(self):
                raise DataError(unknown("dictionary", name, self))
            found = dictionaries.load(self.run.path / "dictionaries" / name)
            require_match(self.run, f"model of dictionaries/{name}", self.model, found.metadata["model_fingerprint"])
            self._read[name] = found
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.parent.name for path in (self.run.path / "dictionaries").glob("[!.]*/cfg.json")))

    def __len__(self) -> int:
        return len(list(iter(self)))

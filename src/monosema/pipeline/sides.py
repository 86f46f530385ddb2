"""The dictionaries that a check needs beside a run's own, trained in RUN/check where they are not there yet.

    trained      the run's store                                             seeds 1, 2, ..: found again?
                                                                             seed 0, when on fewer rows: the twin
    randomised   the store of the model with random weights                  seeds 1, 2, ..; 0 from the run's control
    shuffled     a store of the model reading shuffled text                  seeds 0, 1, 2, ..

Each is a stage of RUN/check, a run directory of its own: a killed check goes on where it stopped.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monosema import activations, dictionaries
from monosema.activations import ActivationStore
from monosema.core.config import from_json
from monosema.core.errors import DivergedError
from monosema.core.fingerprints import of_bytes
from monosema.core.runs import Run, open_run
from monosema.corpus.views import ShuffledTokens, SomeBlocks
from monosema.dictionaries import Dictionary, DictionarySpec, TrainConfig
from monosema.models import Model
from monosema.pipeline.check_config import CheckConfig
from monosema.pipeline.configs import ControlConfig
from monosema.pipeline.records import begun, is_done, settings_of
from monosema.pipeline.subject import Subject, load_dictionaries, randomised, subject_config

SPARE = 1.25
"""Blocks harvested for a control, over those that its rows need: some positions are left out."""

Trained = Mapping[str, Dictionary]


@dataclass(frozen=True)
class Recipe:
    """How the run's last `train` made its dictionaries, and which of them are to be checked."""

    specs: tuple[DictionarySpec, ...]
    train: TrainConfig

    @staticmethod
    def of(run: Run, names: Sequence[str]) -> "Recipe":
        """The recipe of those of `names` that the run's last `train` made."""
        config = run.config("train")
        specs = tuple(DictionarySpec.from_json(spec) for spec in config["dictionaries"])
        train = from_json(TrainConfig, config["train"], f"{run.path}/config.json")
        return Recipe(tuple(spec for spec in specs if spec.name in names), train)

    def said(self, name: str) -> str:
        """The recipe of a dictionary in a few words; '' for one that an earlier command made."""
        its = next((spec for spec in self.specs if spec.name == name), None)
        if its is None:
            return ""
        return f"{its.architecture} with {its.config.n_features:,} features on {self.train.rows:,} rows"


@dataclass(frozen=True)
class Sides:
    """Everything that is compared with the dictionaries of a run; what was not trained is not there.

    twin       the recipe on as few rows as the controls; empty when these saw as many as the run's
    control    the recipe on random weights, on `control_model`; `control_is_short`: on as few rows
    shuffled   the recipe on shuffled text
    again      side -> seed -> the same with another seed
    """

    twin: Trained
    control: Trained
    control_model: Model | None
    control_is: str
    control_is_short: bool
    shuffled: Trained
    again: Mapping[str, Mapping[int, Trained]]
    rows: int


def work_of(run: Run) -> Run:
    """RUN/check."""
    return open_run(run.path / "check", create=True)


def rows_of(recipe: Recipe, config: CheckConfig) -> int:
    """Rows for what is trained here: whole batches, no more than the recipe's."""
    batch = recipe.train.batch_size * recipe.train.accumulate
    return max(batch, min(config.rows, recipe.train.rows) // batch * batch)


def trainings(subject: Subject, recipe: Recipe, config: CheckConfig) -> list[tuple[str, int]]:
    """(side, seed) of every training that a check needs, in order."""
    if config.quick or not recipe.specs:
        return []
    others = [(side, k) for side in ("trained", "randomised", "shuffled") for k in range(1, config.seeds + 1)]
    first = [("shuffled", 0)]
    if rows_of(recipe, config) < recipe.train.steps * recipe.train.batch_size * recipe.train.accumulate:
        first.append(("trained", 0))
    if subject.control is None:
        first.append(("randomised", 0))
    return first + others


def make_sides(run: Run, subject: Subject, recipe: Recipe, config: CheckConfig) -> Sides:
    """Harvest and train whatever is not there yet."""
    rows, work = rows_of(recipe, config), work_of(run)
    todo = trainings(subject, recipe, config)
    model: Model | None = subject.control.model if subject.control else None
    what = subject.control.what if subject.control else ControlConfig().what
    if model is None and todo:
        model = randomised(subject.model, ControlConfig())
    made: dict[tuple[str, int], Trained] = {}
    stores: dict[str, ActivationStore] = {}
    for side, seed in todo:
        if side not in stores:
            stores[side] = _store(run, work, subject, side, model, rows)
        made[side, seed] = _trained(work, stores[side], recipe, rows, side, seed)
    control = subject.control.dictionaries if subject.control else made.get(("randomised", 0), {})
    again = {side: {seed: made[side, seed] for s, seed in todo if s == side and seed} for side in stores}
    return Sides(
        twin=made.get(("trained", 0), {}),
        control=control,
        control_model=model,
        control_is=what,
        control_is_short=subject.control is None,
        shuffled=made.get(("shuffled", 0), {}),
        again=again,
        rows=rows,
    )


def _store(run: Run, work: Run, subject: Subject, side: str, model: Model | None, rows: int) -> ActivationStore:
    """The run's own stores; for shuffled text, and for random weights that the run did without, a new one."""
    if side == "trained":
        return activations.open_store(run.path / "store")
    if side == "randomised" and subject.control is not None:
        return activations.open_store(run.path / "control" / "store")
    config, train = subject_config(run), subject.packed.train
    some = SomeBlocks.evenly(train, round(SPARE * rows / train.context) + 1)
    read = ShuffledTokens(some) if side == "shuffled" else some
    reader = subject.model if side == "shuffled" else model
    assert reader is not None, "random weights are made before anything is read with them"
    stage, settings = f"harvest {side}", {"sites": list(config.sites), "harvest": settings_of(config.harvest)}
    inputs = {"model": reader.fingerprint, "corpus": read.fingerprint}
    with begun(work, stage, settings, inputs, 0):  # on record before there is a file, so that a killed one goes on
        out = work.path / side / f"store-{some.n_blocks}"
        store = activations.harvest(reader, read, config.sites, out, config.harvest)
        work.finish(stage, {"store": store.fingerprint})
    return store


def _trained(work: Run, store: ActivationStore, recipe: Recipe, rows: int, side: str, seed: int) -> Trained:
    """The recipe on `store` with the recipe's seed + `seed`, in a folder of its own for other settings; without what
    diverged."""
    stage, names = f"train {side}, seed {seed}", [spec.name for spec in recipe.specs]
    config = replace(recipe.train, rows=rows, seed=recipe.train.seed + seed)
    settings = {"dictionaries": [spec.to_json() for spec in recipe.specs], "train": settings_of(config)}
    inputs = {"store": store.fingerprint}
    out = work.path / side / f"{of_bytes([json.dumps([settings, inputs]).encode()])[:8]}-seed-{seed}"
    if not (is_done(work, stage, settings, inputs) and any(out.glob("[!.]*/cfg.json"))):
        made_from = {"model_fingerprint": store.model_fingerprint, "corpus_fingerprint": store.corpus_fingerprint}
        try:
            with begun(work, stage, settings, inputs, config.seed):
                dictionaries.train(store, recipe.specs, config, out, made_from, log=lambda row: work.log(stage, **row))
                work.finish(stage, {})
        except DivergedError as error:
            work.log(stage, event="diverged", why=str(error))
            return {}
    return load_dictionaries(out, names)

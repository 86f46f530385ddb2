"""The pipeline: one function a stage, each reading one run directory and adding to it.

    pack_stage      text                      -> corpus/
    lm_stage        corpus/                   -> lm/
    harvest_stage   a model, corpus/          -> store/         control/store/
    train_stage     store/, control/store/    -> dictionaries/  control/dictionaries/
    score_stage     all of these              -> scorecard.json
    prune_stage     all of these              -> prune.json
    report_stage    all of these              -> features.json, report.html

A stage that is finished, of the same settings and inputs, is not repeated; one that was interrupted
goes on. What does not belong together (a store of another model, a tokenizer that is not the model's)
is refused before anything is written.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monosema import activations, corpus, dashboard, dictionaries, evaluation, features, models
from monosema.activations import ActivationStore
from monosema.activations.passes import require_tokens, resolve_sites
from monosema.core.config import require
from monosema.core.errors import ConfigError, MismatchError, RunError, unknown
from monosema.core.runs import Run, read_json, write_json
from monosema.corpus import Packed, Tokenizer
from monosema.corpus.languages.config import is_spec
from monosema.dictionaries import Dictionary, DictionarySpec, TrainConfig
from monosema.evaluation import PruneConfig, PruneStudy, Scorecard, ScoreConfig
from monosema.features import SampleConfig
from monosema.models import LMConfig, Model
from monosema.models.lm_config import LMFamily
from monosema.pipeline.configs import PackConfig, SubjectConfig
from monosema.pipeline.records import Settings, begun, is_done, is_finished, require_same, settings_of
from monosema.pipeline.subject import (
    Subject,
    load_dictionaries,
    open_subject,
    opened_corpus,
    randomised,
    subject_config,
)
from monosema.pipeline.tracing_specs import every_layer


def pack_stage(run: Run, config: PackConfig, tokenizer: Tokenizer | None = None) -> Packed:
    """The corpus of the run, packed with `tokenizer`, or with one that is trained on it."""
    require((tokenizer is None) == (config.vocab_size > 0), "give a tokenizer, or the vocab_size of one to train")
    settings, folder, text = settings_of(config), run.path / "corpus", Path(config.corpus)
    if text.is_dir() and run.path.resolve().is_relative_to(text.resolve()):
        raise ConfigError(
            f"{run.path} lies inside the corpus {text}, which would read what is written: give a run elsewhere"
        )
    if not folder.exists():
        inputs = {} if tokenizer is None else {"tokenizer": tokenizer.fingerprint}
        with begun(run, "pack", settings, inputs, config.seed):
            if tokenizer is None:
                tokenizer = _tokenizer_of(config)
            texts = corpus.documents(config.corpus, config.column)
            corpus.pack(texts, tokenizer, config.context, folder, config.held_out, config.seed, config.max_tokens)
    else:
        _require_same_corpus(run, settings)
    packed = corpus.open_packed(folder)
    if "pack" in run.stages() and not is_finished(run, "pack"):
        run.finish("pack", {"train": packed.train.fingerprint, "held_out": packed.held_out.fingerprint})
    return packed


def _tokenizer_of(config: PackConfig) -> Tokenizer:
    """A language's own, of one token a word; of any other text one that is trained on it."""
    if is_spec(config.corpus):
        return corpus.Language(corpus.parse_language(config.corpus)).tokenizer
    return corpus.train_tokenizer(corpus.documents(config.corpus, config.column), config.vocab_size)


def _require_same_corpus(run: Run, settings: Settings) -> None:
    if "pack" in run.stages():  # whose tokenizer it is, is checked where the model is
        vocab_size = settings["vocab_size"] or run.config("pack")["vocab_size"]
        require_same(run, "pack", settings | {"vocab_size": vocab_size}, run.stages()["pack"]["inputs"])


def lm_stage(run: Run, config: LMConfig, device: str = "cpu", family: LMFamily = "gpt2") -> Model:
    """A small language model trained on the run's corpus, with its tokenizer beside it."""
    packed = corpus.open_packed(run.path / "corpus")
    settings, folder = settings_of(config) | {"family": family}, run.path / "lm"
    inputs = {"train": packed.train.fingerprint, "held_out": packed.held_out.fingerprint}
    if folder.exists():
        require_same(run, "lm train", settings, inputs)
    if is_done(run, "lm train", settings, inputs):
        return models.load(folder, device=device)
    with begun(run, "lm train", settings, inputs, config.seed):
        model = models.train_small(
            packed.train,
            packed.held_out,
            config,
            folder,
            log=lambda **row: run.log("lm train", **row),
            device=device,
            family=family,
        )
        packed.tokenizer().save(folder)
        run.finish("lm train", {"model": model.fingerprint})
    return model


def harvest_stage(run: Run, config: SubjectConfig, text: PackConfig | None = None) -> ActivationStore:
    """The activations of the model, and of its control, on the run's corpus.

    `text` is packed with the model's tokenizer where the run has no corpus. Everything that can be
    wrong with the model, the sites and the tokenizer is found before anything is written.
    """
    folder = run.path / config.model
    model = models.load(folder, config.dtype, config.device)
    tokenizer = Tokenizer.load(folder)
    config = replace(config, sites=tuple(resolve_sites(model, every_layer(model.sites(), config.sites))))
    if text is not None:
        require_tokens(model, text.context, tokenizer.vocab_size)
    packed = pack_stage(run, text, tokenizer) if text else opened_corpus(run)
    if packed.train.tokenizer_fingerprint != tokenizer.fingerprint:
        raise MismatchError(
            f"the corpus in {run.path} was packed with tokenizer {packed.train.tokenizer_fingerprint}, "
            f"the model in {folder} has {tokenizer.fingerprint}: give the matching model, or another run folder"
        )
    settings, inputs = settings_of(config), {"model": model.fingerprint, "train": packed.train.fingerprint}
    if (run.path / "store").exists():
        require_same(run, "harvest", settings, inputs)
    if is_done(run, "harvest", settings, inputs):
        return _harvest(run, model, packed, config)
    with begun(run, "harvest", settings, inputs, 0):
        store = _harvest(run, model, packed, config)
        run.log("harvest", event="excluded", rows=store.n_rows, **store.excluded)
        run.finish("harvest", {"store": store.fingerprint})
    return store


def _harvest(run: Run, model: Model, packed: Packed, config: SubjectConfig) -> ActivationStore:
    """The store, and the control's beside it; what is whole of either is not made again."""
    store = activations.harvest(model, packed.train, config.sites, run.path / "store", config.harvest)
    if config.control:
        other = randomised(model, config.control)
        activations.harvest(other, packed.train, config.sites, run.path / "control" / "store", config.harvest)
    return store


def train_stage(run: Run, specs: Sequence[DictionarySpec], config: TrainConfig) -> dict[str, Dictionary]:
    """The dictionaries of `specs`, and the same of the control's store, by name.

    Those that an earlier command trained into the run stay; of the same name, they are replaced.
    """
    run.require("harvest")
    parts = {"train": run.path, "train control": run.path / "control"}
    if subject_config(run).control is None:
        del parts["train control"]
    settings = {"dictionaries": [spec.to_json() for spec in specs], "train": settings_of(config)}
    stores = {stage: activations.open_store(folder / "store") for stage, folder in parts.items()}
    for stage, store in stores.items():
        if (parts[stage] / "dictionaries" / "checkpoint.safetensors").exists():
            require_same(run, stage, settings, {"store": store.fingerprint})
    for stage, store in stores.items():
        _train(run, stage, parts[stage] / "dictionaries", store, specs, config, settings)
    names = [spec.name for spec in specs]
    there = load_dictionaries(run.path / "dictionaries", names)
    return {name: there[name] for name in names if name in there}


def _train(
    run: Run,
    stage: str,
    out: Path,
    store: ActivationStore,
    specs: Sequence[DictionarySpec],
    config: TrainConfig,
    settings: Settings,
) -> None:
    inputs = {"store": store.fingerprint}
    if is_done(run, stage, settings, inputs) and all((out / spec.name).is_dir() for spec in specs):
        return
    made_from = {"model_fingerprint": store.model_fingerprint, "corpus_fingerprint": store.corpus_fingerprint}
    with begun(run, stage, settings, inputs, config.seed):
        trained = dictionaries.train(store, specs, config, out, made_from, log=lambda row: run.log(stage, **row))
        run.finish(stage, {name: d.fingerprint for name, d in trained.dictionaries.items()})


def score_stage(run: Run, config: ScoreConfig | None = None) -> Scorecard:
    """Every metric of every dictionary on the held-out documents, beside its control: scorecard.json."""
    config, subject = config or ScoreConfig(), open_subject(run)
    settings, inputs, path = settings_of(config), subject.inputs, run.path / "scorecard.json"
    if is_done(run, "score", settings, inputs) and path.exists():
        return Scorecard.from_json(read_json(path))
    with begun(run, "score", settings, inputs, config.seed):
        held_out = subject.packed.held_out
        card = evaluation.score(subject.dictionaries, subject.model, held_out, subject.control, config)
        write_json(path, card.to_json())
        run.finish("score", {})
    return card


def prune_stage(run: Run, config: PruneConfig | None = None, names: Sequence[str] = ()) -> PruneStudy:
    """The prune study of the dictionaries called `names`: prune.json. Without names, of those of
    architecture l1, which differ in their penalty; of all where there is no l1."""
    config, subject = config or PruneConfig(), open_subject(run)
    chosen = _chosen(subject, names)
    settings, inputs, path = settings_of(config) | {"names": list(chosen)}, subject.inputs, run.path / "prune.json"
    if is_done(run, "prune", settings, inputs) and path.exists():
        return PruneStudy.from_json(read_json(path))
    control = subject.control
    if control:
        twins = {name: d for name, d in control.dictionaries.items() if name in chosen}
        control = replace(control, dictionaries=twins)
    with begun(run, "prune", settings, inputs, config.score.seed):
        study = evaluation.prune(chosen, subject.model, subject.packed.held_out, control, config)
        write_json(path, study.to_json())
        run.finish("prune", {})
    return study


def report_stage(run: Run, config: SampleConfig | None = None) -> Path:
    """A sample of every dictionary's features, beside its control's: features.json. Then report.html,
    from that, the scorecard, and the prune study if there is one."""
    config, subject = config or SampleConfig(), open_subject(run)
    for stage in ("score", "prune"):
        if (stage == "score" or stage in run.stages()) and run.require(stage)["inputs"] != subject.inputs:
            raise RunError(f"'{stage}' in {run.path} is older than its dictionaries: run `monosema {stage}` again")
    settings, path, page = settings_of(config), run.path / "features.json", run.path / "report.html"
    if not (is_done(run, "features", settings, subject.inputs) and path.exists()):
        held_out, tokenizer = subject.packed.held_out, subject.packed.tokenizer()
        with begun(run, "features", settings, subject.inputs, config.seed):
            study = features.study(subject.dictionaries, subject.model, held_out, tokenizer, subject.control, config)
            write_json(path, study.to_json())
            run.finish("features", {})
    with begun(run, "report", {}, subject.inputs, config.seed):
        dashboard.write_report(page, dashboard.read_run(run.path, _facts(run, subject)))
        run.finish("report", {})
    return page


def _facts(run: Run, subject: Subject) -> list[tuple[str, str]]:
    """What a reader of the page should know first."""
    model, train, held_out = subject.model, subject.packed.train, subject.packed.held_out
    text = run.config("pack")["corpus"] if "pack" in run.stages() else train.fingerprint
    tokens = f"{train.n_tokens:,} tokens of {train.n_documents:,} documents"
    held = f"{held_out.n_tokens:,} of {held_out.n_documents:,} held out"
    return [
        ("model", f"{model.name}: {model.n_layers} layers, d_model {model.d_model}, vocabulary {model.d_vocab:,}"),
        ("text", f"{text}: {tokens}, {held}"),
        ("sites", ", ".join(subject_config(run).sites)),
        ("control", subject.control.what if subject.control else "skipped by the user"),
    ]


def _chosen(subject: Subject, names: Sequence[str]) -> dict[str, Dictionary]:
    for name in names:
        if name not in subject.dictionaries:
            raise ConfigError(unknown("dictionary", name, subject.dictionaries))
    penalised = [name for name, d in subject.dictionaries.items() if d.architecture == "l1"]
    return {name: subject.dictionaries[name] for name in names or penalised or subject.dictionaries}

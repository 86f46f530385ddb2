"""From dictionaries, a model and text to feature tables: the steps in their order.

    text --> activations --> (per dictionary) sort, describe, neighbours --> effects --> features.parquet
      `----> the same on the control, of which only the numbers are kept

All dictionaries of a model share its passes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monosema.core.config import to_json
from monosema.core.errors import ConfigError, MismatchError
from monosema.core.memory import keep_freed_memory
from monosema.core.precision import float32_products
from monosema.core.progress import progress
from monosema.corpus.views import Tokens
from monosema.dictionaries import Dictionary
from monosema.features.effects.subjects import Model, why_no_direct_effect, why_no_loss_effect
from monosema.features.reading import Tokenizer
from monosema.features.studying import SKIPPED, Control
from monosema.features.tables import describing, finishing
from monosema.features.tables.choosing import RULE, Chosen, choose
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.examples import GROUPS, Chooser
from monosema.features.tables.gathering import gather, n_chunks, sort_entries
from monosema.features.tables.manifest import Manifest
from monosema.features.tables.measuring import Work, draw_contexts, measure, n_batches
from monosema.features.tables.neighbours import write_neighbours
from monosema.features.tables.shards import load, ranges
from monosema.features.tables.showing import Shown, write_effects
from monosema.features.tables.text import Reading, TableText, vocabulary, write_text
from monosema.models.losses import require_next_token

KEPT = 2**27
"""Bytes of freed memory that are not given back at once: a pass takes and frees some megabytes again and again."""


@dataclass(frozen=True)
class Table:
    """One dictionary on its way to a table. A control's has no manifest of its own and shows no examples.

    folder  of the files that stay      work  of those that do not
    """

    dictionary: Dictionary
    manifest: Manifest
    folder: Path
    work: Path
    is_control: bool = False

    def parts(self, kind: str, n: int) -> list[Path]:
        return [self.work / f"{kind}-{i:05d}.parquet" for i in range(n)]

    @property
    def acts(self) -> Path:
        """Where acts.parquet and acts_by_pos.parquet are: a control's go with its work."""
        return self.work if self.is_control else self.folder


def build(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    tokenizer: Tokenizer,
    out: Path,
    config: BuildConfig | None = None,
    control: Control | None = None,
) -> dict[str, Path]:
    """The folder of each dictionary's feature table, out/<name>: Parquet files, and table.json, which says
    from the beginning how far the build is.

    A table that is whole, of the same dictionary, model, text, settings and control, is not made again;
    a killed build goes on from its last whole chunk; the same inputs give the same bytes. Memory holds
    the text, one pass of the model and one shard of features, whatever the number of tokens.
    `control=None` is a user's decision to go without, and the table says so. Raises ConfigError (no
    dictionary), MismatchError (a dictionary that does not fit the model), DataError (no usable token,
    activations that are not finite), DamagedError (a file of an unfinished build that cannot be read).
    """
    config = config or BuildConfig()
    if not dictionaries:
        raise ConfigError("there is no dictionary to make a table of: give at least one")
    text = TableText.of(tokens, config.max_tokens)
    _require_fit(dictionaries, model, text)
    twins, control_is = _twins(dictionaries, control)
    about = {"model_fingerprint": model.fingerprint, "control": control_is[""], **_of_text(text, config)}
    tables: dict[str, Table] = {}
    for name, dictionary in dictionaries.items():
        twin = {"control_fingerprint": twins[name].fingerprint if name in twins else ""}
        manifest = Manifest(out / name, _of_dictionary(name, dictionary) | about | twin)
        tables[name] = Table(dictionary, manifest, out / name, manifest.work)
    pending = {name: table for name, table in tables.items() if not table.manifest.is_done()}
    if pending:
        _Build(pending, model, text, tokenizer, config, (control, twins, control_is)).run()
    return {name: out / name for name in dictionaries}


def _require_fit(dictionaries: Mapping[str, Dictionary], model: Model, text: TableText) -> None:
    require_next_token(model, "a feature table")
    if text.context > model.n_context or text.d_vocab > model.d_vocab:
        raise MismatchError(
            f"the tokens come in blocks of {text.context:,} from a vocabulary of {text.d_vocab:,}; "
            f"{model.name} takes {model.n_context:,} and {model.d_vocab:,}: pack the corpus for this model"
        )
    for name, dictionary in dictionaries.items():
        sides = ((dictionary.reads, dictionary.widths_in), (dictionary.writes, dictionary.widths_out))
        for site, width in {pair for sites, widths in sides for pair in zip(sites, widths, strict=True)}:
            if width != model.width(site):
                raise MismatchError(
                    f"dictionary '{name}' has {width} numbers at {site}, {model.name} has {model.width(site)}: "
                    "it was trained on another model"
                )


def _twins(
    dictionaries: Mapping[str, Dictionary], control: Control | None
) -> tuple[dict[str, Dictionary], dict[str, str]]:
    """The control's dictionaries of the same names; what the control is, by name, and in general under ''."""
    if control is None:
        return {}, dict.fromkeys(["", *dictionaries], SKIPPED)
    twins: dict[str, Any] = {name: control.dictionaries[name] for name in dictionaries if name in control.dictionaries}
    said = {name: control.what if name in twins else f"the control has no dictionary '{name}'" for name in dictionaries}
    return twins, {"": control.what, **said}


def _of_text(text: TableText, config: BuildConfig) -> dict[str, Any]:
    return {
        "corpus_fingerprint": text.fingerprint,
        "n_tokens": text.n_tokens,
        "n_documents": len(text.names),
        "context": text.context,
        "groups": list(GROUPS),
        "config": to_json(config),
        "chosen_by": RULE,
    }


def _of_dictionary(name: str, dictionary: Dictionary) -> dict[str, Any]:
    loss = why_no_loss_effect(dictionary.writes)
    return {
        "dictionary": name,
        "architecture": dictionary.architecture,
        "n_features": dictionary.n_features,
        "d_in": dictionary.d_in,
        "d_out": dictionary.d_out,
        "reads": list(dictionary.reads),
        "writes": list(dictionary.writes),
        "dictionary_fingerprint": dictionary.fingerprint,
        "effects": {"total": loss, "direct": why_no_direct_effect(dictionary.writes), "attr": loss},
    }


class _Build:
    """The steps of a build of some tables at once."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        model: Model,
        text: TableText,
        tokenizer: Tokenizer,
        config: BuildConfig,
        control: tuple[Control | None, Mapping[str, Dictionary], Mapping[str, str]],
    ) -> None:
        self.tables, self.model, self.text, self.config = tables, model, text, config
        against, twins, self.control_is = control
        self.control_model: Any = None if against is None else against.model
        self.controls = {
            name: Table(twins[name], table.manifest, table.folder / "control", table.work / "control", True)
            for name, table in tables.items()
            if name in twins
        }
        self.chosen: dict[tuple[str, bool], Chosen] = {}
        self.same_contexts: dict[tuple[str, bool], np.ndarray] = {}
        self.words, self.reading = vocabulary(text, tokenizer), Reading(text, tokenizer)

    def run(self) -> None:
        keep_freed_memory(KEPT)
        for table in self.tables.values():
            table.manifest.prepare()
        for table in self.controls.values():
            table.work.mkdir(parents=True, exist_ok=True)
        spill = next(iter(self.tables.values())).work / "spill"
        device = self.model.device.type
        with Database(self.config.memory_mb, spill) as database, float32_products(device):
            self._write_text(database)
            self._gather("activations", self.model, self.tables, database)
            self._describe("description", self.model, self.tables, database)
            if self.controls:
                self._gather("activations of the control", self.control_model, self.controls, database)
                self._describe("description of the control", self.control_model, self.controls, database)
            self._measure("effects", self.model, self.tables, database)
            if self.controls:
                self._measure("effects of the control", self.control_model, self.controls, database)
            for name in self.tables:
                self._finish(name, database)

    def _at(
        self, stage: str, tables: Mapping[str, Table], total: int, bar: Callable[..., None]
    ) -> Callable[[int], None]:
        """To be told how much of a stage is done."""
        last = 0

        def advance(done: int) -> None:
            nonlocal last
            for table in tables.values():
                table.manifest.at(stage, done, total)
            bar(done - last)
            last = done

        return advance

    def _write_text(self, database: Database) -> None:
        for table in self.tables.values():
            write_text(self.text, self.words, self.reading, table.folder, database)

    def _gather(self, stage: str, model: Model, tables: Mapping[str, Table], database: Database) -> None:
        total = n_chunks(self.text, self.config.batch_tokens)
        with progress(f"feature tables: {stage}", total, "chunk") as bar:
            places = {name: (table.dictionary, table.work) for name, table in tables.items()}
            advance = self._at(stage, tables, total, bar.advance)
            gather(model, places, self.text, self.config.batch_tokens, database, advance)

    def _describe(self, stage: str, model: Model, tables: Mapping[str, Table], database: Database) -> None:
        grammar = describing.grammar_of(self.text, self.config.seed)
        chooser = Chooser(self.text, self.reading, self.config)
        with progress(f"feature tables: {stage}", len(tables), "dictionarie") as bar:
            for table in tables.values():
                ordered = sort_entries(table.acts, table.work, n_chunks(self.text, self.config.batch_tokens), database)
                background = describing.Background(table.dictionary, model, self.text, self.words, *grammar)
                self._describe_one(stage, table, ordered, background, chooser, database)
                bar.advance(1)

    def _describe_one(
        self,
        stage: str,
        table: Table,
        ordered: Path,
        background: describing.Background,
        chooser: Chooser,
        database: Database,
    ) -> None:
        cut = ranges(ordered, table.dictionary.n_features, database)
        scalars, listed, examples = (table.parts(kind, len(cut)) for kind in ("scalars", "lists", "examples"))
        for i, (first, stop) in enumerate(cut):
            table.manifest.at(stage, i, len(cut))
            if scalars[i].exists():  # the last of a shard's files
                continue
            shard = load(ordered, i, first, stop, database)
            if not table.is_control:
                database.write(examples[i], chooser.query, chooser.rows(shard))
                query = f"SELECT {describing.selected(describing.LISTS)} FROM given"
                database.write(listed[i], query, describing.feature_lists(shard, background))
            query = f"SELECT {describing.selected(describing.SCALARS)} FROM given"
            database.write(scalars[i], query, describing.scalars(shard, background))
        if not table.is_control:
            n_dead = database.fetch(f"SELECT count(*) AS n FROM {rows_of(scalars)} WHERE is_dead")["n"][0]
            table.manifest.found["n_dead"] = int(n_dead)
            database.write(table.folder / "lists.parquet", f"SELECT * FROM {rows_of(listed)}")
            database.write(table.folder / "examples.parquet", f"SELECT * FROM {rows_of(examples)}")
            near = table.folder / "neighbours.parquet"
            if not near.exists():
                write_neighbours(table.dictionary, background.model, table.folder, self.text.context, database, near)
            finishing.write_features(scalars, near, None, table.folder / "features.parquet", database)

    def _measure(self, stage: str, model: Model, tables: Mapping[str, Table], database: Database) -> None:
        works: dict[str, Work] = {}
        for name, table in tables.items():
            key, ordered = (name, table.is_control), table.work / "sorted.parquet"
            self.chosen[key] = choose(ordered, self.config, database)
            chosen = self.chosen[key].features
            if not table.is_control:
                table.manifest.found["measured"] = self.chosen[key].said()
            draw = draw_contexts(chosen, ordered, self.text.context, self.config, database)
            first_order = draw.first_order(chosen) / max(int(self.text.counted.sum()), 1)
            self.same_contexts[key] = first_order[np.searchsorted(chosen, self.chosen[key].random)]
            shown = Shown.none()
            if not table.is_control and self.config.n_effects:
                examples = table.folder / "examples.parquet"
                shown = Shown.of(examples, chosen.tolist(), self.config.n_effects, database)
            works[name] = Work(table.dictionary, table.acts, table.work, draw, shown, randomly=not table.is_control)
        total = n_batches(self.text, self.config)
        with progress(f"feature tables: {stage}", total, "batch") as bar:
            measure(model, works, self.text, self.config, database, self._at(stage, tables, total, bar.advance))

    def _finish(self, name: str, database: Database) -> None:
        table, batches = self.tables[name], n_batches(self.text, self.config)
        sides: list[finishing.Side | None] = [None, None]
        for which in filter(None, [self.controls.get(name), table]):
            n = len(ranges(which.work / "sorted.parquet", which.dictionary.n_features, database))
            key = (name, which.is_control)
            chosen = self.chosen[key].features
            able = not why_no_loss_effect(which.dictionary.writes)
            parts = which.parts("measured", batches) if able else []
            randomly = not which.is_control
            found = finishing.measured_of(chosen, parts, self.text, which.dictionary, database, randomly=randomly)
            near = None if which.is_control else which.folder / "neighbours.parquet"
            path = which.folder / "features.parquet"
            finishing.write_features(which.parts("scalars", n), near, found, path, database)
            drawn = self.chosen[key].random
            sides[which.is_control] = finishing.Side.of(path, drawn, self.same_contexts[key], database)
        self._write_effects(table, batches, database)
        side, control = sides
        assert side is not None, "the table itself is always there"
        said = finishing.findings(side, control, self.control_is[name], self.config.seed)
        table.manifest.finish(said)

    def _write_effects(self, table: Table, batches: int, database: Database) -> None:
        path = table.folder / "effects.parquet"
        if why_no_loss_effect(table.dictionary.writes):
            write_effects(path, [], database)
            return
        parts = rows_of(table.parts("effects", batches))
        database.write(path, f"SELECT * FROM {parts} ORDER BY feature, pos")

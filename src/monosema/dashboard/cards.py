"""What a notebook shows, as HTML from the browser's own templates, with their style inside.

    card(dictionary)                   what it is, how it was trained, its scores beside their controls
    card(scorecard)                    a row a metric, a column a dictionary, a control beside every value
    card(table)                        a feature table: its dictionary and its ten most important features
    card(page), card(row), card(detail)    a page of features; one of them

No script and no request; text is escaped as on the pages.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from monosema.core.config import to_json
from monosema.core.errors import ConfigError
from monosema.core.findings import Finding
from monosema.core.runs import open_run, read_json
from monosema.dashboard.cells import cell, decimals_of
from monosema.dashboard.data import ReportData
from monosema.dashboard.facts import effects, stats, tokens
from monosema.dashboard.measures import importance, state, state_in_words, top_token, value_of, written
from monosema.dashboard.numbers import count
from monosema.dashboard.page import asset
from monosema.dashboard.pages.dictionaries import HEADLINES, described, row_of
from monosema.dashboard.pages.features import SHOWN as NUMBERS
from monosema.dashboard.rendering import environment
from monosema.dashboard.sections import scorecard
from monosema.dashboard.windows import line_groups
from monosema.evaluation.scorecard import Scorecard
from monosema.features.browse import COLUMNS, FeatureTable, Query
from monosema.features.browse.rows import FeatureDetail, FeaturePage, FeatureRow
from monosema.features.labels import LabelStore

SHOWN = ("top", "random active")
"""The groups of examples on a card."""

MOST_IMPORTANT = 10


@runtime_checkable
class Dictionary(Protocol):
    """What is shown of a dictionary; `monosema.dictionaries.Dictionary` is one."""

    @property
    def architecture(self) -> str: ...
    @property
    def config(self) -> Any: ...
    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def d_in(self) -> int: ...
    @property
    def d_out(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def keep(self) -> Any: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def folder(self) -> Path | None: ...
    @property
    def fingerprint(self) -> str: ...


def card(shown: object) -> str:
    """The card of `shown`, which a notebook asks for by itself. Raises ConfigError when there is none of its kind."""
    kind = f"{type(shown).__module__}.{type(shown).__qualname__}".removeprefix("monosema.")
    if kind not in _CARDS:
        raise ConfigError(f"there is no card of a {kind}: there are {', '.join(_CARDS)}")
    return _CARDS[kind](shown)


def feature_card(table: FeatureTable, feature: int, label: str = "") -> str:
    """A feature of a table: its numbers, its strongest and some random examples. Raises DataError when there is
    no such feature."""
    row, manifest = table.row(feature), table.manifest
    groups = line_groups(table.examples(feature), row.max_act)
    return _feature(
        row,
        label=label,
        state_in_words=state_in_words(row, manifest.n_tokens),
        effects=effects(row, manifest.effects),
        groups=[group for group in groups if group.key in SHOWN],
    )


def scorecard_card(found: Scorecard) -> str:
    """A scorecard: a row a metric, a control beside every value."""
    return _drawn("scores", view=scorecard.view(ReportData("", scorecard=found)))


def dictionary_card(dictionary: Dictionary) -> str:
    """A dictionary: what it is, what it was trained on, and its scores where it was read from a run that knows them."""
    d, trained = dictionary, dictionary.metadata
    reads, writes = " + ".join(d.reads), " + ".join(d.writes)
    n_pruned = d.n_features - int(d.keep.sum())
    own = to_json(d.config)
    assert isinstance(own, dict)
    settings = {**own, **trained.get("optimiser", {})}
    facts = [
        ("features", count(d.n_features), f"{count(n_pruned)} pruned" if n_pruned else ""),
        ("reads", f"{reads}", f"{count(d.d_in)} numbers"),
        ("writes", f"{writes}", f"{count(d.d_out)} numbers"),
        *((("trained on", count(trained["rows"]), "activations"),) if "rows" in trained else ()),
        *((name.replace("_", " "), str(value), "") for name, value in settings.items() if name != "n_features"),
    ]
    kept = ("model_fingerprint", "corpus_fingerprint")
    prints = {
        "fingerprint": d.fingerprint,
        **{name.replace("_", " "): trained[name] for name in kept if name in trained},
    }
    scores = {} if d.folder is None else _scored(d.folder.parent.parent, d.fingerprint)
    name = d.architecture if d.folder is None else d.folder.name
    site = reads if reads == writes else f"{reads} → {writes}"
    listed = [(HEADLINES[key], scores[key]) for key in HEADLINES if key in scores]
    return _drawn(
        "dictionary",
        name=name,
        architecture=d.architecture,
        site=site,
        facts=facts,
        prints=prints,
        scores=_cells(listed),
    )


def table_card(table: FeatureTable) -> str:
    """A feature table: its dictionary as on the first page, and its most important features."""
    run, fingerprint = table.path.parent.parent, table.manifest.dictionary_fingerprint
    labelled = LabelStore(run / "labels.sqlite").current(table.path.name, fingerprint)
    row = row_of("", table, _scored(run, fingerprint), len(labelled))
    page = table.page(Query(size=MOST_IMPORTANT))
    return _drawn("table", name=row.dictionary, c=described(row), **_listing(page))


def page_card(page: FeaturePage) -> str:
    """A page of features."""
    return _drawn("features", **_listing(page))


def row_card(row: FeatureRow) -> str:
    """The numbers of one feature."""
    said = "" if row.is_dead else state_in_words(row, round(row.n_active / row.frequency))
    return _feature(row, state_in_words=said, effects=effects(row, {}))


def detail_card(detail: FeatureDetail) -> str:
    """The numbers of one feature, and the tokens whose logits it raises and lowers most."""
    row = detail.row
    said = "" if row.is_dead else state_in_words(row, round(row.n_active / row.frequency))
    logits = [("raises", tokens(detail.top_logits)), ("lowers", tokens(detail.bottom_logits))]
    return _feature(row, state_in_words=said, effects=effects(row, {}), logits=[pair for pair in logits if pair[1]])


_CARDS: Mapping[str, Callable[[Any], str]] = {
    "dictionaries.dictionary.Dictionary": dictionary_card,
    "evaluation.scorecard.Scorecard": scorecard_card,
    "features.browse.table.FeatureTable": table_card,
    "features.browse.rows.FeaturePage": page_card,
    "features.browse.rows.FeatureRow": row_card,
    "features.browse.rows.FeatureDetail": detail_card,
}
"""By name, so that no card loads what it does not show."""


def _feature(row: FeatureRow, **shown: Any) -> str:
    known = {"row": row, "state": state(row), "top_token": top_token(row), "stats": stats(row)}
    return _drawn("card", **{"label": "", "groups": [], "logits": [], **known, **shown})


def _listing(page: FeaturePage) -> dict[str, Any]:
    """The features of a page as on the page of them, with the columns of numbers that it shows."""
    columns = [COLUMNS[name] for name in NUMBERS]
    rows = [
        {
            "feature": row.feature,
            "floor": row.floor_text,
            "token": top_token(row),
            "state": state(row),
            "importance": importance(row),
            "cells": [
                (column.name, "" if row.is_dead else written(column, value_of(row, column.name))) for column in columns
            ],
        }
        for row in page.rows
    ]
    return {
        "columns": columns,
        "rows": rows,
        "n_matching": count(page.n_matching),
        "n_features": count(page.n_features),
    }


def _scored(run: Path, fingerprint: str) -> Mapping[str, Finding]:
    """The lines of a run's scorecard about the dictionary of this fingerprint; none where it knows of none."""
    if not ((run / "scorecard.json").exists() and (run / "provenance.json").exists()):
        return {}
    measured = open_run(run).stages().get("score", {}).get("inputs", {})
    findings = Scorecard.from_json(read_json(run / "scorecard.json")).findings
    names = [name for name in findings if measured.get(f"dictionaries/{name}") == fingerprint]
    return findings[names[0]] if names else {}


def _cells(scores: Sequence[tuple[str, Finding]]) -> list[tuple[str, Any, str]]:
    return [(name, cell(finding, decimals_of([finding])), str(finding)) for name, finding in scores]


def _drawn(template: str, **shown: Any) -> str:
    return environment().get_template(f"cards/{template}.html").render(style=asset("card.css"), **shown)

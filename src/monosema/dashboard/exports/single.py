"""One HTML file with everything of the features in it: opens anywhere, offline, and fetches nothing.

Each CHUNK of features is a block of text that the page unpacks (DecompressionStream) when one of them is
opened; the list of all is unpacked at once. The page's policy lets its one script run and nothing else.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from markupsafe import Markup

from monosema.core.runs import write_text
from monosema.dashboard.exports.packing import Columns, Vocabulary, compressed, laid_out, packed
from monosema.dashboard.exports.selection import Selection
from monosema.dashboard.facts import effects, stats, tokens
from monosema.dashboard.measures import importance, state, state_in_words, top_token
from monosema.dashboard.numbers import count, percent
from monosema.dashboard.page import asset, policy
from monosema.dashboard.rendering import environment
from monosema.dashboard.text import visible
from monosema.features.browse.rows import FeatureDetail, FeatureRow

CHUNK = 32

READ_AT_ONCE = 512
"""Features that are read from the table together: some 100 MB of windows."""


def write_single(path: Path, selection: Selection) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, page(selection))


def page(selection: Selection) -> str:
    """The page as HTML; the same table, labels and query give the same text."""
    manifest, vocabulary = selection.table.manifest, Vocabulary()
    with ThreadPoolExecutor(1) as beside:
        chunks = [Markup(text) for text in beside.map(compressed, _chunks(selection, vocabulary))]
    rows = selection.table.rows(selection.features)
    index = {"chunk": CHUNK, "rows": [_listed(row, selection.labels.get(row.feature, "")) for row in rows]}
    style, script = asset("theme.css") + asset("browser.css") + asset("single.css"), asset("single.js")
    return (
        environment()
        .get_template("browser/single.html")
        .render(
            name=manifest.dictionary,
            about=f"{count(len(rows))} of {count(manifest.n_features)} features, {manifest.architecture} at "
            f"{' + '.join(manifest.reads)}, {count(manifest.n_tokens)} tokens",
            policy=policy(script),
            style=style,
            script=script,
            chunks=chunks,
            index=Markup(packed(index)),
            vocabulary=Markup(packed([visible(text) for text in vocabulary.texts()])),
        )
    )


def _chunks(selection: Selection, vocabulary: Vocabulary) -> Iterator[bytes]:
    """Blocks of CHUNK features, in the order of the selection."""
    for first in range(0, len(selection.features), READ_AT_ONCE):
        some = selection.features[first : first + READ_AT_ONCE]
        details = selection.table.details(some)
        largest = [detail.row.max_act for detail in details]
        columns = Columns(selection.table.windows(some), largest, vocabulary)
        for start in range(0, len(some), CHUNK):
            stop = min(start + CHUNK, len(some))
            facts = [_facts(selection, details[i]) | columns.facts(i) for i in range(start, stop)]
            yield laid_out(facts, columns.bytes(start, stop))


def _listed(row: FeatureRow, label: str) -> list[Any]:
    """What the list says of a feature: number, words, whether they are a label, token, frequency, importance, state."""
    amount = importance(row)
    words = label or row.floor_text
    return [
        row.feature,
        visible(words),
        int(bool(label)),
        top_token(row),
        percent(row.frequency),
        amount.value,
        state(row),
    ]


def _facts(selection: Selection, detail: FeatureDetail) -> dict[str, Any]:
    row = detail.row
    return {
        "says": state_in_words(row, selection.table.manifest.n_tokens),
        "stats": stats(row),
        "effects": [
            [e["name"], e["value"], e["error"], e["note"], e["css"]]
            for e in effects(row, selection.table.manifest.effects)
        ],
        "acts": [] if detail.acts is None else [list(detail.acts.counts), detail.acts.low, detail.acts.high],
        "positions": list(detail.by_position),
        "logits": [
            [[t["text"], t["effect"], t["share"]] for t in tokens(side)]
            for side in (detail.top_logits, detail.bottom_logits)
        ],
        "near": [[n.kind, n.dictionary, n.feature, round(n.value, 2)] for n in detail.neighbours],
    }

"""A feature and a scorecard as HTML for a notebook: from the browser's own templates, with their style inside.

No script and no request; text is escaped as on the pages.
"""

from monosema.dashboard.data import ReportData
from monosema.dashboard.facts import effects, stats
from monosema.dashboard.measures import state, state_in_words, top_token
from monosema.dashboard.page import asset
from monosema.dashboard.rendering import environment
from monosema.dashboard.sections import scorecard
from monosema.dashboard.windows import line_groups
from monosema.evaluation.scorecard import Scorecard
from monosema.features.browse import FeatureTable

SHOWN = ("top", "random active")
"""The groups of examples on a card."""


def feature_card(table: FeatureTable, feature: int, label: str = "") -> str:
    """A feature of a table: its numbers, its strongest and some random examples. Raises DataError when there is
    no such feature."""
    detail, manifest = table.feature(feature), table.manifest
    groups = line_groups(table.examples(feature), detail.row.max_act)
    return (
        environment()
        .get_template("browser/card.html")
        .render(
            style=asset("card.css"),
            row=detail.row,
            label=label,
            state=state(detail.row),
            state_in_words=state_in_words(detail.row, manifest.n_tokens),
            top_token=top_token(detail.row),
            stats=stats(detail.row),
            effects=effects(detail.row, manifest.effects),
            groups=[group for group in groups if group.key in SHOWN],
        )
    )


def scorecard_card(card: Scorecard) -> str:
    """A scorecard: a row a metric, a control beside every value."""
    view = scorecard.view(ReportData("", scorecard=card))
    return environment().get_template("browser/scores.html").render(style=asset("card.css"), view=view)

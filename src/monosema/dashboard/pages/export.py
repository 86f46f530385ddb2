"""Taking it away: one HTML file, peers' formats, tables, and the query as code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.dashboard.exports.selection import AT_ONCE
from monosema.dashboard.numbers import count
from monosema.dashboard.pages.asking import Asked, address
from monosema.features.browse.query import Query


@dataclass(frozen=True)
class Exportable:
    """How many features the query selects, and the commands that write them."""

    query: str
    n_matching: int
    n_labels: int
    command: str


def rows(asked: Asked) -> Exportable:
    """What the query of the address selects."""
    query, place = Query.from_pairs(asked.given), asked.place
    n = len(place.table.matching(query, place.current()))
    given = f" --query '{query.to_url()}'" if query.to_url() else ""
    command = f"monosema export {place.path} --dictionary {place.dictionary}{given}"
    return Exportable(query.to_url(), n, len(place.current()), command)


FORMATS = (
    (
        "features.html",
        "One HTML file",
        "Everything of the features in a file that opens anywhere, without a server.",
        "--html features.html",
    ),
    ("features.csv", "CSV", "The numbers, a row a feature, with the labels.", "--csv FOLDER"),
    ("saedashboard.json", "SAEDashboard", "A batch in the JSON of SAEDashboard.", "--saedashboard FILE"),
    ("neuronpedia.tar", "Neuronpedia", "The folder that Neuronpedia imports, in a tar.", "--neuronpedia FOLDER"),
    ("labels.jsonl", "Labels", "Every label, comment, rating, list and view of this run, a JSON object a line.", ""),
)
"""Name of the download, heading, what it is, and the option of the command."""


def view(found: Exportable, asked: Asked) -> Mapping[str, Any]:
    """Links to the downloads and the commands that do the same."""
    query = f"?{found.query}" if found.query else ""
    return {
        "found": found,
        "n": count(found.n_matching),
        "at_once": count(AT_ONCE),
        "too_many": found.n_matching > AT_ONCE,
        "list_url": f"{address(asked.place, 'features')}{query}",
        "formats": [
            {
                "name": name,
                "title": title,
                "says": says,
                "url": address(asked.place, f"export/{name}") + query,
                "command": f"{found.command} {option}" if option else "",
            }
            for name, title, says, option in FORMATS
        ],
        "code": (
            "from monosema.features.browse import Query, open_table\n\n"
            f'table = open_table("{asked.place.table.path}")\n'
            f'query = Query.from_url("{found.query}")\n'
            "for row in table.page(query).rows:\n"
            "    print(row.feature, row.frequency, row.importance, row.floor_text)\n"
        ),
    }

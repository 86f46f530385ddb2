"""Pages: rows in, HTML out. Nothing is measured here; sizes and places of marks are all that is worked out.

    ReportData   what a report shows: a run's facts, scorecard, prune study and features
    read_run     the same from a run directory
    report       ReportData -> one HTML file: no requests, no CDN, the same bytes for the same data
    write_report the same, to a file
    write_check  the page of a check, to a file
    write_exhibit   the page of an experiment on toy models, to a file
    card         a dictionary, a scorecard, a feature or a table of them, for a notebook

Names are resolved when first used, so that naming this package costs nothing.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.dashboard.cards import card as card
    from monosema.dashboard.check_page import write_check as write_check
    from monosema.dashboard.data import ReportData as ReportData
    from monosema.dashboard.data import read_run as read_run
    from monosema.dashboard.exhibit_page import write_exhibit as write_exhibit
    from monosema.dashboard.page import report as report
    from monosema.dashboard.page import write_report as write_report

_HOMES = {
    "ReportData": "data",
    "card": "cards",
    "read_run": "data",
    "report": "page",
    "write_check": "check_page",
    "write_exhibit": "exhibit_page",
    "write_report": "page",
}

__all__ = ["ReportData", "card", "read_run", "report", "write_check", "write_exhibit", "write_report"]

__getattr__ = lazily(__name__, _HOMES)

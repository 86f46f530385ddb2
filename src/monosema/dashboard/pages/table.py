"""Every screen, in the order of the navigation."""

from monosema.dashboard.pages import compare, dictionaries, document, export, feature, features, graph, prompt, review
from monosema.dashboard.pages.asking import Page

IN = "/r/{run}/{dictionary}"

PAGES = (
    Page("dictionaries", "/", "Dictionaries", "Dictionaries", dictionaries.rows, dictionaries.view),
    Page("features", f"{IN}/features", "Features", "Features", features.rows, features.view),
    Page("feature", f"{IN}/feature/{{number}}", "Feature", "", feature.rows, feature.view),
    Page("documents", f"{IN}/documents", "Documents", "Documents", document.list_rows, document.list_view),
    Page("document", f"{IN}/document/{{number}}", "Document", "", document.rows, document.view),
    Page("prompt", f"{IN}/prompt", "Prompt", "Prompt", prompt.rows, prompt.view, prompt.failed),
    Page("graph", "/graph", "Graph", "Graph", graph.rows, graph.view, graph.failed),
    Page("review", f"{IN}/review", "Review", "Review", review.rows, review.view),
    Page("compare", "/compare", "Compare", "Compare", compare.rows, compare.view),
    Page("export", f"{IN}/export", "Export", "Export", export.rows, export.view),
)
"""A page that needs a dictionary has {run} and {dictionary} in its path; one with {number} is about that thing."""

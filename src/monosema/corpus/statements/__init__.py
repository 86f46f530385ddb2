"""Statements and contrast pairs with exact ground truth: generated, read, split without leaks, and as text for a model.

    generate("comparisons", 2000)  -->  as_pairs(..., "qa")  -->  distract(..., "contrast_word")  -->  split
    read("cities.csv")

source        what a generator is; one file each, listed in `table`
labelled      Statements, Pairs
templates     the two ways to complete a statement
distractors   something else that a direction could be about
language      text from which a small language model learns what is true
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.corpus.statements.distractors import DISTRACTORS, Distracted, Distractor, distract, distractor
    from monosema.corpus.statements.files import read, write
    from monosema.corpus.statements.generating import generate, largest, paraphrase
    from monosema.corpus.statements.labelled import Pairs, Statements, require_classes
    from monosema.corpus.statements.language import StatementText
    from monosema.corpus.statements.language_config import StatementTextConfig, parse_statement_text
    from monosema.corpus.statements.source import Claim, Source
    from monosema.corpus.statements.splitting import split
    from monosema.corpus.statements.table import STATEMENTS
    from monosema.corpus.statements.templates import TEMPLATES, Template, as_pairs, template

__all__ = [
    "DISTRACTORS",
    "STATEMENTS",
    "TEMPLATES",
    "Claim",
    "Distracted",
    "Distractor",
    "Pairs",
    "Source",
    "StatementText",
    "StatementTextConfig",
    "Statements",
    "Template",
    "as_pairs",
    "distract",
    "distractor",
    "generate",
    "largest",
    "paraphrase",
    "parse_statement_text",
    "read",
    "require_classes",
    "split",
    "template",
    "write",
]

_HOMES = {
    "DISTRACTORS": "distractors",
    "STATEMENTS": "table",
    "TEMPLATES": "templates",
    "Claim": "source",
    "Distracted": "distractors",
    "Distractor": "distractors",
    "Pairs": "labelled",
    "Source": "source",
    "StatementText": "language",
    "StatementTextConfig": "language_config",
    "Statements": "labelled",
    "Template": "templates",
    "as_pairs": "templates",
    "distract": "distractors",
    "distractor": "distractors",
    "generate": "generating",
    "largest": "generating",
    "paraphrase": "generating",
    "parse_statement_text": "language_config",
    "read": "files",
    "require_classes": "labelled",
    "split": "splitting",
    "template": "templates",
    "write": "files",
}

__getattr__ = lazily(__name__, _HOMES)

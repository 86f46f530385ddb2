"""Languages with plans: what comes late is settled early, and where the plan can be is known by construction.

couplets   two lines that rhyme; the end word is settled by the first line, and the second line leads up to it
articles   "a" or "an" before a noun that is settled before the article
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.corpus.plans.articles import Articles
    from monosema.corpus.plans.config import ArticlesConfig, CoupletsConfig
    from monosema.corpus.plans.couplets import Couplets

__all__ = ["Articles", "ArticlesConfig", "Couplets", "CoupletsConfig"]

_HOMES = {
    "Articles": "articles",
    "ArticlesConfig": "config",
    "Couplets": "couplets",
    "CoupletsConfig": "config",
}

__getattr__ = lazily(__name__, _HOMES)

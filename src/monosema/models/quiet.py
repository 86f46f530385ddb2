"""Silence for what transformers prints on its own: progress bars, loading reports, advice about padding.

We load from disk, compute our own losses and attend to every token on purpose; what can go wrong is
checked here and raised. Both contexts leave transformers' settings as they found them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARY = "transformers"


@contextmanager
def quiet_notices() -> Iterator[None]:
    """Within it transformers logs errors only.

    Every pass comes through here: setting the logger's level would empty the caches of all loggers, which takes up to a
    millisecond, and a filter takes next to nothing.
    """

    def shown(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or record.name.partition(".")[0] != LIBRARY

    handlers = list(_handlers(logging.getLogger(LIBRARY)))
    for handler in handlers:
        handler.addFilter(shown)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(shown)


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """Those that a record of `logger` is handed to, its parents' too."""
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


@contextmanager
def quiet() -> Iterator[None]:
    """Within it transformers logs errors only and draws no progress bars."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        with quiet_notices():
            yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()

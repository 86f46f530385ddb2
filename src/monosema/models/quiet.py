"""Silence for what transformers prints on its own: progress bars, loading reports, advice about padding.

We load from disk, compute our own losses and attend to every token on purpose; what can go wrong is
checked here and raised. Both contexts leave transformers' settings as they found them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_notices() -> Iterator[None]:
    """Within it transformers logs errors only."""
    logger = logging.getLogger("transformers")
    before = logger.level
    if before >= logging.ERROR:  # setting a level empties the caches of all loggers, which takes a millisecond
        yield
        return
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


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

"""What transformers says is kept quiet inside, errors and the words of others are not, and nothing is left behind."""

import logging

import pytest
import transformers

from monosema.models.quiet import quiet_notices

LIBRARY = logging.getLogger("transformers")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches a handler of transformers' logger and one of its parent's."""
    heard: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    monkeypatch.setattr(LIBRARY, "handlers", [*LIBRARY.handlers, Listening()])
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers, Listening()])
    monkeypatch.setattr(LIBRARY, "propagate", True)
    return heard


def test_notices_are_dropped_and_errors_are_not(said: list[str]):
    logger = transformers.utils.logging.get_logger("transformers.models.gpt2")
    with quiet_notices():
        logger.warning("pad your texts")
        logger.error("no such file")
        logging.getLogger("transformers_of_others").warning("listen")
    assert said == ["no such file", "no such file", "listen"]  # the first two from both handlers
    logger.warning("pad your texts")
    assert said[3:] == ["pad your texts"] * 2


def test_one_inside_another_ends_alone(said: list[str]):
    before = [list(handler.filters) for handler in LIBRARY.handlers]
    with quiet_notices():
        with quiet_notices():
            pass
        LIBRARY.warning("pad your texts")
    assert said == []
    assert [handler.filters for handler in LIBRARY.handlers] == before


def test_the_level_is_never_touched(monkeypatch: pytest.MonkeyPatch):
    # Setting it empties the caches of every logger, so that a pass of a small model takes longer by a tenth.
    monkeypatch.setattr(LIBRARY, "setLevel", lambda _: pytest.fail("a level was set"))
    with quiet_notices():
        pass

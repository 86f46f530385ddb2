import re
import sys

import pytest

from monosema.core import progress as module
from monosema.core.progress import progress


def test_without_a_terminal_one_line_says_what_was_done(capsys: pytest.CaptureFixture[str]):
    with progress("training", 2000) as bar:
        for _ in range(2000):
            bar.advance()
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"training: 2,000 of 2,000 steps in \d+\.\d s\n", err)


def test_a_total_that_is_not_known_is_not_made_up(capsys: pytest.CaptureFixture[str]):
    with progress("packing", 0, unit="document") as bar:
        bar.advance(609)
    assert re.fullmatch(r"packing: 609 documents in \d+\.\d s\n", capsys.readouterr().err)


def test_a_line_every_interval_and_no_more(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    now = iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0, 70.0])  # a second reading where a line was written
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    with progress("harvest", 4, unit="shard") as bar:
        for i in range(4):
            bar.advance(note=f"{i} left out")
    assert capsys.readouterr().err.splitlines() == [
        "harvest: 2 of 4 shards (1 left out)",
        "harvest: 4 of 4 shards (3 left out)",
        "harvest: 4 of 4 shards in 70.0 s (3 left out)",
    ]


def test_an_interruption_is_not_reported_as_done(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(KeyboardInterrupt), progress("training", 10) as bar:
        bar.advance(3)
        raise KeyboardInterrupt
    assert " in " not in capsys.readouterr().err


def test_on_a_terminal_a_bar_counts_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("training", 4) as bar:
        bar.advance(3, note="loss 0.5")
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err and "3/4" in err and "loss 0.5" in err

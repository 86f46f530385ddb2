"""What an exhibit holds: checked when it is made, and plain JSON afterwards."""

import json
import math
from dataclasses import dataclass

import pytest

from monosema.core.errors import ConfigError
from monosema.core.exhibits import as_json
from monosema.core.findings import Finding
from monosema.toys import ArrowFrame, Arrows, Curves, Exhibit, Heatmap, Line, Table


@dataclass(frozen=True)
class Settings:
    steps: int = 3


FOUND = Finding("share", 0.5, 0.25, "shuffled", 0.4, 0.6, 10, "seeds")


def test_an_exhibit_is_plain_json_and_a_panel_says_its_kind():
    curves = Curves("Loss", "It falls.", "step", "loss", (Line("own", (0, 1), (1.0, math.nan), role="measured"),))
    table = Table("Shares", "One row.", ("a", "b"), (("1", "2"),))
    found = as_json(Exhibit("x", "Why?", ("So.",), (curves, table), {"share": FOUND}, Settings(), "2 seeds"))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [panel["kind"] for panel in found["panels"]] == ["curves", "table"]
    assert found["panels"][0]["lines"][0]["y"] == [1.0, "nan"]
    assert found["findings"]["share"]["control"] == 0.25
    assert found["settings"] == {"steps": 3}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Line("own", (0, 1), (1.0,)), "equally long"),
        (lambda: Line("own", (0, 1), (1.0, 2.0), low=(0.0,), high=(2.0,)), "equally long"),
        (lambda: Line("own", (), ()), "no points"),
        (lambda: Heatmap("m", "s", "x", "y", (0, 1), (0,), ((0.5,),)), "a value for every x"),
        (lambda: Table("t", "s", ("a",), (("1", "2"),)), "as long as headers"),
        (lambda: Arrows("a", "s", (ArrowFrame("0", ((1, 0),)), ArrowFrame("1", ((1, 0), (0, 1))))), "same features"),
        (lambda: Arrows("a", "s", (ArrowFrame("0", ((1, 0), (1, 0, 0))),)), "same features"),
        (lambda: Arrows("a", "s", (ArrowFrame("0", ((1, 0, 0, 0),)),)), "2 or all in 3"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_made(make, words: str):
    with pytest.raises(ConfigError, match=words):
        make()

"""`monosema erase`: what is certified, what is read behind it, what it costs, and one line for every mistake."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from monosema import models
from monosema.cli import main
from monosema.core.runs import read_json
from monosema.corpus import Tokenizer
from monosema.probes import load_eraser, read_texts

from .spoken import said_by_the_last_word, write_model, write_rows


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("erased") / "model")


@pytest.fixture
def command(model: Path, tmp_path: Path) -> list[str]:
    data = said_by_the_last_word(tmp_path / "a.csv")
    return ["erase", str(model), "--data", str(data), "--form", "statements", "--out", str(tmp_path / "out")]


def test_it_erases_certifies_and_saves_what_does_it(
    model: Path, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert main([*command, "--json"]) == 0
    exhibit = json.loads(capsys.readouterr().out)["result"]
    assert exhibit == read_json(out / "erase.json")
    found = exhibit["findings"]
    assert found["logistic_before"]["value"] == 1.0 and found["class_means"]["value"] < 1e-4
    assert found["logistic"]["value"] == found["logistic"]["control"]
    assert exhibit["answer"][1].startswith("Certified: on these")
    scatters = [panel for panel in exhibit["panels"] if panel["kind"] == "scatter"]
    assert len(scatters) == 2 and scatters[0]["x_span"] == scatters[1]["x_span"]
    assert len(list((out / "erase").glob("*.svg"))) == 3 and exhibit["question"] in (out / "erase.html").read_text()
    # The folder holds the eraser: what it gives back makes the class means of training rows equal.
    (folder,) = (out / "erasers").iterdir()
    eraser, opened = load_eraser(folder), models.load(model)
    texts = ["thing n1 is right", "thing n2 is wrong"]
    rows = read_texts(opened, Tokenizer.load(model), texts, [folder.name])[folder.name]
    erased = eraser(rows)
    assert (erased[0] - erased[1]).norm() < (rows[0] - rows[1]).norm()
    assert eraser.rank == 1 and torch.equal(eraser(erased).round(decimals=4), erased.round(decimals=4))


def test_every_layer_is_erased_in_turn_and_the_means_stay_equal_behind_it(command: list[str], tmp_path: Path):
    assert main([*command, "--layers", "all", "--method", "mean_difference"]) == 0
    exhibit = read_json(tmp_path / "out" / "erase.json")
    assert sorted(path.name for path in (tmp_path / "out" / "erasers").iterdir()) == ["resid_post.0", "resid_post.1"]
    assert "Each site's eraser is fitted on what those before it leave." in exhibit["answer"]
    assert exhibit["findings"]["behind_clean"]["value"] == 1.0
    assert exhibit["findings"]["behind_erased"]["value"] < 1.0


def test_the_model_is_asked_before_and_after(model: Path, tmp_path: Path):
    rows = [(f"n{i} is {'right' if i % 2 else 'wrong'}", i % 2) for i in range(60)]
    data = write_rows(tmp_path / "a.csv", ("statement", "label"), rows)
    assert main(["erase", str(model), "--data", str(data), "--layers", "1", "--out", str(tmp_path)]) == 0
    found = read_json(tmp_path / "erase.json")["findings"]
    asked = models.load(model)
    tokenizer = Tokenizer.load(model)
    no, yes = (tokenizer.encode([word])[0][0] for word in ("false", "true"))
    assert found["answers_clean"]["n"] == found["logistic"]["n"] and no != yes
    logits = read_texts(asked, tokenizer, [f"Q: {text} A:" for text, _ in rows], ["logits"])["logits"]
    right = ((logits[:, yes] > logits[:, no]).long() == torch.tensor([y for _, y in rows])).double().mean()
    # Weights that were drawn answer the same to almost all: about half of all rows, and so of those held out.
    assert abs(found["answers_clean"]["value"] - float(right)) < 0.35


def test_mistakes_are_one_line_and_nothing_is_written(
    model: Path, command: list[str], tmp_path: Path, refused: Callable[..., str]
):
    one_class = write_rows(tmp_path / "one.csv", ("statement", "label"), [(f"n{i}", 1) for i in range(9)])
    assert "none has label 0" in refused("erase", str(model), "--data", str(one_class), "--out", str(tmp_path / "out"))
    assert "site resid_post.7 does not exist" in refused(*command, "--layers", "7")
    assert "leace" in refused(*command, "--method", "leake")
    assert "there is nothing to read" in refused("erase", str(model))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_demonstration_asks_no_model_and_says_that_it_is_linear_algebra(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["erase", "--demonstration", "--out", str(tmp_path)]) == 0
    assert "a fact of linear algebra, not of language models" in capsys.readouterr().out
    found = read_json(tmp_path / "two_predictors.json")["findings"]
    assert found["mean_projection"]["value"] == 0.5 and found["before"]["value"] == pytest.approx(0.951, abs=0.002)
    assert main(["erase", str(model), "--demonstration"]) == 2
    assert "--demonstration draws its own rows" in capsys.readouterr().err

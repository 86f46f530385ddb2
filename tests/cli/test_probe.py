"""`monosema probe`: what it writes and says, the same again, and one line for every mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json
from monosema.corpus import Tokenizer

from .spoken import planted_pairs, said_by_the_last_word, write_model, write_rows

QUICK = ["--draws", "20", "--permutations", "4"]
FEW = [*QUICK, "--methods", "crc,logistic,lda"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("probed") / "model")


def panel(exhibit: dict, title: str) -> dict:
    return next(one for one in exhibit["panels"] if one["title"] == title)


def column(table: dict, header: str) -> dict[str, str]:
    at = table["headers"].index(header)
    return {row[0]: row[at] for row in table["rows"]}


def test_every_method_on_pairs_as_page_json_and_pictures_twice_the_same(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["probe", str(model), "--data", str(planted_pairs(tmp_path / "pairs.csv")), *QUICK]
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "probe.json")
    page = (tmp_path / "one" / "probe.html").read_text(encoding="utf-8")
    assert all(sentence in said for sentence in (exhibit["question"], *exhibit["answer"], exhibit["how"]))
    assert exhibit["question"] in page and "monosema erase" in said
    kinds = [one["kind"] for one in exhibit["panels"]]
    pictures = list((tmp_path / "one" / "probe").glob("*.svg"))
    assert len(pictures) == len([kind for kind in kinds if kind != "table"])
    lines = {line["name"] for line in panel(exhibit, "logistic by site")["lines"]}
    assert {"commoner class", "random directions (20)", "shuffled labels (4)", "randomised model"} <= lines
    assert len(panel(exhibit, "Methods at their best sites")["rows"]) == 10
    assert main([*command, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("probe.json", "probe.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_what_the_texts_alone_say_is_not_claimed_of_the_model(model: Path, tmp_path: Path):
    # The last word says it, so a model of weights drawn anew carries it as well: right in all rows, and not shown.
    assert Tokenizer.load(model).pad is None
    data = said_by_the_last_word(tmp_path / "plain.csv")
    command = ["probe", str(model), "--data", str(data), "--form", "statements", *QUICK, "--methods", "logistic"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    exhibit = read_json(tmp_path / "probe.json")
    assert exhibit["findings"]["logistic"]["value"] == 1.0
    assert exhibit["findings"]["best_beside_randomised_model"]["control"] == 1.0
    assert "Not shown to be above all their controls, each at its best site: logistic." in exhibit["answer"]
    assert "whatever a model learns" in " ".join(exhibit["answer"])


def test_methods_without_labels_find_the_distractor_and_those_with_labels_the_truth(model: Path, tmp_path: Path):
    data = planted_pairs(tmp_path / "pairs.csv")
    assert main(["probe", str(model), "--data", str(data), *FEW, "--out", str(tmp_path)]) == 0
    exhibit = read_json(tmp_path / "probe.json")
    table = panel(exhibit, "Truth or distractor")
    for site in ("resid_post.0", "resid_post.1"):
        found = {method: cell.split()[-1] for method, cell in column(table, site).items()}
        assert found == {"crc": "distractor", "logistic": "truth", "lda": "truth"}
    said = "and not the truth, by crc at resid_post.0, resid_post.1. At no site by logistic, lda."
    assert said in " ".join(exhibit["answer"])


def test_two_sets_have_a_matrix_between_them(model: Path, tmp_path: Path):
    first, second = (said_by_the_last_word(tmp_path / name) for name in ("a.csv", "b.csv"))
    data = ["--data", str(first), "--data", str(second), "--form", "statements"]
    assert main(["probe", str(model), *data, *QUICK, "--methods", "mass_mean", "--out", str(tmp_path)]) == 0
    table = panel(read_json(tmp_path / "probe.json"), "Transfer of mass_mean by name")
    assert [row[0] for row in table["rows"]] == [str(first), str(second)]
    assert [row[2][:5] for row in table["rows"]] == ["1.000", "1.000"]  # the same rows: all that one knows


def test_single_texts_are_not_asked_of_methods_that_need_pairs(
    model: Path, tmp_path: Path, refused: Callable[..., str]
):
    data = ["--data", str(said_by_the_last_word(tmp_path / "a.csv")), "--form", "prompts", "--template", "it_is"]
    command = ["probe", str(model), *data, *QUICK, "--layers", "0"]
    assert "ccs needs pairs" in refused(*command, "--methods", "ccs")
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "ccs, crc, vinc need pairs and were left out" in " ".join(read_json(tmp_path / "probe.json")["answer"])


@pytest.mark.parametrize(
    ("columns", "rows", "says"),
    [
        (("statement", "label"), [(f"n{i} is right", 1) for i in range(9)], "none has label 0"),
        (("statement", "label"), [("n1 is right", 1), ("n2 is wrong", 0)], "label"),
        (("statement", "label"), [("n1 is right", 1), ("n2 is wrong", 2)], "write 1 for true and 0 for false"),
        (("negative", "positive", "label"), [("n1 false", "", 1), ("n2 false", "n2 true", 0)], "positive"),
        (("negative", "positive", "label"), [("n1 true", "n1 true", 1), ("n2 a", "n2 b", 0)], "both sides"),
        (("statement", "label"), [(f"n{i // 4} is right", 1 - i // 4 % 2) for i in range(80)], "in two groups"),
        (("statement", "label"), [("thing " * 20 + f"n{i}", i % 2) for i in range(40)], "tokens and model takes 12"),
        (("statement", "label", "distractor"), [(f"n{i} is", i % 2, 7) for i in range(40)], "column distractor holds"),
    ],
    ids=["one class", "too few", "label 2", "misaligned", "same sides", "duplicates", "too long", "distractor"],
)
def test_data_that_cannot_be_used_are_refused_and_nothing_is_written(
    model: Path, tmp_path: Path, refused: Callable[..., str], columns, rows, says: str
):
    data = write_rows(tmp_path / "bad.csv", columns, rows)
    out = tmp_path / "out"
    assert says in refused("probe", str(model), "--data", str(data), *FEW, "--form", "statements", "--out", str(out))
    assert not out.exists()


def test_duplicates_can_be_grouped(model: Path, tmp_path: Path):
    rows = [(f"n{i // 2} is {'right' if i // 2 % 2 else 'wrong'}", i // 2 % 2) for i in range(100)]
    data = write_rows(tmp_path / "twice.csv", ("statement", "label"), rows)
    command = ["probe", str(model), "--data", str(data), *QUICK, "--methods", "lda", "--form", "statements"]
    assert main([*command, "--duplicates", "group", "--out", str(tmp_path)]) == 0


def test_mistakes_of_the_command_are_one_line(model: Path, tmp_path: Path, refused: Callable[..., str]):
    data = ["--data", str(said_by_the_last_word(tmp_path / "a.csv"))]
    where = ["probe", str(model), *data, "--out", str(tmp_path / "out")]
    assert "unknown probe 'logistics'. Did you mean 'logistic'?" in refused(*where, "--methods", "logistics")
    assert "site resid_post.7 does not exist: model has resid_post.0, resid_post.1" in refused(*where, "--layers", "7")
    assert "unknown kind of site 'resid_pos'. Did you mean 'resid_post'?" in refused(*where, "--kind", "resid_pos")
    assert "give all, or numbers such as 0,2" in refused(*where, "--layers", "first")
    assert "there is nothing to read" in refused("probe", str(model))
    assert "unknown set of statements 'comparison'" in refused("probe", str(model), "--data", "comparison")
    assert "there is no file" in refused("probe", str(model), "--data", str(tmp_path / "none.csv"))
    assert "there is no model at" in refused("probe", str(tmp_path / "none"), *data)
    assert "--sweep makes its own pairs" in refused("probe", str(model), "--sweep")
    assert "held_out is 1.5" in refused(*where, "--held-out", "1.5")
    assert "a.csv is a file: give a folder" in refused("probe", str(model), *data, "--out", str(tmp_path / "a.csv"))
    assert not (tmp_path / "out").exists()


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["probe", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0

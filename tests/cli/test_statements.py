"""`monosema statements`: what it writes is what the library gives, and a mistake is one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from monosema.cli import main
from monosema.corpus import open_packed
from monosema.corpus.statements import (
    DISTRACTORS,
    STATEMENTS,
    TEMPLATES,
    Pairs,
    as_pairs,
    distract,
    generate,
    read,
    split,
)

DOCS = Path(__file__).parents[2] / "docs"


def test_it_lists_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert main(["statements"]) == 0
    said = capsys.readouterr().out
    assert not [name for name in (*STATEMENTS, *TEMPLATES, *DISTRACTORS) if name not in said]


def test_it_writes_the_statements_of_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "negations.csv"
    assert main(["statements", "negations", "--n", "60", "--seed", "3", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    written, made = read(out), generate("negations", 60, seed=3)
    assert written.texts == made.texts and (written.labels == made.labels).all() and written.groups == made.groups
    assert said["wrote"] == [str(out)] and said["result"]["true"] == 30
    assert said["result"]["sample"][0]["statement"] == made.texts[0]


@pytest.mark.parametrize("how", ["word", "contrast_word"])
def test_pairs_with_a_distractor_in_two_files(tmp_path: Path, how: str):
    out = tmp_path / "pairs.jsonl"
    words = ["--n", "80", "--out", str(out), "--pairs", "qa", "--distractor", how, "--held-out", "0.25"]
    assert main(["statements", "comparisons", *words]) == 0
    train, held = read(out), read(tmp_path / "pairs.held_out.jsonl")
    assert isinstance(train, Pairs) and isinstance(held, Pairs) and not set(train.groups) & set(held.groups)
    made = generate("comparisons", 80)
    done = distract(as_pairs(made, "qa"), how) if how == "contrast_word" else distract(made, how)
    pairs = done.data if isinstance(done.data, Pairs) else as_pairs(done.data, "qa")
    assert split(pairs, 0.25)[0].positive == train.positive
    told = np.concatenate([train.attributes["distractor"], held.attributes["distractor"]])
    assert told.sum() == 40 and {*train.positive, *held.positive} == set(pairs.positive)


def test_without_a_file_it_shows_some_and_says_the_command_that_writes(capsys: pytest.CaptureFixture[str]):
    assert main(["statements", "days", "--n", "20", "--pairs", "so: {statement}, {answer}"]) == 0
    said = capsys.readouterr().out
    assert "so: " in said and "20 rows, 10 of them true" in said
    assert "next: monosema statements days --n 20 --seed 0 --pairs 'so: {statement}, {answer}' --out days.csv" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["day"], "unknown set of statements 'day'. Did you mean 'days'?"),
        (["days"], "days has 21 true statements, n=2,000 needs 1,000: give n of at most 42"),
        (["days", "--n", "20", "--held-out", "0.2"], "--held-out writes a second file: give --out FILE.csv as well"),
        (["days", "--n", "20", "--distractor", "contrast_word"], "make pairs first"),
        (["days", "--n", "20", "--pairs", "qa", "--distractor", "words"], "unknown distractor 'words'"),
        (["days", "--n", "20", "--pairs", "ask"], "unknown template 'ask'"),
    ],
)
def test_a_mistake_is_one_line(refused, words: list[str], said: str):
    assert said in refused("statements", *words)


def test_a_file_that_is_there_is_kept(tmp_path: Path, refused):
    out = tmp_path / "days.csv"
    out.write_text("mine")
    assert "is there already" in refused("statements", "days", "--n", "20", "--out", str(out))
    assert out.read_text() == "mine"
    assert "give a name that ends in" in refused("statements", "days", "--n", "20", "--out", str(tmp_path / "days.txt"))


@pytest.mark.slow
def test_a_model_is_trained_on_text_of_statements(tmp_path: Path, refused):
    run, small = tmp_path / "run", ["--n-layers", "1", "--d-model", "16", "--n-heads", "2", "--steps", "2"]
    spec = "statements:months,n_documents=60"
    assert main(["lm", "train", str(run), "--corpus", spec, "--context", "16", *small]) == 0
    packed = open_packed(run / "corpus")
    assert packed.train.n_documents + packed.held_out.n_documents == 60
    said = refused("lm", "train", str(tmp_path / "other"), "--corpus", "statements:month", *small)
    assert "unknown set of statements 'month'. Did you mean 'months'?" in said
    assert not (tmp_path / "other").exists()


def test_every_set_and_distractor_is_in_the_table_of_the_documentation():
    page = (DOCS / "statements.md").read_text(encoding="utf-8")
    assert not [name for name in (*STATEMENTS, *TEMPLATES, *DISTRACTORS) if f"`{name}`" not in page]

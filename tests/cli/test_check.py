"""`monosema check` on a tiny run: what it trains, what it says, that it resumes, and that it sees a bad dictionary."""

import json
import shutil
from pathlib import Path

import pytest

from monosema import activations, dictionaries
from monosema.activations import open_store
from monosema.cli import main
from monosema.core.config import from_json
from monosema.core.runs import read_json
from monosema.dictionaries import load
from monosema.evaluation.checks import TWIN, Check, Verdict
from monosema.evaluation.random_decoder import random_decoder

from .tiny import snapshot

pytestmark = pytest.mark.slow

FEW = ["--max-tokens", "800", "--n-features", "8", "--n-important", "2", "--seeds", "2"]
ROWS = ["--names", "topk", "--rows", "3200", *FEW]
TRAINED = ("shuffled, seed 0", *(f"{side}, seed {k}" for side in ("trained", "randomised", "shuffled") for k in (1, 2)))


@pytest.fixture(scope="module")
def checked(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has been checked on as many rows as it was trained on. To be read only."""
    run = Path(shutil.copytree(whole, tmp_path_factory.mktemp("checked") / "run"))
    assert main(["check", str(run), *ROWS]) == 0
    return run


def check_of(run: Path) -> Check:
    return from_json(Check, read_json(run / "check.json"))


def verdict(run: Path, claim: str, name: str = "topk") -> Verdict:
    return next(found for found in check_of(run).checked(name).verdicts if found.claim == claim)


def replaced(run: Path, made: dictionaries.Dictionary) -> Path:
    """The run with another dictionary in the place of 'topk', and its check forgotten."""
    dictionaries.save(made, run / "dictionaries" / "topk")
    return run


def test_it_trains_what_is_missing_and_measures_every_control(checked):
    stages = read_json(checked / "check" / "provenance.json")
    assert list(stages) == ["harvest shuffled", *(f"train {each}" for each in TRAINED), "measure"]
    check = check_of(checked)
    assert [one.dictionary for one in check.dictionaries] == ["topk"]
    assert (check.rows, check.recipe_rows, check.seeds) == (3200, 3200, 2)
    for one in check.dictionaries:
        explained = next(m for m in one.measures if m.metric == "variance_explained")
        controls = [contrast.control for contrast in explained.contrasts]
        assert controls == ["random", "randomised", "shuffled", "shuffled_on_text"] and not explained.missing
        found = next(m for m in one.measures if m.metric == "found_7")
        assert {c.control for c in found.contrasts} == {"randomised", "shuffled", "directions"}
        assert not any(measure.of == TWIN for measure in one.measures)


def test_the_runs_own_control_is_the_control(checked):
    card = read_json(checked / "scorecard.json")["findings"]["topk"]["l0"]
    l0 = next(m for m in check_of(checked).checked("topk").measures if m.metric == "l0")
    beside = l0.beside("randomised")
    assert beside is not None and (l0.value, beside.value) == (card["value"], card["control"])


def test_the_page_says_every_sentence_and_every_rule(checked):
    page = (checked / "check.html").read_text()
    assert page.lower().startswith("<!doctype html>") and "http://" not in page.replace("http://www.w3.org", "")
    for one in check_of(checked).dictionaries:
        for each in one.verdicts:
            for text in (each.says, each.sentence, each.rule):
                assert text.replace("'", "&#39;") in page


def test_a_second_check_trains_nothing_and_gives_the_same_bytes(checked, tmp_path, capsys):
    run = Path(shutil.copytree(checked, tmp_path / "run"))
    before = snapshot(run)
    assert main(["check", str(run), *ROWS]) == 0
    assert snapshot(run) == before
    (run / "check.json").unlink()
    (run / "check" / "measured.json").unlink()  # measured again, on what is trained already
    assert main(["check", str(run), *ROWS]) == 0
    assert "train:" not in capsys.readouterr().err
    assert (run / "check.json").read_bytes() == before["check.json"]


def test_a_check_that_was_killed_goes_on(checked, tmp_path, capsys):
    run = Path(shutil.copytree(checked, tmp_path / "run"))
    (run / "check.json").unlink()
    (run / "check" / "measured.json").unlink()
    for left in (run / "check" / "shuffled").glob("*-seed-2"):
        shutil.rmtree(left)
    assert main(["check", str(run), *ROWS]) == 0
    assert capsys.readouterr().err.count("train:") == 1
    assert (run / "check.json").read_bytes() == (checked / "check.json").read_bytes()


def test_a_check_that_was_killed_while_it_read_shuffled_text_goes_on(whole, checked, tmp_path, capsys, monkeypatch):
    run = Path(shutil.copytree(whole, tmp_path / "run"))

    def killed(*args, **kwargs):
        harvest(*args, **kwargs)
        raise KeyboardInterrupt

    harvest = activations.harvest
    with monkeypatch.context() as patch:
        patch.setattr(activations, "harvest", killed)
        assert main(["check", str(run), *ROWS]) == 130
    assert main(["check", str(run), *ROWS]) == 0
    capsys.readouterr()
    assert (run / "check.json").read_bytes() == (checked / "check.json").read_bytes()


def test_on_fewer_rows_the_recipe_itself_is_trained_as_short(whole, tmp_path, capsys):
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    assert main(["check", str(run), "--names", "topk", "--rows", "700", *FEW]) == 0
    assert "min: 8 trainings of 1 dictionary on 640 rows" in capsys.readouterr().err
    twins = [m for m in check_of(run).checked("topk").measures if m.of == TWIN and m.metric == "variance_explained"]
    assert [c.control for c in twins[0].contrasts] == ["shuffled", "shuffled_on_text"]
    assert len(verdict(run, "order").reasons) == 2
    assert "saw 640 rows, the dictionaries 3,200" in (run / "check.html").read_text()


def test_quick_trains_nothing_and_says_what_was_not_measured(whole, tmp_path, capsys):
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    assert main(["check", str(run), "--quick", "--json", *FEW]) == 0
    out, err = capsys.readouterr()
    assert "nothing is trained" in err and "train:" not in err
    found = json.loads(out)["result"]["dictionaries"]
    assert [one["dictionary"] for one in found] == ["topk", "l1", "heavy"]
    verdicts = {v["claim"]: v for v in found[0]["verdicts"]}
    for claim in ("order", "again", "stabler"):
        assert verdicts[claim]["outcome"] == "not measured"
    assert any("--quick trains nothing" in reason for reason in verdicts["order"]["reasons"])
    assert verdicts["learnt"]["outcome"] != "not measured"  # the run's own control


def test_a_run_without_a_control_gets_one_for_the_check(whole, texts, tmp_path):
    run = tmp_path / "run"
    model = ["--model", str(whole / "lm"), "--corpus", str(texts), "--context", "16", "--no-control"]
    assert main(["harvest", str(run), "--site", "resid_post.0", *model]) == 0
    recipe = ["--dictionary", "topk,k=4,n_features=32", "--rows", "1280", "--batch-size", "64"]
    assert main(["train", str(run), *recipe]) == 0
    assert main(["check", str(run), "--rows", "640", "--max-tokens", "400", "--n-important", "2", "--seeds", "1"]) == 0
    check = check_of(run)
    assert next(c.what for c in check.controls if c.control == "randomised").endswith("weights redrawn")
    explained = [m for m in check.checked("topk").measures if m.metric == "variance_explained"]
    own, twin = ([c.control for c in measure.contrasts] for measure in explained)
    assert own == ["random", "randomised", "shuffled", "shuffled_on_text"]
    assert twin == ["randomised", "shuffled", "shuffled_on_text"]
    assert not (run / "control").exists()
    assert verdict(run, "stabler").outcome == "not measured"  # one other seed says nothing of the next


def test_a_random_decoder_is_found_out(checked, tmp_path):
    assert verdict(checked, "reconstruction").outcome == "supported"
    run = Path(shutil.copytree(checked, tmp_path / "run"))
    batch = next(open_store(run / "store").batches(1024, 0))
    made = random_decoder(load(run / "dictionaries" / "topk"), batch.activations["resid_post.0"], seed=9)
    assert main(["check", str(replaced(run, made)), *ROWS]) == 0
    for claim in ("reconstruction", "model", "tokens", "order", "again"):
        assert verdict(run, claim).outcome == "not supported", verdict(run, claim).reasons


def test_a_dictionary_of_shuffled_text_is_found_out(checked, tmp_path):
    run = Path(shutil.copytree(checked, tmp_path / "run"))
    made = load(next((run / "check" / "shuffled").glob("*-seed-0")) / "topk")
    assert main(["check", str(replaced(run, made)), *ROWS]) == 0
    found = verdict(run, "order")
    assert found.outcome == "not supported" and "difference 0, 95% 0..0: not clear of zero" in found.reasons[0]
    assert verdict(run, "reconstruction").outcome == "supported"


def test_two_folders_alone_can_be_compared(checked, capsys):
    folder = str(checked / "dictionaries" / "topk")
    assert main(["check", folder, "--against", folder, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["result"]["topk"]["found_9"]
    assert (found["value"], found["low"], found["high"], found["control"]) == (1.0, 1.0, 1.0, 0.0)
    other = next((checked / "check" / "trained").glob("*-seed-1"))
    assert main(["check", folder, "--against", str(other / "topk"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["topk"]["found_9"]["value"] < 1.0
    assert main(["check", str(checked), "--against", str(checked)]) == 0
    assert "found_7" in capsys.readouterr().out


def test_mistakes_are_one_line(checked, refused, tmp_path):
    assert "unknown dictionary 'tokp'. Did you mean 'topk'?" in refused("check", str(checked), "--names", "tokp")
    assert "is neither a dictionary's folder nor a run" in refused("check", str(checked), "--against", str(tmp_path))
    assert "rows is 0: it must be at least 1" in refused("check", str(checked), "--rows", "0")

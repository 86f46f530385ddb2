"""A run through every stage: what it holds, that it is not repeated, that it resumes, that it refuses strangers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monosema.activations import open_store
from monosema.cli import main
from monosema.core.runs import read_json
from monosema.dictionaries import load
from monosema.evaluation import Scorecard

from .tiny import LM, TRAIN, snapshot, stages, write_texts


def test_it_holds_what_the_stages_promise(whole):
    for path in ("corpus/tokenizer.json", "lm/model.safetensors", "store/manifest.json", "control/store/manifest.json"):
        assert (whole / path).is_file()
    for name in ("topk", "l1", "heavy"):
        assert load(whole / "dictionaries" / name).n_features == 32
        assert load(whole / "control" / "dictionaries" / name).reads == ("resid_post.0",)
    provenance = read_json(whole / "provenance.json")
    assert list(provenance) == ["pack", "lm train", "harvest", "train", "train control", "score", "prune"]
    assert all(stage["finished"] for stage in provenance.values())


def test_the_report_is_one_page_of_what_the_run_holds(copied, texts, capsys):
    report = stages(copied, texts)[-1]
    assert main(report) == 0
    assert f"wrote {copied}/report.html" in capsys.readouterr().out
    page, features = (copied / "report.html").read_text(), (copied / "features.json").read_bytes()
    assert page.lower().startswith("<!doctype html>")
    assert all(name in page for name in ("topk", "heavy", "resid_post.0", "weights redrawn"))
    assert main(report) == 0
    assert (copied / "features.json").read_bytes() == features


def test_every_number_stands_beside_its_control(whole):
    card = Scorecard.from_json(read_json(whole / "scorecard.json"))
    assert list(card.findings) == ["topk", "l1", "heavy"]  # in the order of training
    assert card.control_is == "the same recipe on the model with weights redrawn"
    # topk fires 4 features by construction, on the model and on its control
    assert (card.findings["topk"]["l0"].value, card.findings["topk"]["l0"].control) == (4.0, 4.0)
    mse = card.findings["l1"]["mse"]
    assert mse.control is not None and mse.control != mse.value


def test_the_stores_are_of_the_model_and_of_another(whole):
    inputs = read_json(whole / "provenance.json")["harvest"]["inputs"]
    store, control = open_store(whole / "store", verify=True), open_store(whole / "control" / "store", verify=True)
    assert store.model_fingerprint == inputs["model"] != control.model_fingerprint
    assert store.corpus_fingerprint == control.corpus_fingerprint == inputs["train"]


def test_a_finished_stage_is_not_repeated(copied, texts):
    before = snapshot(copied)
    for command in stages(copied, texts)[:-1]:
        assert main(command) == 0
    assert snapshot(copied) == before


def test_a_run_can_be_moved(copied, tmp_path):
    moved = copied.rename(tmp_path / "elsewhere")
    (moved / "scorecard.json").unlink()
    assert main(["score", str(moved)]) == 0


def test_dictionaries_can_be_added_and_the_old_scores_are_refused(copied, refused, capsys):
    more = ["--dictionary", "few=topk,k=2,n_features=16", "--rows", "640", "--batch-size", "64"]
    assert main(["train", str(copied), *more]) == 0
    assert "'score' in" in refused("report", str(copied)) and "older than its dictionaries" in refused(
        "report", str(copied)
    )
    assert main(["score", str(copied), "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["result"]["findings"]) == ["few", "heavy", "l1", "topk"]


def test_no_control_is_said_wherever_a_number_is(tmp_path, whole, capsys):
    run = str(tmp_path / "run")
    model = ["--model", str(whole / "lm"), "--corpus", str(write_texts(tmp_path / "texts")), "--context", "16"]
    assert main(["harvest", run, "--site", "resid_post.0", "--no-control", *model]) == 0
    assert "control: skipped by the user" in capsys.readouterr().out
    assert main(["train", run, "--dictionary", "topk,k=4,n_features=32", "--rows", "640", "--batch-size", "64"]) == 0
    assert main(["score", run]) == 0
    assert "no control: skipped by the user" in capsys.readouterr().out
    assert not (tmp_path / "run" / "control").exists()


def test_a_transcoder_reads_one_site_and_writes_another(tmp_path, whole, texts, refused):
    run = str(tmp_path / "run")
    model = ["--model", str(whole / "lm"), "--corpus", str(texts), "--context", "16", "--no-control"]
    assert main(["harvest", run, "--site", "mlp_in.0", "--site", "mlp_out.0", *model]) == 0
    spec = ["--dictionary", "topk,k=4,n_features=32", "--rows", "640", "--batch-size", "64"]
    assert "the store holds mlp_in.0, mlp_out.0: say what to read, with --reads" in refused("train", run, *spec)
    assert main(["train", run, *spec, "--reads", "mlp_in.0", "--writes", "blocks.0.hook_mlp_out"]) == 0
    made = load(tmp_path / "run" / "dictionaries" / "topk")
    assert (made.reads, made.writes) == (("mlp_in.0",), ("mlp_out.0",))


MISMATCHES = [
    (["harvest", "RUN", "--site", "resid_post.1"], "was made with sites.0 resid_post.0, not resid_post.1"),
    (["harvest", "RUN", "--site", "resid_post.0", "--dtype", "float32"], "harvest.dtype float16, not float32"),
    (["harvest", "RUN", "--site", "resid_post.0", "--control-how", "permute"], "control.how redraw, not permute"),
    (["lm", "train", "RUN", *LM, "--corpus", "stdlib"], "was made with corpus"),
    (["harvest", "RUN", "--site", "resid_post.0", "--corpus", "stdlib", "--context", "16"], "was made with corpus"),
    (["harvest", "RUN", "--site", "resid_post.7"], "this model has 2 layers, resid_post.0 to resid_post.1"),
    (["harvest", "RUN", "--site", "attn_pattern.0"], "no row per token"),
    (["harvest", "RUN"], "no site was given"),
    (["train", "RUN", "--dictionary", "topk,k=64,n_features=32"], "k is 64: it must be at least 1, at most 32"),
    (["train", "RUN", "--dictionary", "topk,kk=4"], "unknown setting 'kk'. Did you mean 'k'?"),
    (
        ["train", "RUN", "--dictionary", "batch_topk,k=4"],
        "unknown architecture 'batch_topk'. Did you mean 'batchtopk'?",
    ),
    (["train", "RUN", "--dictionary", "topk,k=4", "--dictionary", "topk,k=8"], "two dictionaries are called topk"),
    (
        ["train", "RUN", "--dictionary", "topk,k=4", "--reads", "resid_post.1"],
        "needs resid_post.1; the activations are of",
    ),
    (["prune", "RUN", "--above", "0.1", "--dictionary", "l2"], "unknown dictionary 'l2'. Did you mean 'l1'?"),
    (["prune", "RUN", "--above", "1.5"], "threshold is 1.5"),
]


@pytest.mark.parametrize(("words", "line"), MISMATCHES)
def test_what_does_not_fit_the_run_is_refused_before_anything_is_written(copied, refused, words, line):
    before = snapshot(copied)
    assert line in refused(*(str(copied) if word == "RUN" else word for word in words))
    assert snapshot(copied) == before


def other_model(run: Path) -> None:
    weights = run / "lm" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-4:] = b"\x00\x00\x80\x3f"
    weights.write_bytes(data)


def other_tokenizer(run: Path) -> None:
    path = run / "lm" / "tokenizer.json"
    tokenizer = read_json(path)
    tokenizer["model"]["merges"].pop()
    path.write_text(json.dumps(tokenizer))


def test_a_model_that_was_exchanged_is_refused(copied, refused):
    other_model(copied)
    for verb in ("score", "report"):
        assert "the model is" in (line := refused(verb, str(copied))) and "put the matching one back" in line
    assert "was made with model" in refused("harvest", str(copied), "--site", "resid_post.0")


def test_a_tokenizer_that_was_exchanged_is_refused(copied, refused):
    other_tokenizer(copied)
    line = refused("harvest", str(copied), "--site", "resid_post.0")
    assert "was packed with tokenizer" in line and "give the matching model" in line


def test_a_dictionary_of_another_model_is_refused(copied, refused):
    path = copied / "dictionaries" / "topk" / "cfg.json"
    path.write_text(path.read_text().replace(open_store(copied / "store").model_fingerprint, "0" * 16))
    assert "the model of dictionaries/topk is" in refused("score", str(copied))


def test_a_truncated_shard_is_named_and_made_again(copied, refused):
    shard = copied / "store" / "00000.safetensors"
    whole = shard.read_bytes()
    os.truncate(shard, 1000)
    assert "00000.safetensors is truncated" in refused("train", str(copied), "--dictionary", "topk,k=2,n_features=16")
    assert main(["harvest", str(copied), "--site", "resid_post.0"]) == 0
    assert shard.read_bytes() == whole


def start(*words: str) -> subprocess.Popen[str]:
    code = "import sys, torch; torch.set_num_threads(1); from monosema.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_training_that_is_stopped_resumes_to_the_same_dictionaries(copied, tmp_path, how):
    for folder in ("dictionaries", "control/dictionaries"):
        shutil.rmtree(copied / folder)
    cut = Path(shutil.copytree(copied, tmp_path / "cut"))
    command = [*TRAIN, "--rows", "19200", "--batch-size", "64"]
    assert main(["train", str(copied), *command]) == 0
    process = start("train", str(cut), *command)
    wait_for(cut / "dictionaries")
    time.sleep(0.5)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how), err
    if how == signal.SIGINT:
        assert f"repeat: monosema train {cut}" in err and "Traceback" not in err
    assert main(["train", str(cut), *command]) == 0
    for name in ("topk", "l1", "heavy"):
        for folder in ("dictionaries", "control/dictionaries"):
            weights = f"{folder}/{name}/sae_weights.safetensors"
            assert (cut / weights).read_bytes() == (copied / weights).read_bytes()

"""What `trace`, `intervene`, `heads` and `patch` cannot do is said in one line, and leaves nothing behind."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema import dictionaries
from monosema.cli import main
from monosema.core.runs import read_json, write_json

from .tiny import LM, PROMPT

Refused = Callable[..., str]
NODE = ["--node", "0_1_2", "--set", "0"]
TEXTS = ["--clean", "the cat sat", "--corrupted", "the dog sat", "--answer", " on", "--wrong", " a"]
LONG = " ".join([PROMPT] * 6)


@pytest.fixture(scope="module", params=["bert", "t5", "mamba"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, texts: Path) -> tuple[str, Path]:
    """A family that no graph can be made of, and a run with a model of it. To be read only."""
    run = tmp_path_factory.mktemp("other") / "run"
    assert main(["lm", "train", str(run), "--corpus", str(texts), "--family", request.param, *LM]) == 0
    return request.param, run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a verb is told to write; it must not."""
    return tmp_path / "out"


def test_a_family_without_a_graph_is_refused_before_transcoders_are_asked_for(
    other: tuple[str, Path], out: Path, refused: Refused
):
    family, run = other
    says = f"lm is a {family}: with its patterns and norms held it is not a linear model that we know"
    assert says in refused("trace", str(run), PROMPT, "--out", str(out))
    assert says in refused("intervene", str(run), PROMPT, *NODE)
    assert not out.exists()


def test_a_family_whose_heads_are_not_known_is_refused(other: tuple[str, Path], out: Path, refused: Refused):
    family, run = other
    says = f"lm is a {family}, and where that family keeps the matrices of its heads is not known here"
    write = ["--repeated", "5", "--out", str(out)]
    assert says in refused("heads", str(run), *write)
    assert says in refused("heads", str(run), "--prompt", "the cat sat", "--answer", " on", *write)
    assert not out.exists()


def test_a_model_whose_answers_cannot_be_patched_is_refused(other: tuple[str, Path], out: Path, refused: Refused):
    family, run = other
    says = {
        "bert": "lm predicts masked tokens, and patching measures next-token losses",
        "t5": "lm predicts a text from a text, and patching measures next-token losses",
        "mamba": "lm has no attn_z in its layers: take sites of resid_pre, ssm_in, ssm_conv, ssm_act, ssm_out",
    }[family]
    for prompts in (TEXTS, ["--task", "induction"]):
        assert says in refused("patch", str(run), *prompts, "--out", str(out))
    assert not out.exists()


@pytest.mark.slow
def test_sites_that_a_state_space_has_are_patched(other: tuple[str, Path], tmp_path: Path, capsys):
    family, run = other
    if family != "mamba":
        return
    capsys.readouterr()
    assert main(["patch", str(run), *TEXTS, "--sites", "resid_post,ssm_out", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "ssm out strongest" in said and "next:" not in said  # `monosema heads` would have no heads


def test_a_prompt_beyond_the_context_is_refused(layered: Path, out: Path, refused: Refused):
    run, write = str(layered), ["--out", str(out)]
    assert "tokens, more than the 16 of lm: shorten it" in refused("trace", run, LONG, *write)
    assert "tokens, more than the 16 of lm: shorten it" in refused("intervene", run, LONG, *NODE)
    says = "tokens, more than the 16 that the model takes"
    assert says in refused("heads", run, "--prompt", LONG, "--answer", " on", "--repeated", "5", *write)
    assert says in refused("patch", run, "--clean", LONG, *TEXTS[2:], *write)
    assert "are 41, more than the 16 that lm takes" in refused("heads", run, "--repeated", "20", *write)
    assert not out.exists()


def test_a_target_of_several_tokens_is_refused(layered: Path, out: Path, refused: Refused):
    run, write = str(layered), ["--out", str(out)]
    says = "' xylophone' is not one token but"
    assert says in refused("trace", run, PROMPT, "--target", " xylophone", *write)
    assert says in refused("intervene", run, PROMPT, "--target", " xylophone", *NODE)
    assert says in refused("heads", run, "--prompt", PROMPT, "--answer", " xylophone", "--repeated", "5", *write)
    assert says in refused("patch", run, *TEXTS[:4], "--answer", " xylophone", "--wrong", " a", *write)
    assert not out.exists()


def test_transcoders_that_leave_a_layer_out_are_refused(layered: Path, out: Path, refused: Refused):
    only = ["--dictionaries", "tc-1"]
    says = "the transcoders do not cover layer 0 of lm: none reads mlp_in.0"
    assert says in refused("trace", str(layered), PROMPT, *only, "--out", str(out))
    assert says in refused("intervene", str(layered), PROMPT, *only, *NODE)
    assert not out.exists()


def test_transcoders_and_dictionaries_of_another_model_are_refused(
    layered: Path, out: Path, tmp_path: Path, refused: Refused
):
    copied = Path(shutil.copytree(layered, tmp_path / "copied"))
    about = copied / "dictionaries" / "tc-1" / "cfg.json"
    own = str(dictionaries.load(about.parent).metadata["model_fingerprint"])
    about.write_text(about.read_text().replace(own, "0" * len(own)))
    assert "model of dictionaries/tc-1" in refused("trace", str(copied), PROMPT, "--out", str(out))
    assert "model of dictionaries/tc-1" in refused("intervene", str(copied), PROMPT, *NODE)
    # The model that comes with monosema is wider than the one that these read.
    dictionary = ["--dictionary", str(layered / "dictionaries" / "tc-1"), "--out", str(out)]
    asked = ["--prompt", "for i in", "--answer", " range", "--repeated", "5"]
    assert "is another model's: its widths are 16 and 16" in refused("heads", *asked, *dictionary)
    prompts = ["--clean", "for i in", "--corrupted", "for i on", "--answer", " range", "--wrong", ":"]
    assert "the dictionary's widths are (16, 16)" in refused("patch", *prompts, *dictionary)
    assert not out.exists()


def test_what_is_no_graph_of_ours_is_refused(graphed: Path, tmp_path: Path, refused: Refused):
    copied = Path(shutil.copytree(graphed, tmp_path / "graph"))
    about = read_json(copied / "graph.json")

    def said(changed: dict) -> str:
        write_json(copied / "graph.json", changed)
        return refused("intervene", str(copied), *NODE)

    assert "has a graph of format 9, this version reads 1: trace it again" in said(about | {"format": 9})
    assert "is not an attribution graph of monosema's" in said({"nodes": [], "links": []})
    assert "was edited" in said({name: value for name, value in about.items() if name != "scores"})
    assert "is not what graph.json was written with" in said(about | {"numbers": "beef"})
    (copied / "graph.json").write_text("half a gra")
    assert "graph.json" in refused("intervene", str(copied), *NODE)
    assert "holds no graph: it has no graph.json" in refused("intervene", str(tmp_path), *NODE)

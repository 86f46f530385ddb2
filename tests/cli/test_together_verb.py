"""`monosema train` with cross_layer=true, `monosema score --together`, and `monosema trace` of what came of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema import dictionaries
from monosema.circuits import load_graph
from monosema.cli import main
from monosema.core.runs import read_json
from monosema.evaluation import Together

from .tiny import LM

TRAIN = ["--dictionary", "tc=topk,k=4,n_features=32", "--dictionary", "clt=topk,k=8,n_features=64,cross_layer=true"]
TRAIN += ["--reads", "mlp_in", "--writes", "mlp_out", "--rows", "1280", "--batch-size", "64"]
BOTH = ["--together", "tc", "--together", "clt"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, texts: Path) -> Path:
    """A run with a transcoder of each of its two layers, and one of both. To be read only."""
    run = tmp_path_factory.mktemp("together") / "run"
    assert main(["lm", "train", str(run), "--corpus", str(texts), *LM]) == 0
    assert main(["harvest", str(run), "--site", "mlp_in", "--site", "mlp_out", "--no-control"]) == 0
    assert main(["train", str(run), *TRAIN]) == 0
    assert main(["score", str(run), *BOTH]) == 0
    return run


def test_one_pass_trains_both_kinds(run: Path):
    made = {path.parent.name: dictionaries.load(path.parent) for path in (run / "dictionaries").glob("*/cfg.json")}
    assert made.keys() == {"tc-0", "tc-1", "clt"}
    assert made["clt"].reads == ("mlp_in.0", "mlp_in.1") and made["clt"].weights.layers is not None
    assert not bool(made["clt"].W_enc[:32, 16:].any()) and not bool(made["clt"].W_dec[32:, :16].any())


def test_sets_are_scored_at_once_and_each_layer_beside(run: Path, capsys: pytest.CaptureFixture[str]):
    stored = {name: Together.from_json(data) for name, data in read_json(run / "together.json").items()}
    assert stored["tc"].dictionaries == ("tc-0", "tc-1") and stored["clt"].dictionaries == ("clt",)
    before = (run / "together.json").stat().st_mtime_ns
    capsys.readouterr()
    assert main(["score", str(run), *BOTH, "--json"]) == 0  # not made again
    assert (run / "together.json").stat().st_mtime_ns == before
    shown = json.loads(capsys.readouterr().out)
    assert shown["result"] == {name: one.to_json() for name, one in stored.items()}
    assert main(["score", str(run), *BOTH]) == 0
    out = capsys.readouterr().out
    for one in stored.values():
        assert [layer.site for layer in one.layers] == ["mlp_out.0", "mlp_out.1"]
        assert one.layers[-1].loss_up_to.value == one.findings["loss_together"].value
        assert str(one.findings["carried_with_errors"]) in out
    assert "monosema trace" in out


def test_a_prompt_is_traced_through_the_cross_layer_one(run: Path, tmp_path: Path):
    command = ["trace", str(run), "the cat sat on a", "--nodes", "1", "--edges", "1", "--dictionaries", "clt"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    graph = load_graph(tmp_path)
    assert graph.facts["dictionaries"] == "clt" and len(graph.nodes.of("feature")) > 0


def test_a_set_that_is_not_there_is_one_line(run: Path, refused: Callable[..., str], tmp_path: Path):
    assert "unknown set of dictionaries 'cl'. Did you mean 'clt'?" in refused("score", str(run), "--together", "cl")
    copied = Path(shutil.copytree(run, tmp_path / "copied"))
    shutil.rmtree(copied / "dictionaries")
    assert "holds no dictionary" in refused("score", str(copied), "--together", "tc")

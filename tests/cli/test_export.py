"""`monosema export`: every format from the command line, and what it refuses."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from features.made_tables import PLANTED, Made, make_run

from monosema.cli import main
from monosema.features.labels import Label, LabelStore

pytestmark = pytest.mark.slow

FINGERPRINT = "0" * 16


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two feature tables, and a label on the planted feature of one."""
    run = tmp_path_factory.mktemp("export") / "demo"
    make_run(run, {"l1": Made(n_features=30, n_tokens=2048), "topk": Made(n_features=30, n_tokens=2048, shift=3)})
    LabelStore(run / "labels.sqlite").add(Label("l1", FINGERPRINT, PLANTED, "dee", "<script>one</script>"))
    return run


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def numbers(folder: Path) -> list[int]:
    with (folder / "features.csv").open(encoding="utf-8", newline="") as file:
        return [int(row["feature"]) for row in csv.DictReader(file)]


def test_every_format_at_once_and_the_same_bytes_again(tables, tmp_path, capsys):
    def write(out: Path) -> list[str]:
        places = ("html", "csv", "neuronpedia", "saedashboard", "labels")
        words = [word for name in places for word in (f"--{name}", str(out / name))]
        assert main(["export", str(tables), "--dictionary", "l1", *words, "--model", "tiny", "--set", "ours"]) == 0
        return capsys.readouterr().out.splitlines()

    said = write(tmp_path / "one")
    assert said[0].startswith("30 features of l1, ") and said[-1] == f"next: monosema dash {tables}"
    found = snapshot(tmp_path / "one")
    source = "neuronpedia/tiny/2-ours"
    assert found.keys() == {
        "html",
        *(f"csv/{name}.csv" for name in ("features", "examples", "neighbours")),
        *(f"{source}/{name}.jsonl" for name in ("release", "model", "sourceset", "source")),
        *(f"{source}/{kind}/batch-0.jsonl.gz" for kind in ("features", "activations", "explanations")),
        "saedashboard",
        "labels",
    }
    assert found["html"].startswith(b"<!doctype html>") and b"<script>one" not in found["html"]
    assert len(json.loads(found["saedashboard"])["features"]) == 30
    explained = json.loads(gzip.decompress(found[f"{source}/explanations/batch-0.jsonl.gz"]).splitlines()[0])
    assert explained["description"] == "<script>one</script>" and explained["index"] == str(PLANTED)
    assert [json.loads(line)["rater"] for line in found["labels"].splitlines()] == ["dee"]
    write(tmp_path / "two")
    assert snapshot(tmp_path / "two") == found


def test_the_query_and_the_limit_say_which_and_in_what_order(tables, tmp_path, capsys):
    words = ["export", str(tables), "--dictionary", "l1", "--csv"]
    assert main([*words, str(tmp_path / "all")]) == 0
    assert numbers(tmp_path / "all")[0] == PLANTED and len(numbers(tmp_path / "all")) == 30
    assert main([*words, str(tmp_path / "few"), "--query", "sort=feature&kind=alive", "--limit", "4", "--json"]) == 0
    assert numbers(tmp_path / "few") == [0, 1, 2, 3]
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["result"] == {"dictionary": "l1", "features": 4, "query": "sort=feature&kind=alive"}
    assert said["wrote"] == [str(tmp_path / "few" / f"{name}.csv") for name in ("features", "examples", "neighbours")]


def test_labels_alone_need_no_features(tables, tmp_path, capsys):
    assert main(["export", str(tables), "--dictionary", "topk", "--labels", str(tmp_path / "l.jsonl")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"wrote {tmp_path / 'l.jsonl'}"
    assert json.loads((tmp_path / "l.jsonl").read_text())["feature"] == PLANTED


def test_one_dictionary_needs_no_name(tmp_path, capsys):
    make_run(tmp_path / "run", {"only": Made(n_features=30, n_tokens=2048)})
    assert main(["export", str(tmp_path / "run"), "--limit", "2", "--html", str(tmp_path / "f.html")]) == 0
    assert capsys.readouterr().out.startswith("2 features of only, ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("nowhere --html OUT/f.html", "nowhere is not a run directory"),
        ("RUN", "nothing to write: give --html, --csv, --neuronpedia, --saedashboard, --labels"),
        ("RUN --html OUT/f.html", "there are several dictionaries: give one of l1, topk with --dictionary"),
        ("RUN --dictionary topk2 --html OUT/f.html", "unknown dictionary 'topk2'. Did you mean 'topk'?"),
        ("RUN --dictionary l1 --limit 0 --csv OUT", "limit is 0: it must be at least 1"),
        ("RUN --dictionary l1 --query frequncy.min=1 --csv OUT", "unknown filter 'frequncy.min'. Did you mean"),
        ("RUN --dictionary l1 --query frequency.min=often --csv OUT", "frequency.min is 'often': it must be a number"),
        ("RUN --dictionary l1 --query frequency.min=1 --html OUT/f.html", "matches 'frequency.min=1.0': there is"),
        ("RUN --dictionary l1 --neuronpedia OUT --model ../up", "the model's name is '../up'"),
        ("RUN --dictionary l1 --htm OUT/f.html", "Unrecognized options: --htm"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(tables, refused, tmp_path, words, line):
    given = words.replace("RUN", str(tables)).replace("OUT", str(tmp_path / "out"))
    assert line in refused("export", *given.split())
    assert not snapshot(tmp_path)


def test_what_is_there_is_not_overwritten_by_a_folder(tables, refused, tmp_path):
    words = ("export", str(tables), "--dictionary", "l1", "--limit", "2", "--neuronpedia", str(tmp_path))
    assert main(words) == 0
    before = snapshot(tmp_path)
    assert "is there already" in refused(*words)
    assert snapshot(tmp_path) == before


def test_a_run_without_tables_is_told_which_command_makes_them(whole, refused, tmp_path):
    assert f"build them with `monosema features {whole}`" in refused("export", str(whole), "--csv", str(tmp_path / "c"))


def test_no_format_loads_torch(tables, tmp_path):

    code = f"""
import sys
from monosema.cli import main
assert main(["export", {str(tables)!r}, "--dictionary", "l1", "--html", {str(tmp_path / "f.html")!r}]) == 0
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0

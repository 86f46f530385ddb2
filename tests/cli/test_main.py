"""The command line: its table of verbs, its exit statuses, its one-line errors, its JSON."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from monosema import cli
from monosema.cli import VERBS, main, usage
from monosema.cli.parsing import _one_line
from monosema.core.errors import DataError


def test_every_verb_has_its_file_and_every_file_its_verb():
    folder = Path(cli.__file__).parent
    parts = {"__init__", "exhibiting", "parsing", "passing", "places", "showing", "subjects"}
    assert {verb.replace(" ", "_") for verb in VERBS} == {path.stem for path in folder.glob("*.py")} - parts


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_every_setting_of_its_own(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([*verb.split(), "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert f"usage: monosema {verb}" in text and "--json" in text
    module = import_module(f"monosema.cli.{verb.replace(' ', '_')}")
    assert module.Arguments.__doc__ and not module.Arguments.__doc__.startswith("Arguments(")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_lists_every_verb(words, capsys):
    assert main(words) == 0
    text = capsys.readouterr().out
    assert text == usage() + "\n"
    assert re.findall(r"^  ((?:lm )?\w+)  ", text, re.MULTILINE) == list(VERBS)


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(monkeypatch, refused):
    for said, holds in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        if said:
            monkeypatch.setenv("OMP_WAIT_POLICY", said)
        refused("sites", "nowhere")
        assert os.environ["OMP_WAIT_POLICY"] == holds


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"monosema \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_help_costs_no_numerics_and_no_parser():
    code = """
import sys
from monosema.cli import main
main(["--help"])
sys.exit(bool({"torch", "numpy", "tyro", "rich", "transformers"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("verb", ["harvest", "train"])
def test_the_help_of_a_verb_costs_no_numerics(verb):
    code = f"""
import sys
from monosema.cli import main
try:
    main(["{verb}", "--help"])
except SystemExit:
    sys.exit(bool({{"torch", "numpy", "transformers"}} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


BOX = """\
╭─ Unrecognized options ───────╮
│ Unrecognized options: --sit. │
│ ──────────────────────────── │
│ Perhaps you meant:           │
│     --site STR               │
│         A site to read.      │
│ ──────────────────────────── │
│ For full helptext, run x     │
╰──────────────────────────────╯
"""
DASHES = """\
 Unrecognized options
 --------------------------
  Unrecognized options: --sit.
  -------------------------
  Perhaps you meant:
      --site STR
          A site to read.
  -------------------------
  For full helptext, run x

"""


@pytest.mark.parametrize("box", [BOX, DASHES])
def test_a_box_becomes_a_line(box):
    assert _one_line(box) == "Unrecognized options: --sit. Perhaps you meant: --site STR"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("trian r", "unknown command 'trian'. Did you mean 'train'? Known: check, circuit, dash,"),
        ("lm trane r", "unknown command 'lm trane'. Did you mean 'lm train'?"),
        ("train r --dictionry x", "Unrecognized options: --dictionry, x. Perhaps you meant: --dictionary STR. See"),
        ("train", "Missing from monosema train: PATH. See monosema train --help"),
        ("harvest r --batch-size many", "Error parsing --batch-size: invalid literal for int()"),
        ("harvest r --dtype float15", "invalid choice 'float15' for argument '--dtype'. Expected one of"),
        ("harvest r --batch-size 0 --site embed", "batch_size is 0: it must be at least 1"),
        ("prune r", "either --above 0.038 or --sweep"),
        ("prune r --sweep --above 0.1", "either --above 0.038 or --sweep"),
        ("demo --quick --full", "--quick and --full exclude each other"),
        ("train r --dictionary topk,k=2", "r is not a run directory"),
        ("score r", "r is not a run directory"),
        ("report r", "r is not a run directory"),
        ("train r", "no dictionary to train: give one, such as --dictionary topk"),
        ("sites nowhere", "there is no model at nowhere"),
        ("harvest r --site embed", "r has no model of its own: give one with --model"),
        ("lm train r --corpus nowhere", "nowhere"),
        ("lm train r --corpus . --vocab-size 300", "r lies inside the corpus ., which would read what is written"),
        ("lm train r --lr 0", "lr is 0.0: it must be more than 0"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(words, line, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in refused(*words.split())
    assert not list(tmp_path.iterdir())


def test_a_message_of_several_lines_is_printed_as_one(monkeypatch, refused):
    def fail(_):
        raise DataError("first\nsecond")

    monkeypatch.setattr("monosema.cli.sites.run", fail)
    assert refused("sites", "x") == "monosema: first second"


def test_a_folder_that_may_not_be_read_is_the_users_mistake(monkeypatch, capsys):
    def fail(_):
        raise PermissionError(13, "Permission denied", "/root/secret")

    monkeypatch.setattr("monosema.cli.sites.run", fail)
    assert main(["sites", "x"]) == 2
    assert capsys.readouterr().err == "monosema: no permission for /root/secret\n"


def test_an_interruption_says_how_to_go_on(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("monosema.cli.score.run", interrupt)
    assert main(["score", "a run"]) == 130
    assert "repeat: monosema score 'a run'" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr("monosema.cli.score.run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["score", "r"])


def test_sites_prints_both_names_and_the_width(whole, capsys):
    assert main(["sites", str(whole / "lm"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    by_name = {row["site"]: row for row in shown["result"]["sites"]}
    assert by_name["resid_post.1"] == {
        "site": "resid_post.1",
        "width": 16,
        "transformer_lens": "blocks.1.hook_resid_post",
    }
    assert by_name["mlp_act.0"]["width"] == 64 and by_name["attn_pattern.0"]["width"] is None
    assert main(["sites", str(whole / "lm")]) == 0
    assert re.search(r"attn_z\.1 +16 +blocks\.1\.attn\.hook_z", capsys.readouterr().out)


def test_every_reporting_verb_gives_json_of_what_it_wrote(whole, capsys):
    for words in (["score", str(whole)], ["prune", str(whole), "--above", "0.3", "--above", "0.1"]):
        assert main([*words, "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert set(shown) == {"wrote", "next", "result"}
        assert shown["next"] == f"monosema report {whole}"
        assert shown["result"] == json.loads(Path(shown["wrote"][0]).read_text())


def test_a_person_sees_findings_with_controls_and_what_to_do_next(whole, capsys):
    assert main(["score", str(whole)]) == 0
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("heavy") and "variance_explained" in line)
    assert re.search(r"\d \(control -?\d.*; 95% .*; n=\d+ documents\) +higher", line)
    assert f"wrote {whole}/scorecard.json" in text and text.endswith(f"next: monosema report {whole}\n")
    assert "decoder_cosine" not in text
    assert main(["score", str(whole), "--all"]) == 0
    assert "decoder_cosine_mean" in capsys.readouterr().out

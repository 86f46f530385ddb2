"""The benchmark of hooks on next to nothing: what every pass must give, what is refused, and how ratios are taken."""

import json
from pathlib import Path

import pytest
import torch

import benchmarks.hooks
from benchmarks.hooks import CONTENDERS, EXACT, GPT2, LLAMA, HooksBenchConfig, allowed, main, off_by, prepare, rows_of
from benchmarks.workers import hooking_ours
from benchmarks.workers.hooking import forward, middle, pretrained, tokens_of

SMALL = {
    "gpt2": ("gpt2", GPT2 | {"n_layer": 3, "n_embd": 8, "n_head": 2, "vocab_size": 11}),
    "llama": (
        "llama",
        LLAMA
        | {"num_hidden_layers": 3, "hidden_size": 8, "intermediate_size": 20, "vocab_size": 11}
        | {"num_attention_heads": 2, "num_key_value_heads": 1},
    ),
}
TINY = HooksBenchConfig(("gpt2",), batch=2, context=5, rounds=1, seconds=0.0, threads=1, contenders=("ours",))


@pytest.mark.parametrize("kind", SMALL)
def test_our_passes_give_the_bits_of_hooks_written_by_hand(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmarks.hooks, "SUBJECTS", SMALL)
    expected = prepare(tmp_path, kind, TINY)
    plain = forward(pretrained(tmp_path), tokens_of(tmp_path))
    passes = {"plain": plain, "plain_again": plain, **hooking_ours.prepare(tmp_path)}
    given = {f"{name}/{site}": x for name, once in passes.items() for site, x in once().items()}
    assert given.keys() <= expected.keys()
    off = off_by(given, expected)
    assert all(off[name] <= allowed("ours", name) for name in passes)
    assert {name for name in passes if allowed("ours", name) == 0} == set(EXACT)
    assert not torch.equal(given["edit/logits"], given["logits/logits"])


def test_the_middle_is_where_half_of_the_layers_are_done():
    assert [middle(n) for n in (1, 2, 4, 12)] == [0, 0, 1, 5]


def test_what_is_given_is_held_against_the_largest_number():
    expected = {
        "one/logits": torch.tensor([4.0, -2.0]),
        "one/resid_post.0": torch.tensor([1.0]),
        "all/x": torch.ones(2),
    }
    given = {"one/logits": torch.tensor([4.0, -1.0]), "one/resid_post.0": torch.tensor([1.1])}
    assert off_by(given, expected) == {"one": 0.25}
    assert off_by({"one/logits": expected["one/logits"]}, expected) == {"one": float("inf")}  # a site is missing
    assert off_by({"all/x": torch.ones(1)}, expected) == {"all": float("inf")}


def test_ratios_are_to_the_plain_pass_of_the_same_round():
    rounds = [{"plain": [0.010, 0.020], "one": [0.011, 0.020]}, {"plain": [0.040, 0.020], "one": [0.052, 0.030]}]
    rows = {(row.name, row.unit): row for row in rows_of("m/ours", rounds, {"plain": 0.0, "one": 0.5})}
    one = rows["m/ours/one", "ms"]
    assert (one.value, one.ratio) == (pytest.approx(31.5), pytest.approx(1.2))
    assert (one.low, one.high) == (pytest.approx(1.1), pytest.approx(1.3))
    assert rows["m/ours/one", "processor ms"].ratio == pytest.approx(1.25)
    assert rows["m/ours/one", "of the largest"].value == 0.5


@pytest.mark.slow
def test_ours_is_timed_and_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmarks.hooks, "SUBJECTS", SMALL)
    config = HooksBenchConfig(
        ("gpt2",), 2, 5, rounds=2, seconds=0.0, threads=1, contenders=("ours",), json=tmp_path / "rows"
    )
    assert main(config) == 0
    rows = {(row["name"], row["unit"]): row for row in json.loads((tmp_path / "rows").read_text())}
    for name in EXACT:
        assert rows[f"gpt2/ours/{name}", "ms"]["value"] > 0
        assert rows[f"gpt2/ours/{name}", "of the largest"]["value"] == 0
    assert "| ours/one | " in capsys.readouterr().out
    assert [one.name for one in CONTENDERS] == ["ours", "hooked_transformer", "bridge", "nnsight"]


@pytest.mark.slow
def test_times_of_a_pass_that_gives_something_else_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(benchmarks.hooks, "SUBJECTS", SMALL)
    by_hand = benchmarks.hooks.by_hand

    def something_else(module: torch.nn.Module, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        expected = by_hand(module, tokens)
        return expected | {"edit/logits": expected["edit/logits"] * 1.000001}

    monkeypatch.setattr(benchmarks.hooks, "by_hand", something_else)
    assert main(TINY) == 1
    said = capsys.readouterr()
    assert "| ours/" not in said.out
    assert "ours gives something else in edit: its times are left out" in said.err

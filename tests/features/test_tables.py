"""The numbers of a feature table, each against dense code or by hand."""

import json
import math
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch

from monosema.features import BuildConfig
from monosema.features.effects import attr, counted_tokens, direct, total
from monosema.features.effects.scene import Scene
from monosema.features.tables.manifest import MADE

from .toy_models import dictionary_of
from .toy_tables import CONTEXT, N_BLOCKS, SMALL, N, contents, corpus, dense, made, model, one_a_token, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tables"))


def test_the_files_are_there_and_the_build_left_nothing_else(table):
    assert {path.name for path in table.iterdir()} == {*MADE, "table.json", "control"}
    manifest = json.loads((table / "table.json").read_text())
    assert (manifest["format"], manifest["state"], manifest["n_dead"]) == (1, "done", 1)
    assert (manifest["n_tokens"], manifest["n_documents"], manifest["context"]) == (48 * 15 - 3, 16, 16)
    assert manifest["effects"] == {"total": "", "direct": "", "attr": ""}
    assert [f["name"] for f in manifest["findings"]] == [
        "importance_top10",
        "importance_calibration",
        "attr_total_correlation",
        "floor_r",
    ]


def test_activations_are_those_of_the_dictionary_in_both_orders(table):
    acts = dense().reshape(15, -1)
    for name, order in (("acts", ("feature", "pos")), ("acts_by_pos", ("pos", "feature"))):
        found = rows(table / f"{name}.parquet")
        assert found == sorted(found, key=lambda row: tuple(row[key] for key in order))
        again = torch.zeros_like(acts)
        for row in found:
            again[row["feature"], row["pos"]] = row["act"]
        assert torch.equal(again, acts) and len(found) == int((acts != 0).sum())


def test_acts_are_packed_as_promised(table):
    query = "SELECT path_in_schema, encodings, compression FROM parquet_metadata(?)"
    found = {row[0]: row[1:] for row in duckdb.connect().execute(query, [str(table / "acts.parquet")]).fetchall()}
    assert found["pos"] == ("DELTA_BINARY_PACKED", "ZSTD")
    assert {compression for _, compression in found.values()} == {"ZSTD"}


def test_frequencies_tokens_and_norms_are_exact(table):
    acts, blocks = dense(), corpus().held
    found = rows(table / "features.parquet")
    assert [row["feature"] for row in found] == list(range(15))
    for row in found:
        a = acts[row["feature"]]
        fires = a > 0
        assert (row["n_active"], row["is_dead"]) == (int(fires.sum()), not bool(fires.any()))
        assert row["frequency"] == row["n_active"] / (48 * 15 - 3)
        assert row["is_dense"] == (row["frequency"] > 0.1)
        assert row["n_documents"] == len(blocks.documents[fires].unique())
        assert row["max_act"] == float(a.max())
    by_feature = {row["feature"]: row for row in found}
    assert by_feature[4]["mean_act"] == 1.5 and by_feature[12]["mean_act"] == 0.75
    assert (by_feature[5]["top_token"], by_feature[5]["top_token_share"]) == (5, 1.0)
    assert by_feature[5]["enc_dec_cosine"] == 1.0 and by_feature[13]["dec_norm"] == 2.0
    assert by_feature[13]["neighbour"] == 3 and by_feature[13]["neighbour_cosine"] == pytest.approx(1)
    assert by_feature[5]["floor_text"].startswith("' 5' (") and by_feature[5]["floor_f1"] == 1.0
    assert by_feature[0]["floor_text"] == "" and by_feature[0]["floor_r"] is None


def per_document(effects: torch.Tensor) -> np.ndarray:
    sums = np.zeros((len(effects), 16))
    np.add.at(sums, (slice(None), np.arange(N_BLOCKS) // 3), effects.double().numpy())
    return sums


def expected(effects: torch.Tensor, counted: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean per token, and its error over documents, from effects [feature, block]."""
    sums, n = per_document(effects), per_document(counted.sum(1).unsqueeze(0))[0]
    mean = sums.sum(1) / n.sum()
    return mean, np.sqrt(np.square(sums - mean[:, None] * n).sum(1) * 16 / 15) / n.sum()


def test_importance_of_every_feature_to_first_order(table):
    blocks = corpus().held
    found = attr(model(), one_a_token(), blocks)
    mean, error = expected(found.by_block(), counted_tokens(blocks))
    for row in rows(table / "features.parquet"):
        assert row["importance_attr"] == pytest.approx(mean[row["feature"]], abs=1e-7)
        assert row["importance_attr_se"] == pytest.approx(error[row["feature"]], abs=1e-7)
        its = found.effects[found.codes.indices == row["feature"]]
        if len(its):
            assert row["helped"] == pytest.approx(float((its > 0).float().mean()), abs=1e-6)
            assert row["hurt"] == pytest.approx(float((its < 0).float().mean()), abs=1e-6)
        else:
            assert row["helped"] is row["hurt"] is row["given_fires"] is None


def test_importance_of_the_measured_is_total_and_direct(table):
    # n_contexts is more than there are: every context in which a feature fires is measured.
    blocks, everything = corpus().held, torch.arange(15)
    counted = counted_tokens(blocks)
    means = {
        "total": expected(total(model(), one_a_token(), blocks, everything).sum(2), counted),
        "direct": expected(direct(model(), one_a_token(), blocks, everything).sum(2), counted),
    }
    found = rows(table / "features.parquet")
    measured = [row for row in found if row["importance_total"] is not None]
    assert 4 <= len(measured) <= 8 and all(row["n_total_documents"] > 0 for row in measured)
    for row in measured:
        for kind, (mean, error) in means.items():
            assert row[f"importance_{kind}"] == pytest.approx(mean[row["feature"]], abs=1e-7)
            assert row[f"importance_{kind}_se"] == pytest.approx(error[row["feature"]], abs=1e-7)
        assert row["given_fires"] == pytest.approx(row["importance_total"] / row["frequency"])
        assert row["random_total"] is not None and row["random_total"] != row["importance_total"]
    for row in found:
        if row not in measured:
            assert row["n_total_documents"] == 0 and row["random_total"] is None
            assert row["is_dead"] or row["given_fires"] == pytest.approx(row["importance_attr"] / row["frequency"])
    slopes = attr(model(), one_a_token(), blocks)
    squares = torch.zeros(15).double().index_add_(0, slopes.codes.indices, slopes.effects.double().square())
    second = (slopes.by_block().sum(1) + squares / 2).abs()
    said = json.loads((table / "table.json").read_text())["measured"]
    assert said["largest"] == sorted(second.argsort(descending=True)[:4].tolist())
    assert {row["feature"] for row in measured} == {*said["largest"], *said["random"]}


def test_a_planted_feature_is_first_and_its_control_is_not(table):
    def best(path: Path) -> int:
        return rows(path, "ORDER BY importance_total DESC NULLS LAST, feature")[0]["feature"]

    assert best(table / "features.parquet") == 1
    assert best(table / "control" / "features.parquet") != 1


def test_fewer_contexts_estimate_the_same(table, tmp_path):
    config = BuildConfig(**{**vars(SMALL), "n_contexts": 12})
    part = {row["feature"]: row for row in rows(made(tmp_path, config) / "features.parquet")}
    for row in rows(table / "features.parquet", "WHERE importance_total IS NOT NULL"):
        other = part[row["feature"]]
        assert abs(other["importance_total"] - row["importance_total"]) < 5 * other["importance_total_se"] + 1e-9
        assert other["importance_attr"] == row["importance_attr"]


def test_no_pass_is_made_where_nothing_is_measured(table, tmp_path, monkeypatch):
    passes = []
    monkeypatch.setattr(Scene, "of", staticmethod(lambda *_: passes.append(1)))
    config = BuildConfig(**{**vars(SMALL), "n_top": 0, "n_calibration": 0, "n_effects": 0})
    folder = made(tmp_path, config, control=False)
    assert not passes and not rows(folder / "effects.parquet")
    for row, full in zip(rows(folder / "features.parquet"), rows(table / "features.parquet"), strict=True):
        assert row["importance_total"] is None and row["importance_attr"] == full["importance_attr"]


def test_examples_show_what_their_group_says(table):
    acts, blocks = dense().reshape(15, -1), corpus().held
    documents = blocks.documents.reshape(-1)
    found = rows(table / "examples.parquet")
    effects = attr(model(), one_a_token(), blocks)
    first_order = torch.zeros(15, N_BLOCKS * CONTEXT)
    places = blocks.usable.reshape(-1).nonzero().flatten()
    first_order[effects.codes.indices, places[effects.codes.rows()]] = effects.effects
    assert {row["feature"] for row in found} == set(range(1, 15))
    for row in found:
        f, pos, start = row["feature"], row["pos"], row["start"]
        window = slice(start, start + len(row["ids"]))
        assert start <= pos < window.stop and pos - start <= 3 and window.stop - pos <= 3
        assert row["acts"] == acts[f, window].tolist() and row["act"] == float(acts[f, pos])
        assert row["ids"] == blocks.tokens.reshape(-1)[window].tolist()
        assert row["texts"] == [f" {i}" for i in row["ids"]]
        assert set(documents[window].tolist()) == {row["document"]} and blocks.usable.reshape(-1)[window].all()
        match row["grp"]:
            case "random inactive":
                assert not any(row["acts"])
            case "interval" | "quantile":
                assert row["lo"] - 1e-6 <= row["act"] <= row["hi"] + 1e-6 and 0 < row["share"] <= 1
            case "most helpful":
                assert first_order[f, pos] > 0
            case "most harmful":
                assert first_order[f, pos] < 0
            case _:
                assert row["act"] > 0
    strongest = [row for row in found if row["feature"] == 1 and row["grp"] == "top"]
    assert len({row["document"] for row in strongest}) == len(strongest) == 4
    helpful = [row for row in found if (row["feature"], row["grp"], row["rank"]) == (1, "most helpful", 0)]
    assert first_order[1, helpful[0]["pos"]] == first_order[1].max()


def test_groups_share_out_the_firings_and_the_mass(table):
    # Feature 12 fires at 0.75 everywhere: quarters by rank are quarters of the firings and of the mass.
    quarters = rows(table / "examples.parquet", "WHERE feature = 12 AND grp = 'quantile'")
    assert len(quarters) == 8
    for row in quarters:
        assert (row["share"], row["mass"]) == (pytest.approx(0.25, abs=1e-3), pytest.approx(0.25, abs=1e-3))
    # All activations of feature 4 are 1.5: the highest of five widths holds everything.
    intervals = rows(table / "examples.parquet", "WHERE feature = 4 AND grp = 'interval'")
    assert len(intervals) == 2
    for row in intervals:
        assert (row["lo"], row["hi"], row["share"], row["mass"]) == (pytest.approx(1.2), 1.5, 1.0, 1.0)


def test_effects_at_the_examples_are_the_effects(table):
    blocks, everything = corpus().held, torch.arange(15)
    effects = {"total": total, "direct": direct}
    whole = {k: f(model(), one_a_token(), blocks, everything).reshape(15, -1) for k, f in effects.items()}
    counted = counted_tokens(blocks).reshape(-1)
    found = rows(table / "effects.parquet")
    windows = {(row["feature"], row["pos"]): row for row in rows(table / "examples.parquet")}
    assert {row["feature"] for row in found} == set(range(1, 15))
    assert len({(row["feature"], row["pos"]) for row in found}) == len(found)
    for row in found:
        window = windows[row["feature"], row["pos"]]
        for i, pos in enumerate(range(window["start"], window["start"] + len(window["ids"]))):
            for kind, values in whole.items():
                value = row[f"dloss_{kind}"][i]
                assert (value is not None) == bool(counted[pos])
                if value is not None:
                    assert value == pytest.approx(float(values[row["feature"], pos]), abs=2e-6)
        follows = row["pos"] + 1 < len(counted) and bool(counted[row["pos"] + 1])
        assert (row["p_with"] is not None) == (row["p_without"] is not None) == follows
        if follows:
            rise = math.log(row["p_with"]) - math.log(row["p_without"])
            assert rise == pytest.approx(float(whole["total"][row["feature"], row["pos"] + 1]), abs=1e-5)
        assert row["up"][0]["delta"] >= row["up"][-1]["delta"] and row["down"][0]["delta"] < 0 < row["up"][0]["delta"]
    planted = next(row for row in found if row["feature"] == 1)
    assert planted["down"][0]["token"] == 2


def test_neighbours_by_hand(table):
    found = rows(table / "neighbours.parquet")
    near = {(row["feature"], row["kind"], row["rank"]): (row["other"], row["value"]) for row in found}
    assert near[13, "decoder", 0] == (3, pytest.approx(1.0)) and near[13, "encoder", 0] == (3, pytest.approx(1.0))
    assert near[3, "coactivation", 0] == (13, pytest.approx(1.0)) and near[3, "coactivation", 1][0] == 14
    alone = int((dense()[4] > 0).sum()), int((dense()[12] > 0).sum())
    assert near[4, "coactivation", 0] == (12, pytest.approx(alone[0] / math.sqrt(alone[0] * alone[1])))
    assert (4, "coactivation", 1) not in near and (0, "coactivation", 0) not in near
    W = one_a_token().W_dec @ (model().U - model().U.mean(1, keepdim=True))
    cosines = torch.nn.functional.normalize(W, dim=1) @ torch.nn.functional.normalize(W, dim=1).T
    cosines.fill_diagonal_(-1)
    assert near[5, "logit", 0][1] == pytest.approx(float(cosines[5].max()), abs=1e-5)


def test_lists_by_hand(table):
    found = {row["feature"]: row for row in rows(table / "lists.parquet")}
    n = int((dense()[4] > 0).sum())
    assert sum(found[4]["hist_counts"]) == n and (found[4]["hist_low"], found[4]["hist_high"]) == (1.5, 1.5)
    assert found[4]["by_position"] == (dense()[4] > 0).sum(0).tolist()
    assert found[0]["hist_counts"] == [] and found[0]["hist_low"] is None
    effects = model().U[1] - model().U[1].mean()
    assert found[1]["top_logits"][0] == {"token": 2, "effect": pytest.approx(float(effects[2]))}
    assert found[1]["bottom_logits"][0]["token"] == int(effects.argmin())
    assert sum(found[1]["logit_hist"]) == N and found[1]["logit_high"] == pytest.approx(float(effects.max()))


def test_text_joins_to_the_text_and_documents_say_where_they_begin(table):
    from safetensors.torch import load_file

    held = load_file(table / "tokens.safetensors")
    blocks = corpus().held
    assert torch.equal(held["ids"].long(), blocks.tokens) and torch.equal(held["document"].long(), blocks.documents)
    assert held["mask"][0].tolist() == [1] + [0] * 15 and held["mask"][-1].tolist() == [1] + [0] * 12 + [2] * 3
    assert rows(table / "contexts.parquet")[3]["texts"] == [f" {i}" for i in blocks.tokens[3].tolist()]
    assert rows(table / "documents.parquet")[2] == {
        "document": 2,
        "name": "document 2",
        "start_pos": 6 * CONTEXT,
        "n_tokens": 45,
    }


def test_several_dictionaries_share_the_passes_and_do_not_touch_one_another(table, tmp_path):
    W = torch.randn(6, N, generator=torch.Generator().manual_seed(3))
    geometries = {
        "d": one_a_token(),
        "transcoder": dictionary_of(W, W, ("resid_post.0",), ("attn_out.1",)),
        "crosscoder": dictionary_of(torch.cat([W, W], 1), torch.cat([W, -W], 1), ("resid_post.0", "resid_post.1")),
    }
    folder = made(tmp_path, **geometries)
    assert contents(folder) == contents(table)
    manifest = json.loads((tmp_path / "crosscoder" / "table.json").read_text())
    assert "writes 2 sites" in manifest["effects"]["direct"] and manifest["effects"]["total"] == ""
    for name in ("transcoder", "crosscoder"):
        blocks, everything = corpus().held, torch.arange(6)
        exact = total(model(), geometries[name], blocks, everything).double().sum((1, 2)) / (48 * 14 - 3)
        measured = 0
        for row in rows(tmp_path / name / "features.parquet"):
            if row["importance_total"] is not None:
                assert row["importance_total"] == pytest.approx(float(exact[row["feature"]]), abs=1e-6)
                measured += 1
            assert (row["importance_direct"] is None) == (name == "crosscoder" or row["importance_total"] is None)
            assert (row["enc_dec_cosine"] is None) == (name == "transcoder")
        assert measured >= 4
    lists = rows(tmp_path / "crosscoder" / "lists.parquet")
    assert all(row["top_logits"] is None and row["logit_low"] is None for row in lists)


def test_all_dead_and_no_effect_to_measure(tmp_path):
    silent = dictionary_of(-torch.eye(N), torch.eye(N))
    folder = made(tmp_path, silent=silent)
    found = rows(folder / "features.parquet")
    assert all(row["is_dead"] and row["importance_total"] is None and row["max_act"] == 0 for row in found)
    assert rows(folder / "examples.parquet") == rows(folder / "effects.parquet") == []
    assert json.loads((folder / "table.json").read_text())["n_dead"] == N

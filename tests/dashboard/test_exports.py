"""What is taken away says what the table says: read back by what would read it."""

import base64
import csv
import gzip
import io
import json
import tarfile
from array import array
from pathlib import Path

import pytest
from features.made_tables import DEAD_EVERY, PLANTED, Made, make_table

from monosema.core.errors import ConfigError, DataError, RunError
from monosema.dashboard.exports.neuronpedia import Naming, tar, write_neuronpedia
from monosema.dashboard.exports.packing import EFFECTS, LEVELS, NOT_MEASURED
from monosema.dashboard.exports.saedashboard import write_saedashboard
from monosema.dashboard.exports.selection import Selection, select
from monosema.dashboard.exports.single import page, write_single
from monosema.dashboard.exports.tables import write_csv
from monosema.dashboard.text import visible
from monosema.features.browse import FeatureTable, Query, open_table

from .html import read

LABELS = {PLANTED: "</script><b>planted", 4: "=HYPERLINK(1)"}
DEAD = DEAD_EVERY - 1


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    folder = tmp_path_factory.mktemp("exports") / "l1"
    make_table(folder, Made())
    return open_table(folder)


@pytest.fixture(scope="module")
def selection(table: FeatureTable) -> Selection:
    return select(table, Query(), LABELS)


def unpacked(text: str) -> tuple:
    """JSON and columns of a block, as the page's script reads it."""
    data = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(data[:4], "little")
    rest = data[4 + length :]
    width = len(rest) // 5
    columns = [array(kind, rest[i * width : (i + 1) * width]) for i, kind in enumerate("HHhhh")]
    return json.loads(data[4 : 4 + length]), columns


def blocks(html: str) -> dict[str, str]:
    tree = read(html.removeprefix("<!doctype html>\n"))
    return {e.attributes["id"]: e.words() for e in tree.find("script", type="text/plain") if e.attributes["id"]}


def test_the_single_file_holds_every_window_with_its_numbers(selection: Selection, table: FeatureTable):
    found = blocks(page(selection))
    words = unpacked(found["vocabulary"])[0]
    index = unpacked(found["index"])[0]
    assert [row[0] for row in index["rows"]] == list(selection.features)
    for number in range(2):
        features, (low, high, acts, total, direct) = unpacked(found[f"chunk{number}"])
        at = 0
        for i, feature in enumerate(features):
            groups = table.examples(selection.features[number * index["chunk"] + i])
            examples = {e.pos: e for group in groups for e in group.examples}
            assert [[w[3] for w in map(feature["windows"].__getitem__, members)] for members in feature["members"]] == [
                [e.pos for e in group.examples] for group in groups
            ]
            for width, chosen, name, pos, act, *p in feature["windows"]:
                e = examples[pos]
                span = slice(at, at + width)
                at += width
                shown = [words[a + 65536 * b] for a, b in zip(low[span], high[span], strict=True)]
                assert shown == [visible(text) for text in e.texts] and chosen == e.at
                assert [a / LEVELS * feature["largest"] for a in acts[span]] == pytest.approx(
                    e.acts, abs=feature["largest"] / LEVELS
                )
                assert e.effect is not None
                for column, values in ((total, e.effect.total), (direct, e.effect.direct)):
                    for stored, value in zip(column[span], values, strict=True):
                        assert value is not None and stored != NOT_MEASURED
                        assert stored / EFFECTS * feature["scale"] == pytest.approx(
                            value, abs=feature["scale"] / EFFECTS
                        )
                assert p == [round(e.effect.p_with or 0, 4), round(e.effect.p_without or 0, 4)]
                assert act == pytest.approx(e.act, rel=1e-3) and words[name]
        assert at == len(low) == len(direct)


def test_the_single_file_is_small_and_the_same_again(selection: Selection, table: FeatureTable, tmp_path: Path):
    whole, one = len(page(selection)), len(page(select(table, Query(), LABELS, 1)))
    assert (whole - one) / (len(selection.features) - 1) < 6000, "bytes a feature"
    assert page(selection) == page(selection)
    write_single(tmp_path / "a.html", selection)
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == page(selection)


def test_nothing_of_the_corpus_or_a_label_stands_in_the_file_as_markup(selection: Selection):
    text = page(selection)
    assert "alert(" not in text and "<b>planted" not in text
    tree = read(text.removeprefix("<!doctype html>\n"))
    assert [e.attributes["type"] for e in tree.find("script")][-1] == "module"
    assert "default-src 'none'" in (tree.find("meta")[1].attributes["content"] or "")


def test_csv_gives_the_numbers_back(selection: Selection, table: FeatureTable, tmp_path: Path):
    files = write_csv(tmp_path / "csv", selection)
    assert [path.name for path in files] == ["features.csv", "examples.csv", "neighbours.csv"]
    with files[0].open(encoding="utf-8", newline="") as file:
        rows = {int(row["feature"]): row for row in csv.DictReader(file)}
    assert rows.keys() == set(selection.features)
    for feature, row in rows.items():
        own = table.row(feature)
        assert float(row["frequency"]) == own.frequency and int(row["n_active"]) == own.n_active
        assert row["importance_total"] == ("" if own.importance_total is None else repr(own.importance_total))
    assert rows[4]["label"] == "'=HYPERLINK(1)", "no spreadsheet takes it for a formula"
    assert rows[PLANTED]["label"] == LABELS[PLANTED]
    with files[1].open(encoding="utf-8", newline="") as file:
        n = sum(1 for _ in csv.DictReader(file))
    assert n == sum(len(group.examples) for f in selection.features for group in table.examples(f))


# What the peers' importers require of a row, by the names that they read.
ACTIVATION = {"id", "tokens", "index", "layer", "modelId", "maxValue", "maxValueTokenIndex", "minValue", "values",
              "creatorId", "binMin", "binMax", "binContains", "qualifyingTokenIndex", "dataIndex", "dataSource",
              "lossValues", "logitContributions"}  # fmt: skip
FEATURE = {"modelId", "layer", "index", "maxActApprox", "hasVector", "vector", "hookName", "vectorDefaultSteerStrength",
           "topkCosSimIndices", "topkCosSimValues", "neuron_alignment_indices", "neuron_alignment_values",
           "neuron_alignment_l1", "correlated_neurons_indices", "correlated_neurons_pearson", "correlated_neurons_l1",
           "correlated_features_indices", "correlated_features_pearson", "correlated_features_l1", "neg_str",
           "neg_values", "pos_str", "pos_values", "frac_nonzero", "freq_hist_data_bar_heights",
           "freq_hist_data_bar_values", "logits_hist_data_bar_heights", "logits_hist_data_bar_values"}  # fmt: skip


def lines(data: bytes) -> list[dict]:
    return [json.loads(line) for line in data.decode().splitlines()]


def test_neuronpedia_has_its_files_and_keys(selection: Selection, table: FeatureTable, tmp_path: Path):
    folder = write_neuronpedia(tmp_path, selection, Naming("gpt2-small", "ours"))
    assert folder == tmp_path / "gpt2-small" / "2-ours"
    for name in ("release", "model", "sourceset", "source"):
        assert len(lines((folder / f"{name}.jsonl").read_bytes())) == 1
    source = lines((folder / "source.jsonl").read_bytes())[0]
    assert (source["id"], source["modelId"], source["setName"]) == ("2-ours", "gpt2-small", "ours")
    features, activations, explanations = (
        lines(gzip.decompress((folder / kind / "batch-0.jsonl.gz").read_bytes()))
        for kind in ("features", "activations", "explanations")
    )
    assert [f["index"] for f in features] == [str(f) for f in selection.features]
    assert all(f.keys() >= FEATURE and (f["modelId"], f["layer"]) == ("gpt2-small", "2-ours") for f in features)
    assert features[0]["hookName"] == "blocks.2.hook_resid_post"
    assert all(a.keys() >= ACTIVATION and len(a["tokens"]) == len(a["values"]) for a in activations)
    assert len({a["id"] for a in activations}) == len(activations)
    own = [a for a in activations if a["index"] == str(PLANTED)]
    tops = [a for a in own if a["binMin"] == -1]
    assert len(tops) == len(table.examples(PLANTED)[0].examples)
    assert tops[0]["maxValue"] == 2.0 and tops[0]["values"][tops[0]["maxValueTokenIndex"]] == 2.0
    contributions = json.loads(tops[0]["logitContributions"])
    assert [bool(x) for x in contributions["pos"]].index(True) == tops[0]["qualifyingTokenIndex"]
    assert all(change["v"] > 0 for at in contributions["pos"] for change in at)
    intervals = [a for a in own if a["binMin"] != -1]
    assert intervals and all(a["binMin"] <= a["values"][a["qualifyingTokenIndex"]] * 1.001 for a in intervals)
    assert {"description": LABELS[PLANTED], "typeName": "human"}.items() <= explanations[0].items()
    assert not [a for a in activations if a["index"] == str(DEAD)]


def test_neuronpedia_is_whole_or_not_there(selection: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_neuronpedia(tmp_path, selection)
    with pytest.raises(RunError, match="is there already"):
        write_neuronpedia(tmp_path, selection)
    from monosema.dashboard.exports import neuronpedia

    def broken(*_: object) -> None:
        raise RunError("no space left")

    monkeypatch.setattr(neuronpedia, "_activation", broken)
    with pytest.raises(RunError, match="no space left"):
        write_neuronpedia(tmp_path / "other", selection)
    assert not [path for path in (tmp_path / "other").rglob("*") if path.is_file()]


def test_the_tar_holds_the_same_files(selection: Selection, tmp_path: Path):
    folder = write_neuronpedia(tmp_path, selection)
    with tarfile.open(fileobj=io.BytesIO(tar(selection))) as archive:
        for entry in archive.getmembers():
            file = archive.extractfile(entry)
            assert file is not None and file.read() == (tmp_path / entry.name).read_bytes()
        assert {e.name for e in archive.getmembers()} == {
            path.relative_to(tmp_path).as_posix() for path in folder.rglob("*") if path.is_file()
        }


@pytest.mark.parametrize("name", ["../up", "a/b", "a b", ""])
def test_a_name_is_no_path(name: str):
    if name:
        with pytest.raises(ConfigError, match="letters, digits"):
            Naming(model=name)
    else:
        assert Naming(model=name).model == ""


def test_saedashboard_has_the_fields_of_its_batches(selection: Selection, table: FeatureTable, tmp_path: Path):
    write_saedashboard(tmp_path / "batch-0.json", selection)
    batch = json.loads((tmp_path / "batch-0.json").read_text(encoding="utf-8"))
    assert (batch["layer"], batch["sae_set"], len(batch["features"])) == (2, "l1", 60)
    feature = next(f for f in batch["features"] if f["feature_index"] == PLANTED)
    top = [a for a in feature["activations"] if a["bin_min"] == -1]
    assert [a["values"][a["qualifying_token_index"]] for a in top] == pytest.approx(
        [e.act for e in table.examples(PLANTED)[0].examples], rel=1e-3
    )
    assert sum(feature["freq_hist_data_bar_heights"]) == table.row(PLANTED).n_active
    bars = feature["freq_hist_data_bar_values"]
    assert bars == sorted(bars) and 1.0 < bars[0] < bars[-1] < 2.0
    dead = next(f for f in batch["features"] if f["feature_index"] == DEAD)
    assert (dead["activations"], dead["frac_nonzero"], dead["freq_hist_data_bar_heights"]) == ([], 0.0, [])


def test_nothing_that_matches_is_said(table: FeatureTable):
    with pytest.raises(DataError, match="no feature of 'l1' matches 'q=zzzzz'"):
        select(table, Query(text="zzzzz"), {})

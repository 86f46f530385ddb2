import json
import sys

import duckdb
import pytest

from monosema.core.errors import DataError
from monosema.corpus.document import Document, documents

pa = pytest.importorskip("pyarrow")


def write_jsonl(path, *lines):
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def write_parquet(path, query):
    quoted = str(path).replace("'", "''")
    duckdb.sql(f"COPY ({query}) TO '{quoted}' (FORMAT parquet)")
    return path


def write_arrow(path, texts, kind=None, column="text"):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({column: pa.array(texts, type=kind or pa.string())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def save_dataset(folder, *shards):
    """The files that `Dataset.save_to_disk` writes."""
    names = [f"data-{i:05d}-of-{len(shards):05d}.arrow" for i in range(len(shards))]
    for name, texts in zip(names, shards, strict=True):
        write_arrow(folder / name, texts)
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"text": {"dtype": "string"}}}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": n} for n in names], "_split": "train"}))
    return folder


def test_one_json_object_a_line_is_one_document(tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", {"text": "one\r\n€"}, b"  ", {"id": 7, "text": "two"}, {"text": None})
    assert list(documents(path)) == [Document("d.jsonl#1", "one\n€"), Document("d.jsonl#3", "two")]


def test_json_lines_may_be_called_json_and_begin_with_a_byte_order_mark(tmp_path):
    path = write_jsonl(tmp_path / "d.json", b'\xef\xbb\xbf{"text": "one"}')
    assert list(documents(path)) == [Document("d.json#1", "one")]


def test_another_column_can_hold_the_text(tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", {"content": "here"})
    assert [d.text for d in documents(path, field="content")] == ["here"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"content": "x", "url": "y"}, r"line 2: no field 'text'. Fields found: 'content', 'url'. Rename"),
        ({}, "line 2: no field 'text'. Fields found: none"),
        ({"text": 3}, "line 2: the field 'text' holds a number, not text"),
        ({"text": ["a"]}, "line 2: the field 'text' holds a list, not text"),
        (["text"], "line 2: expected an object with a field 'text', got a list"),
        (b'{"text": "cut', "line 2: not one JSON object a line"),
        (b"[" * 100_000, "line 2: not one JSON object a line"),
        (b'{"text": "\xff"}', "is not UTF-8: byte 0xff at offset 27"),
        (b'{"text": "\\ud800"}', r"'d.jsonl#2' holds half a character \(lone surrogate \\ud800 at position 0\)"),
    ],
)
def test_a_bad_line_is_named_and_the_lines_before_it_are_read(tmp_path, line, said):
    rows = documents(write_jsonl(tmp_path / "d.jsonl", {"text": "fine"}, line))
    assert next(rows).text == "fine"
    with pytest.raises(DataError, match=said):
        next(rows)


def test_one_parquet_row_is_one_document(tmp_path):
    query = "SELECT * FROM (VALUES (1, 'one'), (2, NULL), (3, e'three\\r\\n€')) AS t(id, text)"
    # As a pattern the name would mean the second file.
    path = write_parquet(tmp_path / "d[1].parquet", query)
    write_parquet(tmp_path / "d1.parquet", "SELECT 'another' AS text")
    assert list(documents(path)) == [Document("d[1].parquet#1", "one"), Document("d[1].parquet#3", "three\n€")]


def test_a_long_parquet_file_keeps_its_order(tmp_path):
    path = write_parquet(tmp_path / "d.parquet", "SELECT i::VARCHAR AS text FROM range(5000) r(i)")
    assert [d.text for d in documents(path)] == [str(i) for i in range(5000)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 'x' AS content, 1 AS id", "d.parquet: no field 'text'. Fields found: 'content', 'id'"),
        ("SELECT 1 AS text", "d.parquet: the field 'text' holds INTEGER, not text"),
        ("SELECT 'x'::BLOB AS text", "d.parquet: the field 'text' holds BLOB, not text"),
    ],
)
def test_a_parquet_file_without_text_says_what_it_holds(tmp_path, query, said):
    with pytest.raises(DataError, match=said):
        list(documents(write_parquet(tmp_path / "d.parquet", query)))


@pytest.mark.parametrize("data", [b"not parquet", b"", None])
def test_a_broken_parquet_file_is_named(tmp_path, data):
    path = write_parquet(tmp_path / "d.parquet", "SELECT i::VARCHAR AS text FROM range(500) r(i)")
    path.write_bytes(path.read_bytes()[:-100] if data is None else data)
    with pytest.raises(DataError, match=r"d.parquet cannot be read as Parquet"):
        list(documents(path))


def test_a_parquet_column_that_is_not_utf_8_is_refused(tmp_path):
    import pyarrow.parquet

    binary = pa.array([b"good", b"\xff\xfe"], type=pa.binary()).view(pa.string())
    pyarrow.parquet.write_table(pa.table({"text": binary}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"d.parquet cannot be read as Parquet: .*(UTF-8|UTF8|encoding)"):
        list(documents(tmp_path / "d.parquet"))


def test_a_saved_dataset_is_read_shard_by_shard(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["a", "b", "c"], ["d", None])
    assert list(documents(folder)) == [Document(f"tales#{i}", text) for i, text in enumerate("abcd", start=1)]


def test_only_the_shards_that_the_state_names_are_read(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["a"])
    write_arrow(folder / "cache-123.arrow", ["left over"])
    assert [d.text for d in documents(folder)] == ["a"]


def test_a_cache_folder_has_no_state_and_is_read_whole(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["a"], ["b"])
    (folder / "state.json").unlink()
    assert [d.text for d in documents(folder)] == ["a", "b"]


def test_every_split_of_a_dataset_dict_is_read(tmp_path):
    save_dataset(tmp_path / "tales/train", ["a"])
    save_dataset(tmp_path / "tales/test", ["b"])
    (tmp_path / "tales/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert list(documents(tmp_path / "tales")) == [Document("tales/train#1", "a"), Document("tales/test#1", "b")]
    assert list(documents(tmp_path / "tales/test")) == [Document("test#1", "b")]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string()])
def test_one_arrow_file_can_be_given(tmp_path, kind):
    write_arrow(tmp_path / "d.arrow", ["a", "b\r\n"], kind)
    assert [d.text for d in documents(tmp_path / "d.arrow")] == ["a", "b\n"]


def test_a_text_folder_that_holds_a_state_file_is_a_text_folder(tmp_path):
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "a.txt").write_text("text")
    assert [d.text for d in documents(tmp_path)] == ["text"]


def test_a_missing_shard_or_split_is_named(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["a"], ["b"])
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"incomplete: state.json names data-00001-of-00002.arrow"):
        list(documents(folder))
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')
    with pytest.raises(DataError, match="names the split 'train', its folder is missing"):
        list(documents(folder))


@pytest.mark.parametrize(
    ("state", "said"),
    [("{", "cannot read .*state.json"), ("{}", "state.json has no '_data_files'"), ("[]", "has no '_data_files'")],
)
def test_a_broken_state_is_named(tmp_path, state, said):
    folder = save_dataset(tmp_path / "tales", ["a"])
    (folder / "state.json").write_text(state)
    with pytest.raises(DataError, match=said):
        list(documents(folder))


def test_a_selection_of_an_old_version_is_refused_not_read_whole(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["a", "b"])
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "_indices_data_files": [{"filename": "indices.arrow"}]}))
    with pytest.raises(DataError, match=r"holds a selection of rows .*flatten_indices"):
        list(documents(folder))


def test_a_dataset_folder_without_arrow_files_is_refused(tmp_path):
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match=r"has a dataset_info.json but no .arrow file"):
        list(documents(tmp_path))


def test_a_cut_shard_is_named(tmp_path):
    folder = save_dataset(tmp_path / "tales", ["text " * 100] * 10)
    shard = folder / "data-00000-of-00001.arrow"
    shard.write_bytes(shard.read_bytes()[:-700])
    with pytest.raises(DataError, match=r"data-00000-of-00001.arrow cannot be read as an Arrow stream"):
        list(documents(folder))


def test_a_shard_without_text_says_what_it_holds(tmp_path):
    write_arrow(tmp_path / "d.arrow", [1, 2], pa.int64(), column="label")
    with pytest.raises(DataError, match=r"no field 'text'. Fields found: 'label'"):
        list(documents(tmp_path / "d.arrow"))


def test_without_pyarrow_the_line_to_type_is_said(tmp_path, monkeypatch):
    folder = save_dataset(tmp_path / "tales", ["a"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="needs pyarrow: pip install pyarrow"):
        list(documents(folder))

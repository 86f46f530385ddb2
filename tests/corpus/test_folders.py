import json
import sysconfig
from pathlib import Path

import pytest

from monosema.core.errors import DataError
from monosema.corpus.document import Document, documents


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps({"text": name}) if name.endswith(".jsonl") else name)


def ids(spec):
    return [document.id for document in documents(spec)]


def test_a_folder_is_read_recursively_in_order_without_hidden_and_unknown_files(tmp_path):
    write(tmp_path, "b.txt", "a/z.py", "a/b/c.md", ".git/config.txt", ".hidden.txt", "picture.png")
    assert list(documents(tmp_path)) == [Document(name, name) for name in ("a/b/c.md", "a/z.py", "b.txt")]


def test_a_folder_of_tables_is_read_in_order(tmp_path):
    write(tmp_path, "data/2.jsonl", "data/1.jsonl")
    assert ids(tmp_path) == ["data/1.jsonl#1", "data/2.jsonl#1"]


def test_a_pattern_chooses_files_whatever_their_suffix(tmp_path):
    write(tmp_path, "a.story", "sub/b.story", "c.txt", ".hidden/d.story")
    assert ids(f"{tmp_path}/**/*.story") == ["a.story", "sub/b.story"]


def test_the_readme_of_a_data_set_is_not_mixed_in(tmp_path):
    write(tmp_path, "README.md", "data/1.jsonl")
    with pytest.raises(
        DataError, match=r"both text files \(1, such as README.md\) and tables \(1, such as data/1.jsonl\)"
    ):
        documents(tmp_path)
    assert ids(f"{tmp_path}/**/*.jsonl") == ["data/1.jsonl#1"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "holds no text files and no tables, but no files"),
        (["a.png", "b.png", "c"], "holds no text files and no tables, but 2 .png, 1 no suffix"),
    ],
)
def test_a_folder_without_text_says_what_it_holds(tmp_path, names, said):
    write(tmp_path, *names)
    with pytest.raises(DataError, match=said):
        documents(tmp_path)


def test_a_pattern_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no file matches '.*nothing\*.txt'"):
        documents(f"{tmp_path}/nothing*.txt")


def test_the_standard_library_is_its_own_source():
    root = Path(sysconfig.get_paths()["stdlib"])
    by_id = {document.id: document.text for document in documents("stdlib")}
    assert by_id["json/decoder.py"] == (root / "json/decoder.py").read_text(encoding="utf-8")
    apart = {"test", "tests", "idle_test", "encodings", "site-packages"}
    assert not [name for name in by_id if apart & set(Path(name).parts)]


def test_a_folder_called_stdlib_can_still_be_read(tmp_path, monkeypatch):
    write(tmp_path, "stdlib/mine.txt")
    monkeypatch.chdir(tmp_path)
    assert ids("./stdlib") == ids(Path("stdlib")) == ["mine.txt"]
    assert "json/decoder.py" in ids("stdlib")


def test_a_python_without_source_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(DataError, match="has no source of its standard library"):
        documents("stdlib")


def test_source_is_read_in_the_encoding_it_declares(tmp_path, monkeypatch):
    (tmp_path / "old.py").write_bytes(b"# -*- coding: latin-1 -*-\nname = 'caf\xe9'\n")
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    assert "café" in next(documents("stdlib")).text


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"cannot read .*gone.txt: No such file"):
        ids(tmp_path)


def test_the_first_of_the_standard_library_is_a_sample_of_it():
    names = ids("stdlib")
    assert names == ids("stdlib")
    first, later = ({name.partition("/")[0] for name in part} for part in (names[:60], names[60:]))
    assert len(first) > 30 and names != sorted(names)
    assert later - first  # and not the same sixty twice over

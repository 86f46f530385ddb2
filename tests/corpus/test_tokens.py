import pytest
from letters import letters, many, names

from monosema.core.errors import DamagedError
from monosema.corpus.document import Document
from monosema.corpus.packed import open_packed, pack
from monosema.corpus.tokens import open_tokens


@pytest.mark.usefixtures("all_train_but_last")
def test_document_names_may_be_anything(tmp_path):
    odd = ["a b", "line\nbreak", "€😀", '"quoted"', ""]
    documents = [Document(name, "a b c d") for name in [*odd, "held"]]
    assert names(pack(documents, letters(), 4, tmp_path / "out").train) == odd


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 99), (2, 1)])
def test_blocks_that_are_not_there_are_refused(tmp_path, start, stop):
    train = pack(many(50), letters(), 64, tmp_path / "out").train
    with pytest.raises(IndexError, match=f"blocks {start} to {stop} were asked for: there are {train.n_blocks}"):
        train.blocks(start, stop)
    with pytest.raises(IndexError, match="document 1000 was asked for"):
        train.document_name(1000)


def test_no_blocks_are_a_good_answer(tmp_path):
    train = pack(many(50), letters(), 8, tmp_path / "out").train
    assert train.blocks(1, 1).tokens.shape == (0, 8)


@pytest.mark.parametrize("name", ["tokens.bin", "documents.bin", "names.bin", "names.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_file_is_named(tmp_path, name, damage):
    pack(many(100), letters(), 8, tmp_path / "out")
    path = tmp_path / "out/train" / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    with pytest.raises(DamagedError, match=rf"train/{name} (has .* bytes instead of|is missing)"):
        open_packed(tmp_path / "out")


@pytest.mark.parametrize("name", ["tokens.bin", "documents.bin"])
def test_an_edited_file_is_found_when_verified(tmp_path, name):
    train = pack(many(100), letters(), 8, tmp_path / "out").train
    data = bytearray((train.path / name).read_bytes())
    data[20] ^= 1
    (train.path / name).write_bytes(data)
    with pytest.raises(DamagedError, match="was edited: its fingerprint is"):
        open_tokens(train.path).verify()


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"context": 8', "meta.json is not valid JSON"), ("{}", "setting 'split' is missing: it was edited")],
)
def test_a_damaged_meta_file_is_named(tmp_path, content, said):
    train = pack(many(100), letters(), 8, tmp_path / "out").train
    (train.path / "meta.json").write_text(content)
    with pytest.raises(DamagedError, match=said):
        open_tokens(train.path)

"""Clusters of tokens: from classes of text, and from lists in files, with every mistake in a sentence."""

import json
from pathlib import Path

import pytest
import torch

from monosema.core.errors import ConfigError, DamagedError, DataError
from monosema.geometry import Clusters, Vocabulary, read_clusters, token_classes
from monosema.geometry.clusters import chance_of_a_pair

TEXTS = (" Monday", " Friday", "red", " red", b"\xc2", " blue", "green", "7")
PIECES = ("ĠMonday", "ĠFriday", "red", "Ġred", "Â", "Ġblue", "green", "7")
WORDS = Vocabulary(tuple(range(8)), TEXTS, PIECES, frozenset({7}))


def written(folder: Path, text: str, name: str = "lists.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_come_in_their_order_and_without_the_empty_ones():
    found = token_classes(WORDS)
    assert found.names == ("after a space", "Capital after a space", "inside a word", "byte", "special")
    assert found.of.tolist() == [1, 1, 2, 0, 3, 0, 2, 4] and found.sizes.tolist() == [2, 2, 2, 1, 1]


def test_lists_name_tokens_by_text_or_by_piece(tmp_path: Path):
    lists = {"days": [" Monday", "ĠFriday"], "colours": ["red", "Ġred", " blue", " blue"]}
    found = read_clusters(written(tmp_path, json.dumps(lists)), WORDS)
    assert found.names == ("days", "colours") and found.of.tolist() == [0, 0, 1, 1, -1, 1, -1, -1]
    assert (found.n, found.skipped, found.alone().of.tolist()) == (5, 0, [0, 0, 1, 1, 1])
    rows = "\n".join(f"{name},{token}" for name, tokens in lists.items() for token in tokens)
    again = read_clusters(written(tmp_path, f"cluster,token\n{rows}\n", "lists.csv"), WORDS)
    assert again.names == found.names and torch.equal(again.of, found.of)


def test_tokens_that_the_vocabulary_lacks_are_named_or_skipped_with_their_number(tmp_path: Path):
    lists = {"days": [" Monday", " Sunday"], "colours": ["red", *(f"shade{i}" for i in range(6))]}
    path = written(tmp_path, json.dumps(lists))
    with pytest.raises(DataError, match=r"names 7 tokens that the vocabulary lacks: ' Sunday', 'shade0'.* and 2 more"):
        read_clusters(path, WORDS)
    assert read_clusters(path, WORDS, skip_unknown=True).skipped == 7


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("a.json", '{"x": ["red"', DamagedError, "is not JSON"),
        ("a.json", '["red"]', DamagedError, "must hold an object of lists"),
        ("a.json", '{"x": [3]}', DamagedError, "must hold an object of lists"),
        ("a.json", '{"x": ["red"]}', ConfigError, "1 clusters are too few"),
        ("a.json", '{"x": ["red"], "y": []}', ConfigError, "no token is in cluster 'y'"),
        ("a.json", '{"x": ["red"], "y": ["red"]}', DataError, "token 'red' is in 'x' and in 'y'"),
        ("a.csv", "x,red\ny,green\n", DamagedError, "columns cluster,token"),
        ("a.csv", "cluster,token\nx\n", DamagedError, "columns cluster,token"),
        ("a.csv", "", DamagedError, "columns cluster,token"),
    ],
)
def test_a_file_that_is_not_so_is_refused(tmp_path: Path, name: str, text: str, error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        read_clusters(written(tmp_path, text, name), WORDS)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"there is no file .*none\.json: give a JSON file"):
        read_clusters(tmp_path / "none.json", WORDS)


def test_the_chance_of_a_pair_is_counted():
    # 1 + 3 pairs of the same cluster among the 10 pairs of five tokens.
    assert float(chance_of_a_pair(torch.tensor([2, 3]))) == pytest.approx(4 / 10)


def test_shuffling_leaves_tokens_in_no_cluster_where_they_are():
    of = torch.tensor([0, -1, 1, 1, -1, 0, 1])
    mixed = Clusters(("a", "b"), of).shuffled(torch.Generator().manual_seed(3))
    assert (mixed.of == -1).tolist() == (of == -1).tolist() and mixed.sizes.tolist() == [2, 3]
    assert not torch.equal(mixed.of, of)

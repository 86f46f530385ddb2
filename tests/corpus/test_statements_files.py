"""Statements and pairs as files: what is written is read again, and what cannot be read is said in one sentence."""

from pathlib import Path

import numpy as np
import pytest

from monosema.core.errors import DataError
from monosema.corpus.statements import Pairs, Statements, as_pairs, generate, read, split, write


def same(one: Statements | Pairs, other: Statements | Pairs) -> bool:
    texts = [(data.negative, data.positive) if isinstance(data, Pairs) else data.texts for data in (one, other)]
    attributes = one.attributes.keys() == other.attributes.keys() and all(
        (one.attributes[name] == other.attributes[name]).all() for name in one.attributes
    )
    return texts[0] == texts[1] and (one.labels == other.labels).all() and one.groups == other.groups and attributes


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ndjson", ".CSV"])
@pytest.mark.parametrize("name", ["mixed", "exclusives"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str, suffix: str):
    made = generate(name, 50)
    for data in (made, as_pairs(made, "yes_no")):
        path = tmp_path / f"{name}{suffix}"
        write(path, data)
        again = read(path)
        assert type(again) is type(data) and again.name == name and same(again, data)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_any_text_survives(tmp_path: Path, suffix: str):
    texts = ('a, "b"', "Ö €\u2028 x", "two\nlines", " spaces ")
    labels = np.array([1, 0, 1, 0])
    odd = Statements(
        "odd", texts, labels, texts, {"number": np.array([3, -7, 0, 12]), "code": np.array(["007", "1", "x", ""])}
    )
    write(tmp_path / f"odd{suffix}", odd)
    assert same(read(tmp_path / f"odd{suffix}"), odd)


def test_a_published_set_is_read_as_it_is(tmp_path: Path):
    path = tmp_path / "cities.csv"
    text = """\
statement,label,city,country
The city of Paris is in France.,1,Paris,France
"The city of Washington, D.C. is in Peru.",0,Washington,Peru
"""
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    cities = read(path)
    assert isinstance(cities, Statements) and cities.name == "cities"
    assert cities.texts[1] == "The city of Washington, D.C. is in Peru." and cities.labels.tolist() == [1, 0]
    assert cities.attributes["city"].tolist() == ["Paris", "Washington"] and cities.groups == ("row 1", "row 2")
    assert list(read(path, keep=("country",)).attributes) == ["country"] and not read(path, keep=()).attributes


@pytest.mark.parametrize("written", ["1,0", "true,false", "True,FALSE", " 1 ,0 "])
def test_labels_may_be_spelled_out(tmp_path: Path, written: str):
    one, other = written.split(",")
    path = tmp_path / "a.csv"
    path.write_text(f"label,statement\n{one},p\n{other},q\n")
    assert read(path).labels.tolist() == [1, 0]
    path = tmp_path / "a.jsonl"
    path.write_text('{"statement": "p", "label": true}\n\n{"statement": "q", "label": 0}\n')
    assert read(path).labels.tolist() == [1, 0]


BAD = {
    "empty": ("a.csv", "", "a.csv holds no rows: give the columns statement and label"),
    "header": ("a.csv", "statement,label\n", "a.csv holds no rows"),
    "label": (
        "a.csv",
        "statement,label\np,1\nq,2\n",
        "a.csv, line 3: the label is '2': write 1 for true and 0 for false",
    ),
    "unsure": ("a.jsonl", '{"statement": "p", "label": null}\n', "a.jsonl, line 1: the label is 'None'"),
    "column": (
        "a.csv",
        "text,label\np,1\n",
        r"no column 'statement'\. Columns there: 'text', 'label'\. Statements are in",
    ),
    "no label": ("a.csv", "statement,truth\np,1\n", r"no column 'label'\. Columns there: 'statement', 'truth'"),
    "side": ("a.csv", "negative,label\np,1\n", r"no column 'positive'\. Columns there: 'negative', 'label'"),
    "later": ("a.jsonl", '{"statement": "p", "label": 1}\n{"label": 0}\n', "a.jsonl, line 2: no column 'statement'"),
    "one class": ("a.csv", "statement,label\np,1\nq,1\n", "a.csv: of 2 rows none has label 0, and at least 1 must"),
    "conflict": ("a.csv", "statement,label\np,1\nq,0\np,0\n", "a: 'p' has label 1 in row 1 and 0 in row 3"),
    "empty text": ("a.csv", "statement,label\n ,1\nq,0\n", "a.csv, line 2: the statement is ' ': give its text"),
    "number": ("a.jsonl", '{"statement": 7, "label": 1}\n', "a.jsonl, line 1: the statement is 7: give its text"),
    "comma": (
        "a.csv",
        "statement,label\np, q,1\n",
        "a.csv, line 2: 3 cells under a header of 2: put a text that holds",
    ),
    "short": ("a.csv", "statement,label\np\n", "a.csv, line 2: 1 cells under a header of 2"),
    "quote": ("a.csv", 'statement,label\n"p,1\n', r"a.csv, line 2: not CSV \("),
    "json": ("a.jsonl", "[1]\n", "a.jsonl, line 1: expected an object such as"),
    "broken": ("a.jsonl", '{"statement": \n', r"a.jsonl, line 1: not one JSON object a line \("),
    "alike": ("a.csv", "negative,positive,label\np,p,1\nq,r,0\n", "a: both sides of pair 1 are 'p'"),
    "both": ("a.csv", "statement,negative,positive,label\np,q,r,1\n", "a.csv holds statements and pairs: take out"),
    "suffix": ("a.txt", "p", r"a.txt: expected a file of \.csv, \.jsonl, \.ndjson"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path, case: str):
    name, text, said = BAD[case]
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)


def test_files_that_are_no_text_or_not_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"cannot read .*a\.csv: No such file"):
        read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"statement,label\n\xe9,1\n")
    with pytest.raises(DataError, match=r"a\.csv is not UTF-8: byte 0xe9 at offset 16"):
        read(tmp_path / "a.csv")


def test_the_same_text_twice_is_found_by_the_split(tmp_path: Path):
    path = tmp_path / "twice.csv"
    rows = "".join(f"statement {i},{i % 2}\n" for i in range(20))
    path.write_text(f"statement,label\np,1\nq,0\nr,1\np,1\n{rows}")
    with pytest.raises(DataError, match="twice: rows 1 and 4 are the same text 'p' in two groups"):
        split(read(path), 0.5)
    for seed in range(4):
        train, held = split(read(path), 0.5, seed, duplicates="group")
        assert train.texts.count("p") in (0, 2) and held.texts.count("p") == 2 - train.texts.count("p")


def test_a_column_that_is_not_there_cannot_be_kept(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"statement": "p", "label": 1, "group": 7}\n{"statement": "q", "label": 0, "group": 8}\n')
    assert read(path).groups == ("7", "8")
    with pytest.raises(DataError, match=r"no column 'town'\. Columns there: 'statement', 'label', 'group'"):
        read(path, keep=("town",))


def test_an_attribute_cannot_take_the_place_of_a_column(tmp_path: Path):
    odd = Statements("odd", ("p", "q"), np.array([1, 0]), ("a", "b"), {"label": np.array([0, 1])})
    with pytest.raises(DataError, match="an attribute cannot be called 'label'"):
        write(tmp_path / "odd.csv", odd)

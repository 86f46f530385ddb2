"""Pairs of prompts: what fits, what is left out, and one clear sentence for what does not."""

import json
import os
from pathlib import Path

import pytest
import torch

from monosema.circuits.heads.by_hand import induction_by_hand
from monosema.circuits.patch.pairs import Pairs, agreement_pairs, induction_pairs, pair_of, read_pairs
from monosema.core.errors import ConfigError, DataError
from monosema.corpus import Tokenizer
from monosema.models import wrap


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    """A tokenizer of whole words, and of bytes for the rest, that knows some plurals as one token and some not."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    known = [
        "author",
        "authors",
        "doctor",
        "pilot",
        "pilots",
        "is",
        "are",
        "was",
        "were",
        "near",
        "the",
        "door",
        "doors",
    ]
    vocab = {"<|bos|>": 0, "The": 1} | {f"Ġ{word}": i + 2 for i, word in enumerate(known)}
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocab.setdefault(letter, len(vocab))
    merges = []
    for word in [word for word in vocab if len(word) > 1 and word != "<|bos|>"]:
        for end in range(2, len(word) + 1):
            vocab.setdefault(word[:end], len(vocab))
            if (word[: end - 1], word[end - 1]) not in merges:
                merges.append((word[: end - 1], word[end - 1]))
    raw = tokenizers.Tokenizer(models.BPE(vocab, merges))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    return Tokenizer(raw, bos=0, eos=None, pad=None)


def test_a_pair_of_texts_stands_behind_the_bos(words: Tokenizer):
    found = pair_of(words, "The author", "The authors", " is", " are")
    assert found.clean.tolist() == [[0, *words.encode(["The author"])[0]]]
    assert found.n_tokens == 3
    assert words.decode(found.answers.tolist()) == " is"
    assert words.decode(found.wrongs.tolist()) == " are"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (
            ("The author", "The doctors", " is", " are"),
            "the clean prompt has 3 tokens, the corrupted one 4: they part at",
        ),
        (
            ("The author", "The authors near", " is", " are"),
            "they part at token 2, ' author' against ' authors' ' near'",
        ),
        (("The author", "The author near", " is", " are"), "they part at token 3, its end against ' near'"),
        (("The author", "The authors", " island", " are"), r"' island' is not one token but \d"),
        (("The author", "The authors", "", " are"), "'' is not one token but 0"),
        (("", "The authors", " is", " are"), "the clean prompt is empty"),
        (
            ("The author near the door", "The", " is", " are"),
            "the clean prompt has 6 tokens, more than the 5 that the model",
        ),
    ],
)
def test_a_pair_that_does_not_fit_is_refused_in_a_sentence(
    words: Tokenizer, texts: tuple[str, str, str, str], says: str
):
    with pytest.raises(DataError, match=says):
        pair_of(words, *texts, n_context=5)


def test_pairs_must_be_as_many_and_as_long():
    row, one = torch.zeros(1, 3).long(), torch.zeros(1).long()
    with pytest.raises(DataError, match="must be as many and as long"):
        Pairs(row, row[:, :2], one, one)
    with pytest.raises(DataError, match="1 prompts have 1 answers, 2 wrong"):
        Pairs(row, row, one, torch.zeros(2).long())


def write(path: Path, rows: list[tuple[str, str, str, str]]) -> Path:
    keys = ("clean_prefix", "patch_prefix", "clean_answer", "patch_answer")
    path.write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_of_pairs_is_read_or_its_line_is_named(words: Tokenizer, tmp_path: Path):
    good = [("The author", "The authors", " is", " are"), ("The pilots", "The pilot", " were", " was")]
    found, left = read_pairs(write(tmp_path / "a.jsonl", good), words)
    assert (len(found), left) == (2, 0)
    odd = [*good, ("The doctor", "The doctors", " is", " are"), ("The author near", "The authors near", " is", " are")]
    path = write(tmp_path / "b.jsonl", odd)
    with pytest.raises(
        DataError, match=r"b\.jsonl, line 3: the clean prompt has 3 tokens, .* --skip leaves such pairs out"
    ):
        read_pairs(path, words)
    found, left = read_pairs(path, words, skip=True)
    assert (len(found), left) == (2, 2)
    with pytest.raises(DataError, match=r"line 3: its prompts are not 3 tokens long as most"):
        read_pairs(write(tmp_path / "c.jsonl", [*good, odd[3]]), words)
    (tmp_path / "d.jsonl").write_text('{"clean_prefix": "The"}\n')
    with pytest.raises(DataError, match=r"d\.jsonl, line 1 lacks a text among"):
        read_pairs(tmp_path / "d.jsonl", words)
    (tmp_path / "e.jsonl").write_text("The\n")
    with pytest.raises(DataError, match=r"e\.jsonl, line 1 is not JSON"):
        read_pairs(tmp_path / "e.jsonl", words)
    with pytest.raises(DataError, match="there is no file"):
        read_pairs(tmp_path / "f.jsonl", words)


def test_subjects_and_verbs_of_our_own_differ_in_number_alone(words: Tokenizer):
    found = agreement_pairs(words, 8)
    assert 0 < len(found) <= 8
    assert ((found.clean != found.corrupted).sum(1) == 1).all()
    assert set(words.decode(found.clean[:, 1:].flatten().tolist()).split()) >= {"The", "author"}
    # The doctor's plural is several tokens here, and a girl's too: such pairs are left out.
    assert not {"doctor", "girl"} & set(words.decode(found.clean.flatten().tolist()).split())
    assert torch.equal(agreement_pairs(words, 8).clean, found.clean)
    plural = [
        " are" in words.decode([answer]) or " were" in words.decode([answer]) for answer in found.answers.tolist()
    ]
    subjects = [words.decode([token]) for token in found.clean[:, 2].tolist()]
    assert plural == [subject.endswith("s") for subject in subjects]


def test_pairs_of_repetition_have_the_answer_only_where_it_is_clean():
    model = wrap(induction_by_hand(20, 24), "by hand")
    found = induction_pairs(model, 5, 8)
    assert found.clean.shape == (5, 12)
    for clean, corrupted, answer, wrong in zip(found.clean, found.corrupted, found.answers, found.wrongs, strict=True):
        at = clean[:8].tolist().index(int(clean[-1]))
        assert clean[at + 1] == answer
        assert clean[at + 2] == wrong
        assert (clean != corrupted).nonzero().flatten().tolist() == [at]
        assert int(clean[-1]) not in corrupted[:8]
    with pytest.raises(ConfigError, match="length is 3: a repetition needs at least 4 tokens"):
        induction_pairs(model, 5, 3)


DATA = Path(os.environ.get("MONOSEMA_SUBJECT_VERB", "subject-verb"))
"""The subject-verb data of Marks et al. (2024), saprmarks/feature-circuits, where it is at hand."""


@pytest.mark.skipif(
    not (DATA / "simple_test.jsonl").exists(), reason="MONOSEMA_SUBJECT_VERB names no folder with the data"
)
def test_the_subject_verb_data_can_be_read(words: Tokenizer):
    found, left = read_pairs(DATA / "simple_test.jsonl", words, skip=True)
    assert len(found) + left == 120
    assert (found.clean != found.corrupted).any()

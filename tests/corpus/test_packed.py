import errno
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from letters import letters, many, names, pack_letters

from monosema.core.errors import ConfigError, DamagedError, DataError, MismatchError, RunError
from monosema.corpus import block_writer, packed
from monosema.corpus.document import Document
from monosema.corpus.packed import open_packed, pack


def test_every_document_is_whole_in_one_split(tmp_path):
    both = pack(many(200), letters(), 8, tmp_path / "out", held_out=0.25)
    assert sorted(names(both.train) + names(both.held_out)) == sorted(d.id for d in many(200))
    # Binomial(200, 1/4): 50 expected, deviation 6.
    assert 30 <= both.held_out.n_documents <= 70


def test_a_document_stays_in_its_split_when_others_are_added(tmp_path):
    few = pack(many(100), letters(), 8, tmp_path / "few")
    more = pack(many(300, "new") + many(100)[::-1], letters(), 8, tmp_path / "more")
    assert set(names(few.held_out)) == {name for name in names(more.held_out) if name.startswith("doc")}


def test_the_seed_makes_another_split(tmp_path):
    first, second = (pack(many(200), letters(), 8, tmp_path / str(seed), seed=seed) for seed in (0, 1))
    assert set(names(first.held_out)) != set(names(second.held_out))


def test_a_larger_share_holds_out_the_same_documents_and_more(tmp_path):
    small, large = (pack(many(200), letters(), 8, tmp_path / str(share), held_out=share) for share in (0.1, 0.3))
    assert set(names(small.held_out)) < set(names(large.held_out))


def test_the_fingerprint_is_of_the_content(tmp_path):
    def fingerprint(name, documents, context=8, tokenizer=None):
        return pack(documents, tokenizer or letters(), context, tmp_path / name).train.fingerprint

    first = fingerprint("a", many(100))
    assert fingerprint("b", many(100)) == first
    changed = [Document(d.id, d.text.replace("a", "b")) for d in many(100)]
    assert len({first, fingerprint("c", changed), fingerprint("d", many(100), context=9)}) == 3
    assert fingerprint("e", many(100), tokenizer=letters(eos=None)) != first


def test_the_fingerprint_knows_the_context_where_the_bytes_do_not(tmp_path):
    # Without special tokens and padding, two blocks of 4 are the bytes of one block of 8.
    def packed_at(context):
        documents = [Document(f"doc{i}", "a b c d e f g h") for i in range(50)]
        return pack(documents, letters(None, None, None), context, tmp_path / str(context)).train

    narrow, wide = packed_at(4), packed_at(8)
    assert (narrow.path / "tokens.bin").read_bytes() == (wide.path / "tokens.bin").read_bytes()
    assert narrow.fingerprint != wide.fingerprint


def test_nothing_depends_on_the_sizes_of_buffers(tmp_path, monkeypatch):
    whole = pack(many(300), letters(), 8, tmp_path / "whole")
    monkeypatch.setattr(block_writer, "BUFFERED_BLOCKS", 3)
    monkeypatch.setattr(packed, "BATCH_DOCUMENTS", 7)
    pieces = pack(many(300), letters(), 8, tmp_path / "pieces")
    assert pieces.train.fingerprint == whole.train.fingerprint
    assert torch.equal(pieces.train.blocks(0, len(whole.train)).tokens, whole.train.blocks(0, len(whole.train)).tokens)


def test_memory_holds_one_batch_of_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "BATCH_DOCUMENTS", 10)
    alive = weakref.WeakSet()
    most = 0

    def stream():
        nonlocal most
        for i in range(500):
            document = Document(f"doc{i}", "a b c")
            alive.add(document)
            most = max(most, len(alive))
            yield document

    # A frozen dataclass is hashed by its fields, and all ids differ.
    assert pack(stream(), letters(), 8, tmp_path / "out").train.n_documents > 400
    # The batch being written, the batch being read, and the one in hand.
    assert most <= 2 * 10 + 2


@pytest.mark.usefixtures("all_train_but_last")
def test_reading_stops_at_max_tokens_exactly(tmp_path):
    def endless():
        yield Document("held", "j j j")
        yield from (Document(str(i), "a b c d") for i in range(1_000_000))

    both = pack(endless(), letters(), 4, tmp_path / "out", max_tokens=21)
    # 3 + 4 documents of 4 + 2 tokens of the next.
    assert (both.held_out.n_tokens, both.train.n_tokens, both.train.n_documents) == (3, 18, 5)


def test_what_was_packed_opens_again_with_its_tokenizer(tmp_path):
    written = pack(many(100), letters(), 8, tmp_path / "out")
    opened = open_packed(tmp_path / "out")
    assert opened.train.fingerprint == written.train.fingerprint
    assert opened.tokenizer().fingerprint == letters().fingerprint
    opened.train.verify()
    opened.held_out.verify()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"context": 1}, "context is 1: it must be at least 2"),
        ({"held_out": 0.0}, "held_out is 0.0: it must be more than 0 and less than 1"),
        ({"held_out": 1.0}, "held_out is 1.0"),
        ({"held_out": float("nan")}, "held_out is nan"),
        ({"max_tokens": 0}, "max_tokens is 0: it must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        pack_letters(tmp_path / "out", "aaa", **settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("documents", "settings", "said"),
    [
        ([], {}, "the corpus holds no documents"),
        ([Document("a", "a b"), Document("b", "c")], {}, "the corpus has 3 tokens, fewer than one context of 6"),
        ([Document("a", "a b c d e f")], {}, "the corpus is one document, .* give at least two"),
        (many(3), {"held_out": 1e-9}, "none of the 3 documents was held out at held_out=1e-09: give more documents"),
        (many(3), {"held_out": 1 - 1e-9}, "all 3 documents were held out at held_out=1: give more, or a smaller"),
    ],
)
def test_a_corpus_that_cannot_be_split_is_refused_and_nothing_is_left(tmp_path, documents, settings, said):
    with pytest.raises(DataError, match=said):
        pack(documents, letters(), 6, tmp_path / "out", **settings)
    assert not list(tmp_path.iterdir())


def test_the_share_that_the_message_proposes_works(tmp_path):
    with pytest.raises(DataError) as caught:
        pack(many(6), letters(), 6, tmp_path / "out", held_out=0.001)
    proposed = float(str(caught.value).rsplit("held_out=", 1)[1])
    assert pack(many(6), letters(), 6, tmp_path / "out", held_out=proposed).held_out.n_documents >= 1


def test_a_folder_that_holds_something_is_not_written_over(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("precious")
    with pytest.raises(RunError, match="out already holds something"):
        pack(many(100), letters(), 8, tmp_path / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_an_empty_folder_can_be_given(tmp_path):
    (tmp_path / "out").mkdir()
    assert pack(many(100), letters(), 8, tmp_path / "out").train.n_tokens > 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError])
def test_an_interrupted_pack_leaves_nothing(tmp_path, error):
    def interrupted():
        yield from many(600)
        raise error

    with pytest.raises(error):
        pack(interrupted(), letters(), 8, tmp_path / "out")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
from pathlib import Path
from monosema.corpus import Document, Tokenizer, pack
def documents():
    for i in range(600):
        yield Document(f"doc{i}", "a b c")
    os._exit(9)
pack(documents(), Tokenizer.load(Path(sys.argv[1])), 8, Path(sys.argv[2]))
"""


def test_a_killed_pack_leaves_nothing_that_looks_complete_and_can_be_repeated(tmp_path):
    letters().save(tmp_path / "tokenizer")
    out = tmp_path / "packed/out"
    command = [sys.executable, "-c", KILLED, str(tmp_path / "tokenizer"), str(out)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 9
    with pytest.raises(RunError, match="holds no packed tokens"):
        open_packed(out)
    assert not out.exists()
    pack(many(600), letters(), 8, out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(block_writer.BlockWriter, "_write", full)
    with pytest.raises(RunError, match=r"cannot write .*out: No space left on device"):
        pack(many(100), letters(), 8, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_splits_of_two_corpora_do_not_open_together(tmp_path):
    first = pack(many(100), letters(), 8, tmp_path / "first")
    pack(many(100), letters(), 9, tmp_path / "second")
    first.train.path.rename(tmp_path / "away")
    (tmp_path / "second/train").rename(tmp_path / "first/train")
    with pytest.raises(DamagedError, match="were not packed together"):
        open_packed(tmp_path / "first")


def test_another_tokenizer_in_the_folder_is_noticed(tmp_path):
    both = pack(many(100), letters(), 8, tmp_path / "out")
    letters(extra=1).save(Path(tmp_path / "out"))
    with pytest.raises(MismatchError, match="was packed with tokenizer"):
        both.tokenizer()

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from letters import BOS, EOS, LETTERS, PAD, A, B, C, letters, pack_letters, spaced

from monosema.corpus import block_writer, packed
from monosema.corpus.document import Document
from monosema.corpus.packed import pack
from monosema.corpus.tokens import open_tokens


@pytest.mark.usefixtures("all_train_but_last")
def test_documents_are_laid_end_to_end(tmp_path):
    train = pack_letters(tmp_path / "out", "aaaaaa", "bbbbb", "c").train
    blocks = train.blocks(0, 3)
    # BOS begins every block and stands between documents; only the last block is padded.
    assert blocks.tokens.tolist() == [[BOS, A, A, A, A, A], [BOS, A, BOS, B, B, B], [BOS, B, B, BOS, C, PAD]]
    assert blocks.documents.tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1], [1, 1, 1, 2, 2, -1]]
    T, F = True, False
    assert blocks.usable.tolist() == [[F, T, T, T, T, T], [F, T, F, T, T, T], [F, T, T, F, T, F]]
    assert (len(train), train.n_blocks, train.n_documents, train.n_tokens) == (3, 3, 3, 12)
    assert (train.context, train.bos, train.d_vocab) == (6, BOS, 13)
    assert [train.document_name(i) for i in range(3)] == ["0", "1", "2"]


@pytest.mark.usefixtures("all_train_but_last")
def test_a_block_that_a_document_fills_needs_no_separator(tmp_path):
    train = pack_letters(tmp_path / "out", "aaaaa", "bbbbb").train
    assert train.blocks(0, 2).tokens.tolist() == [[BOS, A, A, A, A, A], [BOS, B, B, B, B, B]]


@pytest.mark.usefixtures("all_train_but_last")
def test_a_separator_in_the_last_place_is_followed_by_the_next_blocks_own(tmp_path):
    blocks = pack_letters(tmp_path / "out", "aaaa", "bb").train.blocks(0, 2)
    assert blocks.tokens.tolist() == [[BOS, A, A, A, A, BOS], [BOS, B, B, PAD, PAD, PAD]]
    assert blocks.documents.tolist() == [[0, 0, 0, 0, 0, 1], [1, 1, 1, -1, -1, -1]]


@pytest.mark.usefixtures("all_train_but_last")
def test_without_bos_documents_are_parted_by_eos(tmp_path):
    train = pack_letters(tmp_path / "out", "aaaaaaa", "bb", tokenizer=letters(bos=None)).train
    blocks = train.blocks(0, 2)
    assert blocks.tokens.tolist() == [[A, A, A, A, A, A], [A, EOS, B, B, PAD, PAD]]
    assert blocks.usable.tolist() == [[True] * 6, [True, False, True, True, False, False]]
    assert (train.bos, train.n_tokens) == (None, 9)


@pytest.mark.usefixtures("all_train_but_last")
def test_without_any_special_token_documents_abut(tmp_path):
    blocks = pack_letters(tmp_path / "out", "aaaa", "bbb", tokenizer=letters(None, None, None)).train.blocks(0, 2)
    assert blocks.documents.tolist() == [[0, 0, 0, 0, 1, 1], [1, -1, -1, -1, -1, -1]]
    assert blocks.usable.tolist() == [[True] * 6, [True] + [False] * 5]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text("abcdefghi", min_size=1, max_size=30), min_size=1), st.integers(2, 9), st.booleans(), st.data())
def test_packing_keeps_every_token_of_every_document(tmp_path_factory, texts, context, has_bos, data):
    tokenizer = letters() if has_bos else letters(None, None, None)
    folder = tmp_path_factory.mktemp("pack")
    writer = block_writer.BlockWriter(folder / "train", tokenizer, context)
    encoded = tokenizer.encode([spaced(text) for text in texts])
    for i, ids in enumerate(encoded):
        writer.add(str(i), torch.tensor(ids).numpy())
    writer.close()
    packed.write_json(folder / "train/meta.json", packed.to_json(packed._meta("train", writer, tokenizer, 0.1, 0)))
    train = open_tokens(folder / "train")
    cut = data.draw(st.integers(0, len(train)))
    halves = [train.blocks(0, cut), train.blocks(cut, len(train))]
    tokens, documents, usable = (
        torch.cat([getattr(half, name) for half in halves]) for name in ("tokens", "documents", "usable")
    )
    assert [tokens[usable & (documents == i)].tolist() for i in range(len(texts))] == encoded
    assert int(usable.sum()) == train.n_tokens
    assert bool((tokens[:, 0] == BOS).all()) == has_bos
    # Document numbers only rise, and padding is a tail of the last block.
    flat = documents.flatten()
    assert torch.equal(flat[flat >= 0], flat[flat >= 0].sort().values)
    assert (documents[:-1] >= 0).all() and (flat[: int((flat >= 0).sum())] >= 0).all()


def test_a_vocabulary_beyond_two_bytes_keeps_its_ids(tmp_path):
    tokenizer = letters(extra=(1 << 16) - len(LETTERS) + 1)
    last = f"extra{(1 << 16) - len(LETTERS)}"
    assert tokenizer.encode([last]) == [[1 << 16]]
    documents = [Document(f"doc{i}", last) for i in range(50)]
    both = pack(documents, tokenizer, 4, tmp_path / "out")
    assert int(both.train.blocks(0, 1).tokens.max()) == 1 << 16


def test_two_bytes_hold_the_largest_id_they_can(tmp_path):
    tokenizer = letters(extra=(1 << 16) - len(LETTERS))
    last = f"extra{(1 << 16) - len(LETTERS) - 1}"
    both = pack([Document(f"doc{i}", last) for i in range(50)], tokenizer, 4, tmp_path / "out")
    assert int(both.train.blocks(0, 1).tokens.max()) == (1 << 16) - 1
    assert (tmp_path / "out/train/tokens.bin").stat().st_size == both.train.n_blocks * 4 * 2

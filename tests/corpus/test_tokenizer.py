import json

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers

from monosema.core.errors import ConfigError, DamagedError, DataError
from monosema.corpus.document import Document
from monosema.corpus.tokenizer import Tokenizer, train_tokenizer

TEXT = "The cat sat. The cat ran.\n    return self.cat  # 3 € für 😀\n" * 3


def trained(vocab_size=280):
    return train_tokenizer([Document("a", TEXT)], vocab_size)


def byte_fallback():
    """Llama 2's shape: metaspace by a normalizer, bytes for what the vocabulary lacks, a stripped first space."""
    pieces = ["<unk>", "<s>", "</s>", *[f"<0x{i:02X}>" for i in range(256)], "▁", "a", "b", "▁a", "ab", "▁ab", "é"]
    merges = [("▁", "a"), ("a", "b"), ("▁a", "b")]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    raw = tokenizers.Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True),
    )
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    raw.add_special_tokens(["<s>", "</s>"])
    return Tokenizer(raw, bos=1, eos=2, pad=None)


def metaspace():
    """T5's shape: unigram pieces behind a metaspace."""
    pieces = [
        ("<unk>", 0.0),
        ("▁", -2.0),
        ("a", -3.0),
        ("b", -3.0),
        ("▁a", -1.5),
        ("ab", -2.5),
        ("é", -4.0),
        ("€", -4.0),
    ]
    raw = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    return Tokenizer(raw, bos=None, eos=None, pad=None)


def wordpiece():
    """BERT's shape: pieces marked ## join the word before, and the decoder tidies punctuation."""
    pieces = ["[UNK]", "a", "##a", "b", "##b", ".", "n", "'", "##'", "t", "##t"]
    raw = tokenizers.Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.decoder = decoders.WordPiece()
    return Tokenizer(raw, bos=None, eos=None, pad=None)


KINDS = {"byte-level": trained(), "byte fallback": byte_fallback(), "metaspace": metaspace(), "wordpiece": wordpiece()}


def test_special_tokens_come_first_and_every_byte_has_a_token():
    tokenizer = trained(258)
    assert (tokenizer.bos, tokenizer.pad, tokenizer.eos, tokenizer.vocab_size) == (0, 1, None, 258)
    assert tokenizer.decode([0, 1]) == "<|bos|><|pad|>"
    assert [len(ids) for ids in tokenizer.encode(["abc", "€"])] == [3, 3]


# In "ababab cdcd" the pair (a, b) occurs three times and (c, d) twice: merged in this order, and then
# (ab, ab) twice (in the first word alone: "ab ab ab").
def test_merges_go_by_count():
    tokenizer = train_tokenizer([Document("x", "ababab cdcd")], 260)
    assert tokenizer.token_texts(tokenizer.encode(["abcd"])[0]) == ["ab", "cd"]


def test_a_small_corpus_gives_fewer_tokens_than_asked():
    # Nothing occurs twice, so nothing is merged.
    assert train_tokenizer([Document("x", "abcdef")], 1_000).vocab_size == 258


def test_the_same_documents_give_the_same_tokenizer():
    assert trained().fingerprint == trained().fingerprint
    assert trained().fingerprint != trained(279).fingerprint
    assert trained().raw.to_str() == trained().raw.to_str()


def test_special_tokens_are_part_of_the_fingerprint():
    raw = trained().raw
    assert Tokenizer(raw, 0, None, 1).fingerprint != Tokenizer(raw, 0, 0, 1).fingerprint


@pytest.mark.parametrize("vocab_size", [0, 257])
def test_a_vocabulary_too_small_for_the_bytes_is_refused(vocab_size):
    with pytest.raises(ConfigError, match=f"vocab_size is {vocab_size}: it must be at least 258"):
        trained(vocab_size)


def test_training_on_nothing_is_refused():
    with pytest.raises(DataError, match="all of them empty"):
        train_tokenizer([Document("a", " ")], 300)


def test_training_stops_at_its_limit(monkeypatch):
    monkeypatch.setattr("monosema.corpus.tokenizer.TRAINING_CHARACTERS", 6)

    def endless():
        while True:
            yield Document("a", "abab")

    assert train_tokenizer(endless(), 259).token_texts([258]) == ["ab"]


@given(st.text())
def test_byte_level_encoding_loses_nothing(text):
    tokenizer = KINDS["byte-level"]
    assert tokenizer.decode(tokenizer.encode([text])[0]) == text


def test_half_a_character_cannot_be_encoded():
    with pytest.raises(DataError, match="half a character"):
        trained().encode(["fine", "\ud800"])


def test_the_name_of_a_special_token_in_a_text_is_text():
    tokenizer = trained()
    ids = tokenizer.encode(["a <|bos|> b"])[0]
    assert 0 not in ids and tokenizer.decode(ids) == "a <|bos|> b"


# One byte is one token: "€" is e2 82 ac, "😀" f0 9f 98 80.
def test_the_last_byte_of_a_character_carries_it():
    tokenizer = trained(258)
    assert tokenizer.token_texts(tokenizer.encode(["a€b"])[0]) == ["a", "", "", "€", "b"]
    assert tokenizer.token_texts(tokenizer.encode(["😀!"])[0]) == ["", "", "", "😀", "!"]


def test_a_character_that_is_cut_off_shows_at_the_end():
    tokenizer = trained(258)
    first, second, _ = tokenizer.encode(["€"])[0]
    assert tokenizer.token_texts([first]) == ["\ufffd"]
    # The two bytes could still begin one character; a letter after them settles that they do not.
    assert "".join(tokenizer.token_texts([first, second, 66])) == tokenizer.decode([first, second, 66])


def test_byte_fallback_tokens_are_read_in_context():
    tokenizer = byte_fallback()
    ids = tokenizer.encode(["ab €\nab"])[0]
    pieces = [tokenizer.raw.id_to_token(i) for i in ids]
    assert pieces == ["▁ab", "▁", "<0xE2>", "<0x82>", "<0xAC>", "<0x0A>", "ab"]
    # The first space was added by the tokenizer and is no part of the text.
    assert tokenizer.token_texts(ids) == ["ab", " ", "", "", "€", "\n", "ab"]


def test_metaspace_tokens_are_read_in_context():
    tokenizer = metaspace()
    ids = tokenizer.encode(["a ab"])[0]
    assert [tokenizer.raw.id_to_token(i) for i in ids] == ["▁a", "▁", "ab"]
    assert tokenizer.token_texts(ids) == ["a", " ", "ab"]


def test_special_tokens_show_their_names():
    assert trained(258).token_texts([0, 66, 1]) == ["<|bos|>", "a", "<|pad|>"]


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(st.one_of(st.sampled_from("ab é€.'\n▁<0x>"), st.characters(exclude_categories=["Cs"]))))
def test_token_texts_of_a_text_join_to_what_it_decodes_to(kind, text):
    ids = KINDS[kind].encode([text])[0]
    texts = KINDS[kind].token_texts(ids)
    assert len(texts) == len(ids) and "".join(texts) == KINDS[kind].decode(ids)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_token_texts_of_any_ids_join_to_what_they_decode_to(kind, data):
    # One past the end: a model's vocabulary is often padded beyond the tokenizer's.
    ids = data.draw(st.lists(st.integers(0, KINDS[kind].vocab_size), max_size=20))
    texts = KINDS[kind].token_texts(ids)
    assert len(texts) == len(ids) and "".join(texts) == KINDS[kind].decode(ids)


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=20), st.integers(1, 7))
def test_token_texts_do_not_depend_on_how_prefixes_are_decoded(text, size):
    import monosema.corpus.tokenizer as module

    ids = KINDS["byte-level"].encode([text])[0]
    expected, module.PREFIXES = KINDS["byte-level"].token_texts(ids), size
    try:
        assert KINDS["byte-level"].token_texts(ids) == expected
    finally:
        module.PREFIXES = 256


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_is_the_same(tmp_path, kind):
    KINDS[kind].save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.fingerprint == KINDS[kind].fingerprint
    assert (loaded.bos, loaded.eos, loaded.pad) == (KINDS[kind].bos, KINDS[kind].eos, KINDS[kind].pad)
    assert Tokenizer.load(tmp_path / "tokenizer.json").fingerprint == loaded.fingerprint


@pytest.mark.slow
def test_transformers_loads_what_we_save(tmp_path):
    from transformers import AutoTokenizer

    tokenizer = trained()
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(TEXT)["input_ids"] == tokenizer.encode([TEXT])[0]
    assert theirs.decode(tokenizer.encode([TEXT])[0]) == TEXT
    assert (theirs.bos_token_id, theirs.pad_token_id, theirs.eos_token_id, len(theirs)) == (0, 1, None, 280)
    # And we load what they save.
    theirs.save_pretrained(tmp_path / "theirs")
    loaded = Tokenizer.load(tmp_path / "theirs")
    assert (loaded.bos, loaded.pad, loaded.eos) == (0, 1, None)
    assert loaded.encode([TEXT]) == tokenizer.encode([TEXT])


def hugging_face_folder(folder, **files):
    raw = trained().raw
    raw.enable_truncation(5)
    raw.enable_padding(length=50)
    raw.add_special_tokens(["<|end|>"])
    raw.save(str(folder / "tokenizer.json"))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_corpus_is_neither_cut_nor_padded_by_a_models_tokenizer(tmp_path):
    assert len(Tokenizer.load(hugging_face_folder(tmp_path)).encode(["a b c d e f g h"])[0]) == 15


@pytest.mark.parametrize(
    ("files", "bos", "eos", "pad"),
    [
        ({}, None, None, None),
        ({"tokenizer_config": {"bos_token": "<|bos|>", "eos_token": "<|end|>"}}, 0, 280, None),
        (
            {"tokenizer_config": {"bos_token": {"content": "<|bos|>", "lstrip": False}, "pad_token": None}},
            0,
            None,
            None,
        ),
        ({"special_tokens_map": {"eos_token": {"content": "<|end|>"}, "pad_token": "<|pad|>"}}, None, 280, 1),
        # The first file that names the token has it; a token that is not in the vocabulary is none.
        ({"tokenizer_config": {"bos_token": "<|bos|>"}, "special_tokens_map": {"bos_token": "<|end|>"}}, 0, None, None),
        ({"tokenizer_config": {"bos_token": "<s>"}}, None, None, None),
    ],
)
def test_special_tokens_are_found_where_hugging_face_keeps_them(tmp_path, files, bos, eos, pad):
    tokenizer = Tokenizer.load(hugging_face_folder(tmp_path, **files))
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad) == (bos, eos, pad)


def test_a_missing_tokenizer_says_how_to_get_one(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist: give a tokenizer.json"):
        Tokenizer.load(tmp_path / "nowhere")
    (tmp_path / "tokenizer.model").write_bytes(b"sentencepiece")
    with pytest.raises(DataError, match=r"has no tokenizer.json. .*save_pretrained"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not valid JSON"),
        (b"[]", "holds no JSON object"),
        (b"{}", "is JSON but not a tokenizer"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_damaged_tokenizer_is_named(tmp_path, content, said):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DamagedError, match=rf"tokenizer.json {said}"):
        Tokenizer.load(tmp_path)

"""Corpora whose packing can be worked by hand: one letter is one token."""

import tokenizers
from tokenizers import models, pre_tokenizers

from monosema.corpus.document import Document
from monosema.corpus.packed import pack
from monosema.corpus.tokenizer import Tokenizer

# One letter is one token: BOS 0, EOS 1, PAD 2, a 3, b 4, ...
LETTERS = {piece: i for i, piece in enumerate(["<bos>", "<eos>", "<pad>", *"abcdefghij"])}
BOS, EOS, PAD, A, B, C = range(6)


def letters(bos=BOS, eos=EOS, pad=PAD, extra=0):
    vocabulary = {**LETTERS, **{f"extra{i}": len(LETTERS) + i for i in range(extra)}}
    raw = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokenizer(raw, bos, eos, pad)


def spaced(text):
    return " ".join(text)


def pack_letters(out, *texts, context=6, tokenizer=None, **settings):
    documents = [Document(str(i), spaced(text)) for i, text in enumerate(texts)] + [Document("held", "j j j j j")]
    return pack(documents, tokenizer or letters(), context, out, **settings)


def many(n, prefix="doc"):
    return [Document(f"{prefix}{i}", spaced("abcdefghij"[: 1 + i % 10])) for i in range(n)]


def names(tokens):
    return [tokens.document_name(i) for i in range(tokens.n_documents)]

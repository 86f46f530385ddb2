"""Tokenizers: text to numbers and back, without torch.

    encode ["a €"]  ->  [[64, 220, 158, 224, 105]]
    token_texts     ->  "a", " ", "", "", "€"       the token that completes a character carries it

Wraps a `tokenizers.Tokenizer`, byte-level or sentencepiece-style. Text is always encoded as it stands:
`<|bos|>` written in a document is seven characters, never the special token.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from monosema.core.config import require
from monosema.core.errors import DamagedError, DataError
from monosema.core.fingerprints import of_bytes
from monosema.core.runs import write_json, write_text
from monosema.corpus.document import Document, valid

BOS, PAD = "<|bos|>", "<|pad|>"
ROLES = ("bos", "eos", "pad")
TRAINING_CHARACTERS = 200_000_000
PREFIXES = 256


class Tokenizer:
    """A vocabulary and the ids of its special tokens (None where it has none).

    vocab_size is one more than the largest id. The fingerprint covers the vocabulary, the rules and
    the special tokens.
    """

    def __init__(self, raw: tokenizers.Tokenizer, bos: int | None, eos: int | None, pad: int | None) -> None:
        self.raw = tokenizers.Tokenizer.from_str(raw.to_str())
        # A model's tokenizer.json may cut or pad what it encodes; a corpus is neither cut nor padded.
        self.raw.no_truncation()
        self.raw.no_padding()
        self.raw.encode_special_tokens = True
        self.bos, self.eos, self.pad = bos, eos, pad
        self.vocab_size = 1 + max(self.raw.get_vocab(with_added_tokens=True).values())
        self.fingerprint = of_bytes([self.raw.to_str().encode(), json.dumps([bos, eos, pad]).encode()])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, with no special tokens added. Raises DataError on half a character."""
        try:
            return [encoding.ids for encoding in self.raw.encode_batch_fast(list(texts), add_special_tokens=False)]
        except TypeError as error:
            raise DataError(
                "text to encode must be whole Unicode: it holds half a character (lone surrogate)"
            ) from error

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens are written out, bytes that are no character become U+FFFD."""
        return self.raw.decode(list(ids), skip_special_tokens=False)

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        """What each token adds to the text, in the context of all of `ids`: joined, they are `decode(ids)`.

        Token i gets the part of the final text that ids[: i + 1] settle and ids[:i] did not. So where one
        character is spread over several tokens, the last of them carries it and the others are empty:
        an empty text is part of the next one that is not. Costs len(ids) squared; give it one context.
        """
        final = self.decode(ids)
        texts: list[str] = []
        settled = 0
        for prefix in self._prefixes(list(ids)):
            grown = _agreement(prefix, final, settled)
            texts.append(final[settled:grown])
            settled = grown
        return texts

    def _prefixes(self, ids: list[int]) -> Iterator[str]:
        for start in range(0, len(ids), PREFIXES):
            stops = range(start + 1, min(start + PREFIXES, len(ids)) + 1)
            yield from self.raw.decode_batch([ids[:stop] for stop in stops], skip_special_tokens=False)

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, a folder that `transformers.AutoTokenizer` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        ids = {"bos": self.bos, "eos": self.eos, "pad": self.pad}
        special = {f"{role}_token": self.raw.id_to_token(i) for role, i in ids.items() if i is not None}
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **special}
        write_text(folder / "tokenizer.json", self.raw.to_str(pretty=True))
        write_json(folder / "tokenizer_config.json", config)

    @classmethod
    def load(cls, path: Path | str) -> "Tokenizer":
        """The tokenizer in a folder (ours or any Hugging Face model's), or of a tokenizer.json.

        Special tokens come from tokenizer_config.json, else special_tokens_map.json, beside it.
        Raises DataError when there is none, DamagedError when it is not a tokenizer.
        """
        path = Path(path)
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            raise DataError(_no_tokenizer(path))
        text = _read(file)
        described = _object(file, text)
        if not {"model", "added_tokens"} <= described.keys():
            raise DamagedError(f"{file} is JSON but not a tokenizer: it has no 'model' and 'added_tokens'")
        raw = tokenizers.Tokenizer.from_str(text)
        return cls(raw, **{role: _special(raw, file.parent, f"{role}_token") for role in ROLES})


def _agreement(prefix: str, final: str, settled: int) -> int:
    """How far `prefix` agrees with `final`, but never less than the `settled` characters."""
    if final.startswith(prefix):
        return max(settled, len(prefix))
    if prefix[:settled] != final[:settled]:
        return settled
    longest = min(len(prefix), len(final))
    return next((i for i in range(settled, longest) if prefix[i] != final[i]), max(settled, longest))


def _no_tokenizer(path: Path) -> str:
    if not path.is_dir():
        return f"{path} does not exist: give a tokenizer.json or the folder of a model that has one"
    return (
        f"{path} has no tokenizer.json. If transformers can load it, write one with: "
        f"transformers.AutoTokenizer.from_pretrained('{path}').save_pretrained('{path}')"
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError(f"{file} is not UTF-8: byte at offset {error.start}") from error


def _object(file: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DamagedError(f"{file} is not valid JSON ({error}): it was edited or cut") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{file} holds no JSON object")
    return value


def _special(raw: tokenizers.Tokenizer, folder: Path, key: str) -> int | None:
    """The id of the special token `key`, which the files give as text, as an object or as null."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if not (folder / name).is_file():
            continue
        token = _object(folder / name, _read(folder / name)).get(key)
        content = token.get("content") if isinstance(token, dict) else token
        if isinstance(content, str):
            return raw.token_to_id(content)
    return None


def train_tokenizer(documents: Iterable[Document], vocab_size: int) -> Tokenizer:
    """A byte-level BPE (GPT-2's splitting of words) learnt from the documents: the same documents give
    the same tokenizer. `<|bos|>` has id 0, `<|pad|>` id 1; there is no eos.

    A pair must occur twice to be merged, so a small corpus can give fewer than `vocab_size` tokens.
    Only the first 200 million characters are read. Raises ConfigError when `vocab_size` has no room for
    the 256 bytes and the two special tokens, DataError when there is no text.
    """
    from tokenizers import decoders, models, pre_tokenizers, trainers

    smallest = 256 + 2
    require(
        vocab_size >= smallest, f"vocab_size is {vocab_size}: it must be at least {smallest} (256 bytes, 2 specials)"
    )
    raw = tokenizers.Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[BOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(_training_texts(documents), trainer)
    return Tokenizer(raw, bos=raw.token_to_id(BOS), eos=None, pad=raw.token_to_id(PAD))


def _training_texts(documents: Iterable[Document]) -> Iterator[str]:
    n_read = 0
    for document in valid(documents):
        yield document.text
        n_read += len(document.text)
        if n_read >= TRAINING_CHARACTERS:
            return

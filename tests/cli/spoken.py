"""A tiny model of random weights that knows a few words, and files of statements in them."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

WORDS = ("thing", "is", "right", "wrong", "banana", "shed", "Q:", "A:", "true", "false", *(f"n{i}" for i in range(60)))
CONTEXT = 12


def write_model(folder: Path, *, seed: int = 0) -> Path:
    """A GPT-2 of two layers, and a tokenizer of a token a word that has no pad token."""
    import tokenizers
    import transformers

    config = transformers.GPT2Config(
        vocab_size=len(WORDS) + 2, n_embd=16, n_layer=2, n_head=2, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    vocabulary = {word: i for i, word in enumerate(("<bos>", "<unk>", *WORDS))}
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens(["<bos>"])
    (folder / "tokenizer.json").write_text(raw.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<bos>"}', encoding="utf-8")
    return folder


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def said_by_the_last_word(path: Path, n: int = 60) -> Path:
    """Statements of which the last word alone says whether they are true."""
    rows = [(f"thing n{i} is {'right' if i % 2 else 'wrong'}", i % 2) for i in range(n)]
    return write_rows(path, ("statement", "label"), rows)


def planted_pairs(path: Path, n: int = 60) -> Path:
    """Pairs whose sides differ in a word that truth decides, and behind it in one that a distractor decides."""
    rows = []
    for i in range(n):
        y, h = i % 2, i // 2 % 2
        sides = [f"n{i} {'right' if y == side else 'wrong'} {'banana' if h == side else 'shed'}" for side in (0, 1)]
        rows.append((*sides, y, h))
    return write_rows(path, ("negative", "positive", "label", "distractor"), rows)

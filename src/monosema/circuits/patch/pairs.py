"""Two prompts that differ where it matters: clean ones, corrupted ones, and the next token that each asks for.

    clean      The author near the doors   -> " is"        corrupted  The authors near the doors  -> " are"
    clean      r_1 .. r_n r_1 .. r_k       -> r_(k+1)      corrupted  another token for the first r_k

All prompts of a `Pairs` have the same number of tokens, so that a position is the same place in each.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits.attribution.targets import token_of
from monosema.circuits.heads.patterns import repeated_tokens
from monosema.core.config import require
from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.corpus import Tokenizer
from monosema.models import Model

NOUNS = (
    "author",
    "doctor",
    "pilot",
    "teacher",
    "farmer",
    "driver",
    "friend",
    "player",
    "guard",
    "worker",
    "girl",
    "boy",
)
PLACES = ("", " near the door", " near the doors", " behind the car", " behind the cars")
VERBS = ((" is", " are"), (" was", " were"), (" has", " have"))


@dataclass(frozen=True)
class Pairs:
    """Row by row: a clean prompt, its corruption, the clean prompt's next token and the corrupted one's.

    Raises DataError when clean and corrupted prompts, or their answers, are not equally many and equally long.
    """

    clean: Int64[Tensor, "pair token"]
    corrupted: Int64[Tensor, "other_pair other_token"]
    answers: Int64[Tensor, "answer"]
    wrongs: Int64[Tensor, "wrong"]

    def __post_init__(self) -> None:
        if self.clean.shape != self.corrupted.shape:
            raise DataError(
                f"clean prompts are {list(self.clean.shape)}, corrupted {list(self.corrupted.shape)} (prompts, "
                "tokens): they must be as many and as long"
            )
        if not len(self.clean) == len(self.answers) == len(self.wrongs) > 0:
            raise DataError(
                f"{len(self.clean)} prompts have {len(self.answers)} answers, {len(self.wrongs)} wrong: one each"
            )

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def n_tokens(self) -> int:
        return self.clean.shape[1]

    def where(self, rows: "Tensor | slice") -> "Pairs":
        """Those pairs, in that order."""
        return Pairs(self.clean[rows], self.corrupted[rows], self.answers[rows], self.wrongs[rows])


def pair_of(
    tokenizer: Tokenizer, clean: str, corrupted: str, answer: str, wrong: str, n_context: int = 2**31 - 1
) -> Pairs:
    """One pair from texts, each prompt after the BOS where the tokenizer has one.

    Raises DataError: prompts of unequal length (it says where they part), one beyond `n_context`, an empty one, an
    answer that is not one token.
    """
    rows = [_encoded(tokenizer, text, which, n_context) for text, which in ((clean, "clean"), (corrupted, "corrupted"))]
    if len(rows[0]) != len(rows[1]):
        raise DataError(_parting(tokenizer, rows[0], rows[1]))
    tokens = [torch.tensor([row]) for row in rows]
    return Pairs(*tokens, *(torch.tensor([token_of(tokenizer, text)]) for text in (answer, wrong)))


def _encoded(tokenizer: Tokenizer, text: str, which: str, n_context: int) -> list[int]:
    [ids] = tokenizer.encode([text])
    if not ids:
        raise DataError(f"the {which} prompt is empty: it needs at least one token")
    row = [*([] if tokenizer.bos is None else [tokenizer.bos]), *ids]
    if len(row) > n_context:
        raise DataError(f"the {which} prompt has {len(row)} tokens, more than the {n_context} that the model takes")
    return row


def _parting(tokenizer: Tokenizer, clean: Sequence[int], corrupted: Sequence[int]) -> str:
    sides = [tokenizer.token_texts(list(row)) for row in (clean, corrupted)]
    shorter = min(len(clean), len(corrupted))
    at = next((i for i in range(shorter) if clean[i] != corrupted[i]), shorter)
    first, second = (" ".join(map(repr, side[at : at + 4])) or "its end" for side in sides)
    return (
        f"the clean prompt has {len(clean)} tokens, the corrupted one {len(corrupted)}: they part at token {at}, "
        f"{first} against {second}. Word them so that they are equally long"
    )


def read_pairs(path: Path, tokenizer: Tokenizer, n_context: int = 2**31 - 1, skip: bool = False) -> tuple[Pairs, int]:
    """Pairs from JSON lines with clean_prefix, patch_prefix, clean_answer, patch_answer, and how many were left out.

    With `skip`, pairs that do not fit (see `pair_of`), or are not as long as most, are left out; else they are refused.
    Raises DataError naming the line.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: give JSON lines of prompts")
    found, lines = [], path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        texts = _texts(path, number, line)
        try:
            found.append((number, pair_of(tokenizer, *texts, n_context=n_context)))
        except DataError as error:
            if not skip:
                raise DataError(f"{path}, line {number}: {error}. --skip leaves such pairs out") from error
    return _of_one_length(found, len(lines), str(path), skip)


def _texts(path: Path, number: int, line: str) -> tuple[str, str, str, str]:
    keys = ("clean_prefix", "patch_prefix", "clean_answer", "patch_answer")
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number} is not JSON: {error}") from error
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        raise DataError(f"{path}, line {number} lacks a text among {', '.join(keys)}")
    clean, corrupted, answer, wrong = (row[key] for key in keys)
    return clean, corrupted, answer, wrong


def _of_one_length(found: list[tuple[int, Pairs]], n: int, where: str, skip: bool) -> tuple[Pairs, int]:
    if not found:
        raise DataError(f"{where} has no pair that fits this tokenizer: give pairs of your own")
    length = Counter(pair.n_tokens for _, pair in found).most_common(1)[0][0]
    odd = next((number for number, pair in found if pair.n_tokens != length), None)
    if odd is not None and not skip:
        raise DataError(
            f"{where}, line {odd}: its prompts are not {length} tokens long as most. --skip leaves such out"
        )
    return joined([pair for _, pair in found if pair.n_tokens == length]), n - sum(
        pair.n_tokens == length for _, pair in found
    )


def joined(pairs: Sequence[Pairs]) -> Pairs:
    """All of them, in order; all equally long."""
    return Pairs(
        torch.cat([one.clean for one in pairs]),
        torch.cat([one.corrupted for one in pairs]),
        torch.cat([one.answers for one in pairs]),
        torch.cat([one.wrongs for one in pairs]),
    )


def agreement_pairs(tokenizer: Tokenizer, n: int = 32, seed: int = 0, n_context: int = 2**31 - 1) -> Pairs:
    """`n` pairs of subject and verb, at most, drawn from nouns, places and verbs of our own: those whose two prompts
    are equally long and whose answers are one token each, of the commonest length. Raises DataError when none is."""
    texts = list(product(NOUNS, PLACES, VERBS, (False, True)))
    order = torch.randperm(len(texts), generator=generator(seed, "agreement")).tolist()
    found: list[tuple[int, Pairs]] = []
    for i in order:
        noun, place, verbs, plural = texts[i]
        prompts, answers = [f"The {noun}{place}", f"The {noun}s{place}"], list(verbs)
        if plural:
            prompts, answers = prompts[::-1], answers[::-1]
        try:
            found.append((i, pair_of(tokenizer, prompts[0], prompts[1], answers[0], answers[1], n_context)))
        except DataError:
            continue
    pairs, _ = _of_one_length(found, len(found), "subjects and verbs of our own", skip=True)
    return pairs.where(slice(n))


def induction_pairs(model: Model, n: int = 16, length: int = 10, bos: int | None = None, seed: int = 0) -> Pairs:
    """`n` pairs of `length` random tokens that begin to repeat; the corrupted ones lack the first occurrence of the
    last token. The wrong answer is the token after the next. Raises as `repeated_tokens` does."""
    require(length >= 4, f"length is {length}: a repetition needs at least 4 tokens")
    tokens = repeated_tokens(model, length + 1, n, bos, seed)
    start, k = int(bos is not None), length // 2
    rows = tokens[:, start : start + length]
    prefix = tokens[:, :start]
    clean = torch.cat([prefix, rows, rows[:, :k]], 1)
    corrupted = clean.clone()
    corrupted[:, start + k - 1] = tokens[:, start + length]
    return Pairs(clean, corrupted, rows[:, k].clone(), rows[:, k + 1].clone())

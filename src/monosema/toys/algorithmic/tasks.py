"""The tasks. Each draws sequences of tokens, says which positions are asked, and knows the answer there.

    task.draw(n, generator) -> tokens [n, seq]          task.solve(tokens) -> targets [n, seq], NOT_ASKED elsewhere

`solve` works out the answers from the tokens alone, so it grades any sequence, drawn or written by hand. A model sees a
token and all before it; where an answer needs the whole sequence, it is asked at the last token.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.seeding import generator

NOT_ASKED = -1
"""The target of a position at which nothing is asked."""

Tokens = Int64[Tensor, "n seq"]
Draw = Callable[[int, torch.Generator], Tensor]
Solve = Callable[[Tensor], Tensor]

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Task:
    """A task.

    words   what each token means; answers are tokens of the same vocabulary
    length  tokens of a sequence
    asks    what is to be answered, and where, in a sentence
    """

    name: str
    asks: str
    words: tuple[str, ...]
    length: int
    draw: Draw
    solve: Solve

    @property
    def d_vocab(self) -> int:
        """Size of the vocabulary."""
        return len(self.words)

    def encode(self, text: str) -> Int64[Tensor, "1 seq"]:
        """The tokens of words set apart by blanks. Raises DataError for a word that the task does not have."""
        numbers = {word: i for i, word in enumerate(self.words)}
        unknown = [word for word in text.split() if word not in numbers]
        if unknown:
            raise DataError(f"'{unknown[0]}' is no word of {self.name}. Its words: {' '.join(self.words)}")
        return torch.tensor([[numbers[word] for word in text.split()]])

    def decode(self, tokens: Int64[Tensor, " seq"]) -> str:
        """Words set apart by blanks; a dot where nothing is asked."""
        return " ".join("." if t == NOT_ASKED else self.words[t] for t in tokens.tolist())


def _integers(low: int, high: int, shape: tuple[int, ...], draws: torch.Generator) -> Tensor:
    return torch.randint(low, high, shape, generator=draws)


def _asked_last(tokens: Tensor, answers: Tensor) -> Tensor:
    targets = torch.full_like(tokens, NOT_ASKED)
    targets[:, -1] = answers
    return targets


def palindromes(half: int = 5) -> Task:
    """Digits that read the same both ways, or all but one pair of which does: half of each."""
    words = (*DIGITS, "?", "no", "yes")

    def draw(n: int, draws: torch.Generator) -> Tensor:
        first = _integers(0, 10, (n, half), draws)
        last = first.flip(1)
        spoilt = _integers(0, 2, (n,), draws).bool()
        at = _integers(0, half, (n,), draws)
        other = (last[torch.arange(n), at] + _integers(1, 10, (n,), draws)) % 10
        last[torch.arange(n)[spoilt], at[spoilt]] = other[spoilt]
        return torch.cat([first, last, torch.full((n, 1), 10)], 1)

    def solve(tokens: Tensor) -> Tensor:
        digits = tokens[:, :-1]
        return _asked_last(tokens, 11 + (digits == digits.flip(1)).all(1).long())

    asks = f"At '?': do the {2 * half} digits read the same backwards?"
    return Task("palindromes", asks, words, 2 * half + 1, draw, solve)


def first_unique(length: int = 10, n_letters: int = 6) -> Task:
    """The first letter so far that has occurred only once so far, at every position."""
    words = (*LETTERS[:n_letters], "none")

    def solve(tokens: Tensor) -> Tensor:
        seq = tokens.shape[1]
        same = tokens[:, :, None] == tokens[:, None, :]
        # times[b, t, i]: how often letter i of the sequence has occurred up to t.
        times = same.cumsum(1)
        unique = (times == 1) & torch.ones(seq, seq, dtype=torch.bool).tril()
        first = unique.long().argmax(2)
        return torch.where(unique.any(2), tokens.gather(1, first), n_letters)

    return Task(
        "first_unique",
        "At every position: which is the first letter so far that has occurred only once so far?",
        words,
        length,
        lambda n, draws: _integers(0, n_letters, (n, length), draws),
        solve,
    )


def digit_sums(n_digits: int = 3) -> Task:
    """Two numbers and their sum, units first, so that carries go the way one reads; its digits are fed in turn."""
    words = (*DIGITS, "+", "=")
    at = 2 * n_digits + 1

    def add(tokens: Tensor) -> Tensor:
        powers = 10 ** torch.arange(n_digits)
        total = (tokens[:, :n_digits] * powers).sum(1) + (tokens[:, n_digits + 1 : at] * powers).sum(1)
        return total[:, None] // 10 ** torch.arange(n_digits + 1) % 10

    def draw(n: int, draws: torch.Generator) -> Tensor:
        a, b = _integers(0, 10, (n, n_digits), draws), _integers(0, 10, (n, n_digits), draws)
        plus, equals = torch.full((n, 1), 10), torch.full((n, 1), 11)
        tokens = torch.cat([a, plus, b, equals], 1)
        return torch.cat([tokens, add(tokens)[:, :-1]], 1)

    def solve(tokens: Tensor) -> Tensor:
        targets = torch.full_like(tokens, NOT_ASKED)
        targets[:, at:] = add(tokens)
        return targets

    asks = "From '=' on: the digits of the sum, units first."
    return Task("digit_sums", asks, words, at + 1 + n_digits, draw, solve)


def sorted_lists(length: int = 5, n_numbers: int = 12) -> Task:
    """A list and, after a sign, the same in rising order, fed in turn."""
    words = (*map(str, range(n_numbers)), ">")

    def draw(n: int, draws: torch.Generator) -> Tensor:
        numbers = _integers(0, n_numbers, (n, length), draws)
        return torch.cat([numbers, torch.full((n, 1), n_numbers), numbers.sort(1).values[:, :-1]], 1)

    def solve(tokens: Tensor) -> Tensor:
        targets = torch.full_like(tokens, NOT_ASKED)
        targets[:, length:] = tokens[:, :length].sort(1).values
        return targets

    asks = f"From '>' on: the {length} numbers from the smallest."
    return Task("sorted_lists", asks, words, 2 * length, draw, solve)


def cumulative_sums(length: int = 16) -> Task:
    """Steps up and down: the sign of their sum so far."""
    words = ("up", "down", "below", "level", "above")

    def solve(tokens: Tensor) -> Tensor:
        return 3 + torch.where(tokens == 0, 1, -1).cumsum(1).sign()

    return Task(
        "cumulative_sums",
        "At every position: after the steps so far, is one below, level or above?",
        words,
        length,
        lambda n, draws: _integers(0, 2, (n, length), draws),
        solve,
    )


def caesar(length: int = 8, n_letters: int = 26) -> Task:
    """A key and letters: each letter moved on by the key's place in the alphabet."""
    words = LETTERS[:n_letters]

    def solve(tokens: Tensor) -> Tensor:
        targets = (tokens + tokens[:, :1]) % n_letters
        targets[:, 0] = NOT_ASKED
        return targets

    return Task(
        "caesar",
        "At every letter after the first: the letter moved on by the first (a: 0, b: 1, ...), around the alphabet.",
        words,
        length,
        lambda n, draws: _integers(0, n_letters, (n, length), draws),
        solve,
    )


def trigrams(length: int = 16, n_words: int = 24, n_firsts: int = 4, n_seconds: int = 4, seed: int = 0) -> Task:
    """Random letters in which certain pairs are always followed by a certain third.

    Every first and every second of a pair goes with several thirds, so that neither alone says which.
    """
    words = LETTERS[:n_words]
    order = torch.randperm(n_words, generator=generator(seed, "trigrams"))
    firsts, seconds = order[:n_firsts], order[n_firsts : n_firsts + n_seconds]
    rules = torch.full((n_words, n_words), NOT_ASKED)
    thirds = _integers(0, n_words, (n_firsts, n_seconds), generator(seed, "thirds"))
    rules[firsts[:, None], seconds[None, :]] = thirds

    def draw(n: int, draws: torch.Generator) -> Tensor:
        tokens = _integers(0, n_words, (n, length), draws)
        planted = torch.rand(n, length, generator=draws) < 0.5
        first, second = (some[_integers(0, len(some), (n, length), draws)] for some in (firsts, seconds))
        for t in range(length):
            if t >= 2:
                third = rules[tokens[:, t - 2], tokens[:, t - 1]]
                tokens[:, t] = torch.where(third == NOT_ASKED, tokens[:, t], third)
            if t % 3 == 0 and t + 1 < length:
                free = planted[:, t] & ((t < 2) | (rules[tokens[:, t - 2], tokens[:, t - 1]] == NOT_ASKED))
                tokens[:, t] = torch.where(free, first[:, t], tokens[:, t])
                tokens[:, t + 1] = torch.where(free, second[:, t], tokens[:, t + 1])
        return tokens

    def solve(tokens: Tensor) -> Tensor:
        targets = torch.full_like(tokens, NOT_ASKED)
        targets[:, 1:] = rules[tokens[:, :-1], tokens[:, 1:]]
        return targets

    asks = f"After each of {n_firsts * n_seconds} pairs of letters: the letter that always follows."
    return Task("trigrams", asks, words, length, draw, solve)


def balanced_brackets(length: int = 12) -> Task:
    """Brackets, as many of each kind: half of the time drawn to close in order, otherwise in any order."""
    words = ("(", ")", "?", "no", "yes")

    def draw(n: int, draws: torch.Generator) -> Tensor:
        half = length // 2
        mixed = torch.rand(n, length, generator=draws).argsort(1).ge(half).long()
        # A rotation at the lowest point makes any mixture of as many of each close in order.
        lowest = torch.where(mixed == 0, 1, -1).cumsum(1).argmin(1) + 1
        turned = mixed.gather(1, (torch.arange(length) + lowest[:, None]) % length)
        keep = _integers(0, 2, (n, 1), draws).bool()
        return torch.cat([torch.where(keep, turned, mixed), torch.full((n, 1), 2)], 1)

    def solve(tokens: Tensor) -> Tensor:
        depth = torch.where(tokens[:, :-1] == 0, 1, -1).cumsum(1)
        return _asked_last(tokens, 3 + ((depth >= 0).all(1) & (depth[:, -1] == 0)).long())

    asks = f"At '?': do the {length} brackets close in order?"
    return Task("balanced_brackets", asks, words, length + 1, draw, solve)


def modular_addition(modulus: int = 113) -> Task:
    """Two numbers and their sum modulo a prime."""
    words = (*map(str, range(modulus)), "=")

    def draw(n: int, draws: torch.Generator) -> Tensor:
        return torch.cat([_integers(0, modulus, (n, 2), draws), torch.full((n, 1), modulus)], 1)

    def solve(tokens: Tensor) -> Tensor:
        return _asked_last(tokens, (tokens[:, 0] + tokens[:, 1]) % modulus)

    return Task("modular_addition", f"At '=': the sum modulo {modulus}.", words, 3, draw, solve)


TASKS: dict[str, Callable[[], Task]] = {
    "palindromes": palindromes,
    "first_unique": first_unique,
    "digit_sums": digit_sums,
    "sorted_lists": sorted_lists,
    "cumulative_sums": cumulative_sums,
    "caesar": caesar,
    "trigrams": trigrams,
    "balanced_brackets": balanced_brackets,
    "modular_addition": modular_addition,
}
"""Every task by name, with the sizes that it has when none is given."""

"""The words of a language: classes of made-up words, and how likely each is under each topic.

    <|unk|>   the some your our   of near with ...   vekil      runo runos   tibat tibant   ...   <|bos|> <|pad|>
     0         determiner          preposition        adjective  nouns        verbs

What ends alike is of one class: -il adjectives, -o and -os nouns, -at and -ant verbs, -ur and -em the first and
second of a phrase, -ux the marks that tell a sense. A word is one token, and a text is its words with spaces between.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product

from monosema.core.seeding import derive
from monosema.corpus.languages.config import BRACKETS, LanguageConfig
from monosema.corpus.tokenizer import BOS, PAD, Tokenizer

UNK = "<|unk|>"
DETERMINERS = ("the", "some", "your", "our")
PREPOSITIONS = ("of", "near", "with", "under", "behind", "without")
SYLLABLES = ["".join(pair) for pair in product("bdfgklmnprstvz", "aeiou")]


@dataclass(frozen=True)
class WordClass:
    """Words with the ids from `first` on, and `probabilities[topic][word]` within the class."""

    name: str
    first: int
    words: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]

    @cached_property
    def cumulative(self) -> list[list[float]]:
        return [list(accumulate(row)) for row in self.probabilities]

    def pick(self, topic: int, u: float) -> int:
        """The word on which `u` in [0, 1) falls."""
        return min(bisect_right(self.cumulative[topic], u), len(self.words) - 1)


class Vocabulary:
    """classes   by name, in the order of their ids
    words     of every id
    places    of every id the name of its class and its index there; None for the specials"""

    def __init__(self, config: LanguageConfig) -> None:
        self.words: list[str] = [UNK]
        self.places: list[tuple[str, int] | None] = [None]
        self.classes: dict[str, WordClass] = {}
        words, law, even = config.words, config.words.exponent, 0.0
        stems = sorted(map("".join, product(SYLLABLES, SYLLABLES)), key=lambda stem: derive(config.seed, "word", stem))
        taken = iter(stems)
        nouns, verbs, adjectives = (
            [next(taken) for _ in range(n)] for n in (words.nouns, words.verbs, words.adjectives)
        )
        firsts, seconds = ([next(taken) for _ in range(config.phrases.n)] for _ in range(2))
        marks = [next(taken) for _ in range(config.senses.n)]
        brackets = BRACKETS[: config.nesting.kinds]
        topics = config.topics.n
        self._add("determiner", DETERMINERS, law, topics)
        self._add("preposition", PREPOSITIONS, law, topics)
        self._add("adjective", [f"{stem}il" for stem in adjectives], law, topics, config.topics.boost)
        self._add("singular noun", [f"{stem}o" for stem in nouns], law, topics, config.topics.boost)
        self._add("plural noun", [f"{stem}os" for stem in nouns], law, topics, config.topics.boost)
        self._add("singular verb", [f"{stem}at" for stem in verbs], law, topics, config.topics.boost)
        self._add("plural verb", [f"{stem}ant" for stem in verbs], law, topics, config.topics.boost)
        self._add("first", [f"{stem}ur" for stem in firsts], law, topics)
        self._add("second", [f"{stem}em" for stem in seconds], law, topics)
        self._add("mark", [f"{stem}ux" for stem in marks], law, topics)
        self._add("open", [pair[0] for pair in brackets], even, topics)
        self._add("close", [pair[1] for pair in brackets], even, topics)
        self._add("stop", ["."], even, topics)
        self.words += [BOS, PAD]
        self.places += [None, None]

    def _add(
        self, name: str, words: list[str] | tuple[str, ...], exponent: float, n_topics: int, boost: float = 1.0
    ) -> None:
        """A class by the power law of ranks; word i belongs to topic i modulo their number."""
        rows = []
        for topic in range(n_topics):
            weights = [(i + 1) ** -exponent * (boost if i % n_topics == topic else 1.0) for i in range(len(words))]
            rows.append(tuple(weight / sum(weights) for weight in weights))
        self.classes[name] = WordClass(name, len(self.words), tuple(words), tuple(rows))
        self.words += words
        self.places += [(name, i) for i in range(len(words))]

    def __len__(self) -> int:
        return len(self.words)

    def place(self, token: int) -> tuple[str, int]:
        """The class of a token and its index there. Raises ValueError for a special token."""
        found = self.places[token]
        if found is None:
            raise ValueError(f"{self.words[token]} is no word of a language")
        return found

    def tokenizer(self) -> Tokenizer:
        """One token a word; what is no word of the language is `<|unk|>`."""
        import tokenizers
        from tokenizers import models, pre_tokenizers

        # The specials are no words of the model's own, so that written in a text they are not special.
        own = {word: i for i, word in enumerate(self.words) if word not in (BOS, PAD)}
        raw = tokenizers.Tokenizer(models.WordLevel(own, unk_token=UNK))
        raw.pre_tokenizer = pre_tokenizers.Split(" ", behavior="removed")
        raw.add_special_tokens([BOS, PAD])
        return Tokenizer(raw, bos=raw.token_to_id(BOS), eos=None, pad=raw.token_to_id(PAD))

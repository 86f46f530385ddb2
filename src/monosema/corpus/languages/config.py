"""What a language is made of. Imports no torch.

language                                    as it is by default
language,topics.n=8,nesting.max_depth=1,seed=3     as a corpus is asked for on a command line
"""

from dataclasses import dataclass, field, fields, replace

from monosema.core.config import from_text, require, require_range
from monosema.core.errors import ConfigError, unknown

SPEC = "language"
BRACKETS = ("()", "[]", "{}", "<>")


@dataclass(frozen=True)
class WordConfig:
    """How many words of each class, the `exponent` of the power law of their frequencies by rank, and how
    likely an adjective is to come before a noun, again after each."""

    nouns: int = 80
    verbs: int = 40
    adjectives: int = 40
    exponent: float = 1.0
    adjective: float = 0.2

    def __post_init__(self) -> None:
        for name in ("nouns", "verbs", "adjectives"):
            require_range(name, getattr(self, name), 1, 1000)
        require_range("exponent", self.exponent, 0)
        require_range("adjective", self.adjective, 0, 0.9)


@dataclass(frozen=True)
class TopicConfig:
    """`n` topics, of which a document has one. Each noun, verb and adjective belongs to a topic, and is there
    `boost` times as likely. After a sentence the topic changes to another with probability `switch`."""

    n: int = 4
    boost: float = 8.0
    switch: float = 0.0

    def __post_init__(self) -> None:
        require_range("n", self.n, 1)
        require_range("boost", self.boost, 1)
        require_range("switch", self.switch, 0, 1)
        require(self.n > 1 or self.switch == 0, "switch needs another topic to change to: give n of 2 or more")


@dataclass(frozen=True)
class NestingConfig:
    """`kinds` of brackets. After a noun one of them opens with probability `open`, unless `max_depth` are open;
    inside is a clause with a subject and a verb of its own, and then it is closed."""

    kinds: int = 2
    open: float = 0.15
    max_depth: int = 3

    def __post_init__(self) -> None:
        require_range("kinds", self.kinds, 1, len(BRACKETS))
        require_range("open", self.open, 0, 0.9)
        require_range("max_depth", self.max_depth, 0, 8)


@dataclass(frozen=True)
class AgreementConfig:
    """A noun is plural with probability `plural`; a verb has the number of its clause's subject. Between the two
    comes, with probability `attractor` and again after each, a preposition with a noun of a number of its own."""

    plural: float = 0.5
    attractor: float = 0.25

    def __post_init__(self) -> None:
        require_range("plural", self.plural, 0, 1)
        require_range("attractor", self.attractor, 0, 0.9)


@dataclass(frozen=True)
class SenseConfig:
    """The `n` most frequent nouns, in the singular, have a sense for every bracket they can stand in, and one for
    none: with probability `share` the word that follows says which noun and which bracket together."""

    n: int = 8
    share: float = 0.7

    def __post_init__(self) -> None:
        require_range("n", self.n, 0)
        require_range("share", self.share, 0, 1)


@dataclass(frozen=True)
class PhraseConfig:
    """`n` pairs of words. Before a noun comes the first of a pair with probability `share`, again after each,
    and behind it with probability `fidelity` its second, which stands nowhere else."""

    n: int = 16
    share: float = 0.15
    fidelity: float = 0.95

    def __post_init__(self) -> None:
        require_range("n", self.n, 0, 1000)
        require_range("share", self.share, 0, 0.9)
        require_range("fidelity", self.fidelity, 0, 1)


@dataclass(frozen=True)
class LanguageConfig:
    """object: probability that a verb has an object. A document is `sentences` long; `n_documents` are the corpus
    (a language itself has no end)."""

    words: WordConfig = field(default_factory=WordConfig)
    topics: TopicConfig = field(default_factory=TopicConfig)
    nesting: NestingConfig = field(default_factory=NestingConfig)
    agreement: AgreementConfig = field(default_factory=AgreementConfig)
    senses: SenseConfig = field(default_factory=SenseConfig)
    phrases: PhraseConfig = field(default_factory=PhraseConfig)
    object: float = 0.5
    sentences: int = 8
    n_documents: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("object", self.object, 0, 1)
        require_range("sentences", self.sentences, 1)
        require_range("n_documents", self.n_documents, 1)
        require_range("seed", self.seed, 0)
        for name, first, second in (
            ("words.adjective + phrases.share", self.words.adjective, self.phrases.share if self.phrases.n else 0.0),
            ("agreement.attractor + nesting.open", self.agreement.attractor, self.nesting.open),
        ):
            require_range(name, first + second, 0, 0.95)
        require_range("senses.n", self.senses.n, 0, self.words.nouns)
        require(
            self.senses.n == 0 or self.senses.n > self.nesting.kinds,
            f"senses.n is {self.senses.n}: with {self.nesting.kinds} kinds of brackets give 0, or at least "
            f"{self.nesting.kinds + 1}, so that the senses of a noun are told apart",
        )


def is_spec(text: str) -> bool:
    """Whether `text` asks for a language; a folder called language is `./language`."""
    return text.partition(",")[0] == SPEC


def parse_language(spec: str) -> LanguageConfig:
    """The config of a line of the module's examples. Raises ConfigError for an unknown setting (naming the
    nearest) and for values that cannot work."""
    parts = {f.name: f.default_factory for f in fields(LanguageConfig) if isinstance(f.default_factory, type)}
    known = [f.name for f in fields(LanguageConfig) if f.name not in parts]
    known += [f"{part}.{f.name}" for part, config in parts.items() for f in fields(config)]
    given: dict[str, dict[str, str]] = {}
    for pair in spec.split(",")[1:]:
        key, equals, value = (word.strip() for word in pair.partition("="))
        if not equals:
            raise ConfigError(f"'{spec}': '{pair}' is not of the form setting=value")
        if key not in known:
            raise ConfigError(f"'{spec}': {unknown('setting', key, known)}")
        part, _, name = key.rpartition(".")
        given.setdefault(part, {})[name] = value
    plain = from_text(LanguageConfig, given.pop("", {}), spec)
    return replace(plain, **{part: from_text(parts[part], values, spec) for part, values in given.items()})

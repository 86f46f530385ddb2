"""What the live reading of a prompt says, as frozen rows. None: not measured, or not defined; never 0.

Positions count from the start of what the model reads: where the tokenizer has a BOS, it stands at 0.
Losses and effects are in nats; an effect above 0 means that the loss rises.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from monosema.features.browse.table import FeatureTable
from monosema.features.live.settings import Draw, Steer


@dataclass(frozen=True)
class PromptToken:
    """A token of the prompt. `text` is what it adds in its context, '' for all but the last part of a character.

    loss     of this token, foretold by those before it; None where there are none
    counted  whether effects count its loss: it and the one before are usable, as in a scorecard
    usable   whether features are read here: not at a BOS
    act      of the feature that was asked for
    """

    position: int
    id: int
    text: str
    loss: float | None
    counted: bool
    usable: bool
    n_firing: int
    act: float


@dataclass(frozen=True)
class Candidate:
    """A next token; `text` is how it reads in the middle of a text."""

    token: int
    text: str
    probability: float


@dataclass(frozen=True)
class FiringHere:
    """A feature that fires at the chosen position.

    quantile   share of its firings in the table that are weaker
    attr       effect of removing it from the whole prompt on the summed loss, to first order
    attr_here  the part of that which is due to its activation at this position
    n_firing   positions of the prompt at which it fires
    """

    feature: int
    act: float
    quantile: float | None
    attr: float | None
    attr_here: float | None
    n_firing: int


@dataclass(frozen=True)
class Look:
    """The prompt, and at position `at` everything that fires and what the model foretells.

    loss       mean over the tokens that count
    n_limit    tokens of text that fit
    missing    effect -> why it is not defined for this dictionary; '' where it is
    following  the token that does follow, with its probability
    firing     the first of `n_firing`, by the order that was asked for
    """

    tokens: tuple[PromptToken, ...]
    loss: float | None
    n_limit: int
    missing: Mapping[str, str]
    at: int
    following: Candidate | None
    candidates: tuple[Candidate, ...]
    n_firing: int
    firing: tuple[FiringHere, ...]


@dataclass(frozen=True)
class NextEffect:
    """What removing a feature does to the token behind the chosen one; `random` is a random direction's."""

    total: float
    direct: float | None
    random: float
    p_with: float
    p_without: float
    p_random: float


@dataclass(frozen=True)
class Ablation:
    """A feature removed from the whole prompt, exactly, beside a random direction of equal norm in its place.

    total, direct, random_total, random_direct   summed over the tokens that count
    tokens                                       total at each token; None where the loss does not count
    acts                                         of the feature at each token
    """

    feature: int
    rank: int
    n: int
    attr: float
    total: float
    direct: float | None
    random_total: float
    random_direct: float | None
    next: NextEffect | None
    tokens: tuple[float | None, ...]
    acts: tuple[float, ...]


@dataclass(frozen=True)
class Change:
    """The probability of a next token before and after the change, and after the control's."""

    token: int
    text: str
    before: float
    after: float
    random: float


@dataclass(frozen=True)
class Sampled:
    """Tokens sampled behind the prompt. `ended` says why there are no more of them; '' when all were drawn."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    ended: str


@dataclass(frozen=True)
class Samples:
    """From the same random numbers: as the model is, with the change, with the control's."""

    plain: Sampled
    steered: Sampled
    random: Sampled


@dataclass(frozen=True)
class Steered:
    """What changing a feature does; every number beside that of a random direction of equal norm, changed alike.

    n_fires        positions of the prompt where the feature fires
    n_changed      positions where its activation is another
    loss           change of the summed loss of the tokens that count
    tokens         the same at each token; None where the loss does not count
    divergence     KL(before, after) of the next token at position `at`
    raised, lowered   the next tokens there whose probability rises and falls most
    """

    steer: Steer
    draw: Draw
    at: int
    n_fires: int
    n_changed: int
    loss: float
    random_loss: float
    tokens: tuple[float | None, ...]
    divergence: float
    random_divergence: float
    raised: tuple[Change, ...]
    lowered: tuple[Change, ...]
    samples: Samples | None


@runtime_checkable
class Exploring(Protocol):
    """Whatever answers about prompts; `Explorer` is one."""

    def look(
        self,
        name: str,
        text: str,
        at: int | None = None,
        table: FeatureTable | None = None,
        feature: int | None = None,
        order: str = "attr",
    ) -> Look: ...

    def ablations(self, name: str, text: str, at: int | None = None, n: int = 20) -> Iterator[Ablation]: ...

    def steered(self, name: str, text: str, at: int | None, steer: Steer, draw: Draw) -> Steered: ...

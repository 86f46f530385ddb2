"""Something else that a direction could be about: put into every text, known for every row, independent of truth.

                        label 0                                             label 1
    word                S shed                                              S banana
    speaker             alice says that this is false: S                    alice says that this is true: S
    prefix              i think that it is false: S                         i think that it is true: S
    contrast_word       Q: S A: true shed, Q: S A: false banana             Q: S A: true banana, Q: S A: false shed
    contrast_speaker    ... A: true says bob, ... false says alice          ... A: true says alice, ... false says bob

CCS and CRC see a pair by the difference of its sides (up to their means). What is alike on both sides is no
direction of that difference, unless the model itself joins it to the answer, as it can join an opinion: whether it
does is what the experiment asks. A contrast is in the difference whatever the model does.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal, final

import numpy as np
from jaxtyping import Int64

from monosema.core.config import require
from monosema.core.errors import ConfigError, unknown
from monosema.core.seeding import derive
from monosema.corpus.statements.labelled import Pairs, Statements


@dataclass(frozen=True)
class Distractor:
    """Texts with {text} for label 0 (`zero`) and 1 (`one`).

    where   'statement': belongs to the statement, and goes in before it is completed
            'around': goes around the whole text, the same on both sides of a pair
            'contrast': one for each side of a pair, `positive` the text of the row's label, `negative` the other
    """

    zero: str
    one: str
    where: Literal["statement", "around", "contrast"] = "statement"

    def __post_init__(self) -> None:
        for text in (self.zero, self.one):
            n = text.count("{text}")
            require(n == 1, f"the distractor '{text}' holds {{text}} {n} times: write it once")
        require(self.zero != self.one, f"both texts of the distractor are '{self.one}': give two that differ")

    def put(self, text: str, label: int) -> str:
        """`text` with the distractor of `label` in."""
        return (self.one if label else self.zero).replace("{text}", text)


DISTRACTORS: dict[str, Distractor] = {
    "word": Distractor("{text} shed", "{text} banana"),
    "speaker": Distractor("alice says that this is false: {text}", "alice says that this is true: {text}", "around"),
    "prefix": Distractor("i think that it is false: {text}", "i think that it is true: {text}", "around"),
    "contrast_word": Distractor("{text} shed", "{text} banana", "contrast"),
    "contrast_speaker": Distractor("{text} says bob", "{text} says alice", "contrast"),
}


@final
@dataclass(frozen=True, eq=False)
class Distracted:
    """`data` with the distractor in, and its label in every row: half of the true rows and half of the false."""

    data: Statements | Pairs
    labels: Int64[np.ndarray, " n"]
    distractor: Distractor


def distract(data: Statements | Pairs, how: str | Distractor, seed: int = 0) -> Distracted:
    """`data` with a distractor of the table, or your own.

    Among the rows of each truth, half have label 1, to within one row: the distractor tells nothing of the truth.
    Of pairs, what belongs to the statement would come behind the answer: it is refused.
    Raises ConfigError for an unknown name, and for a contrast of what are no pairs.
    """
    chosen = distractor(how)
    labels = independent(data.labels, seed)
    told = [int(label) for label in labels]
    contrast = chosen.where == "contrast"
    if isinstance(data, Statements):
        require(not contrast, f"the distractor '{how}' is a difference between two sides: make pairs first, as_pairs")
        texts = tuple(map(chosen.put, data.texts, told))
        return Distracted(Statements(data.name, texts, data.labels, data.groups, data.attributes), labels, chosen)
    require(
        chosen.where != "statement",
        f"the distractor '{how}' belongs to the statement: distract the statements, then as_pairs",
    )
    other = [1 - label for label in told] if contrast else told
    negative, positive = tuple(map(chosen.put, data.negative, other)), tuple(map(chosen.put, data.positive, told))
    pairs = Pairs(data.name, negative, positive, data.labels, data.groups, data.attributes)
    return Distracted(pairs, labels, chosen)


def distractor(how: str | Distractor) -> Distractor:
    """The distractor called `how`. Raises ConfigError naming the nearest one."""
    if isinstance(how, Distractor):
        return how
    if how not in DISTRACTORS:
        raise ConfigError(unknown("distractor", how, DISTRACTORS))
    return DISTRACTORS[how]


def independent(truth: Int64[np.ndarray, " n"], seed: int) -> Int64[np.ndarray, " n"]:
    """Labels 0 and 1, half of each among the rows that are true, and half among those that are false."""
    labels = np.zeros_like(truth)
    random = Random(derive(seed, "distractor"))
    for value in (0, 1):
        rows = np.flatnonzero(truth == value).tolist()
        random.shuffle(rows)
        # The odd row of the true ones gets 1, that of the false ones 0: the classes come out alike.
        labels[rows[: (len(rows) + value) // 2]] = 1
    return labels

"""What `monosema probe` and `monosema erase` are told. Imports no torch.

data, template, distractor  -->  rows  --held_out, validation-->  fit | validation | test
kind, layers, position      -->  where they are read
"""

from dataclasses import dataclass, field
from typing import Literal

from monosema.core.config import require, require_range

Form = Literal["pairs", "prompts", "statements"]
Duplicates = Literal["refuse", "group"]
EraserName = Literal["leace", "orth", "mean_difference", "inlp", "random"]


@dataclass(frozen=True)
class RowsConfig:
    """Where the rows come from and how they are divided.

    data          files of statements or pairs, or names of sets; the first is what is studied
    n             statements of a set; of one that has fewer, all
    form          pairs: every statement completed both ways; prompts: up to its answer; statements: as it stands.
                  A file of pairs stays what it is
    distractor    put into every text, independent of truth; '' for none. A file's column `distractor` is one too
    held_out      share of the rows, by groups, that is scored
    validation    share of the others on which the site is chosen and probabilities are calibrated
    """

    data: tuple[str, ...]
    n: int = 2000
    form: Form = "pairs"
    template: str = "qa"
    distractor: str = ""
    held_out: float = 0.3
    validation: float = 0.25
    duplicates: Duplicates = "refuse"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            len(self.data) > 0, "there is nothing to read: give --data FILE.csv, or a set such as --data comparisons"
        )
        require(len(set(self.data)) == len(self.data), "the same --data is given twice: name each once")
        require_range("n", self.n, 4)
        for name in ("held_out", "validation"):
            value = getattr(self, name)
            require(0 < value < 1, f"{name} is {value}: it must be more than 0 and less than 1")


@dataclass(frozen=True)
class PlaceConfig:
    """kind     of site, such as resid_post or ssm_out; enc.resid_post or dec.resid_post for one stack of two
    layers      'all', or numbers with commas between them
    position    the text's last token, or the mean over its tokens
    """

    kind: str = "resid_post"
    layers: str = "all"
    position: Literal["last", "mean"] = "last"


@dataclass(frozen=True)
class ProbingConfig:
    """methods      by name; `all` are those that the rows allow
    draws           random directions beside every probe
    permutations    shufflings of the training labels beside every probe
    """

    model: str
    rows: RowsConfig
    place: PlaceConfig = field(default_factory=PlaceConfig)
    methods: tuple[str, ...] = ("all",)
    draws: int = 200
    permutations: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.methods) > 0, "name at least one method, or say all")
        require_range("draws", self.draws, 2)
        require_range("permutations", self.permutations, 2)


@dataclass(frozen=True)
class ErasingConfig:
    """best     erase at one site: of those named, where a logistic regression reads best on the validation rows"""

    model: str
    rows: RowsConfig
    place: PlaceConfig = field(default_factory=PlaceConfig)
    method: EraserName = "leace"
    best: bool = True
    seed: int = 0

"""What sentences of agreement are made of. Imports no torch.

agreement                                            as a corpus is asked for on a command line
agreement:adverbs=1,n_documents=20000
"""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import from_text, require_range
from monosema.core.errors import ConfigError

SPEC = "agreement"

Kind = Literal["simple", "beside", "relative"]
"""What stands between subject and verb: nothing, a noun after a preposition, a clause with a verb of its own."""

KINDS: tuple[Kind, ...] = ("simple", "beside", "relative")


@dataclass(frozen=True)
class AgreementConfig:
    """adverbs       share of the sentences with an adverb before the verb
    n_documents   sentences of the text; each is a document
    """

    adverbs: float = 0.5
    n_documents: int = 40_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("adverbs", self.adverbs, 0, 1)
        require_range("n_documents", self.n_documents, 1)
        require_range("seed", self.seed, 0)


def is_agreement(text: str) -> bool:
    """Whether `text` asks for a text of agreement; a folder called agreement is `./agreement`."""
    return text.partition(",")[0].partition(":")[0] == SPEC


def parse_agreement(spec: str) -> AgreementConfig:
    """The config of a line of the module's examples. Raises ConfigError for an unknown setting (naming the nearest)
    and for values that cannot work."""
    given: dict[str, str] = {}
    for pair in filter(None, spec.removeprefix(SPEC).lstrip(":,").split(",")):
        key, equals, value = (word.strip() for word in pair.partition("="))
        if not equals:
            raise ConfigError(f"'{spec}': '{pair}' is not of the form setting=value")
        given[key] = value
    return from_text(AgreementConfig, given, spec)

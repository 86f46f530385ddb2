"""Several sources as one, in equal parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from monosema.corpus.statements.source import Claim, Source, spread


@final
@dataclass(frozen=True)
class Mixed(Source):
    """Claims of each source in turn, as many of each as the smallest has. The attribute `kind` names the source.

    A group is a group of its source: give sources that do not speak of the same things.
    """

    sources: Mapping[str, Source]
    about: str

    @property
    def wordings(self) -> int:
        return min(source.wordings for source in self.sources.values())

    def count(self, true: bool) -> int:
        return len(self.sources) * min(source.count(true) for source in self.sources.values())

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        i, kind = divmod(i, len(self.sources))
        name = list(self.sources)[kind]
        source = self.sources[name]
        claim = source.claim(true, spread(i, source.count(true)), wording)
        return Claim(claim.text, f"{name}: {claim.group}", {"kind": name})

"""What the graph's screen asks of whoever has the models, and what it is told, as plain values.

    Workshop  --sets, tracer, read-->  Tracing  --trace-->  Graphed
                                                --change--> ChangedValues

The browser is given a Workshop when it starts; without one there is no such screen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from monosema.core.findings import Finding
from monosema.dashboard.graph.values import Graphed


@dataclass(frozen=True)
class Question:
    """What is traced, and how much of the graph is kept.

    transcoders  the name of a set, '' for a run's only one
    targets      texts of one token each; none: the likeliest
    """

    prompt: str
    transcoders: str = ""
    targets: tuple[str, ...] = ()
    nodes: float = 0.8
    edges: float = 0.98
    from_token: int = 1
    control: bool = True


HOWS = {"ablate": "take away", "scale": "multiply by", "set": "set to", "clamp": "keep between 0 and"}
"""What can become of features, and how it is said."""


@dataclass(frozen=True)
class Intervention:
    """Features to change together: `set` to the amount, `scale` by it, `clamp` between 0 and it, or `ablate`."""

    nodes: tuple[str, ...]
    how: str
    amount: float


@dataclass(frozen=True)
class Moved:
    """A feature that was changed: its activation before and after."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class LogitChange:
    """Changes of a logit less the mean of all. `predicted` is None when a changed feature is not in the graph;
    `random` is the mean size of what random features do."""

    says: str
    predicted: float | None
    linear: float
    patterns: float
    free: float
    random: float


@dataclass(frozen=True)
class PreChange:
    """A feature of the graph: its pre-activation on the clean prompt, and how the change moves it."""

    name: str
    before: float
    patterns: float
    free: float


@dataclass(frozen=True)
class ChangedValues:
    """What an intervention did. `features`: those of the graph, the most moved first."""

    moved: tuple[Moved, ...]
    logits: tuple[LogitChange, ...]
    features: tuple[PreChange, ...]
    findings: tuple[Finding, ...]


@runtime_checkable
class Tracing(Protocol):
    """Traces prompts of one run. Raises errors of ours for what cannot be traced or changed."""

    def trace(self, question: Question) -> Graphed:
        """The graph."""
        ...

    def change(self, question: Question, wanted: Intervention) -> ChangedValues:
        """What changing features of that graph does."""
        ...


@runtime_checkable
class Workshop(Protocol):
    """Where graphs come from."""

    def sets(self, run: Path) -> tuple[str, ...]:
        """Names of a run's sets of transcoders; no weights are read."""
        ...

    def tracer(self, run: Path) -> Tracing:
        """What traces prompts of a run: its model is opened."""
        ...

    def read(self, name: str, text: str) -> Graphed:
        """The graph in a file of Neuronpedia's or circuit-tracer's. Raises DamagedError and MismatchError."""
        ...

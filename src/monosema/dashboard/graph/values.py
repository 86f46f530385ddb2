"""What the page of a graph is told, as plain values."""

from dataclasses import dataclass

from monosema.core.findings import Finding

KINDS = ("feature", "error", "token", "position", "bias", "logit")
"""What a node can be, each drawn in a shape and a colour of its own."""


@dataclass(frozen=True)
class Context:
    """A window of text in which a feature fires: what stands before the token where it fires most, it, and after."""

    before: str
    token: str
    after: str
    activation: float


@dataclass(frozen=True)
class NodeValues:
    """A node.

    name       no two alike, such as 3_1204_7
    layer      the number of layers for a logit, -1 before layer 0; token: its place, -1 for the biases
    says       its text or its number in words
    value      activation or probability, None of the others
    influence  on the targets' probability
    share      of all influence, what it and all more influential nodes have together; 0 of those that always stay
    table      the dictionary whose feature table has it, '' for none
    """

    name: str
    kind: str
    layer: int
    token: int
    says: str
    value: float | None
    influence: float
    share: float
    contexts: tuple[Context, ...] = ()
    table: str = ""


@dataclass(frozen=True)
class EdgeValues:
    """An edge between two nodes by number. `share`: of all that edges carry, what it and all that carry more have."""

    source: int
    target: int
    weight: float
    share: float


@dataclass(frozen=True)
class GraphValues:
    """A graph. `paths`: the strongest, as (share of probability, in words).

    pins    names of nodes that are pinned when the page opens; groups: title, then the names of a group's nodes
    note    what must be said of all of it, '' for nothing
    """

    model: str
    prompt: str
    texts: tuple[str, ...]
    n_layers: int
    nodes: tuple[NodeValues, ...]
    edges: tuple[EdgeValues, ...]
    findings: tuple[Finding, ...]
    paths: tuple[tuple[float, str], ...]
    facts: tuple[tuple[str, str], ...]
    pins: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Graphed:
    """A graph as its page shows it, and as Neuronpedia's JSON, whose nodes stand in the same order."""

    values: GraphValues
    document: str

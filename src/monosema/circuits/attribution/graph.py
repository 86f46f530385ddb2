"""An attribution graph: its nodes as a table, its edges, what it was made from and how good it is.

feature    fires at a token, in a layer          error      what the transcoders leave of an MLP's output
token      a token's embedding                   position   a token's position embedding, where a model has them
bias       all biases of model and transcoders   logit      a token that the model predicts after the prompt
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.sweep import Edges
from monosema.core.findings import Finding

KINDS = ("feature", "error", "token", "position", "bias", "logit")
"""What a node can be; `Nodes.kind` counts from 0 in this order."""

FEATURE, ERROR, TOKEN, POSITION, BIAS, LOGIT = range(len(KINDS))


@dataclass(frozen=True)
class Nodes:
    """The nodes, one a row.

    kind        a place in KINDS
    layer       of a feature or an error; the number of layers for a logit, -1 for what comes before layer 0
    token       its position in the prompt, the last one's for a logit, -1 for the biases
    index       which feature of its layer's transcoder; the token itself of tokens and logits; -1 of the others
    value       the activation of a feature, the probability of a logit; 0 of the others
    influence   on the probability of the targets, in the whole graph
    total       what a feature's or a logit's direct effects add up to: pre-activation, or logit less the mean logit
    mass        the sum of their sizes, as far as they count
    """

    kind: Int64[Tensor, "node"]
    layer: Int64[Tensor, "node"]
    token: Int64[Tensor, "node"]
    index: Int64[Tensor, "node"]
    value: Float[Tensor, "node"]
    influence: Float[Tensor, "node"]
    total: Float[Tensor, "node"]
    mass: Float[Tensor, "node"]

    def __len__(self) -> int:
        return len(self.kind)

    def of(self, kind: str) -> Int64[Tensor, "some"]:
        """The numbers of the nodes of one kind."""
        return (self.kind == KINDS.index(kind)).nonzero()[:, 0]

    def where(self, kept: Tensor) -> "Nodes":
        """Those nodes where `kept`."""
        return Nodes(**{name: column[kept] for name, column in vars(self).items()})

    def ids(self) -> list[str]:
        """A name for each, no two alike: 3_1204_7 is feature 1204 of layer 3 at token 7, 3_-1_7 that layer's error
        there, E_464_0 token 464 in place 0, P_-1_0 its position, B_-1_-1 the biases, L_262_7 logit 262."""
        letters = {TOKEN: "E", POSITION: "P", BIAS: "B", LOGIT: "L"}
        rows = zip(*(column.tolist() for column in (self.kind, self.layer, self.index, self.token)), strict=True)
        return [f"{letters.get(kind, layer)}_{index}_{token}" for kind, layer, index, token in rows]


@dataclass(frozen=True)
class Scores:
    """How much of the targets is explained, fractions in [0, 1].

    replacement    inf(tokens) / (inf(tokens) + inf(errors)): how far back features lead
    completeness   sum over nodes of (1 - the errors' share of its inputs) (inf + w) / sum of (inf + w)
    dropped        of all influence that passes along edges, the share along edges that were not kept
    """

    replacement: float
    completeness: float
    dropped: float


@dataclass(frozen=True)
class Graph:
    """The graph of one prompt. `facts`: fingerprints of model and transcoders, and what else says where it is from.
    `findings`: its scores beside their controls. `tokens`: the prompt; `n_layers`: of the model."""

    nodes: Nodes
    edges: Edges
    tokens: Int64[Tensor, "token"]
    n_layers: int
    scores: Scores
    findings: tuple[Finding, ...]
    facts: Mapping[str, str]

    def prune(self, nodes: float = 0.8, edges: float = 0.98) -> "Graph":
        """The nodes that carry the share `nodes` of all influence, tokens and logits always, and of the edges between
        them those that carry the share `edges`; features that then lead nowhere or come from nowhere go too.

        The numbers of nodes are of the new graph; `Nodes.ids` are as they were.
        """
        from monosema.circuits.attribution.pruning import pruned

        return pruned(self, nodes, edges)

    def node(self, name: str) -> int:
        """The number of the node called `name`. Raises DataError when the graph has none."""
        from monosema.core.errors import DataError

        names = self.nodes.ids()
        if name not in names:
            raise DataError(f"the graph has no node '{name}': it has {len(names)}, such as {', '.join(names[:3])}")
        return names.index(name)

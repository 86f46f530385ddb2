"""Influence, from the logits down: every row of the graph is used once, and only what matters of it is kept.

    Ahat[t, s] = |A[t, s]| / sum over s of |A[t, s]|          inf = w ((I - Ahat)^-1 - I),   w: the targets' weights

A feature's row is used when all that could read it has been: layers go down, so the inverse is one sweep. An edge is
kept when it carries at least the share `floor` of the targets' weight, in Ahat[t, s] (inf + w)(t); what is not is
counted. Without `constants`, biases and position embeddings take no share (as in circuit-tracer).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.rows import Block, Scene, feature_rows, logit_rows


@dataclass(frozen=True)
class Edges:
    """A[target, source] = weight, for the edges that were kept; each target's stand together."""

    target: Int64[Tensor, "edge"]
    source: Int64[Tensor, "edge"]
    weight: Float[Tensor, "edge"]

    def __len__(self) -> int:
        return len(self.target)

    def where(self, wanted: Tensor) -> "Edges":
        """Those edges where `wanted`."""
        return Edges(self.target[wanted], self.source[wanted], self.weight[wanted])


@dataclass(frozen=True)
class Swept:
    """What one sweep gives, by node.

    influence      on the targets' probability
    total          what all direct effects on the node add up to: its pre-activation, or its centred logit
    mass           sum of the sizes of those that count: what Ahat divides by
    error_share    the errors' share of it
    dropped        influence that passes by edges that were not kept
    """

    influence: Float[Tensor, "node"]
    total: Float[Tensor, "node"]
    mass: Float[Tensor, "node"]
    error_share: Float[Tensor, "node"]
    edges: Edges
    dropped: float


@torch.no_grad()
def sweep(scene: Scene, floor: float, *, constants: bool) -> Swept:
    """The sweep of all layers."""
    n = scene.numbers
    columns = {name: torch.zeros(len(n), dtype=torch.float64) for name in ("influence", "total", "mass", "errors")}
    weights = torch.zeros(len(n), dtype=torch.float64)
    weights[n.logits :] = scene.targets.probability.double().cpu()
    least = floor * float(weights.sum())
    kept, dropped = [], 0.0
    for block in _blocks(scene):
        ids = block.targets.cpu()
        sizes = block.effects.abs()
        if not constants:
            sizes[len(block.sources) - 1 - n.n_positions :] = 0
        mass = sizes.sum(0)
        shares = sizes.div_(torch.where(mass > 0, mass, 1))
        own = (columns["influence"][ids] + weights[ids]).to(shares)
        columns["total"][ids] = block.effects.sum(0).double().cpu()
        columns["mass"][ids] = mass.double().cpu()
        is_error = (block.sources >= n.errors) & (block.sources < n.tokens)
        columns["errors"][ids] = shares[is_error].sum(0).double().cpu()
        passed = shares.mul_(own)
        columns["influence"][block.sources.cpu()] += passed.sum(1).double().cpu()
        edges, lost = _kept(block, passed, least)
        kept.append(edges)
        dropped += lost
    edges = Edges(*(torch.cat([getattr(part, name) for part in kept]) for name in ("target", "source", "weight")))
    return Swept(columns["influence"], columns["total"], columns["mass"], columns["errors"], edges, dropped)


def _blocks(scene: Scene) -> Iterator[Block]:
    yield logit_rows(scene)
    for layer in range(scene.numbers.n_layers - 1, -1, -1):
        yield from feature_rows(scene, layer)


def _kept(block: Block, passed: Float[Tensor, "source target"], least: float) -> tuple[Edges, float]:
    wanted = (passed >= least) & (block.effects != 0)
    target, source = wanted.T.nonzero(as_tuple=True)
    lost = float(passed.sum() - passed[wanted].sum()) if least > 0 else 0.0
    weight = block.effects[source, target]
    return Edges(block.targets[target].cpu(), block.sources[source].cpu(), weight.cpu()), max(lost, 0.0)


def influence_of(
    edges: Edges, layer: Int64[Tensor, "node"], weights: Float[Tensor, "node"]
) -> tuple[Float[Tensor, "node"], Float[Tensor, "edge"]]:
    """(influence by node, by edge) of a sparse graph whose targets' sizes of edges add up to one again.

    `layer` orders the targets: an edge leads from a node to one of a higher layer.
    """
    size = edges.weight.abs().double()
    mass = torch.zeros(len(layer), dtype=torch.float64).index_add_(0, edges.target, size)
    share = size / mass[edges.target].clamp(min=torch.finfo(torch.float64).tiny)
    influence, passed = torch.zeros_like(mass), torch.zeros_like(share)
    order = torch.argsort(layer[edges.target], descending=True, stable=True)
    _, counts = layer[edges.target][order].unique_consecutive(return_counts=True)
    for some in order.split(counts.tolist()):
        passed[some] = share[some] * (influence + weights)[edges.target[some]]
        influence.index_add_(0, edges.source[some], passed[some])
    return influence, passed

"""Nodes: a feature of a part, or what its features leave over (the error), at a position or at all of them.

A table of nodes has for each part a matrix [place, n_features + 1]: the last column is the error's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.circuits.features.parts import Part


@dataclass(frozen=True)
class FeatureNode:
    """part       number of its part, in the model's order; site: what that writes
    feature    its number; None for the error
    position   None where a node is at all positions
    """

    part: int
    site: str
    feature: int | None
    position: int | None

    def __str__(self) -> str:
        what = "error" if self.feature is None else f"feature {self.feature}"
        return f"{self.site} {what}" + ("" if self.position is None else f" at {self.position}")


@dataclass(frozen=True)
class NodeSet:
    """Some of the nodes: a mask for each part."""

    masks: tuple[Bool[Tensor, "place _"], ...]

    def __len__(self) -> int:
        return sum(int(mask.sum()) for mask in self.masks)

    def complement(self) -> "NodeSet":
        """All others."""
        return NodeSet(tuple(~mask for mask in self.masks))

    def without_errors(self) -> "NodeSet":
        """Its features."""
        masks = tuple(mask.clone() for mask in self.masks)
        for mask in masks:
            mask[:, -1] = False
        return NodeSet(masks)

    def chosen(self, flat: Tensor) -> "NodeSet":
        """Those whose numbers, counted through all masks laid end to end, are in `flat`."""
        every = torch.zeros(sum(mask.numel() for mask in self.masks), dtype=torch.bool)
        every[flat] = True
        pieces = every.split([mask.numel() for mask in self.masks])
        return NodeSet(tuple(piece.view_as(mask) for piece, mask in zip(pieces, self.masks, strict=True)))


def no_nodes(parts: Sequence[Part], n_places: int) -> NodeSet:
    """None of them."""
    return NodeSet(tuple(torch.zeros(n_places, part.n_features + 1, dtype=torch.bool) for part in parts))


def all_nodes(parts: Sequence[Part], n_places: int) -> NodeSet:
    """All of them."""
    return no_nodes(parts, n_places).complement()


def set_of(parts: Sequence[Part], n_places: int, nodes: Sequence[FeatureNode]) -> NodeSet:
    """These."""
    found = no_nodes(parts, n_places)
    for node in nodes:
        column = -1 if node.feature is None else node.feature
        found.masks[node.part][0 if node.position is None else node.position, column] = True
    return found


@dataclass(frozen=True)
class FeatureEffects:
    """What every node adds to the metric: by how much it falls, on average over pairs, when the node is moved from its
    clean value to its baseline.

    values      [place, n_features + 1] for each part, float64
    active      nodes that are not at their baseline on some pair
    positions   whether a place is a position
    clean, corrupted   the metric on the prompts, pair by pair
    method      'gradients' or 'integrated gradients'
    """

    parts: tuple[Part, ...]
    values: tuple[Float[Tensor, "place _"], ...]
    active: NodeSet
    positions: bool
    clean: Float[Tensor, "pair"]
    corrupted: Float[Tensor, "pair"]
    method: str

    @property
    def n_places(self) -> int:
        return len(self.values[0])

    def flat(self) -> Float[Tensor, "node"]:
        """All nodes of all parts, laid end to end."""
        return torch.cat([value.flatten() for value in self.values])

    def total(self, part: int) -> float:
        """The effects of all nodes of a part together."""
        return float(self.values[part].sum())

    def order(self, errors: bool = True) -> Tensor:
        """The numbers of active nodes, those first whose effect is largest in size; errors among them, or not."""
        allowed = self.active if errors else self.active.without_errors()
        open_to = torch.cat([mask.flatten() for mask in allowed.masks])
        order = self.flat().abs().where(open_to, -1.0).argsort(descending=True, stable=True)
        return order[: int(open_to.sum())]

    def top(self, n: int, errors: bool = True) -> NodeSet:
        """The `n` whose effects are largest in size, or all that are active."""
        return self.active.chosen(self.order(errors)[:n])

    def over(self, threshold: float, errors: bool = True) -> NodeSet:
        """All whose effect is larger in size than `threshold`."""
        order = self.order(errors)
        return self.active.chosen(order[self.flat()[order].abs() > threshold])

    def listed(self, nodes: NodeSet) -> tuple[FeatureNode, ...]:
        """`nodes` one by one, those with the largest effects first."""
        wanted = torch.cat([mask.flatten() for mask in nodes.masks])
        order = self.flat().abs().where(wanted, -1.0).argsort(descending=True, stable=True)[: int(wanted.sum())]
        return tuple(self._node(int(i)) for i in order)

    def of(self, node: FeatureNode) -> float:
        """One node's."""
        column = -1 if node.feature is None else node.feature
        return float(self.values[node.part][0 if node.position is None else node.position, column])

    def _node(self, number: int) -> FeatureNode:
        part = 0
        while number >= self.values[part].numel():
            number -= self.values[part].numel()
            part += 1
        n_features = self.parts[part].n_features
        place, column = divmod(number, n_features + 1)
        return FeatureNode(
            part,
            self.parts[part].writes,
            None if column == n_features else column,
            place if self.positions else None,
        )

"""What each measure of superposition says of one weight matrix, and whether it can be trusted there.

frobenius       |W|_F^2 / m                     a count only where all represented norms are 1
counted         represented features / m        a count by a threshold on relative norms
effective       participation ratio / m         a count without a threshold
per_feature     1 / mean D_i of those           by dimensionality: n / m for a tight frame
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.toys.capacity import dimensionality, effective_features, features_per_dimension, rank, represented

NEAR = 0.05
"""Measures that differ by less than this share are said to agree."""


@dataclass(frozen=True)
class Reading:
    """Features per dimension of one matrix by four measures, and what they rest on.

    shortest, longest   norms of the represented features
    capacity            sum of D_i, at most `rank`
    """

    frobenius: float
    counted: float
    effective: float
    per_feature: float
    n_represented: int
    shortest: float
    longest: float
    capacity: float
    rank: int

    @property
    def frobenius_holds(self) -> bool:
        """Whether the Frobenius measure is a count here: the represented norms are 1, within NEAR."""
        return abs(self.shortest - 1) <= NEAR and abs(self.longest - 1) <= NEAR

    @property
    def norms_are_equal(self) -> bool:
        return self.longest - self.shortest <= NEAR * self.longest

    @property
    def is_tight(self) -> bool:
        """Whether the features share their dimensions without loss: capacity reaches the rank."""
        return self.rank - self.capacity <= NEAR * self.rank

    def trust(self) -> tuple[str, ...]:
        """A sentence for each measure: when it can be trusted, and whether that holds here."""
        lengths = f"the {self.n_represented} represented directions have norms from {self.shortest:.3g} to "
        lengths += f"{self.longest:.3g}"
        frobenius = "holds" if self.frobenius_holds else "does not hold"
        equal = "hold" if self.norms_are_equal else "do not hold"
        tight = "they do" if self.is_tight else "they do not"
        return (
            f"|W|^2 / m counts features only where every represented direction has norm 1: this {frobenius}, "
            f"{lengths}. It says {self.frobenius:.3g} per dimension.",
            f"The count of represented features needs a threshold that no norm is near. It says {self.counted:.3g}.",
            "The participation ratio needs no threshold and no scale; it is a count where the represented norms are "
            f"equal and the others are 0: equal norms {equal}. It says {self.effective:.3g}.",
            "Dimensionality needs no scale; its mean is the inverse of features per dimension where the features use "
            f"all their dimensions without loss: {tight}, their capacity is {self.capacity:.3g} of "
            f"{self.rank}. It says {self.per_feature:.3g}.",
        )


def read(W: Float[Tensor, "m n"]) -> Reading:
    """The reading of one matrix. All counts are 0 where W is 0."""
    there, D = represented(W), dimensionality(W)
    norms, m = W.double().norm(dim=0)[there], W.shape[0]
    if not len(norms):
        return Reading(0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0)
    return Reading(
        frobenius=float(features_per_dimension(W)),
        counted=len(norms) / m,
        effective=float(effective_features(W)) / m,
        per_feature=float(1 / D[there].mean()),
        n_represented=len(norms),
        shortest=float(norms.min()),
        longest=float(norms.max()),
        capacity=float(D.sum()),
        rank=int(rank(W)),
    )


@dataclass(frozen=True)
class Rescaled:
    """What scaling one weight of a bias-free ReLU network by `factor` changes.

    answers          share of rows whose largest logit is another one
    frobenius        |W|^2 / m of that layer after, over before
    dimensionality   largest change of a D_i
    """

    factor: float
    answers: float
    frobenius: float
    dimensionality: float


def rescaled(
    weights: tuple[Float[Tensor, "_out _in"], ...], x: Float[Tensor, "row d"], layer: int, factor: float
) -> Rescaled:
    """Scale the weight of `layer` by `factor` > 0. A count of features must not change: the network says the same."""
    changed = tuple(W * factor if i == layer else W for i, W in enumerate(weights))
    before, after = (_logits(each, x).argmax(1) for each in (weights, changed))
    W, scaled = weights[layer], changed[layer]
    return Rescaled(
        factor=factor,
        answers=float((before != after).double().mean()),
        frobenius=float(features_per_dimension(scaled) / features_per_dimension(W)),
        dimensionality=float((dimensionality(scaled) - dimensionality(W)).abs().max()),
    )


def _logits(weights: tuple[Tensor, ...], x: Tensor) -> Tensor:
    for W in weights[:-1]:
        x = torch.relu(x @ W.T)
    return x @ weights[-1].T

"""Whether a head reads what an earlier head writes (Elhage et al. 2021, "A Mathematical Framework").

    score = |A B|_F / (|A|_F |B|_F)      A = W_V W_O of the earlier head
                                         B = W_Q W_K^T (Q-composition), W_K W_Q^T (K), W_V W_O (V) of the later one

Matrices are in the folded view, so that they read the residual stream itself; no product wider than d_head x d_head is
made for a pair. Random matrices of the same shapes have a score near 1 / sqrt(d_model): `baseline` draws them. A high
score means that what is written and what is read share directions, not that anything there is used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.heads.lowrank import LowRank, triangle
from monosema.circuits.heads.weights import HeadWeights, head_weights
from monosema.core.errors import MismatchError
from monosema.core.seeding import generator
from monosema.models import Model

Kind = Literal["Q", "K", "V"]
KINDS: tuple[Kind, ...] = ("Q", "K", "V")


@dataclass(frozen=True)
class Baseline:
    """Scores of Gaussian matrices of the same shapes: their mean, and the ends of the middle 95%."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Composition:
    """Scores by kind, [earlier layer, head, later layer, head]; NaN where the first is not earlier."""

    scores: Mapping[Kind, Float[Tensor, "layer head later reader"]]
    baseline: Baseline

    def strongest(self, kind: Kind, k: int) -> tuple[tuple[int, int, int, int, float], ...]:
        """The `k` highest scores of a kind: (earlier layer, head, later layer, head, score), the highest first."""
        scores = self.scores[kind]
        flat = scores.flatten().nan_to_num(-1.0)
        top = flat.topk(min(k, int((~scores.isnan()).sum())))
        places = torch.stack(torch.unravel_index(top.indices, scores.shape), 1).tolist()
        return tuple((a, b, c, d, value) for (a, b, c, d), value in zip(places, top.values.tolist(), strict=True))


def composition_score(first: LowRank, second: LowRank) -> float:
    """|first second|_F / (|first|_F |second|_F); 0 where either is zero. Raises MismatchError if they do not meet."""
    if first.shape[1] != second.shape[0]:
        raise MismatchError(f"a matrix of {first.shape} does not meet one of {second.shape}: their widths must agree")
    return float(_scores(first.left[None], first.right[None], second.left[None], second.right[None]))


@torch.no_grad()
def composition(model: Model, seed: int = 0, n_random: int = 200) -> Composition:
    """The scores of all pairs of heads. Raises ConfigError for a family whose heads are not known."""
    layers = [_wide(head_weights(model, layer, folded=True)) for layer in range(model.n_layers)]
    shape = (model.n_layers, model.n_heads, model.n_layers, model.n_heads)
    scores: dict[Kind, Tensor] = {kind: torch.full(shape, math.nan, dtype=torch.float64) for kind in KINDS}
    for later, reader in enumerate(layers):
        for kind in KINDS:
            left, right = reads(reader, kind)
            for earlier, writer in enumerate(layers[:later]):
                scores[kind][earlier, :, later] = _scores(writer.W_V, writer.W_O, left, right)
    return Composition(scores, baseline(model.d_model, model.d_head, seed, n_random))


def baseline(d_model: int, d_head: int, seed: int = 0, n: int = 200) -> Baseline:
    """Of `n` pairs of matrices whose factors have independent normal entries."""
    draws = generator(seed, "composition", d_model, d_head)
    shapes = ((1, d_model, d_head), (1, d_head, d_model)) * 2
    found = [
        float(_scores(*(torch.randn(shape, generator=draws, dtype=torch.float64) for shape in shapes)))
        for _ in range(n)
    ]
    values = torch.tensor(found, dtype=torch.float64)
    low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Baseline(float(values.mean()), low, high, n)


def reads(heads: HeadWeights, kind: Kind) -> tuple[Tensor, Tensor]:
    """The factors of what each head reads by its queries, its keys or its values: [head, d_model, d_head] first."""
    if kind == "V":
        return heads.W_V, heads.W_O
    first, second = (heads.W_Q, heads.W_K) if kind == "Q" else (heads.W_K, heads.W_Q)
    return first, second.transpose(1, 2)


def _wide(heads: HeadWeights) -> HeadWeights:
    return replace(
        heads, W_Q=heads.W_Q.double(), W_K=heads.W_K.double(), W_V=heads.W_V.double(), W_O=heads.W_O.double()
    )


def _scores(left: Tensor, right: Tensor, left_2: Tensor, right_2: Tensor) -> Float[Tensor, "writer reader"]:
    """Of all pairs of left right [writer, ...] and left_2 right_2 [reader, ...].

    With left = Q R and right_2^T = Q' S, |left right left_2 right_2| = |R (right left_2) S^T|: rotations keep norms.
    """
    R, S = triangle(left), triangle(right_2.transpose(1, 2)).transpose(1, 2)
    meets = torch.einsum("aed,bdf->abef", right, left_2)
    product = torch.linalg.norm(R[:, None] @ meets @ S[None], dim=(-2, -1))
    writes = torch.linalg.norm(R @ triangle(right.transpose(1, 2)).transpose(1, 2), dim=(-2, -1))
    taken = torch.linalg.norm(triangle(left_2) @ S, dim=(-2, -1))
    sizes = writes[:, None] * taken[None]
    return torch.where(sizes > 0, product / sizes.clamp(min=1e-300), 0.0)

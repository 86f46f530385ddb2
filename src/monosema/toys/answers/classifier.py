"""A small ReLU classifier without biases, trained to follow another one: what a measure of its layers is tried on."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import generator

WIDTHS = (8, 32, 32, 5)
STEPS, LR = 200, 0.01


@dataclass(frozen=True)
class Classifier:
    """weights: of every layer, [out, in]. x: the rows it is asked. how: what it learnt, in words."""

    weights: tuple[Float[Tensor, "_out _in"], ...]
    x: Float[Tensor, "row d"]
    how: str


def classifier(rows: int, seed: int) -> Classifier:
    """Trained on `rows` rows of normal noise with the labels of a random network of its kind."""
    random = generator(seed, "classifier")
    x, teacher, student = torch.randn(rows, WIDTHS[0], generator=random), _drawn(random), _drawn(random)
    labels = answers(teacher, x).argmax(1)
    for W in student:
        W.requires_grad_()
    adam = torch.optim.Adam(student, lr=LR)
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(answers(student, x), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
    weights = tuple(W.detach() for W in student)
    right = float((answers(weights, x).argmax(1) == labels).double().mean())
    common = float(torch.bincount(labels).amax() / rows)
    widths = "-".join(map(str, WIDTHS))
    how = f"a ReLU classifier {widths} without biases, right on {right:.0%} of {rows:,} rows (commonest: {common:.0%})"
    return Classifier(weights, x, how)


def answers(weights: "tuple[Tensor, ...]", x: Tensor) -> Float[Tensor, "row label"]:
    """The logits."""
    for W in weights[:-1]:
        x = torch.relu(x @ W.T)
    return x @ weights[-1].T


def _drawn(random: torch.Generator) -> tuple[Tensor, ...]:
    return tuple(torch.randn(out, d, generator=random) * (2 / d) ** 0.5 for d, out in pairwise(WIDTHS))

"""Ways to train many toy models of one kind: one after another, as courses teach it, and in our stack.

    loop       one model after the other: batches [row, n], autograd, torch.optim.Adam
    teaching   all at once as courses write it: batches [row, instance, n], einsum, two uniform draws for each feature,
               one torch.optim.Adam
    stacked    `monosema.toys.training`

All have the same model (tied, with bias), first weights, features, rates and number of steps, and draws of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.superposition import ToyConfig, Toys, initial
from monosema.toys.training import CHECK_STEP, ToyTrainConfig, descend, sampled_gradient

CHECK_ROWS = 16_384


@dataclass(frozen=True)
class Setting:
    """`n_models` models of n features in m dimensions; densities from 1 to 1/50, importances decay^i."""

    n: int
    m: int
    n_models: int = 64
    steps: int = 100
    batch: int = 1024
    lr: float = 0.01
    decay: float = 0.9
    seed: int = 0

    @property
    def name(self) -> str:
        return f"n={self.n} m={self.m}"

    @property
    def config(self) -> ToyConfig:
        return ToyConfig(n=self.n, m=self.m)

    def inputs(self) -> Inputs:
        density = 50.0 ** -torch.linspace(0, 1, self.n_models, dtype=torch.float64)
        return uniform_inputs(self.n_models, self.n, density, self.decay)

    def first(self) -> Toys:
        return initial(self.config, self.n_models, self.seed)


def loss_of(toys: Toys, setting: Setting) -> float:
    """The mean loss of the models, on the same fresh rows for all contenders."""
    inputs = setting.inputs()
    return float(toys.losses(inputs.draw(CHECK_ROWS, setting.seed, CHECK_STEP), inputs).sum(1).mean())


def loop(setting: Setting) -> Toys:
    """Every model on its own."""
    inputs, first = setting.inputs(), setting.first()
    trained = []
    for p, importance, W, b in zip(
        inputs.probability.float(), inputs.importance.float(), first.W_in, first.b, strict=True
    ):
        W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
        adam = torch.optim.Adam([W, b], lr=setting.lr)
        for _ in range(setting.steps):
            shape = (setting.batch, setting.n)
            x = torch.where(torch.rand(shape) < p, torch.rand(shape), 0.0)
            y = torch.relu(x @ W.T @ W + b)
            loss = (importance * (x - y) ** 2).sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        trained.append((W.detach(), b.detach()))
    W, b = (torch.stack(parts) for parts in zip(*trained, strict=True))
    return Toys(setting.config, W, W, b)


def teaching(setting: Setting) -> Toys:
    """The layout that courses use."""
    inputs, first = setting.inputs(), setting.first()
    p, importance = inputs.probability.float(), inputs.importance.float()
    W, b = first.W_in.clone().requires_grad_(), first.b.clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=setting.lr)
    for _ in range(setting.steps):
        shape = (setting.batch, setting.n_models, setting.n)
        sizes, seeds = torch.rand(shape), torch.rand(shape)
        features = torch.where(seeds <= p, sizes, 0.0)
        hidden = torch.einsum("imn,rin->rim", W, features)
        out = torch.einsum("imn,rim->rin", W, hidden)
        out = torch.nn.functional.relu(out + b)
        loss = (importance * (features - out) ** 2).sum(2).mean(0).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return Toys(setting.config, W.detach(), W.detach(), b.detach())


def stacked(setting: Setting) -> Toys:
    """Ours."""
    training = ToyTrainConfig(steps=setting.steps, batch=setting.batch, lr=setting.lr, seed=setting.seed)
    toys = setting.first()
    descend(toys, sampled_gradient(setting.inputs(), training), training)
    return toys


CONTENDERS: dict[str, Callable[[Setting], Toys]] = {"loop": loop, "teaching": teaching, "stacked": stacked}

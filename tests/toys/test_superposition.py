"""Toy models: gradients against autograd, stacks against single models, and what each variant is known to learn."""

import pytest
import torch

from monosema.core.errors import ConfigError, DivergedError
from monosema.toys.geometry import cosines, recognise
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.superposition import ToyConfig, initial
from monosema.toys.training import ToyTrainConfig, gradient_on, sampled_gradient, train

KINDS = {
    "tied": ToyConfig(n=6, m=3),
    "untied": ToyConfig(n=6, m=3, tied=False),
    "neurons": ToyConfig(n=6, m=3, neurons=True),
    "absolute": ToyConfig(n=6, m=4, neurons=True, tied=False, absolute=True),
}


def inputs_for(config: ToyConfig, n_instances: int = 3, p: float = 0.3) -> Inputs:
    importance = torch.arange(1.0, config.n + 1).expand(n_instances, config.n)
    return Inputs(torch.full((n_instances, config.n), p), importance, signed=config.absolute)


@pytest.mark.parametrize("kind", KINDS)
def test_the_written_out_gradient_is_that_of_the_loss(kind: str):
    config, training = KINDS[kind], ToyTrainConfig(batch=128, seed=4)
    inputs, toys = inputs_for(config), initial(config, 3, seed=1)
    toys.b.copy_(torch.linspace(-0.2, 0.3, 18).view(3, 6))
    found = sampled_gradient(inputs, training)(toys, 7)
    leaves = [toys.W_in, toys.b] if config.tied else [toys.W_in, toys.W_out, toys.b]
    for leaf in leaves:
        leaf.requires_grad_()
    toys.losses(inputs.draw(128, 4, 7), inputs).sum().backward()
    for own, leaf in zip(found, leaves, strict=True):
        assert leaf.grad is not None
        assert torch.allclose(own, leaf.grad, atol=1e-6)


def test_a_model_is_the_same_in_a_stack_and_alone():
    config, training = ToyConfig(), ToyTrainConfig(steps=50, lr=0.01)
    stack = train(config, uniform_inputs(5, 5, torch.linspace(0.1, 0.5, 5)), training)
    alone = train(config, uniform_inputs(1, 5, 0.1), training)
    assert torch.allclose(stack.toys.W_in[0], alone.toys.W_in[0], atol=1e-5)
    assert float(stack.loss[0]) == pytest.approx(float(alone.loss[0]), rel=1e-4)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    inputs = uniform_inputs(2, 5, 0.2)
    runs = [train(ToyConfig(), inputs, ToyTrainConfig(steps=20, seed=seed)) for seed in (0, 0, 1)]
    assert torch.equal(runs[0].toys.W_in, runs[1].toys.W_in)
    assert not torch.equal(runs[0].toys.W_in, runs[2].toys.W_in)


def test_snapshots_begin_before_the_first_step_and_end_at_the_last():
    run = train(ToyConfig(), uniform_inputs(2, 5, 0.2), ToyTrainConfig(steps=30, snapshots=5))
    steps = [step for step, _ in run.snapshots]
    assert steps[0] == 0 and steps[-1] == 30 and steps == sorted(set(steps))
    assert torch.equal(run.snapshots[0][1].W_in, initial(ToyConfig(), 2, 0).W_in)
    assert torch.equal(run.snapshots[-1][1].W_in, run.toys.W_in)


def test_without_bias_there_is_none():
    config = ToyConfig(bias=False)
    run = train(config, uniform_inputs(2, 5, 0.2), ToyTrainConfig(steps=10))
    assert not run.toys.b.any()


def test_a_dense_model_keeps_the_most_important_features_and_a_sparse_one_all():
    # Elhage et al. 2022, figure 2: no superposition at density 1, a pentagon when features are sparse.
    training = ToyTrainConfig(steps=1500, lr=0.01, last_lr=0.0)
    run = train(ToyConfig(), uniform_inputs(2, 5, torch.tensor([1.0, 0.02]), 0.9), training)
    dense, sparse = (recognise(W) for W in run.toys.W_in)
    assert dense.name == "2 x own dimension" and dense.dropped == (2, 3, 4)
    assert sparse.name == "pentagon" and not sparse.dropped


@pytest.mark.slow
def test_anticorrelated_features_lie_opposite_and_correlated_ones_do_not():
    # Elhage et al. 2022, "anticorrelated features prefer to be antipodal"; correlated ones prefer to be orthogonal.
    p, one = torch.full((8, 4), 0.1), torch.ones(8, 4)
    training = ToyTrainConfig(steps=1500, lr=0.01, last_lr=0.0)
    partners = {}
    for kind in ("correlated", "anticorrelated"):
        run = train(ToyConfig(n=4, m=2), Inputs(p, one, **{kind: 2}), training)
        partners[kind] = cosines(run.toys.W_in[run.loss.argmin()])[[0, 2], [1, 3]].tolist()
    assert partners["anticorrelated"] == pytest.approx([-1, -1], abs=0.01)
    assert partners["correlated"] == pytest.approx([0, 0], abs=0.1)


def test_two_neurons_hold_the_absolute_value_of_a_feature():
    config = ToyConfig(n=1, m=2, tied=False, neurons=True, absolute=True)
    inputs = Inputs(torch.ones(1, 1), torch.ones(1, 1), signed=True)
    toys = initial(config, 1, 0)
    toys.W_in.copy_(torch.tensor([[[1.0], [-1.0]]]))
    toys.W_out.copy_(torch.tensor([[[1.0], [1.0]]]))
    x = inputs.draw(100, 0, 0)
    assert float(toys.losses(x, inputs).sum()) < 1e-14
    assert all(float(slope.abs().max()) < 1e-6 for slope in gradient_on(toys, x, torch.ones(1, 1, 1)))


@pytest.mark.slow
def test_the_absolute_value_is_learnt_with_two_neurons_a_feature_and_not_with_one():
    inputs = Inputs(torch.full((8, 2), 0.5), torch.ones(8, 2), signed=True)
    losses = {}
    for m in (2, 6):
        config = ToyConfig(n=2, m=m, tied=False, neurons=True, absolute=True)
        losses[m] = float(train(config, inputs, ToyTrainConfig(steps=1500, lr=0.01, last_lr=0.0)).loss.min())
    assert losses[6] < 1e-4 < 0.03 < losses[2]


@pytest.mark.parametrize(
    "config, message",
    [
        (lambda: ToyConfig(absolute=True), "give tied=false, and neurons=true"),
        (lambda: train(ToyConfig(n=4), uniform_inputs(1, 5, 0.1), ToyTrainConfig(steps=1)), "have 5 features"),
        (
            lambda: train(KINDS["absolute"], uniform_inputs(1, 6, 0.1), ToyTrainConfig(steps=1)),
            r"needs features in \[-1, 1\]",
        ),
    ],
)
def test_what_cannot_work_is_refused(config, message: str):
    with pytest.raises(ConfigError, match=message):
        config()


def test_a_run_that_diverges_says_so():
    inputs = Inputs(torch.ones(1, 5), torch.full((1, 5), float("inf")))
    with pytest.raises(DivergedError, match="lower lr"):
        train(ToyConfig(), inputs, ToyTrainConfig(steps=3))

"""What neurons do, read off weights written by hand, and what |x| costs those that cannot compute it."""

import pytest
import torch

from monosema.toys.inputs import Inputs
from monosema.toys.neurons import affine_loss, asymmetry, lead, monosemantic, silent, train_outputs
from monosema.toys.superposition import ToyConfig, Toys, initial
from monosema.toys.training import ToyTrainConfig, train

ABSOLUTE = ToyConfig(n=2, m=4, tied=False, neurons=True, absolute=True)


def signed(n: int, p: float, n_instances: int = 1) -> Inputs:
    return Inputs(torch.full((n_instances, n), p), torch.ones(n_instances, n), signed=True)


def by_hand() -> Toys:
    # Neuron 0 serves feature 0; 1 is shared, twice as far in for feature 0 and twice as far out for feature 1;
    # 2 is shared evenly; 3 does next to nothing.
    W_in = torch.tensor([[[1.0, 0.1], [2.0, 0.5], [1.0, 1.0], [0.2, 0.0]]])
    W_out = torch.tensor([[[1.0, 0.1], [0.5, 2.0], [1.0, 1.0], [0.2, 0.0]]])
    return Toys(ABSOLUTE, W_in, W_out, torch.zeros(1, 2))


def test_neurons_written_by_hand():
    toys = by_hand()
    assert lead(toys).tolist() == [pytest.approx([1 / 1.01, 0.5, 0.5, 1.0])]
    assert silent(toys).tolist() == [[False, False, False, True]]
    assert monosemantic(toys).tolist() == pytest.approx([1 / 3])
    # Neuron 1: 2 * 2 one way, .5 * .5 the other: 16. Neuron 2: 1. The geometric mean is 4.
    assert asymmetry(toys).tolist() == pytest.approx([4.0])


def test_tied_weights_are_even():
    assert asymmetry(initial(ToyConfig(n=6, m=4), 3, 0)).tolist() == pytest.approx([1.0] * 3)


def test_a_scale_moved_from_outputs_to_inputs_changes_nothing():
    toys = by_hand()
    moved = Toys(ABSOLUTE, 3 * toys.W_in, toys.W_out / 3, toys.b)
    assert torch.allclose(monosemantic(moved), monosemantic(toys))
    assert torch.allclose(asymmetry(moved), asymmetry(toys))


@pytest.mark.parametrize("p", [0.1, 1.0])
def test_no_affine_map_of_x_is_better_than_the_mean(p: float):
    inputs = signed(1, p)
    x = inputs.draw(200_000, 0, 0)[0, 0].double()
    A = torch.stack([x, torch.ones_like(x)], 1)
    fitted = A @ torch.linalg.lstsq(A, x.abs()[:, None]).solution
    assert float(affine_loss(inputs)) == pytest.approx(float((x.abs() - fitted[:, 0]).square().mean()), rel=0.02)


def test_random_neurons_stay_as_they_were_and_their_outputs_learn():
    training = ToyTrainConfig(steps=300, lr=0.01, batch=256)
    inputs = signed(2, 0.3, 2)
    toys, loss = train_outputs(ABSOLUTE, inputs, training)
    before = initial(ABSOLUTE, 2, training.seed)
    assert torch.equal(toys.W_in, before.W_in)
    x = inputs.draw(4096, 1, 0)
    assert bool((loss < 0.8 * before.losses(x, inputs).sum(1)).all())


@pytest.mark.slow
def test_without_a_hidden_relu_at_most_half_of_a_sparse_absolute_value_is_told():
    # The output's ReLU answers one sign of x and is silent at the other: half of p/3, and a little less by its bias.
    inputs = signed(2, 0.05, 4)
    training = ToyTrainConfig(steps=1500, lr=0.01, last_lr=0.0)
    losses = {
        neurons: train(ToyConfig(n=2, m=4, tied=False, neurons=neurons, absolute=True), inputs, training).loss.min()
        for neurons in (True, False)
    }
    share = {neurons: float(loss / affine_loss(inputs)[0]) for neurons, loss in losses.items()}
    assert share[False] == pytest.approx(0.5, abs=0.04)
    assert share[True] < 0.05

"""What the neurons of a toy model do: which serve one feature only, and how lopsided those are that serve two.

use_ki         |W_in_ki W_out_ki|: how much of feature i neuron k passes on to i's own output
lead_k         the largest share of a feature in neuron k's uses
monosemantic   lead_k of at least MOST; a neuron whose uses are all small beside another's is silent, and neither
asymmetry_k    of the two features i, j that neuron k is used for most: |W_in_ki W_out_kj| over |W_in_kj W_out_ki|,
               or its inverse, whichever is larger: 1 for tied weights (Elhage et al. 2022, asymmetric superposition)

answers of |x|, x in [-1, 1] with probability p, else 0: the best affine map of x is the mean p/2, since x and |x|
are uncorrelated; its loss is p/3 - p^2/4
"""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from monosema.toys.inputs import Inputs
from monosema.toys.superposition import ToyConfig, Toys, initial
from monosema.toys.training import ToyTrainConfig, descend, measured_losses, sampled_gradient

MOST = 0.9
SILENT = 0.1
"""A neuron used for less than this share of what the model's most used one is used for is silent."""


def uses(toys: Toys) -> Float64[Tensor, "instance m n"]:
    """How much of each feature each neuron passes on."""
    return (toys.W_in.double() * toys.W_out.double()).abs()


def silent(toys: Toys) -> Bool[Tensor, "instance m"]:
    """Neurons that pass on next to nothing."""
    total = uses(toys).sum(2)
    return total <= SILENT * total.amax(1, keepdim=True)


def lead(toys: Toys) -> Float64[Tensor, "instance m"]:
    """The share of the feature that each neuron is used for most; 0 of a neuron without any use."""
    use = uses(toys)
    return use.amax(2) / use.sum(2).clamp(min=torch.finfo(torch.float64).tiny)


def monosemantic(toys: Toys) -> Float64[Tensor, "instance"]:
    """The share of each model's neurons that are not silent and serve one feature."""
    speaks = ~silent(toys)
    return ((lead(toys) >= MOST) & speaks).double().sum(1) / speaks.double().sum(1)


def asymmetry(toys: Toys) -> Float64[Tensor, "instance"]:
    """The geometric mean over each model's neurons that serve several features; 1 where there are none."""
    use = uses(toys)
    i, j = use.topk(2, dim=2).indices.unbind(2)
    several = ~silent(toys) & (lead(toys) < MOST)
    a, b = (
        _at(toys.W_in, source) * _at(toys.W_out, sink) for source, sink in ((i, j), (j, i))
    )  # what each of the two does to the other's output
    ratio = (a.log() - b.log()).abs().where(several, 0.0)
    return (ratio.sum(1) / several.double().sum(1).clamp(min=1)).exp()


def _at(W: Float[Tensor, "instance m n"], feature: Tensor) -> Float64[Tensor, "instance m"]:
    return W.double().abs().gather(2, feature[..., None])[..., 0]


def affine_loss(inputs: Inputs) -> Float64[Tensor, "instance"]:
    """The loss of the best affine map of x to |x|."""
    p = inputs.probability.double()
    return (inputs.importance.double() * (p / 3 - p * p / 4)).sum(1)


def train_outputs(
    config: ToyConfig, inputs: Inputs, training: ToyTrainConfig
) -> tuple[Toys, Float64[Tensor, "instance"]]:
    """Untied models whose input weights stay as they were drawn, and their losses: neurons that nothing taught."""
    toys = initial(config, len(inputs), training.seed)
    gradient = sampled_gradient(inputs, training)

    def outputs_only(model: Toys, step: int) -> tuple[Tensor, ...]:
        by_in, *others = gradient(model, step)
        return torch.zeros_like(by_in), *others

    descend(toys, outputs_only, training)
    return toys, measured_losses(toys, inputs, training).sum(1)

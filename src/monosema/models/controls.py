"""The same model with nothing learned in it: what a measurement must be compared with.

    redraw    every tensor drawn from a normal of the tensor's own mean and deviation
    permute   the entries of every tensor in random order: the same numbers in other places
    reinit    what training starts from: transformers' own initialisation of the config

Redrawing is the control of Heap, Lawson, Farnik and Aitchison (2025, arXiv:2501.17727), on which
autoencoders looked as interpretable as on the trained model. Departure: each draw is shifted and
scaled so that its mean and deviation are the tensor's to rounding, not only in expectation, because
a small tensor's would wander. Every tensor is treated alike, norm gains and biases too: a gain that
is one throughout stays so, a trained one is shuffled or redrawn around its mean.
"""

import copy
from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import ConfigError, unknown
from monosema.core.seeding import derive, generator
from monosema.models.loading import wrap
from monosema.models.model import Model
from monosema.models.quiet import quiet

HOW = ("redraw", "permute", "reinit")
"""The ways to take out what was learned."""


def randomised(
    model: Model,
    how: Literal["redraw", "permute", "reinit"] = "redraw",
    seed: int = 0,
    keep_embeddings: bool = False,
) -> Model:
    """A copy of `model` with its weights randomised; the original is untouched, tied weights stay tied.

    The draw for a tensor depends on the seed and the tensor's name alone. With `keep_embeddings`
    the token and position embeddings and the unembedding keep every bit. Raises ConfigError for an
    unknown `how`.
    """
    if how not in HOW:
        raise ConfigError(unknown("way to randomise", how, HOW))
    module = _fresh(model, seed) if how == "reinit" else copy.deepcopy(model.module)
    kept = {id(p) for p in _embeddings(model, module)} if keep_embeddings else set()
    originals = dict(model.module.named_parameters())
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if id(parameter) in kept:
                parameter.copy_(originals[name])
            elif how == "redraw":
                parameter.copy_(_redrawn(parameter, generator(seed, "redraw", name)))
            elif how == "permute":
                parameter.copy_(_permuted(parameter, generator(seed, "permute", name)))
    kept_note = ", embeddings kept" if keep_embeddings else ""
    return wrap(module, f"{model.name} ({how}, seed {seed}{kept_note})")


def _fresh(model: Model, seed: int) -> torch.nn.Module:
    original: Any = model.module
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "reinit"))
        module = type(original)(copy.deepcopy(original.config))
    module.requires_grad_(any(p.requires_grad for p in original.parameters()))
    return module.eval().to(model.device, model.dtype)


def _embeddings(model: Model, module: torch.nn.Module) -> Iterator[torch.nn.Parameter]:
    yield from module.get_submodule(model.family.unembed).parameters()
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            yield from part.parameters()


def _redrawn(weight: Float[Tensor, "*shape"], draws: torch.Generator) -> Float[Tensor, "*shape"]:
    values = weight.float()
    if weight.numel() == 0:
        return values
    z = torch.randn(weight.shape, generator=draws).to(weight.device)
    (deviation, mean), (spread, centre) = _moments(values), _moments(z)
    if spread == 0:
        return values
    return (z - centre) * (deviation / spread) + mean


def _moments(values: Float[Tensor, "*shape"]) -> tuple[float, float]:
    """(deviation, mean), by numpy: it sums in one order, where torch's depends on the number of threads."""
    numbers = values.detach().double().cpu().numpy()
    return float(numbers.std()), float(numbers.mean())


def _permuted(weight: Float[Tensor, "*shape"], draws: torch.Generator) -> Float[Tensor, "*shape"]:
    order = torch.randperm(weight.numel(), generator=draws).to(weight.device)
    return weight.flatten()[order].view(weight.shape)

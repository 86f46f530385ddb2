"""Circuits where there is nothing to find: of dictionaries that learned nothing, and of random nodes."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits.features.nodes import FeatureEffects, NodeSet
from monosema.circuits.features.parts import Part
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.evaluation.random_decoder import random_decoder, why_undefined
from monosema.models import Model

WHAT = "dictionaries in which nothing is learned"


def unlearned(
    model: Model, parts: Sequence[Part], tokens: Int64[Tensor, "prompt token"], seed: int = 0
) -> tuple[Part, ...]:
    """Each part with another dictionary: random directions of the same norms that fire as often on `tokens`; for a
    transcoder, of whose sites the one has no counterpart in the other, its own with each feature writing what another
    one wrote."""
    return tuple(
        part if part.dictionary is None else replace(part, dictionary=_unlearned(model, part.dictionary, tokens, seed))
        for part in parts
    )


def _unlearned(model: Model, dictionary: Dictionary, tokens: Tensor, seed: int) -> Dictionary:
    if not why_undefined(dictionary):
        site = model.resolve(dictionary.reads[0])
        x = model.run(tokens, [site])[site].flatten(2).flatten(0, 1)
        return random_decoder(_in_float32(dictionary), x, seed).to(str(dictionary.W_dec.device))
    draws = generator(seed, "decoder rows", dictionary.writes[0])
    dealt = torch.randperm(dictionary.n_features, generator=draws).to(dictionary.W_dec.device)
    weights = replace(dictionary.weights, W_enc=dictionary.W_enc, W_dec=dictionary.W_dec[dealt])
    return replace(dictionary, weights=weights)


def _in_float32(dictionary: Dictionary) -> Dictionary:
    tensors = {name: tensor.detach().float() for name, tensor in dictionary.weights.named().items()}
    return replace(dictionary, weights=dictionary.weights.replaced(tensors))


def random_nodes(effects: FeatureEffects, size: int, n: int, seed: int = 0, errors: bool = True) -> list[NodeSet]:
    """`n` sets of `size` active nodes, errors among them or not."""
    draws, order = generator(seed, "random nodes", size), effects.order(errors)
    return [effects.active.chosen(order[torch.randperm(len(order), generator=draws)[:size]]) for _ in range(n)]

"""A pass that begins at a layer: the layers before it hand on what they are given, uncomputed.

    with passing_through(model, 3):
        model.run(tokens, read=["logits"], edits=[Edit("resid_pre.3", lambda _: kept)])

The model itself goes on embedding tokens and making masks and rotary angles, so that every later layer
is called exactly as it always is; only the first layers' own work is left out.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from monosema.models.model import Edit, Model


@contextmanager
def passing_through(model: Model, n_layers: int) -> Iterator[None]:
    """Within it the first `n_layers` layers of `model`, which has one stack, return what they are given."""
    layers = [model.module.get_submodule(f"{model.family.layers}.{i}") for i in range(n_layers)]
    with ExitStack() as restored:
        for layer in layers:
            own = layer.__dict__.get("forward")
            layer.__dict__["forward"] = _handed_on
            restored.callback(_restore, layer, own)
        yield


def _handed_on(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
    return hidden_states


def _restore(layer: torch.nn.Module, own: Any) -> None:
    if own is None:
        del layer.__dict__["forward"]
    else:
        layer.__dict__["forward"] = own


def resumes_exactly(model: Model, layer: int) -> bool:
    """Whether a pass that begins at `layer` with what was there gives the same last residual stream as
    a whole pass, bit for bit, on a few tokens."""
    if "" not in model.stacks:
        return False  # a decoder's layers are given more than a stream
    length = min(6, model.n_context)
    tokens = torch.arange(2 * length).view(2, length) * 7 % model.d_vocab
    last, first = f"resid_post.{model.n_layers - 1}", f"resid_pre.{layer}"
    with torch.no_grad():
        whole = model.run(tokens, read=[first, last])
        with passing_through(model, layer):
            again = model.run(tokens, read=[last], edits=[Edit(first, lambda _: whole[first])])
    return torch.equal(again[last], whole[last])

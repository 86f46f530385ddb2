"""What happens inside attention, through transformers' AttentionInterface.

    q, k, v (after rotary) --> pattern [batch, head, query, key] --> z = pattern @ v  [batch, seq, head, d_head]

One function is registered with transformers under our name. It calls the eager attention function
of the file that the model's own attention class is in, hands q, k, v, the pattern and z to whoever
taps that layer, and multiplies the pattern by v again only when the pattern was changed. Under the
eager mask, so that it computes what `attn_implementation="eager"` computes, bit for bit.

Fused attention (torch's scaled_dot_product_attention) makes no pattern: the same to rounding, in less
time and memory, where nothing inside attention is asked for.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from monosema.core.errors import MismatchError

Taps = Mapping[torch.nn.Module, Callable[[str, Tensor], Tensor]]
"""For each attention module that is tapped: takes a part (q, k, v, pattern, z) and its value, returns the value to go
on with."""

NAME = "monosema"
"""Our name in transformers' registries of attention functions and masks."""

_taps: ContextVar[Taps] = ContextVar("taps")


def eager_function(attention: torch.nn.Module) -> Callable[..., tuple[Tensor, Tensor]]:
    """The eager attention function of the model file that `attention` is written in.

    Raises MismatchError when that file has none: the model does not use the AttentionInterface.
    """
    file = sys.modules[type(attention).__module__]
    if "eager_attention_forward" not in vars(file):
        raise MismatchError(f"{type(attention).__name__} does not go through transformers' AttentionInterface")
    return vars(file)["eager_attention_forward"]


@contextmanager
def implementation(module: torch.nn.Module, taps: Taps, *, fused: bool = False) -> Iterator[None]:
    """Within it `module` computes attention through `taps` if there are any, else fused or eagerly; afterwards as
    before."""
    configs = _configs(module)
    before = [config._attn_implementation for config in configs]
    token = _taps.set(taps)
    if taps:
        _register()
    for config in configs:
        config._attn_implementation = NAME if taps else "sdpa" if fused else "eager"
    try:
        yield
    finally:
        for config, own in zip(configs, before, strict=True):
            config._attn_implementation = own
        _taps.reset(token)


def _configs(module: torch.nn.Module) -> list[Any]:
    """The configs that say how attention is computed: the model's, and those of an encoder's and a decoder's own."""
    found: dict[int, Any] = {}
    for part in (module, *module.children()):
        if "config" in vars(part):
            found[id(part.config)] = part.config
    return list(found.values())


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, eager_mask)


def _attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """The eager attention of `module`'s file, tapped. Transformers hands q, k, v as [batch, head, seq,
    d_head] (k and v with as many heads as the model has keys) and expects z as [batch, seq, head, d_head].
    What it adds to the scores (T5's position bias) comes in `kwargs` and is in the pattern."""
    eager = eager_function(module)
    if module not in (taps := _taps.get()):
        return eager(module, query, key, value, attention_mask, **kwargs)
    tap = taps[module]
    query = tap("q", query.transpose(1, 2)).transpose(1, 2)
    key = tap("k", key.transpose(1, 2)).transpose(1, 2)
    value = tap("v", value.transpose(1, 2)).transpose(1, 2)
    z, pattern = eager(module, query, key, value, attention_mask, **kwargs)
    edited = tap("pattern", pattern)
    if edited is not pattern:
        groups = query.shape[1] // value.shape[1]
        repeated = value if groups == 1 else value.repeat_interleave(groups, dim=1)
        z = torch.matmul(edited, repeated).transpose(1, 2).contiguous()
    return tap("z", z), edited

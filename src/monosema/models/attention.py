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

Taps = Mapping[torch.nn.Module, Mapping[str, Callable[[Tensor], Tensor]]]
"""For each attention module that is tapped, by part (q, k, v, pattern, z): takes its value, returns the one to go on
with. Parts that are not named are left alone."""

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
    wanted = NAME if taps else "sdpa" if fused else "eager"
    others = [(config, own) for config in _configs(module) if (own := config._attn_implementation) != wanted]
    token = _taps.set(taps)
    if taps:
        _register()
    for config, _ in others:
        config._attn_implementation = wanted
    try:
        yield
    finally:
        for config, own in others:
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
    taps = _taps.get().get(module, {})
    if "q" in taps:
        query = taps["q"](query.transpose(1, 2)).transpose(1, 2)
    if "k" in taps:
        key = taps["k"](key.transpose(1, 2)).transpose(1, 2)
    if "v" in taps:
        value = taps["v"](value.transpose(1, 2)).transpose(1, 2)
    z, pattern = eager(module, query, key, value, attention_mask, **kwargs)
    if "pattern" in taps and (edited := taps["pattern"](pattern)) is not pattern:
        pattern = edited
        groups = query.shape[1] // value.shape[1]
        repeated = value if groups == 1 else value.repeat_interleave(groups, dim=1)
        z = torch.matmul(pattern, repeated).transpose(1, 2).contiguous()
    return taps["z"](z) if "z" in taps else z, pattern

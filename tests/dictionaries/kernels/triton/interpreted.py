"""What runs in the process that interprets kernels: Triton reads TRITON_INTERPRET once, when it is imported."""

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import install_import_hook
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes


@dataclass(frozen=True)
class Wish:
    """A selection with its plan spelled out: `number` is k, a threshold or a total."""

    kind: Literal["topk", "above", "batch"]
    capacity: int
    sample: int = 0
    rank: int = 0
    floor: float = 0.0
    precision: Literal["bf16", "f32"] = "bf16"


def begin() -> None:
    """Make this process one that interprets, with shapes and types enforced."""
    os.environ["TRITON_INTERPRET"] = "1"
    install_import_hook(["monosema.dictionaries.kernels.triton", "monosema.dictionaries.codes"], "beartype.beartype")
    torch.set_num_threads(1)


def call(name: str, *arguments: Any) -> Any:
    """A function of the backend."""
    from monosema.dictionaries.kernels import triton as backend

    return packed(getattr(backend, name)(*map(unpacked, arguments)))


def select(wish: Wish, *problem: Any) -> tuple[Any, int]:
    """A selection as wished, from x, W_enc, b_enc and a number; and how many rows were done again."""
    from monosema.dictionaries.kernels.triton import plan, score
    from monosema.dictionaries.kernels.triton import select as module

    x, W_enc, b_enc, number = map(unpacked, problem)
    tile = plan.Tile(16, 64, 16, 1, 1)
    encoder = score.Encoder.of(W_enc, b_enc, tile, wish.precision)
    how = plan.Plan(wish.capacity, wish.sample, wish.rank)
    if wish.kind == "topk":
        done = module.topk_by_plan(x, encoder, number, how)
    elif wish.kind == "above":
        done = module.above_by_plan(x, encoder, number, how)
    else:
        done = module.batch_topk_by_plan(x, encoder, number, wish.floor, how)
    return packed(done.codes), done.redone


def packed(thing: Any) -> Any:
    """Tensors as arrays, which travel between processes by value."""
    if isinstance(thing, Tensor):
        return thing.numpy()
    if isinstance(thing, SparseCodes):
        return tuple(map(packed, (thing.indices, thing.values, thing.offsets))), thing.n_features
    return thing


def unpacked(thing: Any) -> Any:
    """The reverse of `packed`."""
    if isinstance(thing, np.ndarray):
        return torch.from_numpy(thing.copy())
    if isinstance(thing, tuple):
        return SparseCodes(*map(unpacked, thing[0]), thing[1])
    return thing

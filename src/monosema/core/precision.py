"""Float32 products as fast as the machine makes them without loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

SUMS = 2**-22
"""Relative error of a float32 sum, a coordinate: four units of roundoff."""


@contextmanager
def float32_products(device: str) -> Iterator[None]:
    """Within it, products of float32 tensors on `device` ("cpu", "cuda") are of float32 accuracy, in the
    fastest of torch's modes that keeps it.

    `torch.set_float32_matmul_precision` is a setting of the whole process. "medium" costs nothing in accuracy
    on some processors and is faster there, but multiplies in bfloat16 on others: it is tried once.
    """
    before, mode = torch.get_float32_matmul_precision(), _float32_mode(device)
    if before == mode:
        yield
        return
    torch.set_float32_matmul_precision(mode)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@cache
def _float32_mode(device: str) -> str:
    return "medium" if keeps_float32(device, "medium") else "highest"


def keeps_float32(device: str, mode: str) -> bool:
    """Whether products in this mode of torch's are off by no more than float32 sums are."""
    generator = torch.Generator().manual_seed(0)
    x, W = (torch.randn(n, 512, generator=generator) for n in (64, 256))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(mode)
    product = (x.to(device) @ W.to(device).T).double().cpu()
    torch.set_float32_matmul_precision(before)
    exact, sizes = x.double() @ W.double().T, x.double().norm(dim=1)[:, None] * W.double().norm(dim=1)
    return bool(((product - exact).abs() <= SUMS * sizes).all())

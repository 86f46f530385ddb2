"""Which code runs a kernel: chosen by the device of the tensors and by what is installed.

    plain      torch's own operations; any device, any precision
    compiled   loops compiled by numba; CPU, float32
    triton     fused kernels; CUDA, float32

All give the same selections, and the same sums to rounding. MONOSEMA_KERNELS names one to use for all.
"""

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from monosema.core.errors import ConfigError, unknown
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels.adam import AdamStep


@runtime_checkable
class Backend(Protocol):
    """The kernels of one backend; `monosema.dictionaries.kernels` says what each does."""

    def select_topk(self, x: Tensor, W_enc: Tensor, b_enc: Tensor, k: int) -> SparseCodes: ...
    def select_above(self, x: Tensor, W_enc: Tensor, b_enc: Tensor, threshold: Tensor | float) -> SparseCodes: ...
    def select_batch_topk(self, x: Tensor, W_enc: Tensor, b_enc: Tensor, total: int) -> SparseCodes: ...
    def sum_by_row(self, codes: SparseCodes, table: Tensor) -> Tensor: ...
    def sum_by_feature(self, codes: SparseCodes, rows: Tensor) -> Tensor: ...
    def products(self, codes: SparseCodes, left: Tensor, right: Tensor) -> Tensor: ...
    def residual(self, codes: SparseCodes, W_dec: Tensor, b_dec: Tensor, y: Tensor) -> tuple[Tensor, Tensor]: ...
    def perpendicular(self, W: Tensor, gradient: Tensor) -> Tensor: ...
    def squared_norm(self, gradient: Tensor) -> Tensor: ...
    def adam(
        self, W: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], step: AdamStep, *, unit: bool
    ) -> None: ...


NEEDS = {"plain": "torch", "compiled": "numba", "triton": "triton"}
"""Every backend, and the package that it needs."""


def backend_for(tensor: Tensor) -> Backend:
    """The backend for tensors like this one. Raises ConfigError when MONOSEMA_KERNELS names none, or one
    whose package is not installed."""
    return _loaded(backend_name(tensor.device.type, tensor.dtype))


def backend_name(device: str, dtype: torch.dtype = torch.float32) -> str:
    """The name of the backend for `device` ("cpu", "cuda"), for provenance."""
    wanted = os.environ.get("MONOSEMA_KERNELS", "auto")
    if wanted != "auto":
        return _checked(wanted)
    fast = {"cpu": "compiled", "cuda": "triton"}.get(device, "plain")
    return fast if dtype is torch.float32 and _installed(fast) else "plain"


def _checked(name: str) -> str:
    if name not in NEEDS:
        raise ConfigError(f"MONOSEMA_KERNELS: {unknown('backend', name, ['auto', *NEEDS])}")
    if not _installed(name):
        raise ConfigError(f"MONOSEMA_KERNELS is '{name}', which needs {NEEDS[name]}: pip install {NEEDS[name]}")
    return name


@cache
def _installed(name: str) -> bool:
    return find_spec(NEEDS[name]) is not None


@cache
def _loaded(name: str) -> Backend:
    return cast(Backend, import_module(f"monosema.dictionaries.kernels.{name}"))

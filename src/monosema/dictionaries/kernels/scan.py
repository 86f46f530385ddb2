"""The encoder's product in the fastest precision at hand, and by how much it can be off.

    s = bf16(x) bf16(W_enc)^T + bf16(b_enc + shift)         |s - shift - pre| <= slack[row] + ROUNDING |s|

Only nominates: whatever may belong to a selection by these bounds is scored again in the precision of
the weights, so the selection is that of the exact product. With x = x_h + x_l and W = W_h + W_l, the
parts that bfloat16 keeps and drops, Cauchy and Schwarz give for every feature

    |x W - x_h W_h| <= |x_l| max|W| + |x_h| max|W_l|        both norms measured, not assumed

to which the dropped part of the bias and the float32 sums of the product itself are added. `shift` is
twice the largest slack: what may be positive has s > 0, and so bits that are ordered as it is.

A chip without bfloat16 products scans in float32: s is pre itself, and nothing is scored again.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import ConfigError
from monosema.core.precision import SUMS, float32_products
from monosema.core.timing import timed

Precision = Literal["bfloat16", "float32"]

CHUNK_BYTES = 1 << 24
"""Scanned values held at a time: 16 MB stay in the cache that the cores share."""

ROUNDING = 2**-8
"""Half of a bfloat16's last place, relative to its value."""


Halve = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""rows -> (rows in bfloat16, norms of the rows, norms of what they lose)."""


@dataclass(frozen=True)
class Scan:
    """x, W and b as they are multiplied, `shift` in b; see the module."""

    x: Float[Tensor, "batch d_in"]
    W: Float[Tensor, "n_features d_in"]
    b: Float[Tensor, "n_features"]
    shift: float
    slack: Float[Tensor, "batch"]

    @property
    def exact(self) -> bool:
        """Whether s is the pre-activation itself."""
        return self.x.dtype is not torch.bfloat16

    @property
    def rounding(self) -> float:
        return 0.0 if self.exact else ROUNDING

    def chunks(self, multiple: int = 1) -> Iterator[tuple[int, Float[Tensor, "rows width"]]]:
        """(first row, s of the rows from there on); every chunk is written over the last. Columns beyond
        the last feature fill the width up to a multiple of `multiple`; they reach nothing."""
        n = len(self.W)
        width = -(-n // multiple) * multiple
        rows = min(max(1, CHUNK_BYTES // (width * self.W.element_size())), max(1, len(self.x)))
        buffer = self.x.new_empty(rows, width)
        buffer[:, n:] = -torch.inf
        for first in range(0, len(self.x), rows):
            chunk, s = self.x[first : first + rows], buffer[: min(rows, len(self.x) - first)]
            with timed("encode"), float32_products(self.x.device.type):
                torch.addmm(self.b, chunk, self.W.T, out=s[:, :n])
            yield first, s

    def cuts(self, rows: slice) -> tuple[Float[Tensor, "rows"], Float[Tensor, "rows"]]:
        """(a, b) for each of `rows`: a feature among the k largest has s >= (1 - 2 ROUNDING) t - a where t
        is the k-th largest s, and one with pre > 0 has s >= b."""
        slack = self.slack[rows]
        return 2 * slack, (self.shift - slack) * (1 - self.rounding)


def scan(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    halve: Halve,
) -> Scan:
    """The scan of x W_enc^T + b_enc in bfloat16; `halve` makes the halves."""
    x_h, x_norms, x_dropped = halve(x)
    W_h, W_norms, W_dropped = halve(W_enc)
    longest = W_norms.max()
    product = (x_dropped + SUMS * x.shape[1] * x_norms) * longest + (x_norms + x_dropped) * W_dropped.max()
    reachable = b_enc > -2 * x_norms.max() * longest  # any lower, and the feature cannot fire on these rows
    bias = torch.where(reachable, b_enc.abs(), 0.0).max() * ROUNDING
    slack = 1.001 * (product + bias)  # the norms are float32 sums themselves
    shift = 2 * float(slack.max())
    return Scan(x_h, W_h, (b_enc + shift).bfloat16(), shift, slack + shift * ROUNDING)


def exact_scan(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"]
) -> Scan:
    """The scan in the precision of x itself."""
    return Scan(x, W_enc, b_enc, 0.0, x.new_zeros(len(x)))


def best_scan(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    halve: Halve,
) -> Scan:
    """In bfloat16 where that is faster here and the numbers are float32; else the exact one."""
    tensors = (x.contiguous(), W_enc.detach(), b_enc.detach())
    if x.dtype is not torch.float32 or precision(x.device.type) == "float32":
        return exact_scan(*tensors)
    return scan(*tensors, halve)


def halved(rows: Float[Tensor, "rows d"]) -> tuple[Tensor, Float[Tensor, "rows"], Float[Tensor, "rows"]]:
    """The rows in bfloat16; their norms; the norms of what they lose by it."""
    halves = rows.bfloat16()
    norms, dropped = rows.new_empty(len(rows)), rows.new_empty(len(rows))
    for first in range(0, len(rows), 1024):
        part = slice(first, first + 1024)
        norms[part] = torch.linalg.vector_norm(rows[part], dim=1)
        dropped[part] = torch.linalg.vector_norm(rows[part] - halves[part].to(rows.dtype), dim=1)
    return halves, norms, dropped


def precision(device: str) -> Precision:
    """The precision to scan in on `device` ("cpu", "cuda"), or what MONOSEMA_SCAN says.

    bfloat16 where the chip multiplies it and its products keep to the bound of this module, tried
    once; else float32. Raises ConfigError for another value of MONOSEMA_SCAN.
    """
    wanted = os.environ.get("MONOSEMA_SCAN", "auto")
    if wanted in ("bfloat16", "float32"):
        return cast(Precision, wanted)
    if wanted != "auto":
        raise ConfigError(f"MONOSEMA_SCAN is '{wanted}': it must be auto, bfloat16 or float32")
    return "bfloat16" if _multiplies_bfloat16(device) and keeps_its_bound(device) else "float32"


@cache
def _multiplies_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@cache
def keeps_its_bound(device: str) -> bool:
    """Whether this machine's bfloat16 product is off by no more than one rounding of an exact sum."""
    generator = torch.Generator().manual_seed(0)
    x, W, b = (torch.randn(*shape, generator=generator).bfloat16() for shape in ((64, 512), (256, 512), (256,)))
    s = torch.addmm(b.to(device), x.to(device), W.to(device).T).double().cpu()
    exact = torch.addmm(b.double(), x.double(), W.double().T)
    allowed = ROUNDING * exact.abs() + SUMS * 512 * x.double().norm(dim=1)[:, None] * W.double().norm(dim=1).max()
    return bool(((s - exact).abs() <= allowed).all())

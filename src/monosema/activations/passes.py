"""One forward pass over some token blocks, and which of its rows are kept.

    blocks [batch, seq] --model.run--> site [batch, seq, ...] --flatten, mask--> rows [row, width]

Left out: BOS, padding, and rows whose norm at some site is an outlier's. Attention sinks have norms
hundreds of times the median; a dictionary trained on them spends its features there (the rule of
dictionary_learning and SAELens). What is left out is counted; what is not finite is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.activations.config import HarvestConfig
from monosema.activations.rows import DTYPES, INDEX_DTYPE, Rows, from_fields
from monosema.core.errors import ConfigError, DataError, SiteError
from monosema.core.precision import float32_products
from monosema.core.sites import Site, parse


@runtime_checkable
class Model(Protocol):
    """What a harvest asks of a model; `monosema.models.Model` is one."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def n_context(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def width(self, site: str) -> int: ...
    def resolve(self, text: str) -> str: ...
    def run(
        self, tokens: Tensor, read: Sequence[str], *, attention: Literal["eager", "fused"]
    ) -> dict[str, Tensor]: ...


@runtime_checkable
class TokenBlocks(Protocol):
    """Token ids, document numbers (-1 at padding) and which positions are text, each [batch, seq]."""

    @property
    def tokens(self) -> Tensor: ...
    @property
    def documents(self) -> Tensor: ...
    @property
    def usable(self) -> Tensor: ...


@runtime_checkable
class Tokens(Protocol):
    """What a harvest asks of a corpus; `monosema.corpus.Tokens` is one."""

    @property
    def context(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    def blocks(self, start: int, stop: int) -> TokenBlocks: ...
    def document_name(self, i: int) -> str: ...


@dataclass(frozen=True)
class Excluded:
    """How many positions were left out, by reason."""

    bos: int = 0
    padding: int = 0
    outlier_norm: int = 0

    def __add__(self, other: "Excluded") -> "Excluded":
        return Excluded(self.bos + other.bos, self.padding + other.padding, self.outlier_norm + other.outlier_norm)


@dataclass(frozen=True)
class Pass:
    """The rows of one forward pass that are kept before norms are looked at, on the CPU.

    norms      by site, float32 whatever the rows are stored as
    usable     rows that are text: all of them, unless BOS or padding is kept
    excluded   what was left out so far; `n_blocks` is how many blocks went in
    """

    rows: Rows
    norms: dict[str, Float[Tensor, "row"]]
    usable: Bool[Tensor, "row"]
    excluded: Excluded
    n_blocks: int

    def usable_norms(self, site: str) -> Float[Tensor, "usable_row"]:
        return self.norms[site][self.usable]


def resolve_sites(model: Model, sites: Sequence[str]) -> dict[str, int]:
    """The width of each site, under its canonical name.

    Raises SiteError for a site that does not exist or has no row per token, ConfigError for none or
    the same twice.
    """
    if not sites:
        raise ConfigError("no site was given: name at least one, such as 'resid_post.2'")
    widths: dict[str, int] = {}
    for text in sites:
        name = model.resolve(text)
        if name in widths:
            raise ConfigError(f"site {name} is asked for twice")
        if _is_pattern(name):
            raise SiteError(
                f"{name} has no row per token (it is one number per pair of tokens): it cannot be harvested"
            )
        widths[name] = model.width(name)
    return widths


def require_tokens(model: Model, context: int, d_vocab: int) -> None:
    """Raise ConfigError unless the model takes blocks of `context` tokens from a vocabulary of `d_vocab`."""
    if context > model.n_context or d_vocab > model.d_vocab:
        raise ConfigError(
            f"the tokens come in blocks of {context:,} from a vocabulary of {d_vocab:,}; "
            f"{model.name} takes {model.n_context:,} and {model.d_vocab:,}: pack the corpus for this model"
        )


def _is_pattern(name: str) -> bool:
    try:
        site: Site | None = parse(name)
    except SiteError:
        site = None  # the path of a module, which the model resolved
    return site is not None and site.kind == "attn_pattern"


def kept(blocks: TokenBlocks, config: HarvestConfig) -> tuple[Bool[Tensor, "batch seq"], Excluded]:
    """Which positions are taken before norms are looked at, and how many are not."""
    padding = blocks.documents < 0
    bos = ~blocks.usable & ~padding
    mask = blocks.usable.clone()
    if not config.exclude_bos:
        mask |= bos
    if not config.exclude_padding:
        mask |= padding
    return mask, Excluded(int((bos & ~mask).sum()), int((padding & ~mask).sum()))


def run(model: Model, blocks: TokenBlocks, widths: Mapping[str, int], config: HarvestConfig, names: Tokens) -> Pass:
    """One forward pass, ending at the last site. Raises DataError naming the site, document and position
    where an activation of a kept position is not finite; `names` gives the document's name."""
    mask, excluded = kept(blocks, config)
    with torch.inference_mode():
        read = _read(model, blocks.tokens, list(widths), fast=config.fast)
        device_mask = mask.to(next(iter(read.values())).device)
        values = {site: _flat(site, read[site], mask, width)[device_mask] for site, width in widths.items()}
        norms = {site: torch.linalg.vector_norm(x, dim=1, dtype=torch.float32).cpu() for site, x in values.items()}
        positions = torch.arange(mask.shape[1]).expand(mask.shape)[mask]
        index = {"tokens": blocks.tokens[mask], "documents": blocks.documents[mask], "positions": positions}
        index = {name: tensor.to(INDEX_DTYPE) for name, tensor in index.items()}
        for site, x in values.items():
            bad = (~torch.isfinite(norms[site])).nonzero().flatten()
            bad = bad[~torch.isfinite(x[bad.to(x.device)]).all(1).cpu()]
            if len(bad):
                where = _where(names, index, int(bad[0]))
                raise DataError(
                    f"{site} is not finite {where} ({len(bad)} such rows in one pass of {len(x):,}): "
                    "look for NaN in the model's weights, or load it as float32"
                )
        stored = {site: x.to(DTYPES[config.dtype]).cpu() for site, x in values.items()}
    return Pass(from_fields({**stored, **index}), norms, blocks.usable[mask], excluded, len(mask))


def _read(model: Model, tokens: Int64[Tensor, "batch seq"], sites: list[str], *, fast: bool) -> dict[str, Tensor]:
    if not fast:
        return model.run(tokens, sites, attention="eager")
    with float32_products(model.device.type):
        return model.run(tokens, sites, attention="fused")


def limits(norms: Mapping[str, Tensor], factor: float) -> dict[str, float]:
    """The largest norm of a row that is no outlier, by site: `factor` times the median."""
    return {site: factor * float(values.median()) for site, values in norms.items()}


def inliers(part: Pass, limit: Mapping[str, float], config: HarvestConfig, names: Tokens) -> Int64[Tensor, "kept"]:
    """Indices of the rows whose norm is within the limit at every site (all of them without `exclude_outliers`).

    Raises DataError when one of these does not fit in `config.dtype`.
    """
    keep = torch.ones(len(part.rows), dtype=torch.bool)
    if config.exclude_outliers:
        for site, norms in part.norms.items():
            keep &= norms <= limit[site]
    index = keep.nonzero().flatten()
    largest = torch.finfo(DTYPES[config.dtype]).max
    for site, rows in part.rows.activations.items():
        risky = index[part.norms[site][index] > largest]
        over = risky[~torch.isfinite(rows[risky]).all(1)]
        if len(over):
            where = _where(names, part.rows.fields(), int(over[0]))
            raise DataError(
                f"{site} exceeds {largest:g}, the largest {config.dtype}, {where}: store bfloat16 or float32"
            )
    return index


def _flat(site: str, x: Tensor, mask: Tensor, width: int) -> Float[Tensor, "batch seq width"]:
    if x.shape[:2] != mask.shape or x[0, 0].numel() != width:
        expected = f"[{mask.shape[0]}, {mask.shape[1]}, {width}]"
        raise SiteError(f"{site} has no row per token: its shape is {list(x.shape)}, a harvest needs {expected}")
    return x.flatten(2)


def _where(names: Tokens, index: Mapping[str, Tensor], row: int) -> str:
    document = int(index["documents"][row])
    name = names.document_name(document) if document >= 0 else "padding"
    return f"in document '{name}' at position {int(index['positions'][row])} of its block"

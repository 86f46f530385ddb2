"""How the losses of a block answer to what is written into it: one forward and one backward pass.

    tokens --> x + 0 --> ... --> R --> losses        forward, the zero being what is differentiated
    d sum(losses) / d x_q  for every site and position

The unembedding is differentiated a few rows at a time, so that no batch of logits is kept. Blocks do
not see one another, so a batch of blocks gives each block's own gradient.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import cross_entropy

from monosema.core.errors import DataError
from monosema.dictionaries.codes import SparseCodes
from monosema.features.effects.scene import CHUNK
from monosema.features.effects.subjects import Blocks, Dictionary, Model, counted_tokens
from monosema.features.reading import Part
from monosema.models.offsets import offsets

ENTRIES_AT_ONCE = 2**13
"""So few that what is fetched for them stays in the cache."""

CROWDED = 32
"""Where more than one feature in so many fires, a matrix product is faster than fetching rows one by one."""


@dataclass(frozen=True)
class Sensitivity:
    """Blocks as the model ran on them, on the CPU.

    part       activations of the sites that were read, at usable positions
    gradients  site -> gradient of the block's counted losses at the same rows
    losses     of the counted tokens, in their places, nats; 0 elsewhere
    """

    part: Part
    gradients: Mapping[str, Float32[Tensor, "row _"]]
    losses: Float[Tensor, "batch seq"]


def sensitivity(model: Model, blocks: Blocks, reads: Sequence[str], writes: Sequence[str]) -> Sensitivity:
    """What is read, and how the losses answer to what is written. Raises DataError when either is not finite."""
    tokens, final = blocks.tokens.to(model.device), f"resid_post.{model.n_layers - 1}"
    edits, added = offsets(writes)
    with torch.enable_grad():
        found = model.run(tokens, read=list(dict.fromkeys([*reads, final])), edits=edits)
    losses, slope = _at_the_end(model, found[final].detach(), tokens, counted_tokens(blocks).to(model.device))
    given = torch.autograd.grad(found[final], list(added.values()), slope) if added else ()
    usable = blocks.usable.cpu()
    part = Part(
        torch.arange(len(usable)),
        blocks.tokens.cpu(),
        blocks.documents.cpu(),
        usable,
        {site: _rows(model, site, found[site].detach(), usable) for site in dict.fromkeys(reads)},
    )
    gradients = {site: _rows(model, site, g, usable) for site, g in zip(added, given, strict=True)}
    return Sensitivity(part, gradients, losses.cpu())


def _at_the_end(
    model: Model, final: Float[Tensor, "batch seq d_model"], tokens: Tensor, counted: Tensor
) -> tuple[Float[Tensor, "batch seq"], Float[Tensor, "batch seq d_model"]]:
    """The counted losses, and the gradient of their sum at the last residual stream."""
    batch, places = counted.nonzero(as_tuple=True)
    losses, slope = torch.zeros(tokens.shape, device=tokens.device), torch.zeros_like(final)
    for rows in _chunks(len(batch), model, final):
        b, p = batch[rows], places[rows]
        with torch.enable_grad():
            x = final[b, p - 1].requires_grad_(True)
            each = cross_entropy(model.unembed(x).float(), tokens[b, p], reduction="none")
            slope[b, p - 1] = torch.autograd.grad(each.sum(), x)[0]
        losses[b, p] = each.detach()
    return losses, slope


def _chunks(n: int, model: Model, final: Tensor) -> Iterator[slice]:
    with torch.no_grad():
        d_vocab = model.unembed(final[:1, 0]).shape[-1]
    step = max(1, CHUNK // d_vocab)
    return (slice(start, start + step) for start in range(0, n, step))


def _rows(model: Model, site: str, x: Tensor, usable: Tensor) -> Float32[Tensor, "row _"]:
    rows = x.flatten(2)[usable.to(x.device)].float().cpu()
    if not bool(torch.isfinite(rows).all()):
        raise DataError(f"{model.name} has activations or gradients at {site} that are not finite")
    return rows


def contributions(
    dictionary: Dictionary, codes: SparseCodes, gradients: Mapping[str, Float32[Tensor, "row _"]]
) -> Float32[Tensor, "nnz"]:
    """-A_q <gradient at q, d> of every entry of `codes`; sites end to end."""
    slope = torch.cat([gradients[site] for site in dictionary.writes], dim=1)
    return projections(dictionary.W_dec.detach().float().cpu(), codes, slope)


def projections(
    directions: Float[Tensor, "n_features d_out"], codes: SparseCodes, slope: Float[Tensor, "row d_out"]
) -> Float32[Tensor, "nnz"]:
    """The same for any directions in the features' places."""
    effects, rows = torch.empty_like(codes.values), codes.rows()
    if len(effects) * CROWDED > len(codes) * codes.n_features:
        for start in range(0, len(codes), step := max(1, CHUNK // codes.n_features)):
            part = slice(int(codes.offsets[start]), int(codes.offsets[min(start + step, len(codes))]))
            along = slope[start : start + step] @ directions.T
            effects[part] = -codes.values[part] * along[rows[part] - start, codes.indices[part]]
        return effects
    for start in range(0, len(rows), ENTRIES_AT_ONCE):
        part = slice(start, start + ENTRIES_AT_ONCE)
        along = torch.linalg.vecdot(slope.index_select(0, rows[part]), directions.index_select(0, codes.indices[part]))
        effects[part] = -codes.values[part] * along
    return effects

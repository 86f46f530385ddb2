"""The passes of the model that scores are made of.

    clean     tokens --> sites --> logits                 once per batch, shared by all dictionaries
    spliced   tokens --> (other rows at some sites) --> logits     once per dictionary

Rows are the scored positions of a batch of blocks, one after the other. A position is scored when
it is usable (no BOS, no padding) and no outlier; the others are neither scored nor replaced. A
prediction is counted when its token is usable and the position before it, in the same document, is
scored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.moments import Moments
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.subjects import Model, Tokens
from monosema.models.model import Edit

CHUNK = 2**20
"""Log-probabilities worked on at a time: 4 MB, which stays in the cache."""


@dataclass(frozen=True)
class Blocks:
    """Some token blocks on the model's device; `usable` is False at BOS and padding."""

    tokens: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Bool[Tensor, "batch seq"]


@dataclass(frozen=True)
class Constants:
    """What must be known before scoring: the largest norm of a row that is no outlier, and the mean
    of the scored rows, by site; and how many usable positions are left out as outliers."""

    limits: Mapping[str, float]
    means: Mapping[str, Float[Tensor, "_"]]
    n_outliers: int


@dataclass(frozen=True)
class Clean:
    """One batch after its clean pass.

    scored       which positions the rows are
    rows         site -> float32 [row, width]
    documents    of the rows
    counted      flat positions (batch * seq) whose next token is a counted prediction
    foretold     that next token
    log_probs    the model's log-probabilities there, float32
    """

    blocks: Blocks
    scored: Bool[Tensor, "batch seq"]
    rows: dict[str, Float[Tensor, "row _"]]
    documents: Int64[Tensor, "row"]
    counted: Int64[Tensor, "prediction"]
    foretold: Int64[Tensor, "prediction"]
    log_probs: Float[Tensor, "prediction d_vocab"]

    def losses(self) -> Float[Tensor, "prediction"]:
        """The model's own loss at each counted prediction, nats."""
        return -self.log_probs.gather(1, self.foretold.unsqueeze(1)).squeeze(1)

    def prediction_documents(self) -> Int64[Tensor, "prediction"]:
        """Whose tokens are foretold."""
        return self.blocks.documents.reshape(-1)[self.counted]


def chosen_blocks(tokens: Tokens, max_tokens: int) -> list[int]:
    """The blocks that are scored: all, or as many as hold `max_tokens` positions at even distances."""
    n = max(1, min(tokens.n_blocks, max_tokens // tokens.context))
    return [i * tokens.n_blocks // n for i in range(n)]


def read_blocks(tokens: Tokens, chosen: Sequence[int], batch_size: int, device: torch.device) -> Iterator[Blocks]:
    """The chosen blocks, `batch_size` at a time."""
    for start in range(0, len(chosen), batch_size):
        part = chosen[start : start + batch_size]
        whole = part[-1] - part[0] == len(part) - 1
        read = [tokens.blocks(part[0], part[-1] + 1)] if whole else [tokens.blocks(i, i + 1) for i in part]
        yield Blocks(
            torch.cat([blocks.tokens for blocks in read]).to(device),
            torch.cat([blocks.documents for blocks in read]).to(device),
            torch.cat([blocks.usable for blocks in read]).to(device),
        )


def find_constants(
    model: Model, tokens: Tokens, chosen: Sequence[int], sites: Sequence[str], config: ScoreConfig
) -> Constants:
    """Two passes that end at the last site: one for the norms, one for the means of what is scored.

    Raises DataError when no position is usable, or an activation is not finite.
    """
    norms: dict[str, list[Tensor]] = {site: [] for site in sites}
    for blocks in read_blocks(tokens, chosen, config.batch_size, model.device):
        for site, x in model.run(blocks.tokens, read=list(sites)).items():
            norms[site].append(rows_of(x, blocks.usable).norm(dim=1).cpu())
    limits = {site: _limit(site, torch.cat(parts), config) for site, parts in norms.items()}
    moments = {site: Moments(model.width(site)) for site in sites}
    n_outliers = 0
    for blocks in read_blocks(tokens, chosen, config.batch_size, model.device):
        found = model.run(blocks.tokens, read=list(sites))
        scored = scored_positions(found, blocks, limits)
        n_outliers += int(blocks.usable.sum() - scored.sum())
        for site, x in found.items():
            moments[site].update(rows_of(x, scored))
    means = {site: part.mean.float().to(model.device) for site, part in moments.items()}
    return Constants(limits, means, n_outliers)


def _limit(site: str, norms: Float[Tensor, "row"], config: ScoreConfig) -> float:
    if len(norms) == 0:
        raise DataError("no held-out position is usable: every one is BOS or padding. Give more text")
    if n_bad := int((~torch.isfinite(norms)).sum()):
        raise DataError(
            f"{site} is not finite at {n_bad:,} of {len(norms):,} held-out positions: look for NaN in the weights"
        )
    return config.outlier_factor * float(norms.median()) if config.exclude_outliers else torch.inf


def scored_positions(
    found: Mapping[str, Tensor], blocks: Blocks, limits: Mapping[str, float]
) -> Bool[Tensor, "batch seq"]:
    """Usable positions whose norm is within the limit at every site."""
    scored = blocks.usable.clone()
    for site, limit in limits.items():
        scored &= found[site].reshape(*scored.shape, -1).float().norm(dim=2) <= limit
    return scored


def rows_of(x: Tensor, positions: Bool[Tensor, "batch seq"]) -> Float[Tensor, "row width"]:
    """The rows of a site, float32, at the given positions of a batch of blocks."""
    return x.reshape(*positions.shape, -1)[positions].float()


def clean_pass(model: Model, blocks: Blocks, limits: Mapping[str, float]) -> Clean:
    """Read the sites that have limits, and what the model predicts."""
    found = model.run(blocks.tokens, read=[*limits, "logits"])
    scored = scored_positions(found, blocks, limits)
    same = blocks.documents[:, :-1] == blocks.documents[:, 1:]
    predicts = torch.zeros_like(scored)
    predicts[:, :-1] = scored[:, :-1] & blocks.usable[:, 1:] & same
    counted = predicts.reshape(-1).nonzero().squeeze(1)
    foretold = blocks.tokens.reshape(-1)[counted + 1]
    log_probs = torch.empty(len(counted), model.d_vocab, device=blocks.tokens.device)
    for start, part in log_softmax_parts(found["logits"], counted):
        log_probs[start : start + len(part)] = part
    rows = {site: rows_of(found[site], scored) for site in limits}
    return Clean(blocks, scored, rows, blocks.documents[scored], counted, foretold, log_probs)


def log_softmax_parts(logits: Tensor, at: Int64[Tensor, "prediction"]) -> Iterator[tuple[int, Tensor]]:
    """(start, log-probabilities of the predictions from `start` on), a cacheful at a time, float32."""
    flat = logits.reshape(-1, logits.shape[-1])
    step = max(1, CHUNK // flat.shape[1])
    for start in range(0, len(at), step):
        yield start, torch.log_softmax(flat.index_select(0, at[start : start + step]).float(), dim=1)


def spliced_pass(
    model: Model, clean: Clean, replacements: Mapping[str, Float[Tensor, "row_or_1 _"]]
) -> tuple[Float[Tensor, "prediction"], Float[Tensor, "prediction"]]:
    """Loss and KL(model || this pass) in nats at each counted prediction, with the scored rows of some
    sites replaced (by a row each, or by one for all)."""
    edits = [Edit(site, replacing(rows, clean.scored)) for site, rows in replacements.items()]
    return compared(model.run(clean.blocks.tokens, read=["logits"], edits=edits)["logits"], clean)


def compared(logits: Tensor, clean: Clean) -> tuple[Float[Tensor, "prediction"], Float[Tensor, "prediction"]]:
    """Loss and KL(model || the pass that gave `logits`) in nats at each counted prediction.

    The KL is summed from differences of log-probabilities, so it is exactly zero when nothing changed.
    """
    loss, kl = torch.empty_like(clean.log_probs[:, 0]), torch.empty_like(clean.log_probs[:, 0])
    for start, part in log_softmax_parts(logits, clean.counted):
        rows = slice(start, start + len(part))
        loss[rows] = -part.gather(1, clean.foretold[rows].unsqueeze(1)).squeeze(1)
        log_p = clean.log_probs[rows]
        kl[rows] = (log_p.exp() * part.neg_().add_(log_p)).sum(1)
    return loss, kl


def replacing(rows: Float[Tensor, "row_or_1 _"], scored: Bool[Tensor, "batch seq"]) -> Callable[[Tensor], Tensor]:
    """What an Edit does to put `rows` at the scored positions, in the type of what is there."""

    def apply(x: Tensor) -> Tensor:
        flat = x.reshape(*scored.shape, -1)
        flat[scored] = rows.to(flat.dtype).expand(int(scored.sum()), -1)
        return flat.reshape(x.shape)

    return apply

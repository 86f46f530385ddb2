"""One walk over held-out tokens that measures many dictionaries.

for each batch of blocks:   clean pass, zero and mean ablation of each set of written sites
    for each dictionary:    encode, decode, spliced pass, update every metric
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.progress import progress
from monosema.evaluation.batch import Predictions, ScoreBatch
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.documents import Estimate, Exact, Terms
from monosema.evaluation.metrics import METRICS
from monosema.evaluation.passes import (
    Blocks,
    Clean,
    Constants,
    chosen_blocks,
    clean_pass,
    find_constants,
    read_blocks,
    spliced_pass,
)
from monosema.evaluation.sparsity import Frequencies
from monosema.evaluation.subjects import Dictionary, Model, Tokens, check_fit, sites_of


class Tally:
    """The metrics of one dictionary, and how often its features fire."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self.metrics = {name: METRICS[name]() for name in metrics}
        self.frequencies = Frequencies()

    def update(self, batch: ScoreBatch) -> None:
        """Take in a batch."""
        self.frequencies.update(batch)
        for metric in self.metrics.values():
            metric.update(batch)

    def results(self) -> dict[str, Terms | Exact]:
        """What each metric has come to."""
        return {name: metric.result() for name, metric in self.metrics.items()}

    def estimates(self, seed: int) -> dict[str, Estimate]:
        """Value and interval of each metric."""
        return {name: result.estimate(seed) for name, result in self.results().items()}


@dataclass(frozen=True)
class Measured:
    """A tally for each dictionary, over the same `n_tokens` positions of `n_documents` documents."""

    tallies: Mapping[str, Tally]
    n_tokens: int
    n_documents: int
    n_outliers: int


def score_codes(batches: Iterable[ScoreBatch], seed: int = 0) -> dict[str, Estimate]:
    """The metrics that can be had from activations, reconstructions and codes alone, of one dictionary.

    With predictions in every batch, all metrics. Raises DataError when there is no batch.
    """
    tally: Tally | None = None
    for batch in batches:
        if tally is None:
            known = batch.predictions is not None
            tally = Tally(name for name, metric in METRICS.items() if known or not metric.needs_model)
        tally.update(batch)
    if tally is None:
        raise DataError("there is nothing to score: no batch was given")
    return tally.estimates(seed)


@dataclass(frozen=True)
class Prepared:
    """A model and the held-out blocks it is measured on, with what must be known before the first."""

    model: Model
    tokens: Tokens
    chosen: Sequence[int]
    constants: Constants
    batch_size: int

    def blocks(self) -> Iterator[Blocks]:
        """The chosen blocks, a batch at a time."""
        return read_blocks(self.tokens, self.chosen, self.batch_size, self.model.device)

    def holding(self, documents: Int64[Tensor, "document"]) -> "Prepared":
        """The same without the blocks that hold none of `documents`."""
        found = {i: self.tokens.blocks(i, i + 1).documents for i in self.chosen}
        return replace(self, chosen=[i for i, there in found.items() if bool(torch.isin(there, documents).any())])


@torch.no_grad()
def prepare(dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens, config: ScoreConfig) -> Prepared:
    """Check that all fit together, choose blocks, and find outliers and means at the dictionaries' sites.

    Raises ConfigError, MismatchError, SiteError (see `check_fit`) and DataError when no position is
    usable or an activation is not finite.
    """
    check_fit(dictionaries, model, tokens)
    chosen = chosen_blocks(tokens, config.max_tokens)
    constants = find_constants(model, tokens, chosen, sites_of(dictionaries), config)
    return Prepared(model, tokens, chosen, constants, config.batch_size)


@torch.no_grad()
def measure(
    prepared: Prepared,
    dictionaries: Mapping[str, Dictionary],
    metrics: Sequence[str] = tuple(METRICS),
    what: str = "score",
) -> Measured:
    """Walk over the prepared blocks once, for all `dictionaries` (whose sites were prepared).

    Raises DataError when no scored token is followed by another of its document.
    """
    model = prepared.model
    here = {name: dictionary.to(str(model.device)) for name, dictionary in dictionaries.items()}
    tallies = {name: Tally(metrics) for name in here}
    documents: set[int] = set()
    n_tokens = n_predictions = 0
    with progress(what, len(prepared.chosen) * len(here), "block") as bar:
        for blocks in prepared.blocks():
            clean = clean_pass(model, blocks, prepared.constants.limits)
            n_tokens, n_predictions = n_tokens + len(clean.documents), n_predictions + len(clean.counted)
            documents.update(clean.documents.unique().tolist())
            if len(clean.documents) > 0:
                score_batch(here, model, clean, prepared.constants, tallies)
            bar.advance(len(blocks.tokens) * len(here))
    if n_predictions == 0:
        raise DataError("no held-out token follows another of the same document: give longer documents or blocks")
    return Measured(tallies, n_tokens, len(documents), prepared.constants.n_outliers)


def score_batch(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    clean: Clean,
    constants: Constants,
    tallies: Mapping[str, Tally],
) -> None:
    """Splice each dictionary into the model in turn, and add to its tally."""
    ablated: dict[tuple[str, ...], tuple[Tensor, Tensor]] = {}
    for name, dictionary in dictionaries.items():
        if dictionary.writes not in ablated:
            ablated[dictionary.writes] = ablation_losses(model, clean, constants, dictionary.writes)
        zero, mean = ablated[dictionary.writes]
        codes = dictionary.encode(end_to_end(clean.rows, dictionary.reads))
        reconstruction = dictionary.decode(codes)
        parts = reconstruction.split(list(dictionary.widths_out), dim=1)
        spliced, kl = spliced_pass(model, clean, dict(zip(dictionary.writes, parts, strict=True)))
        batch = ScoreBatch(
            clean.documents,
            end_to_end(clean.rows, dictionary.writes),
            reconstruction,
            codes,
            living_decoder(dictionary),
            Predictions(clean.prediction_documents(), clean.losses(), spliced, zero, mean, kl),
        )
        tallies[name].update(batch)


def ablation_losses(
    model: Model, clean: Clean, constants: Constants, sites: Sequence[str]
) -> tuple[Float[Tensor, "prediction"], Float[Tensor, "prediction"]]:
    """Losses with zero, and with the mean of the scored rows, in place of the scored rows of all `sites`."""
    means = {site: constants.means[site].unsqueeze(0) for site in sites}
    zeros = {site: torch.zeros_like(mean) for site, mean in means.items()}
    return spliced_pass(model, clean, zeros)[0], spliced_pass(model, clean, means)[0]


def living_decoder(dictionary: Dictionary) -> Float[Tensor, "n_features d_out"]:
    """W_dec, with zero rows for pruned features."""
    W_dec = dictionary.W_dec.detach()
    return W_dec if bool(dictionary.keep.all()) else W_dec * dictionary.keep.unsqueeze(1)


def end_to_end(rows: Mapping[str, Tensor], sites: Sequence[str]) -> Float[Tensor, "row width"]:
    """The rows of several sites as one vector a row, in the order of `sites`."""
    return rows[sites[0]] if len(sites) == 1 else torch.cat([rows[site] for site in sites], 1)

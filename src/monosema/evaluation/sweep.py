"""Every cut of every dictionary of one model, measured in one walk.

cut = (dictionary, threshold, rule)     rule: kill what is above it, or as much at random
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from monosema.core.seeding import generator
from monosema.evaluation.comparing import Results
from monosema.evaluation.config import PruneConfig
from monosema.evaluation.documents import Terms
from monosema.evaluation.killing import Halves, Rates, find_rates, kill_above, kill_same_frequency
from monosema.evaluation.measuring import Measured, Prepared, measure
from monosema.evaluation.subjects import Dictionary

PRUNE_METRICS = ("l0", "mse", "variance_explained", "loss_spliced", "loss_recovered_zero", "loss_recovered_mean")


@dataclass(frozen=True)
class Cut:
    """A dictionary without the features of a frequency above a threshold (None: as trained); or, where
    `random`, without random ones of the same summed frequency."""

    dictionary: str
    above: float | None
    random: bool = False


@dataclass(frozen=True)
class Sweep:
    """The cuts of every dictionary of one model, with their per-document terms."""

    killed: Mapping[Cut, Bool[Tensor, "n_features"]]
    results: Mapping[Cut, Results]
    rates: Mapping[str, Rates]
    n_tokens: int

    def trained(self) -> list[Cut]:
        """The dictionaries as they were trained."""
        return [cut for cut in self.results if cut.above is None]


def sweep_subject(
    prepared: Prepared, dictionaries: Mapping[str, Dictionary], halves: Halves, config: PruneConfig
) -> Sweep:
    """Every threshold on all documents, since the choosing half ranks them; random cuts on blocks of
    the judging half alone."""
    rates = find_rates(prepared, dictionaries, halves)
    killed = _killed_above(rates, config)
    random = {
        Cut(cut.dictionary, cut.above, random=True): kill_same_frequency(
            rates[cut.dictionary].choosing, mask, generator(config.score.seed, "prune", cut.dictionary, str(cut.above))
        )
        for cut, mask in killed.items()
        if mask.any()
    }
    results, n_tokens = _measured(prepared, dictionaries, killed, "prune")
    if random:
        results |= _measured(prepared.holding(halves.judging), dictionaries, random, "prune at random")[0]
    return Sweep(killed | random, results, rates, n_tokens)


def sweep_control(
    prepared: Prepared, dictionaries: Mapping[str, Dictionary], halves: Halves, config: PruneConfig
) -> Sweep:
    """Every threshold, on blocks of the judging half alone: a control chooses nothing."""
    rates = find_rates(prepared, dictionaries, halves)
    killed = _killed_above(rates, config)
    results, n_tokens = _measured(prepared.holding(halves.judging), dictionaries, killed, "prune control")
    return Sweep(killed, results, rates, n_tokens)


def _killed_above(rates: Mapping[str, Rates], config: PruneConfig) -> dict[Cut, Bool[Tensor, "n_features"]]:
    killed = {}
    for name, rate in rates.items():
        killed[Cut(name, None)] = torch.zeros_like(rate.choosing, dtype=torch.bool)
        killed |= {Cut(name, above): kill_above(rate.choosing, above) for above in config.thresholds}
    return killed


def _measured(
    prepared: Prepared,
    dictionaries: Mapping[str, Dictionary],
    killed: Mapping[Cut, Bool[Tensor, "n_features"]],
    what: str,
) -> tuple[dict[Cut, Results], int]:
    """The terms of every cut, and the number of scored tokens; equal cuts are measured once."""
    names = {cut: f"{cut.dictionary}/{mask.nonzero().squeeze(1).tolist()}" for cut, mask in killed.items()}
    distinct = {names[cut]: _without(dictionaries[cut.dictionary], mask) for cut, mask in killed.items()}
    measured = measure(prepared, distinct, PRUNE_METRICS, what)
    results = {name: _terms(measured, name) for name in distinct}
    return {cut: results[name] for cut, name in names.items()}, measured.n_tokens


def _terms(measured: Measured, name: str) -> Results:
    return {metric: result for metric, result in measured.tallies[name].results().items() if isinstance(result, Terms)}


def _without(dictionary: Dictionary, killed: Bool[Tensor, "n_features"]) -> Dictionary:
    return dictionary.pruned(~killed.to(dictionary.keep.device))

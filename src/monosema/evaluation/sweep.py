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
from monosema.evaluation.killing import Halves, Rates, find_rates, kill_above, kill_same_frequency, kill_same_number
from monosema.evaluation.measuring import Measured, Prepared, measure
from monosema.evaluation.subjects import Dictionary

PRUNE_METRICS = ("l0", "mse", "variance_explained", "loss_spliced", "loss_recovered_zero", "loss_recovered_mean")


@dataclass(frozen=True)
class Cut:
    """A dictionary with some of its features killed: by which rule, at which threshold."""

    dictionary: str
    above: float | None
    rule: str = "above"


@dataclass(frozen=True)
class Sweep:
    """Every cut of every dictionary of one model, with its per-document terms on all documents."""

    killed: Mapping[Cut, Bool[Tensor, "n_features"]]
    results: Mapping[Cut, Results]
    rates: Mapping[str, Rates]
    n_tokens: int

    def trained(self) -> list[Cut]:
        """The dictionaries as they were trained."""
        return [cut for cut in self.results if cut.above is None]


def swept(
    prepared: Prepared, dictionaries: Mapping[str, Dictionary], halves: Halves, config: PruneConfig, *, random: bool
) -> Sweep:
    """Measure every cut; cuts that kill the same features are measured once."""
    rates = find_rates(prepared, dictionaries, halves)
    killed = {
        cut: mask for name in dictionaries for cut, mask in _cuts(name, rates[name], config, random=random).items()
    }
    names = {cut: f"{cut.dictionary}/{mask.nonzero().squeeze(1).tolist()}" for cut, mask in killed.items()}
    distinct = {names[cut]: _without(dictionaries[cut.dictionary], mask) for cut, mask in killed.items()}
    measured = measure(prepared, distinct, PRUNE_METRICS, what="prune" if random else "prune control")
    results = {name: _terms(measured, name) for name in distinct}
    return Sweep(killed, {cut: results[names[cut]] for cut in killed}, rates, measured.n_tokens)


def _terms(measured: Measured, name: str) -> Results:
    return {metric: result for metric, result in measured.tallies[name].results().items() if isinstance(result, Terms)}


def _cuts(name: str, rates: Rates, config: PruneConfig, *, random: bool) -> dict[Cut, Bool[Tensor, "n_features"]]:
    """The dictionary as trained, pruned at every threshold, and its random rivals."""
    cuts = {Cut(name, None): torch.zeros_like(rates.choosing, dtype=torch.bool)}
    for above in config.thresholds:
        killed = kill_above(rates.choosing, above)
        cuts[Cut(name, above)] = killed
        if random and killed.any():
            for rule, draw in (("same_frequency", kill_same_frequency), ("same_number", kill_same_number)):
                purpose = generator(config.score.seed, "prune", name, str(above), rule)
                cuts[Cut(name, above, rule)] = draw(rates.choosing, killed, purpose)
    return cuts


def _without(dictionary: Dictionary, killed: Bool[Tensor, "n_features"]) -> Dictionary:
    return dictionary.pruned(~killed.to(dictionary.keep.device))

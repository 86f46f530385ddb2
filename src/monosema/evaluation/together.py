"""Scores of dictionaries that replace several sites of a model at once: transcoders in place of all MLPs, say.

    score_together({"tc-0": a, "tc-1": b}, model, held_out, config)  -->  Together

    alone      one written site replaced, the model as it is elsewhere
    up to      that site and all before it; up to the last is all of them: the replacement model
    changed    one token of each block changed, with and without the errors of the unchanged text

Beside everything stands the same with shuffled decoders. Losses are those of `passes`: usable positions are replaced,
BOS, padding and outliers stay as the model made them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.findings import Finding
from monosema.core.progress import progress
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.evaluation.changed_tokens import carried_by, changed, held, share_carried
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.documents import DocumentSums, Estimate, Terms
from monosema.evaluation.losses import recovered_of_sums
from monosema.evaluation.measuring import Prepared, ablation_losses, prepare
from monosema.evaluation.metric import mean_of_sums
from monosema.evaluation.passes import Clean, clean_pass, compared
from monosema.evaluation.reconstruction import VarianceExplained
from monosema.evaluation.scoring import finding
from monosema.evaluation.splicing import SHUFFLED, Replacement
from monosema.evaluation.subjects import Model, Tokens
from monosema.evaluation.together_scores import NAMES, LayerScore, Together

OF_THE_MODEL = "of the model, whatever the dictionaries"
OWN, CONTROL = "own", "control"


class Columns:
    """Named columns of numbers, summed by document."""

    def __init__(self) -> None:
        self.sums, self.names = DocumentSums(0), tuple[str, ...]()

    def add(self, documents: Int64[Tensor, "item"], columns: Mapping[str, Float[Tensor, "item"]]) -> None:
        """Add the same columns at every call."""
        if not self.names:
            self.sums, self.names = DocumentSums(len(columns)), tuple(columns)
        self.sums.add(documents, *(columns[name] for name in self.names))

    def estimate(self, formula: Callable[[Tensor], Tensor], names: Sequence[str], seed: int) -> Estimate:
        """`formula` of the sums called `names`, with its interval over documents."""
        whole = self.sums.terms(formula)
        return Terms(whole.documents, whole.sums[:, [self.names.index(name) for name in names]], formula).estimate(seed)


@dataclass
class Tallies:
    """What was measured so far: at tokens, predictions, predictions after a change; and of each site's rows."""

    tokens: Columns = field(default_factory=Columns)
    predictions: Columns = field(default_factory=Columns)
    changes: Columns = field(default_factory=Columns)
    rebuilt: dict[tuple[str, str], VarianceExplained] = field(default_factory=dict)
    n_tokens: int = 0
    documents: set[int] = field(default_factory=set)


@torch.no_grad()
def score_together(
    dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens, config: ScoreConfig
) -> Together:
    """How the model does with all `dictionaries` in place of what they write.

    Raises as `score` does, and MismatchError for dictionaries that cannot be run layer by layer or read one site twice.
    """
    prepared = prepare(dictionaries, model, tokens, config)
    own = Replacement({name: one.to(str(model.device)) for name, one in dictionaries.items()})
    sets = {OWN: own, CONTROL: own.shuffled(config.seed)}
    tallies, draws = Tallies(), generator(config.seed, "changed tokens")
    with progress("score together", len(prepared.chosen), "block") as bar:
        for blocks in prepared.blocks():
            clean = clean_pass(model, blocks, prepared.constants.limits)
            if len(clean.counted):
                _take(prepared, clean, sets, tallies, draws)
            bar.advance(len(blocks.tokens))
    if not tallies.predictions.names:
        raise DataError("no held-out token follows another of the same document: give longer documents or blocks")
    return Together(
        findings=_findings(tallies, config.seed),
        layers=tuple(_layer(site, tallies, config.seed) for site in own.writes),
        dictionaries=tuple(dictionaries),
        model=model.name,
        control_is=SHUFFLED,
        n_tokens=tallies.n_tokens,
        n_documents=len(tallies.documents),
    )


def _take(
    prepared: Prepared, clean: Clean, sets: Mapping[str, Replacement], tallies: Tallies, draws: torch.Generator
) -> None:
    model, sites = prepared.model, sets[OWN].writes
    tallies.n_tokens += len(clean.documents)
    tallies.documents.update(clean.documents.unique().tolist())
    losses = clean.losses()
    columns = {"count": torch.ones_like(losses), "model": losses}
    columns["zero"], columns["mean"] = ablation_losses(model, clean, prepared.constants, sites)
    for site in sites:
        columns[f"mean {site}"] = ablation_losses(model, clean, prepared.constants, (site,))[1]
    l0, errors = {}, {}
    for who, replacement in sets.items():
        rows, fired = replacement.made(clean.rows)
        l0[who] = fired.double()
        errors[who] = {site: clean.rows[site].double() - rows[site] for site in sites}
        _rebuilt(who, clean, rows, tallies)
        columns |= _spliced(who, model, clean, replacement)
    tallies.tokens.add(clean.documents, {"count": torch.ones_like(l0[OWN]), **l0})
    tallies.predictions.add(clean.prediction_documents(), columns)
    if (after := changed(model, clean, draws)) is not None:
        now = after.clean
        moved = {"count": torch.ones_like(after.change), "change": after.change}
        moved["held"] = held(model, clean, now, sets[OWN])
        for who, replacement in sets.items():
            moved[f"{who} alone"] = carried_by(model, now, replacement, None)
            moved[f"{who} with errors"] = carried_by(model, now, replacement, errors[who])
        tallies.changes.add(now.prediction_documents(), moved)


def _spliced(who: str, model: Model, clean: Clean, replacement: Replacement) -> dict[str, Tensor]:
    """Losses with each written site replaced alone, and with all up to it; of all of them KL and agreement too."""
    columns, sites, tokens = {}, replacement.writes, clean.blocks.tokens
    for n, site in enumerate(sites, 1):
        alone = replacement.logits(model, tokens, clean.scored, at=(site,))
        columns[f"{who} alone {site}"] = compared(alone, clean)[0]
        logits = alone if n == 1 else replacement.logits(model, tokens, clean.scored, at=sites[:n])
        columns[f"{who} up to {site}"], kl = compared(logits, clean)
        if n == len(sites):
            columns[f"{who} kl"] = kl
            top = logits.reshape(-1, logits.shape[-1])[clean.counted].argmax(1)
            columns[f"{who} same"] = (top == clean.log_probs.argmax(1)).to(kl)
    return columns


def _rebuilt(who: str, clean: Clean, rows: Mapping[str, Tensor], tallies: Tallies) -> None:
    for site, made in rows.items():
        tallies.rebuilt.setdefault((who, site), VarianceExplained()).take(clean.documents, clean.rows[site], made)


def _findings(tallies: Tallies, seed: int) -> dict[str, Finding]:
    tokens, predictions, changes = tallies.tokens, tallies.predictions, tallies.changes
    last = next(name for name in reversed(predictions.names) if name.startswith(f"{OWN} up to "))
    all_of = {who: last.replace(OWN, who, 1) for who in (OWN, CONTROL)}

    def mean(columns: Columns, name: str) -> Estimate:
        return columns.estimate(mean_of_sums, (name, "count"), seed)

    def both(measure: Callable[[str], Estimate]) -> tuple[Estimate, float | None, str]:
        return measure(OWN), measure(CONTROL).value, SHUFFLED

    def alone(estimate: Estimate) -> tuple[Estimate, float | None, str]:
        return estimate, None, OF_THE_MODEL

    def recovered(who: str, ablated: str) -> Estimate:
        return predictions.estimate(recovered_of_sums, ("model", all_of[who], ablated), seed)

    def carried(name: str) -> Estimate:
        return changes.estimate(*share_carried(name), seed)

    found = {
        "l0": both(lambda who: mean(tokens, who)),
        "loss_model": alone(mean(predictions, "model")),
        "loss_zero": alone(mean(predictions, "zero")),
        "loss_mean": alone(mean(predictions, "mean")),
        "loss_together": both(lambda who: mean(predictions, all_of[who])),
        "loss_recovered_zero": both(lambda who: recovered(who, "zero")),
        "loss_recovered_mean": both(lambda who: recovered(who, "mean")),
        "kl_together": both(lambda who: mean(predictions, f"{who} kl")),
        "same_top": both(lambda who: mean(predictions, f"{who} same")),
    }
    if changes.names:
        found |= {
            "change": alone(mean(changes, "change")),
            "carried_held": alone(carried("held")),
            "carried": both(lambda who: carried(f"{who} alone")),
            "carried_with_errors": both(lambda who: carried(f"{who} with errors")),
        }
    return {name: finding(name, *found[name]) for name in NAMES if name in found}


def _layer(site: str, tallies: Tallies, seed: int) -> LayerScore:
    predictions = tallies.predictions

    def loss(which: str) -> Finding:
        own, control = (
            predictions.estimate(mean_of_sums, (f"{who} {which} {site}", "count"), seed) for who in (OWN, CONTROL)
        )
        return finding(f"loss_{which.replace(' ', '_')}", own, control.value, SHUFFLED)

    own, control = (
        predictions.estimate(recovered_of_sums, ("model", f"{who} alone {site}", f"mean {site}"), seed)
        for who in (OWN, CONTROL)
    )
    explained, beside = (tallies.rebuilt[who, site].result().estimate(seed) for who in (OWN, CONTROL))
    return LayerScore(
        site,
        finding("variance_explained", explained, beside.value, SHUFFLED),
        finding("loss_recovered_mean", own, control.value, SHUFFLED),
        loss("alone"),
        loss("up to"),
    )

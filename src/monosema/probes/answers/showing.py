"""A study of probes as an exhibit."""

from typing import Any

from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding
from monosema.probes.answers.panels import panels
from monosema.probes.answers.sentences import QUESTION, sentences
from monosema.probes.answers.study import Study


def shown(found: Study, settings: Any, what: str) -> Exhibit:
    """`what` says of which model and rows; `settings` is the config that was asked for."""
    fit, validation, test = found.n_rows
    rows = "pairs" if found.paired else "texts"
    how = (
        f"{what}. {fit:,} {rows} to fit on, {validation:,} to choose sites and calibrate on, {test:,} held out, none "
        f"of a group that another part has. Controls: the commoner class, {found.controls.draws} random directions, "
        f"{found.controls.permutations} shufflings of the training labels, and the same model with its weights redrawn."
    )
    return Exhibit("probe", QUESTION, sentences(found), panels(found), findings(found), settings, how, "probe")


def findings(found: Study) -> dict[str, Finding]:
    """Of each method the accuracy beside its highest control; and the headline numbers of the rest."""
    numbers = {name: one.finding for name, one in found.of.items()}
    best = found.best
    numbers["best_beside_randomised_model"] = _beside(best.at_best.accuracy, best.randomised[best.best])
    numbers["best_cosine_with_mean_difference"] = best.at_best.cosine
    numbers["best_calibration_error"] = best.reliability.ece
    if best.together is not None:
        numbers["best_of_all_sites_together"] = best.together.accuracy
    if "ccs" in found.of:
        numbers |= {
            f"ccs_{name}": f for name, f in found.of["ccs"].at_best.findings.items() if "loss" in name or "xor" in name
        }
    if found.restarts is not None:
        numbers["ccs_restarts_together"] = found.restarts.accuracy
    for name, one in found.of.items():
        if one.which:
            numbers[f"{name}_on_truth"] = one.which[one.best].truth
            numbers[f"{name}_on_distractor"] = one.which[one.best].distractor
    return numbers


def _beside(found: Finding, other: Finding) -> Finding:
    control = "the same method on the randomised model"
    return Finding(found.name, found.value, other.value, control, found.low, found.high, found.n, found.unit)

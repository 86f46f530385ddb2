"""What a study of probes found, in sentences; the numbers in them are computed."""

from monosema.core.findings import short
from monosema.probes.answers.study import Of, Study

QUESTION = "Is there a direction that tells true from false, and what else would tell as much?"


def sentences(found: Study) -> tuple[str, ...]:
    """The answer."""
    said = [_best(found), *_not_shown(found), _randomised(found.best), *_ccs(found), *_planted(found), _cosine(found)]
    said += [*_ensembles(found), *_calibrated(found.best), *_transfers(found), _signs(found), *_skipped(found)]
    return tuple(said)


def percent(share: float) -> str:
    return f"{share:.1%}"


def _best(found: Study) -> str:
    best = found.best
    one = best.at_best
    controls = ", ".join(f"{name} {percent(value)}" for name, value in best.controls.items())
    verdict = "above all its controls" if best.shown else "not shown to be above its controls"
    return (
        f"On the validation rows {best.method} at {best.best} is best. It is right in {percent(one.accuracy.value)} of "
        f"{found.n_rows[2]:,} held-out rows (95% {percent(one.accuracy.low)} to {percent(one.accuracy.high)}), "
        f"{verdict}: {controls}."
    )


def _not_shown(found: Study) -> tuple[str, ...]:
    names = [one.method for one in found.of.values() if not one.shown and one.method != "random"]
    if not names:
        return ()
    return (f"Not shown to be above all their controls, each at its best site: {', '.join(names)}.",)


def _randomised(best: Of) -> str:
    other, majority = best.randomised[best.best], best.at_best.accuracy.control or 0.0
    if other.low > majority:
        return (
            f"The same method reads {percent(other.value)} from the model with its weights redrawn, which is above the "
            f"commoner class ({percent(majority)}): so much is in the texts, whatever a model learns."
        )
    return (
        f"From the model with its weights redrawn the same method reads {percent(other.value)}, no more than the "
        f"commoner class ({percent(majority)})."
    )


def _ccs(found: Study) -> tuple[str, ...]:
    if "ccs" not in found.of:
        return ()
    loss, xor = found.of["ccs"].at_best.loss, found.of["ccs"].at_best.xor
    assert loss is not None and xor is not None
    side = "below" if loss.value < (loss.control or 0.0) else "no better than"
    return (
        f"The loss of CCS on held-out pairs is {short(loss.value)}, {side} the {short(loss.control)} of the probe that "
        f"answers .4 to everything. {xor.says}",
    )


def _planted(found: Study) -> tuple[str, ...]:
    """Which methods found the distractor, and at which sites."""
    those = [one for one in found.of.values() if one.which and one.method != "random"]
    if not those:
        return ()
    fooled = {one.method: [site for site in found.sites if one.which[site].found == "distractor"] for one in those}
    named = "; ".join(f"{method} at {', '.join(sites)}" for method, sites in fooled.items() if sites)
    never = ", ".join(method for method, sites in fooled.items() if not sites)
    first = f"Beside the truth there is a distractor. It is found, and not the truth, by {named or 'no method'}."
    return (first + (f" At no site by {never}." if named and never else ""),)


def _cosine(found: Study) -> str:
    cosines = {one.method: one.at_best.cosine.value for one in found.of.values() if one.method != "random"}
    random = found.best.at_best.cosine.control or 0.0
    said = ", ".join(f"{name} {value:.2f}" for name, value in cosines.items())
    return (
        f"|cosine| with the difference of the classes' means, which linear algebra alone predicts for any feature that "
        f"the classes differ in: {said}; a random direction has {random:.2f}."
    )


def _ensembles(found: Study) -> tuple[str, ...]:
    said = []
    together = found.best.together
    if together is not None:
        said.append(
            f"{len(found.sites)} {found.best.method} probes together, one a site, are right in "
            f"{percent(together.accuracy.value)}; one of them alone in {percent(together.accuracy.control or 0.0)} on "
            f"average, and the one that validation chooses in {percent(together.best)}."
        )
    restarts = found.restarts
    if restarts is not None:
        said.append(
            f"All restarts of CCS together are right in {percent(restarts.accuracy.value)}, one alone in "
            f"{percent(restarts.accuracy.control or 0.0)} on average, the one with the lowest loss in "
            f"{percent(restarts.best)}."
        )
    return tuple(said)


def _calibrated(best: Of) -> tuple[str, ...]:
    return (
        f"Its probabilities, calibrated on the validation rows, are off by {short(best.reliability.ece.value)} on "
        "average over ten bins.",
    )


def _transfers(found: Study) -> tuple[str, ...]:
    between = "sites" if found.across_sites else "sets"

    def said(sentence: str) -> str:
        return (
            sentence.replace("the set it was fitted on", "the site it was fitted at")
            if found.across_sites
            else sentence
        )

    return tuple(f"{one.method} between {between}: {said(one.says())}" for one in found.transfers if len(one.names) > 1)


def _signs(found: Study) -> str:
    signs: dict[str, list[str]] = {}
    for one in found.of.values():
        signs.setdefault(one.at_best.probe.sign, []).append(one.method)
    words = {
        "supervised": "fitted with labels",
        "by most training labels": "of the sign that is right for most training labels, the one thing they are told",
        "unsettled": "of the better sign, and so are their controls",
    }
    return "Signs: " + "; ".join(f"{', '.join(names)} {words[sign]}" for sign, names in signs.items()) + "."


def _skipped(found: Study) -> tuple[str, ...]:
    if not found.skipped:
        return ()
    return (f"{', '.join(found.skipped)} need pairs and were left out: these rows are single texts.",)

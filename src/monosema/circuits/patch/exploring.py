"""Two prompts, or many pairs of them, as an exhibit: where the difference is carried, and what shows that it is."""

import math

import torch

from monosema.circuits.patch.effects import Effects
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.panels import Texts, panels
from monosema.circuits.patch.settings import PatchConfig
from monosema.circuits.patch.studying import Kind, PatchStudy, Ways, study
from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding, bootstrap, short
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.models import Model

KNOWN = 0.75
"""A model that prefers the answer on a smaller share of the clean prompts does not know the answers."""

QUESTION = "Where in the model is the difference between the two prompts carried?"


def explore_patching(
    model: Model,
    pairs: Pairs,
    config: PatchConfig,
    texts: Texts | None = None,
    bos: int | None = None,
    dictionary: Dictionary | None = None,
) -> Exhibit:
    """The exhibit. `texts` of the first pair's tokens, their numbers if None; `bos` stays in unrelated prompts; the
    features of `dictionary` are patched too.

    Raises as `study` does.
    """
    found = study(model, pairs, config, bos, dictionary)
    numbers = findings(found)
    clean, corrupted = texts or (
        [str(i) for i in pairs.clean[0].tolist()],
        [str(i) for i in pairs.corrupted[0].tolist()],
    )
    one = found.kinds[0].exact
    how = (
        f"{model.name}, {len(pairs)} pair{'s' * (len(pairs) > 1)} of prompts of {pairs.n_tokens} tokens. "
        f"{config.metric}: {short(float(one.clean.mean()))} on the clean prompts, "
        f"{short(float(one.corrupted.mean()))} on the corrupted ones; effects are shares of the way between. "
        f"The corrupted prompt runs, and takes over activations of the clean one. Controls: activations of random "
        f"tokens in the place of the clean prompt's, and {config.random} groups of as many other places of the same "
        "kind."
    )
    return Exhibit(
        "patch", QUESTION, sentences(found), panels(found, (clean, corrupted)), numbers, config, how, "patch"
    )


def findings(found: PatchStudy) -> dict[str, Finding]:
    """For each kind its strongest place and its strongest few together; and how well gradients estimate."""
    clean, corrupted = found.answered
    terms = torch.stack([clean.double(), torch.ones(len(clean), dtype=torch.float64)], 1)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(found.config.seed, "answered"))
    other, n = float(corrupted.double().mean()), len(clean)
    numbers = {"answered": Finding("answered", value, other, "on the corrupted prompts", low, high, n, "pairs")}
    for kind in found.kinds:
        numbers[f"{kind.name}_strongest"] = _strongest(kind, found)
        numbers[f"{kind.name}_together"] = _together(kind, found)
    if found.ways is not None and found.ways.onward is not None and found.ways.onward_unrelated is not None:
        numbers["path"] = _path(found.ways.onward, found.ways.onward_unrelated, found)
    value, n = found.agreement.correlation, sum(len(kind.patches) for kind in found.kinds)
    control, control_is = found.unrelated_agreement, "estimates for an unrelated prompt"
    numbers["estimates"] = Finding("correlation", value, control, control_is, value, value, n, "places")
    return numbers


def _strongest(kind: Kind, found: PatchStudy) -> Finding:
    i = kind.inner[0]
    low, high = kind.exact.interval(i, found.config.seed)
    control = float(kind.unrelated.share[i])
    value, n = float(kind.exact.share[i]), len(found.pairs)
    return Finding("effect", value, control, "the same place of an unrelated prompt", low, high, n, "pairs")


def _path(onward: Effects, unrelated: Effects, found: PatchStudy) -> Finding:
    """Of the path from the strongest head through its strongest reader straight to the logits."""
    low, high = onward.interval(len(onward) - 1, found.config.seed)
    value, control = float(onward.share[-1]), float(unrelated.share[-1])
    return Finding(
        "effect", value, control, "the same path from an unrelated prompt", low, high, len(found.pairs), "pairs"
    )


def _together(kind: Kind, found: PatchStudy) -> Finding:
    low, high = kind.together.interval(0, found.config.seed)
    random = kind.together.share[1:]
    control = float(random.mean()) if len(random) else None
    control_is = "as many other places at random" if len(random) else "there are too few other places"
    return Finding("effect", float(kind.together.share[0]), control, control_is, low, high, len(found.pairs), "pairs")


def sentences(found: PatchStudy) -> tuple[str, ...]:
    """What was found, in words."""
    clean, corrupted = (float(one.double().mean()) for one in found.answered)
    knows = "" if clean >= KNOWN else " It does not know the answers, so there is little to be found here."
    said = [
        f"The model prefers the answer to the wrong one on {clean:.0%} of the clean prompts, and on {corrupted:.0%} of "
        f"the corrupted ones.{knows}"
    ]
    for kind in found.kinds:
        share = float(kind.exact.share[kind.inner[0]])
        chosen, *random = kind.together.share.tolist()
        beside = (
            f"; {len(random)} random groups of as many on average {short(sum(random) / len(random))}" if random else ""
        )
        n, before = min(found.config.top, len(kind.inner)), len(kind.inner) < len(kind.order)
        where = " before the last position" if before else ""
        said.append(
            f"Of {len(kind.inner)} places of {kind.name}{where}, {kind.strongest} does most by itself: {short(share)} "
            f"of the difference. The strongest {n} together do {short(chosen)}{beside}."
        )
    if found.ways is not None:
        said.append(_ways(found.ways))
    error = found.agreement
    agrees = "undefined" if math.isnan(error.correlation) else short(error.correlation)
    said.append(
        f"Estimates by gradients correlate {agrees} with the effects; they are off by {short(error.mean_error)} on "
        f"average, and by {short(error.max_error)} at worst, at {error.worst[0][0]}."
    )
    return tuple(said)


def _ways(ways: Ways) -> str:
    share = ways.readers.share.tolist()
    best = max(range(len(share) - 1), key=lambda i: abs(share[i]))
    first = (
        f"What {ways.sender} writes acts most through {ways.readers.names[best]}: {short(share[best])}, of "
        f"{short(share[-1])} through all readers together."
    )
    if ways.onward is None or ways.onward_unrelated is None:
        return first
    straight, beside = float(ways.onward.share[-1]), float(ways.onward_unrelated.share[-1])
    return (
        f"{first} Through {ways.reader} and from there straight to the logits: {short(straight)} (from an unrelated "
        f"prompt {short(beside)})."
    )

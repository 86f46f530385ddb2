"""What a circuit of features shows, in sentences and as findings beside their controls."""

from monosema.circuits.features.controls import WHAT
from monosema.circuits.features.curves import Curve
from monosema.circuits.features.keeping import Kept
from monosema.circuits.features.studying import CircuitStudy
from monosema.circuits.planning.shares import rate, share
from monosema.core.findings import Finding, short

KNOWN = 0.75
"""A model that prefers the answer on a smaller share of the clean prompts does not know the answers."""

ENOUGH = 0.8
"""The share of the answer that a circuit is asked to keep."""


def findings(found: CircuitStudy) -> dict[str, Finding]:
    """The headline numbers, at the size of the circuit that is shown; features alone, errors at their means."""
    size, seed = found.config.top, found.config.seed
    features, random, nothing, neurons = (
        found.curve(name) for name in ("features", "random nodes", "unlearned", "neurons")
    )
    with_errors, random_errors = found.curve("features", True), found.curve("random nodes", True)
    at_random, few = "as many nodes at random", "as many neurons of the same sites"
    return {
        "answered": _answered(found),
        "faithfulness": _share("faithfulness", _kept(features, size), _kept(random, size), at_random, seed),
        "beside_neurons": _share("faithfulness", _kept(features, size), _kept(neurons, size), few, seed),
        "ahead_of_neurons": _ahead(_kept(features, size), (_kept(neurons, size), _kept(random, size)), seed),
        "beside_unlearned": _share(
            "faithfulness", _kept(features, size), _kept(nothing, size), f"as many of {WHAT}", seed
        ),
        "completeness": _share("completeness", _left(features, size), _left(random, size), at_random, seed),
        "completeness_beside_neurons": _share("completeness", _left(features, size), _left(neurons, size), few, seed),
        "all_features": _share("faithfulness", features.all_of, nothing.all_of, f"all of {WHAT}", seed),
        "with_errors": _share("faithfulness", _kept(with_errors, size), _kept(random_errors, size), at_random, seed),
        "estimates": _estimates(found),
    }


def _kept(curve: Curve, size: int) -> Kept:
    return curve.kept[curve.at(size)]


def _left(curve: Curve, size: int) -> Kept:
    return curve.left[curve.at(size)]


def _share(name: str, one: Kept, control: Kept, control_is: str, seed: int) -> Finding:
    low, high = one.interval(seed)
    return Finding(name, one.share, control.share, control_is, low, high, len(one.values), "held-out pairs")


def _answered(found: CircuitStudy) -> Finding:
    clean, corrupted = found.answered
    return share("answered", clean, rate(corrupted), "on the corrupted prompts", "held-out pairs")


def _ahead(one: Kept, others: tuple[Kept, Kept], seed: int) -> Finding:
    """How far ahead of the neurons; the control is how far random features are."""
    neurons, random = others
    value, low, high = one.ahead_of(neurons, seed)
    control, n = random.ahead_of(neurons, seed)[0], len(one.values)
    return Finding("faithfulness beyond neurons'", value, control, "of random features", low, high, n, "held-out pairs")


def _estimates(found: CircuitStudy) -> Finding:
    integrated, once = found.errors
    n = len(found.circuit.nodes)
    return Finding("error of the estimates", integrated, once, "one gradient", integrated, integrated, n, "nodes")


def sentences(found: CircuitStudy) -> tuple[str, ...]:
    """What was found, in words."""
    features, neurons = found.curve("features"), found.curve("neurons")
    random, nothing = found.curve("random nodes"), found.curve("unlearned")
    size = features.sizes[features.at(found.config.top)]
    keeps = [_said(_kept(curve, size)) for curve in (features, neurons, random, nothing)]
    left = [_said(_left(curve, size)) for curve in (features, neurons, random)]
    verdict = _verdict(_kept(features, size), _kept(neurons, size), found.config.seed)
    return (
        *_knowing(found),
        f"With every other node at its mean and all errors too, the {size:,} features with the largest effects keep "
        f"{keeps[0]} of the answer; as many neurons of the same sites keep {keeps[1]}, as many features at random "
        f"{keeps[2]}, and as many of {WHAT} {keeps[3]}. {verdict}",
        f"To keep {ENOUGH:g} of it takes {_needed(features)} features of {features.n_active:,} that are active, or "
        f"{_needed(neurons)} neurons of {neurons.n_active:,}.",
        f"Without these {size:,} features {left[0]} of the answer is left; without as many neurons {left[1]}, without "
        f"as many features at random {left[2]}.",
        _about_errors(found, size),
        _about_estimates(found),
    )


def _verdict(features: Kept, neurons: Kept, seed: int) -> str:
    value, low, high = features.ahead_of(neurons, seed)
    ahead = f"Features are ahead of neurons by {short(round(value, 3) + 0.0)} (95% {short(low)}..{short(high)})"
    if low > 0:
        return f"{ahead}."
    if high < 0:
        return f"{ahead}: they do worse than the coordinates they were learned from."
    return f"{ahead}: these pairs do not show them to be better than the coordinates they were learned from."


def _said(one: Kept) -> str:
    """A share to three decimals: what is left after that is rounding."""
    return short(round(one.share, 3) + 0.0)


def _knowing(found: CircuitStudy) -> tuple[str, ...]:
    right, n = found.right, len(found.answered[0])
    corrupted = rate(found.answered[1])
    said = (
        f"The model prefers the answer to the wrong one on {right:.0%} of the {n} held-out clean prompts, and on "
        f"{corrupted:.0%} of the corrupted ones."
    )
    if right < KNOWN:
        return (
            f"{said} It does not know the answers, so there is no circuit for them to be found: the numbers below say "
            "what moves a difference of two logits, and nothing of agreement or of any other skill.",
        )
    return (said,)


def _needed(curve: Curve) -> str:
    first = curve.first_above(ENOUGH)
    return "more than all" if first is None else f"at most {first:,}"


def _about_errors(found: CircuitStudy, size: int) -> str:
    whole, with_errors = found.curve("features").all_of, found.curve("features", True)
    n = sum(node.feature is None for node in found.circuit.nodes)
    return (
        f"All features together, without any error, keep {_said(whole)}. Of the {len(found.circuit.nodes)} nodes with "
        f"the largest effects {n} {'is an error' if n == 1 else 'are errors'}; with errors among the nodes {size:,} "
        f"keep {_said(_kept(with_errors, size))}."
    )


def _about_estimates(found: CircuitStudy) -> str:
    exact, nodes = found.exact.mean(1).tolist(), found.circuit.nodes
    first = max(range(len(nodes)), key=lambda i: abs(exact[i]))
    integrated, once = (effects.of(nodes[first]) for effects in (found.circuit.effects, found.gradients))
    return (
        f"Moving each of the {len(nodes)} strongest nodes by itself says how far the estimates are off: integrated "
        f"gradients by {short(found.errors[0])} on average, one gradient by {short(found.errors[1])}. {nodes[first]}, "
        f"which does most ({short(exact[first])}), is estimated at {short(integrated)} and at {short(once)}."
    )

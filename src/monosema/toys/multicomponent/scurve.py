"""The experiment `scurve`: when learning comes in steps, and when the steps run together."""

from collections.abc import Sequence
from statistics import mean

from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding, short
from monosema.toys.intervals import over_seeds, share
from monosema.toys.multicomponent import scurve_panels as panels
from monosema.toys.multicomponent.scurve_config import ScurveConfig
from monosema.toys.multicomponent.surveys import (
    Map,
    Runs,
    Waits,
    boundary,
    by_cross_entropy,
    flow_of,
    map_of,
    waits_by_factors,
    without_product,
)
from monosema.toys.multicomponent.targets import target
from monosema.toys.multicomponent.theory import eckart_young
from monosema.toys.multicomponent.training import OptimiserConfig

QUESTION = "When does learning come in steps, and when do the steps run together?"
TWO = (40.0, 15.0)
"""Components of the target with cross-entropy, of the published example."""

RECIPES = (
    ("gradient descent from 1e-8", OptimiserConfig("flow", 1.0), 1e-8),
    ("gradient descent from 1e-3", OptimiserConfig("flow", 1.0), 1e-3),
    ("Adam from 1e-8", OptimiserConfig("adam", 0.01), 1e-8),
    ("Adam from 1e-3", OptimiserConfig("adam", 0.01), 1e-3),
)
"""With cross-entropy: name, optimiser, and deviation of the initial factors."""

NO_PRODUCT = "the target's own entries as parameters, without a product"


def scurve(config: ScurveConfig) -> Exhibit:
    """Steps on exact ground, the map of the second plateau, cross-entropy, many components, a third factor."""
    few = flow_of(config, config.values, len(config.values))
    alone = without_product(target(config.values, config.size, seed=config.seed), "mse", few.curves[0], 0.01)
    many_values = tuple(config.values[0] / (i + 1) for i in range(config.n_many))
    many = flow_of(config, many_values, config.n_many)
    maps = {name: map_of(config, name) for name in ("flow", "sgd", "adam", "direct")}
    edge = boundary(config, maps["flow"].inits)
    two = {name: by_cross_entropy(config, TWO, opt, init, name) for name, opt, init in RECIPES}
    flat = without_product(target(TWO, 2 * config.size, seed=config.seed), "kl", two[RECIPES[0][0]].curves[0], 1.0)
    ten_values = tuple(TWO[0] / (i + 1) for i in range(config.n_many))
    controls = {
        "mse": without_product(target(many_values, config.size, seed=config.seed), "mse", many.curves[0], 0.01),
        "kl": without_product(target(ten_values, 2 * config.size, seed=config.seed), "kl", flat.curves[0], 1.0),
    }
    ten = {name: by_cross_entropy(config, ten_values, opt, init, name) for name, opt, init in (RECIPES[0], RECIPES[3])}
    waits = waits_by_factors()

    found = {
        **_few_findings(config, few, alone),
        **_map_findings(config, maps, edge),
        **_kl_findings(two, flat),
        **_many_findings(config, many, ten, two, controls),
        **_wait_findings(waits),
    }
    return Exhibit(
        name="scurve",
        question=QUESTION,
        answer=_answer(config, found, maps, two, ten),
        panels=(
            panels.losses_in_steps(config.values, few, alone),
            panels.components(config.values, few, "Each step is one component", "one component after the other"),
            *(panels.second_plateau(name, maps[name], edge) for name in ("flow", "sgd", "adam")),
            panels.cross_entropy(two, flat),
            panels.losses_of_many(many_values, many),
            panels.components(many_values, many, f"{config.n_many} components", "curves that overlap more and more"),
            panels.many_by_cross_entropy(ten, two),
            panels.waits(waits),
            panels.recipes(two, flat),
        ),
        findings=found,
        settings=config,
        how=(
            f"Full-batch gradients of the exact loss (SGD: a random {config.share:g} of the entries a step), float64; "
            f"{config.n_seeds} seeds a curve, {config.grid} x {config.grid} x {config.grid_seeds} runs a map, each "
            "group in one tensor program. Flow is Euler steps. A plateau is where the loss falls at less than a tenth "
            "of the speed of the drops beside it."
        ),
    )


def _few_findings(config: ScurveConfig, few: Runs, alone: Runs) -> dict[str, Finding]:
    n = len(config.values)
    found = {
        "plateaus": over_seeds("plateaus", [float(len(w)) for w in few.waits], float(len(alone.waits[0])), NO_PRODUCT)
    }
    for k in range(n):
        waits = [w[k] for w in few.waits if len(w) > k]
        if not waits:
            continue
        middle = mean((p.start + p.end) / 2 for p in waits)
        then = min(zip(*alone.curves[0], strict=True), key=lambda at: abs(at[0] - middle))[1]
        name = f"height_of_plateau_{k + 1}"
        found[name] = over_seeds(name, [p.height for p in waits], then, f"{NO_PRODUCT}, at the same time")
    return found


def _map_findings(config: ScurveConfig, maps: dict[str, Map], edge: Sequence[float]) -> dict[str, Finding]:
    n = config.grid**2 * config.grid_seeds
    control = _mean(maps["direct"])
    found = {
        f"second_plateau_{name}": share(
            f"second_plateau_{name}", round(_mean(maps[name]) * n), n, control, NO_PRODUCT, "runs of the map"
        )
        for name in ("flow", "sgd", "adam")
    }
    flow = maps["flow"]
    cells = [
        (there > 0.5, ratio < limit)
        for limit, row in zip(edge, flow.shares, strict=True)
        for ratio, there in zip(flow.ratios, row, strict=True)
    ]
    majority = max(sum(there for there, _ in cells), sum(not there for there, _ in cells)) / len(cells)
    found["map_as_theory_says"] = share(
        "map_as_theory_says",
        sum(there == said for there, said in cells),
        len(cells),
        majority,
        "the commoner of the two answers everywhere",
        "cells of the map of gradient flow",
    )
    return found


def _mean(found: Map) -> float:
    return mean(value for row in found.shares for value in row)


def _kl_findings(two: dict[str, Runs], flat: Runs) -> dict[str, Finding]:
    there = {name: sum(len(w) > 1 for w in runs.waits) for name, runs in two.items()}
    control = float(len(flat.waits[0]) > 1)
    return {
        f"second_plateau_cross_entropy: {name}": share(
            "second_plateau_cross_entropy", hits, len(two[name].waits), control, NO_PRODUCT, "seeds"
        )
        for name, hits in there.items()
    }


def _many_findings(
    config: ScurveConfig, many: Runs, ten: dict[str, Runs], two: dict[str, Runs], controls: dict[str, Runs]
) -> dict[str, Finding]:
    n, down = config.n_many, RECIPES[0][0]
    left = [curve[-1] / curve[0] for _, curve in ten[down].curves]
    of_two = mean(curve[-1] / curve[0] for _, curve in two[down].curves)
    none = {loss: float(len(runs.waits[0])) for loss, runs in controls.items()}
    found = (
        over_seeds(f"plateaus_of_{n}", [float(len(w)) for w in many.waits], none["mse"], NO_PRODUCT),
        over_seeds(f"plateaus_of_{n}_cross_entropy", [float(len(w)) for w in ten[down].waits], none["kl"], NO_PRODUCT),
        over_seeds(f"share_of_the_loss_left_of_{n}_cross_entropy", left, of_two, "two components, as many steps"),
    )
    return {finding.name: finding for finding in found}


def _wait_findings(waits: Waits) -> dict[str, Finding]:
    """How many times longer the wait is from a start a thousand times smaller."""
    i, j = waits.starts.index(min(waits.starts, key=lambda u: abs(u - 1e-3))), len(waits.starts) - 1
    ratio = {order: times[j] / times[i] for order, times in waits.measured.items()}
    return {
        "wait_of_three_factors_from_a_smaller_start": Finding(
            "wait_of_three_factors_from_a_smaller_start",
            ratio[3],
            ratio[2],
            "two factors",
            ratio[3],
            ratio[3],
            2,
            "starts, 1e-3 and 1e-6",
        )
    }


def _answer(
    config: ScurveConfig, found: dict[str, Finding], maps: dict[str, Map], two: dict[str, Runs], ten: dict[str, Runs]
) -> tuple[str, ...]:
    wait = found["wait_of_three_factors_from_a_smaller_start"]
    return (
        _steps_said(config, found),
        _map_said(found, maps["flow"]),
        _optimisers_said(config, found, two),
        _many_said(config, found, ten),
        "With three factors the wait before the first drop is no longer a matter of the logarithm of the start: from "
        f"a start a thousand times smaller it is {wait.value:.1f} times as long, with two "
        f"factors {short(wait.control)} times.",
    )


def _steps_said(config: ScurveConfig, found: dict[str, Finding]) -> str:
    there = [k for k in range(len(config.values)) if f"height_of_plateau_{k + 1}" in found]
    heights = ", ".join(f"{found[f'height_of_plateau_{k + 1}'].value:.5g}" for k in there)
    exact = ", ".join(f"{eckart_young(config.values, k):.5g}" for k in there)
    return (
        f"A model that is a sum of products learns one component after the other. Its loss waits at {heights}; the "
        f"best model of 0, 1, ... components leaves {exact}. The same target learnt without a product has "
        f"{short(found['plateaus'].control)} plateaus."
    )


def _map_said(found: dict[str, Finding], flow: Map) -> str:
    small, large = _last_ratio(flow, 0), _last_ratio(flow, -2)
    return (
        "The second plateau vanishes as the components come closer, and sooner the larger the start. By gradient flow "
        f"most runs have it up to a second component of {small} of the first from an initial size of "
        f"{flow.inits[0]:.2g}, and up to {large} from {flow.inits[-2]:.2g}. Two logistic curves added, with "
        f"nothing fitted, say where in {found['map_as_theory_says'].value:.0%} of the cells."
    )


def _last_ratio(found: Map, row: int) -> str:
    """The largest ratio at which most seeds still have the plateau."""
    there = [ratio for ratio, value in zip(found.ratios, found.shares[row], strict=True) if value > 0.5]
    return f"{max(there):.2f}" if there else f"less than {found.ratios[0]:.2f}"


def _optimisers_said(config: ScurveConfig, found: dict[str, Finding], two: dict[str, Runs]) -> str:
    flow, sgd, adam = (found[f"second_plateau_{name}"].value for name in ("flow", "sgd", "adam"))
    recipes = [f"{sum(len(w) > 1 for w in runs.waits)} by {name}" for name, runs in two.items()]
    second = [w[1].height for w in two[RECIPES[0][0]].waits if len(w) > 1]
    height = f" By gradient descent from 1e-8 it is at {short(mean(second))}." if second else ""
    return (
        f"Over the same map gradient flow has a second plateau in {flow:.0%} of the runs, SGD on a random "
        f"{config.share:g} of the entries in {sgd:.0%}, Adam in {adam:.1%}: Adam grows small factors as fast as large "
        f"ones. With cross-entropy and s = {TWO[0]:g} and {TWO[1]:g} it is there in so many of {config.n_seeds} seeds: "
        f"{', '.join(recipes)}.{height}"
    )


def _many_said(config: ScurveConfig, found: dict[str, Finding], ten: dict[str, Runs]) -> str:
    n = config.n_many
    left, seen = found[f"share_of_the_loss_left_of_{n}_cross_entropy"], found[f"plateaus_of_{n}_cross_entropy"]
    by_adam = mean(curve[-1] / curve[0] for _, curve in ten[RECIPES[3][0]].curves)
    return (
        f"With {n} components of sizes s/1, s/2, ... s/{n} the steps run together: half the squared error has "
        f"{found[f'plateaus_of_{n}'].value:.1f} plateaus, and yet it is the sum of {n} S-curves. With cross-entropy "
        f"there are {seen.value:.1f}, and after {config.steps_kl:,} steps of gradient descent the loss is not at zero: "
        f"{left.value:.2%} of its start is left (95% {left.low:.2%}..{left.high:.2%}), of two components' "
        f"{short(left.control)}; by Adam {by_adam:.1e}."
    )

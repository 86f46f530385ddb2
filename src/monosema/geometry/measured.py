"""The headline numbers of a study, each with its control."""

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.geometry.studying import Study

SHUFFLED = "the clusters' labels dealt out at random"
REDRAWN = "the same matrix with its weights redrawn"
GAUSSIAN = "Gaussian rows of the same mean and covariance"


def findings(found: Study) -> dict[str, Finding]:
    """By a name of their own."""
    return _variances(found) | _along(found) | _shape(found)


def _exact(name: str, value: float, control: float, control_is: str, n: int) -> Finding:
    """A property of the weights: there is no sampling error in it."""
    return Finding(name, value, control, control_is, value, value, n, "tokens")


def _over_directions(
    name: str, values: Float64[Tensor, "direction"], control: float, control_is: str, seed: int
) -> Finding:
    terms = torch.stack([values, torch.ones_like(values)], 1)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "bootstrap", name))
    return Finding(name, value, control, control_is, low, high, len(values), "directions")


def _variances(found: Study) -> dict[str, Finding]:
    """eta2 of the rows and of the cosines, under every treatment, and without its largest cluster."""
    n, view = found.clusters.n, found.view()
    shuffled = float(found.shuffled.mean())
    what = "share of the variance along a random direction that is between clusters"
    numbers = {
        "eta2": _exact(what, view.rows.eta2, shuffled, SHUFFLED, n),
        "eta2_beside_redrawn": _exact(what, view.rows.eta2, found.view(source=1).rows.eta2, REDRAWN, n),
    }
    rest = found.without.anova
    if rest is not None:
        name = f"eta2_without_{found.without.name.replace(' ', '_')}"
        numbers[name] = _exact(f"{what}, less its largest cluster", rest.eta2, rest.by_chance, SHUFFLED, rest.n)
    whitened = found.view("whitened")
    return numbers | {
        "eta2_whitened": _exact(
            f"{what}, whitened", whitened.rows.eta2, float(found.shuffled_whitened.mean()), SHUFFLED, n
        ),
        "eta2_of_cosines": _exact(f"{what}, rows at norm 1", view.units.eta2, view.units.by_chance, SHUFFLED, n),
        "eta2_of_centred_cosines": _exact(
            f"{what}, centred, rows at norm 1",
            found.view("centred").units.eta2,
            found.view("centred").units.by_chance,
            SHUFFLED,
            n,
        ),
    }


def _along(found: Study) -> dict[str, Finding]:
    """What is seen along the directions that were drawn."""
    view, gaussian, k, seed = found.view(), found.view(source=2), found.config.nearest, found.config.seed
    pairs = f"pairs of the {k} nearest tokens that share a cluster"
    return {
        "alike_neighbours": _over_directions(pairs, view.alike, found.chance, SHUFFLED, seed),
        "alike_neighbours_by_product": _over_directions(
            f"{pairs}, nearest by dot product", view.alike_dot, found.chance, SHUFFLED, seed
        ),
        "likeness_beyond_nearness": _over_directions(
            f"cosine of two of the {k} nearest tokens, less the product of their nearness",
            view.pairs.excess,
            float(gaussian.pairs.excess.mean()),
            GAUSSIAN,
            seed,
        ),
        "nearest_cosine": _over_directions(
            "cosine of a direction and its nearest token",
            view.near.values[:, 0],
            float(gaussian.near.values[:, 0].mean()),
            GAUSSIAN,
            seed,
        ),
        "commonest_nearest": Finding(
            "share of directions that have the commonest nearest token",
            view.hubs.commonest,
            gaussian.hubs.commonest,
            GAUSSIAN,
            view.hubs.commonest,
            view.hubs.commonest,
            found.config.directions,
            "directions",
        ),
    }


def _shape(found: Study) -> dict[str, Finding]:
    """Of the cloud of rows, and of how far apart the clusters are in it."""
    n, view, redrawn = len(found.vocabulary), found.view(), found.view(source=1)
    (apart, mixed), (told, chance) = found.apart, found.told
    return {
        "mean_cosine": _exact("cosine of two tokens", view.mean_cosine, redrawn.mean_cosine, REDRAWN, n),
        "effective_dimension": _exact(
            "participation ratio of the spectrum", view.dimension, redrawn.dimension, REDRAWN, n
        ),
        "own_mean_nearest": _exact(
            "tokens nearest to the mean of the others of their cluster",
            apart.own_nearest,
            mixed.own_nearest,
            SHUFFLED,
            found.clusters.n,
        ),
        "eta2_along_the_best_direction": _exact(
            "share between clusters along the first discriminant direction, on tokens it was not found on",
            told.eta2[0],
            chance.eta2[0],
            SHUFFLED,
            len(told.tokens),
        ),
    }

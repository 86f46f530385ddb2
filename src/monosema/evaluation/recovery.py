"""Did a dictionary find what is there? Its latents against the features of a world in which they are known.

    latent_j <-> feature_i      one to one, the assignment of largest summed cosine (Kuhn 1955)

    mcc          mean over matched pairs of cos(W_dec_j, d_i): the mean correlation coefficient, of directions
    recovered    share of features whose latent has a cosine of at least .9
    uniqueness   distinct nearest features of the living latents, over the number of these latents
    precision, recall, f1
                 of "latent j fires" as a detector of "feature i fires"; f1 is 0 where nothing is detected
    dead         share of latents that fire on no row
    split        share of features that are the nearest of two living latents or more, each at .7 at least
    absorption   of parents by what fires with them (Chanin et al. 2024; `absorption`)
    hedging      by how much a parent's latent leans to its children: mean cos(W_dec_j, d_child) less the
                 same of the parent's own direction (Chanin et al. 2025)

The control is a world of the same kind with other directions and other firings, to which the same dictionary
is matched: what these measures give where there is nothing to recover. Features that fire on no row take no part.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.corpus.worlds import World, WorldRows
from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.absorption import absorption

RECOVERED = 0.9
SPLIT = 0.7
CONTROL = "another world of its kind"


@runtime_checkable
class Dictionary(Protocol):
    """What is asked of a dictionary; `monosema.dictionaries.Dictionary` is one."""

    @property
    def W_dec(self) -> Tensor: ...  # noqa: N802 (the field's own name)
    @property
    def b_dec(self) -> Tensor: ...
    def encode(self, x: Tensor) -> SparseCodes: ...


@dataclass(frozen=True)
class Matching:
    """Pairs of a latent and a feature, with the cosine of their directions."""

    latents: Int64[Tensor, "pair"]
    features: Int64[Tensor, "pair"]
    cosines: Float[Tensor, "pair"]


def match(cosines: Float[Tensor, "latent feature"]) -> Matching:
    """The one-to-one assignment of the largest summed cosine: as many pairs as there are of the fewer side."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cosines.double().numpy(), maximize=True)
    latents, features = torch.from_numpy(rows).long(), torch.from_numpy(columns).long()
    return Matching(latents, features, cosines[latents, features])


def cosines_of(
    decoder: Float[Tensor, "latent d"], directions: Float[Tensor, "feature d"]
) -> Float[Tensor, "latent feature"]:
    """Cosines of every latent with every feature; 0 for a decoder row of norm 0."""
    return torch.nn.functional.normalize(decoder.detach().float().cpu(), dim=1) @ directions.T


def recover(dictionary: Dictionary, world: World, n_rows: int = 32_768, seed: int = 0) -> dict[str, Finding]:
    """Every measure above, by name, on `n_rows` rows of `world` that no training batch holds, beside its control.

    Intervals are over features. `absorption` and `hedging` are there when the world has parents.
    """
    other = World(replace(world.config, seed=world.config.seed + 1))
    rows, elsewhere = (each.rows(n_rows, "recovery", seed) for each in (world, other))
    codes = dictionary.encode(rows.x)
    codes = SparseCodes(codes.indices.cpu(), codes.values.detach().float().cpu(), codes.offsets.cpu(), codes.n_features)
    found = _measured(dictionary, codes, world, rows)
    controls = _measured(dictionary, codes, other, replace(elsewhere, x=rows.x))
    return {name: _finding(name, terms, controls[name], seed) for name, terms in found.items()}


def _finding(
    name: str, terms: Float64[Tensor, "unit 2"], control: Float64[Tensor, "control_unit 2"], seed: int
) -> Finding:
    def mean(sums: Tensor) -> Tensor:
        return sums[..., 0] / sums[..., 1]

    value, low, high = bootstrap(terms, mean, generator(seed, "recovery", name))
    unit = "latents" if name in ("uniqueness", "dead") else "features"
    if unit == "latents":
        low = high = value  # of this dictionary as it is: nothing was sampled
    return Finding(name, value, float(mean(control.sum(0))), CONTROL, low, high, len(terms), unit)


def _measured(
    dictionary: Dictionary, codes: SparseCodes, world: World, rows: WorldRows
) -> dict[str, Float64[Tensor, "unit 2"]]:
    """A numerator and a denominator of every feature, or latent, for every measure."""
    n = len(world.directions)
    times = torch.bincount(rows.features, minlength=n)
    there = (times > 0).nonzero().flatten()
    cosines = cosines_of(dictionary.W_dec, world.directions[there])
    pairs = match(cosines)
    pairs = replace(pairs, features=there[pairs.features])
    alive = torch.bincount(codes.indices, minlength=codes.n_features) > 0
    precision, recall, f1 = detectors(codes, rows, pairs, n)
    nearest = cosines.argmax(1)
    close = alive & (cosines.amax(1) >= SPLIT)
    of_each = torch.bincount(nearest[close], minlength=len(there))
    distinct = torch.zeros(len(there), dtype=torch.bool)
    distinct[nearest[alive]] = True
    found = {
        "mcc": _mean(pairs.cosines),
        "recovered": _padded((pairs.cosines >= RECOVERED), len(there)),
        "uniqueness": torch.stack([distinct.double().sum(), alive.double().sum()])[None],
        "precision": _mean(precision),
        "recall": _mean(recall),
        "f1": _mean(f1),
        "dead": _mean(~alive),
        "split": _mean(of_each >= 2),
    }
    parents = torch.unique(world.parents[world.parents >= 0])
    main = torch.full((n,), -1)
    main[pairs.features] = pairs.latents
    parents = parents[main[parents] >= 0]
    if len(parents):
        found["absorption"] = absorption(
            codes, dictionary.W_dec.detach().float().cpu(), rows, world.directions, main, parents, dictionary.b_dec
        )
        found["hedging"] = _hedging(cosines_of(dictionary.W_dec, world.directions), world, main, parents)
    return found


def detectors(
    codes: SparseCodes, rows: WorldRows, pairs: Matching, n_features: int
) -> tuple[Float64[Tensor, "pair"], Float64[Tensor, "pair"], Float64[Tensor, "pair"]]:
    """(precision, recall, F1) of each latent as a detector of its feature; 0 where it never fires."""
    feature_of = torch.full((codes.n_features,), -1)
    feature_of[pairs.latents] = pairs.features
    guess = feature_of[codes.indices]
    claimed = (codes.rows() * n_features + guess)[guess >= 0]
    row = torch.repeat_interleave(torch.arange(len(rows.x)), rows.offsets.diff())
    truth = row * n_features + rows.features
    at = torch.searchsorted(truth, claimed).clamp(max=max(len(truth) - 1, 0))
    right = claimed[truth[at] == claimed] % n_features
    hits = torch.bincount(right, minlength=n_features)[pairs.features].double()
    fired = torch.bincount(codes.indices, minlength=codes.n_features)[pairs.latents].double()
    there = torch.bincount(rows.features, minlength=n_features)[pairs.features].double()
    return _ratio(hits, fired), _ratio(hits, there), _ratio(2 * hits, fired + there)


def _hedging(cosines: Tensor, world: World, main: Tensor, parents: Tensor) -> Float64[Tensor, "unit 2"]:
    found = []
    for parent in parents.tolist():
        children = (world.parents == parent).nonzero().flatten()
        own = world.directions[children] @ world.directions[parent]
        found.append((cosines[main[parent], children] - own).mean())
    return _mean(torch.stack(found))


def _ratio(a: Float64[Tensor, "pair"], b: Float64[Tensor, "pair"]) -> Float64[Tensor, "pair"]:
    return torch.where(b > 0, a / b.clamp(min=1), 0.0)


def _mean(values: Float[Tensor, "unit"] | Bool[Tensor, "unit"]) -> Float64[Tensor, "unit 2"]:
    return torch.stack([values.double(), torch.ones(len(values), dtype=torch.float64)], dim=1)


def _padded(values: Bool[Tensor, "pair"], n: int) -> Float64[Tensor, "unit 2"]:
    """The same with a 0 for each of the `n` that has no pair."""
    return _mean(torch.cat([values, torch.zeros(n - len(values), dtype=torch.bool)]))

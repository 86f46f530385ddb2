"""An erasure by site, what is certified of it, what it costs, and what the model computes behind it. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.findings import Finding
from monosema.probes.data import Contrast, Data
from monosema.probes.erasers.certificate import Certificate, accuracy, certify
from monosema.probes.erasers.configs import CertificateConfig
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.price import price
from monosema.probes.erasers.regression import regress

RIDGE = 1e-3
"""Of the logistic regressions that choose the site and read behind the eraser."""

Rows = tuple[Tensor, Tensor]
"""Activations [n, d] and labels [n], int64; n differs from part to part."""


@dataclass(frozen=True, eq=False)
class Moved:
    """Held-out rows in two directions, the difference of class means and the main one orthogonal to it, before and
    after, and their labels."""

    before: Float64[Tensor, "n 2"]
    after: Float64[Tensor, "n 2"]
    y: Int64[Tensor, "n"]


@dataclass(frozen=True, eq=False)
class AtSite:
    """What was erased at one site: fitted on training rows, certified and priced on held-out ones."""

    site: str
    eraser: Eraser
    certificate: Certificate
    price: Mapping[str, Finding]
    moved: Moved


@dataclass(frozen=True)
class Behind:
    """Accuracy of a logistic regression refitted at a site: of the model as it is, with the erasers spliced in, and
    with random ones of equal rank. The control of each is the commonest class."""

    clean: Finding
    erased: Finding
    random: Finding


@dataclass(frozen=True, eq=False)
class Erasure:
    """at: the erased sites in order. readable: by site, validation accuracy of a logistic regression before.

    behind     by site, what is read with all erasers spliced in
    loss       of the model with them, where it predicts the next token
    answers    share of held-out prompts that the model itself answers rightly: clean, erased, random; {} where it
               is not asked
    n_rows     fitted on, chosen on, held out
    """

    method: str
    at: Mapping[str, AtSite]
    readable: Mapping[str, float]
    behind: Mapping[str, Behind]
    loss: Mapping[str, Finding]
    answers: Mapping[str, Finding]
    n_rows: tuple[int, int, int]

    @property
    def first(self) -> AtSite:
        return next(iter(self.at.values()))

    @property
    def chosen(self) -> AtSite:
        """Of the erased sites the one that was most readable before."""
        return max(self.at.values(), key=lambda one: self.readable[one.site])


def single_rows(data: Data) -> Rows:
    """Rows and labels: of pairs, every completed statement by itself, with its own label."""
    one = data.both_sides() if isinstance(data, Contrast) else data
    return one.x, one.y.long()


def readable(fitted: Rows, chosen_on: Rows) -> float:
    """Accuracy of a logistic regression fitted on the first, on the second."""
    return float((regress(*fitted, RIDGE).predict(chosen_on[0]) == chosen_on[1]).double().mean())


def at_site(site: str, eraser: Eraser, fitted: Rows, held_out: Rows, seed: int) -> AtSite:
    """Certify `eraser`, which was fitted on the rows `fitted`, and name its price on `held_out`."""
    certificate = certify(eraser, fitted, held_out, CertificateConfig(seed=seed))
    return AtSite(site, eraser, certificate, price(eraser, held_out[0], seed), _moved(eraser, fitted, held_out))


def read_behind(readings: Mapping[str, tuple[Rows, Rows]]) -> Behind:
    """readings: training and held-out rows by what was spliced in: clean, erased, random."""
    found = {}
    for name, (fitted, test) in readings.items():
        x, z = test
        majority = float(torch.bincount(z).max()) / len(z)
        hits = (regress(*fitted, RIDGE).predict(x) == z).double()
        found[name] = accuracy(f"accuracy of a logistic regression, {name}", hits, majority, 0)
    return Behind(**found)


def _moved(eraser: Eraser, fitted: Rows, held_out: Rows) -> Moved:
    x, z = fitted[0].double(), fitted[1]
    first = x[z == 1].mean(0) - x[z == 0].mean(0)
    first = first / first.norm().clamp_min(1e-30)
    centred = x - x.mean(0)
    rest = centred - (centred @ first)[:, None] * first
    second = torch.linalg.eigh(rest.T @ rest).eigenvectors[:, -1]
    # Eigenvectors have no sign: the largest entry is made positive, so that the picture is the same everywhere.
    second = second * second[second.abs().argmax()].sign()
    axes = torch.stack([first, second], 1)
    rows = held_out[0].double()
    origin = x.mean(0)
    return Moved((rows - origin) @ axes, (eraser(rows) - origin) @ axes, held_out[1])

"""From a model and statements to an eraser of their label: fit, certify, price, show."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema import models
from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding
from monosema.core.progress import progress
from monosema.corpus import Tokenizer
from monosema.corpus.statements import Pairs, template
from monosema.models import Model
from monosema.models.model import Edit
from monosema.pipeline.probing import at_sites, described, sites_of
from monosema.pipeline.probing_config import ErasingConfig
from monosema.pipeline.statement_rows import Parts, parts_of
from monosema.probes.answers.erasure import AtSite, Behind, Erasure, Rows, at_site, read_behind, readable, single_rows
from monosema.probes.answers.erasure_showing import shown
from monosema.probes.erasers.certificate import accuracy
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import ERASERS, fit_eraser, random_eraser
from monosema.probes.erasers.price import loss_price
from monosema.probes.reading import read_texts

BLOCK = 128
"""Tokens of a block on which the loss is taken, at most."""


def erase_from(config: ErasingConfig) -> tuple[Exhibit, Mapping[str, Eraser]]:
    """What was erased and what is left, as an exhibit; and the erasers by site."""
    parts = parts_of(config.rows, config.rows.data[0])
    folder = Path(config.model)
    model, tokenizer = models.load(folder), Tokenizer.load(folder)
    asked = _Asked(config, model, tokenizer, parts)
    found = asked.erasure()
    erasers = {site: one.eraser for site, one in found.at.items()}
    return shown(found, config, described(model, parts, config.place)), erasers


class _Asked:
    """The model, its rows, and the sites at which they are read."""

    def __init__(self, config: ErasingConfig, model: Model, tokenizer: Tokenizer, parts: Parts) -> None:
        self.config, self.model, self.tokenizer, self.parts = config, model, tokenizer, parts
        self.sites = sites_of(model, config.place)

    def erasure(self) -> Erasure:
        clean = {part: self.read(part) for part in ("fit", "validation", "test")}
        before = {site: readable(clean["fit"][site], clean["validation"][site]) for site in self.sites}
        best = max(self.sites, key=lambda site: before[site])
        at = self.erased((best,) if self.config.best else self.sites)
        erasers = {site: one.eraser for site, one in at.items()}
        random = {
            site: random_eraser(e.mean, e.rank, self.config.seed + i) for i, (site, e) in enumerate(erasers.items())
        }
        edits = {"clean": [], "erased": _edits(erasers), "random": _edits(random)}
        return Erasure(
            self.config.method,
            at,
            before,
            self.behind(edits),
            self.loss(erasers),
            self.answers(edits),
            (len(self.parts.fit), len(self.parts.validation), len(self.parts.test)),
        )

    def read(self, part: str, edits: Sequence[Edit] = (), sites: Sequence[str] = ()) -> dict[str, Rows]:
        """Rows and labels by site, of one part of the rows, with `edits` spliced in."""
        rows = {"fit": self.parts.fit, "validation": self.parts.validation, "test": self.parts.test}[part]
        found = at_sites(self.model, self.tokenizer, rows, sites or self.sites, self.config.place, edits)
        return {site: single_rows(data) for site, data in found.items()}

    def erased(self, sites: Sequence[str]) -> dict[str, AtSite]:
        """An eraser for each, fitted on what those before it leave, with its certificate and price."""
        config = ERASERS[self.config.method].config()
        found: dict[str, AtSite] = {}
        with progress("erasing", len(sites), "site") as bar:
            for site in sites:
                edits = _edits({name: one.eraser for name, one in found.items()})
                fitted, test = (self.read(part, edits, [site])[site] for part in ("fit", "test"))
                eraser = fit_eraser(config, fitted[0], fitted[1], self.config.seed)
                found[site] = at_site(site, eraser, fitted, test, self.config.seed)
                bar.advance(note=site)
        return found

    def behind(self, edits: Mapping[str, Sequence[Edit]]) -> dict[str, Behind]:
        """At every site, what a probe refitted there reads."""
        read = {name: (self.read("fit", of), self.read("test", of)) for name, of in edits.items()}
        return {
            site: read_behind({name: (fit[site], test[site]) for name, (fit, test) in read.items()})
            for site in self.sites
        }

    def loss(self, erasers: Mapping[str, Eraser]) -> dict[str, Finding]:
        """The model's loss on the true ones of the held-out rows; {} for a model that predicts something else."""
        if not self.model.causal:
            return {}
        return loss_price(self.model, self.blocks(), erasers, self.config.seed)

    def blocks(self) -> Int64[Tensor, "block token"]:
        """The true held-out texts one behind the other, each after BOS where there is one, cut into blocks."""
        start = [] if self.tokenizer.bos is None else [self.tokenizer.bos]
        ids = [i for text in self.tokenizer.encode(self.true_texts()) for i in (*start, *text)]
        size = min(self.model.n_context, BLOCK, len(ids))
        n = len(ids) // size
        return torch.tensor(ids[: n * size]).view(n, size)

    def true_texts(self) -> list[str]:
        rows, rule = self.parts.test, template(self.config.rows.template)
        labels = [int(label) for label in rows.labels]
        if isinstance(rows, Pairs):
            return [rows.positive[i] if label else rows.negative[i] for i, label in enumerate(labels)]
        if self.config.rows.form == "prompts":
            words = (rule.negative, rule.positive)
            return [f"{text} {words[label]}" for text, label in zip(rows.texts, labels, strict=True)]
        return [text for text, label in zip(rows.texts, labels, strict=True) if label]

    def answers(self, edits: Mapping[str, Sequence[Edit]]) -> dict[str, Finding]:
        """How often the model itself gives the right one of the two answers behind a prompt; {} where none is asked."""
        rows, rule = self.parts.test, template(self.config.rows.template)
        if isinstance(rows, Pairs) or self.config.rows.form != "prompts" or not self.model.causal:
            return {}
        no, yes = (ids[0] for ids in self.tokenizer.encode([f" {rule.negative}", f" {rule.positive}"]))
        if no == yes:
            return {}
        y = torch.as_tensor(rows.labels)
        majority = float(torch.maximum(y.double().mean(), 1 - y.double().mean()))
        found = {}
        for name, of in edits.items():
            logits: Float[Tensor, "n d_vocab"] = read_texts(
                self.model, self.tokenizer, rows.texts, ["logits"], edits=of
            )["logits"]
            right = ((logits[:, yes] > logits[:, no]).long() == y).double()
            found[name] = accuracy(f"answers of the model, {name}", right, majority, self.config.seed)
        return found


def _edits(erasers: Mapping[str, Eraser]) -> list[Edit]:
    return [eraser.edit(site) for site, eraser in erasers.items()]

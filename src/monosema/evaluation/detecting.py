"""Which latent of a dictionary tells each feature of a language best?

    detector    "latent j is at least t" for "feature i is there", at every token
    f1          2 hits / (tokens where it says so + tokens where it is so)
    half of the documents choose j and t, of all latents and all values that occur     the others judge them

Two controls. The same dictionary with its labels shuffled: every document has the labels of another, so what is left is
how often and in what runs a feature comes, and the luck of choosing. And the same recipe on a randomised model, which
tells a feature of the token itself as well as any: what it tells too, was not learnt.
Departures from `recover`: latents are chosen by what they detect, since a text has no true directions, and one latent
may be the best for two features. Every usable token counts, outliers too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.corpus.languages.labelling import Feature
from monosema.corpus.languages.language import Language
from monosema.corpus.tokens import Tokens
from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.measuring import end_to_end
from monosema.evaluation.passes import chosen_blocks, rows_of
from monosema.evaluation.scorecard import SKIPPED
from monosema.evaluation.scoring import Control
from monosema.evaluation.subjects import Dictionary, Model, check_fit

DEFAULT = ScoreConfig(max_tokens=65_536)


@dataclass(frozen=True)
class Detection:
    """The best detector of a feature, as the judging documents have it.

    threshold   the least value of the latent that counts
    f1          beside that of the control's dictionary, for the same feature, chosen in the same way
    shuffled    f1 of the best detector of shuffled labels
    share       of the tokens at which the feature is; saying always yes has an f1 of 2 share / (1 + share)
    """

    feature: str
    kind: str
    latent: int
    threshold: float
    f1: Finding
    precision: float
    recall: float
    shuffled: float
    share: float


@dataclass(frozen=True)
class Found:
    """A chosen latent and threshold, and of every judging document: hits, tokens told, tokens that are so, tokens.
    Latent -1 where none fires."""

    latent: int
    threshold: float
    counts: Float64[Tensor, "document 4"]


def f1_of(counts: Tensor) -> Tensor:
    """F1 of hits, told, true and all [..., 4]; 0 where nothing is told and nothing is true."""
    return 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2]).clamp(min=1)


def best_detectors(
    codes: SparseCodes, truth: Bool[Tensor, "row feature"], documents: Int64[Tensor, "row"], seed: int = 0
) -> list[Found | None]:
    """The best detector of every feature; None for one that is not there in both halves. Of equals, the latent
    of the lowest number."""
    chooses = _half(documents, seed)
    rows = codes.rows()
    order = torch.argsort(codes.values, descending=True, stable=True)
    order = order[chooses[rows[order]]]
    order = order[torch.argsort(codes.indices[order], stable=True)]
    latent, value, row = codes.indices[order], codes.values[order], rows[order]
    first = torch.searchsorted(latent, latent)  # where the entries of the same latent begin
    told = (torch.arange(len(order)) - first + 1).double()
    whole = torch.ones(len(order), dtype=torch.bool)
    whole[:-1] = (latent[1:] != latent[:-1]) | (value[1:] != value[:-1])  # equal values are told together
    there = truth[chooses].sum(0)
    in_both = (there > 0) & (truth[~chooses].sum(0) > 0)
    found: list[Found | None] = [None] * truth.shape[1]
    for feature in in_both.nonzero().flatten().tolist():
        j, t = -1, math.inf
        if len(order):
            hits = torch.nn.functional.pad(truth[row, feature].cumsum(0), (1, 0))
            f1 = 2 * (hits[1:] - hits[first]) / (told + there[feature])
            at = int(torch.where(whole, f1, -1.0).argmax())
            j, t = int(latent[at]), float(value[at])
        says = torch.zeros(len(truth), dtype=torch.bool)
        says[rows[(codes.indices == j) & (codes.values >= t)]] = True
        found[feature] = Found(j, t, _counts(says[~chooses], truth[~chooses, feature], documents[~chooses]))
    return found


def _half(documents: Int64[Tensor, "row"], seed: int) -> Bool[Tensor, "row"]:
    """Whether a row's document is of the half that chooses. Raises DataError for a single document."""
    names, row = documents.unique(return_inverse=True)
    if len(names) < 2:
        raise DataError("one document chooses a detector and another judges it: give at least two documents")
    chooses = torch.zeros(len(names), dtype=torch.bool)
    chooses[torch.randperm(len(names), generator=generator(seed, "detect"))[: len(names) // 2]] = True
    return chooses[row]


def _counts(
    says: Bool[Tensor, "row"], true: Bool[Tensor, "row"], documents: Int64[Tensor, "row"]
) -> Float64[Tensor, "document 4"]:
    names, row = documents.unique(return_inverse=True)
    terms = torch.stack([says & true, says, true, torch.ones_like(true)], 1).double()
    return torch.zeros(len(names), 4, dtype=torch.float64).index_add_(0, row, terms)


def shuffled(
    truth: Bool[Tensor, "row feature"], documents: Int64[Tensor, "row"], seed: int = 0
) -> Bool[Tensor, "row feature"]:
    """The labels of every document replaced by those of another, from its beginning, and again if that is shorter."""
    order = torch.argsort(documents, stable=True)
    parts = list(order.split(documents.unique(return_counts=True)[1].tolist()))
    ring = torch.randperm(len(parts), generator=generator(seed, "shuffled labels")).tolist()
    other = torch.empty_like(truth)
    for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
        own, donor = parts[here], parts[there]
        other[own] = truth[donor[torch.arange(len(own)) % len(donor)]]
    return other


@torch.no_grad()
def detect(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    language: Language,
    control: Control | None,
    config: ScoreConfig = DEFAULT,
) -> dict[str, tuple[Detection, ...]]:
    """For every dictionary, the best detector of each feature of `language` on `tokens`, its packed corpus.

    Features that are not there in both halves of the documents are left out. `control=None` is a user's decision to
    go without the randomised model, and the findings say so. Raises as `check_fit` does, MismatchError for
    tokens of another corpus, DataError where there are not two documents.
    """
    check_fit(dictionaries, model, tokens)
    truth, documents = _labels(tokens, language, config)
    other = shuffled(truth, documents, config.seed)
    controls: dict[str, list[Found | None]] = {}
    if control is not None:
        check_fit(control.dictionaries, control.model, tokens)
        for name, codes in _codes(control.dictionaries, control.model, tokens, config).items():
            controls[name] = best_detectors(codes, truth, documents, config.seed)
    found = {}
    for name, codes in _codes(dictionaries, model, tokens, config).items():
        chosen = best_detectors(codes, truth, documents, config.seed)
        by_chance = best_detectors(codes, other, documents, config.seed)
        beside = controls.get(name)
        what = f"the control has no dictionary '{name}'" if control else SKIPPED
        what = control.what if control and beside is not None else what
        found[name] = tuple(
            _detection(language.features[i], each, by_chance[i], (beside[i] if beside else None, what), config.seed)
            for i, each in enumerate(chosen)
            if each is not None
        )
    return found


def _labels(
    tokens: Tokens, language: Language, config: ScoreConfig
) -> tuple[Bool[Tensor, "row feature"], Int64[Tensor, "row"]]:
    truth, documents = [], []
    for i in chosen_blocks(tokens, config.max_tokens):
        blocks = tokens.blocks(i, i + 1)
        truth.append(language.truth_of(tokens, i, i + 1).features[blocks.usable])
        documents.append(blocks.documents[blocks.usable])
    return torch.cat(truth), torch.cat(documents)


def _codes(
    dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens, config: ScoreConfig
) -> dict[str, SparseCodes]:
    """The codes of every usable token of the chosen blocks, on the CPU."""
    parts: dict[str, list[SparseCodes]] = {name: [] for name in dictionaries}
    here = {name: dictionary.to(str(model.device)) for name, dictionary in dictionaries.items()}
    sites = sorted({site for dictionary in here.values() for site in dictionary.reads})
    chosen = chosen_blocks(tokens, config.max_tokens)
    for start in range(0, len(chosen), config.batch_size):
        blocks = [tokens.blocks(i, i + 1) for i in chosen[start : start + config.batch_size]]
        usable = torch.cat([each.usable for each in blocks])
        read = model.run(torch.cat([each.tokens for each in blocks]).to(model.device), read=sites)
        rows = {site: rows_of(x, usable.to(x.device)) for site, x in read.items()}
        for name, dictionary in here.items():
            found = dictionary.encode(end_to_end(rows, dictionary.reads))
            values = found.values.float().cpu()
            parts[name].append(SparseCodes(found.indices.cpu(), values, found.offsets.cpu(), found.n_features))
    return {name: SparseCodes.concatenate(each) for name, each in parts.items()}


def _detection(
    feature: Feature, found: Found, by_chance: Found | None, beside: tuple[Found | None, str], seed: int
) -> Detection:
    value, low, high = bootstrap(found.counts, f1_of, generator(seed, "detect", feature.name))
    hits, told, true, n = found.counts.sum(0).tolist()
    control, what = beside
    at_control = None if control is None else float(f1_of(control.counts.sum(0)))
    return Detection(
        feature=feature.name,
        kind=feature.kind,
        latent=found.latent,
        threshold=found.threshold,
        f1=Finding("f1", value, at_control, what, low, high, len(found.counts)),
        precision=hits / told if told else 0.0,
        recall=hits / true if true else 0.0,
        shuffled=0.0 if by_chance is None else float(f1_of(by_chance.counts.sum(0))),
        share=true / n,
    )


def mean_f1(detections: Sequence[Detection], seed: int = 0) -> dict[str, Finding]:
    """By kind of feature, the mean f1 over its features, with an interval over them, beside the control's."""
    found = {}
    for kind in dict.fromkeys(detection.kind for detection in detections):
        ours = [detection.f1 for detection in detections if detection.kind == kind]
        terms = torch.tensor([[each.value, 1.0] for each in ours], dtype=torch.float64)
        value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "mean f1", kind))
        beside = [each.control for each in ours if each.control is not None]
        control = sum(beside) / len(beside) if len(beside) == len(ours) else None
        found[kind] = Finding("f1", value, control, ours[0].control_is, low, high, len(ours), "features")
    return found

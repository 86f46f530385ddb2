"""Explanations that take no language model, scored exactly.

    ngrams   E[a | token, token before], shrunk: the floor under every explanation      a number a token
    tokens   E[a | token], shrunk                                                       a number a token
    tfidf    mean TF-IDF vector of its windows less that of the others (Rocchio 1971)   a number a window

A number a token is a number a window by its largest. Where yes or no is asked, the threshold is the best on the
documents that explain. Each is scored by what its numbers define:

    detection, AUC   ngrams, tokens, tfidf      fuzzing      ngrams, tokens
    simulation       ngrams, tokens             intruder     tfidf (no explanation: the window least like the others)
    embedding        all, by the words that each names
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.features.explaining.config import BASELINES
from monosema.features.explaining.drawing import Drawn, Marked, Odd, Shown
from monosema.features.explaining.measures import (
    Tally,
    accuracy,
    auc,
    balanced_accuracy,
    best_cut,
    correlation,
)
from monosema.features.explaining.vectors import Vectors, term
from monosema.features.explaining.windows import Windows
from monosema.features.floors import Firing, Fit, Grammar

N_TERMS = 8
"""Words that the text of a bag of words names."""


@dataclass(frozen=True)
class Background:
    """What the features of one dictionary are explained against. `positions`: of each place its number in the
    grammar, -1 where it is in none."""

    windows: Windows
    vectors: Vectors
    grammar: Grammar
    positions: Int64[Tensor, "place"]
    words: Sequence[str]


@runtime_checkable
class Rule(Protocol):
    """An explanation that says numbers. `terms` are the words that it names."""

    @property
    def text(self) -> str: ...
    @property
    def terms(self) -> tuple[str, ...]: ...
    def of_windows(self, windows: Int64[Tensor, "window"]) -> Tensor: ...
    def of_places(self, places: Int64[Tensor, "place"]) -> Tensor | None: ...


@dataclass(frozen=True)
class TokenRule:
    """A number for every token: an estimate of the activation."""

    text: str
    terms: tuple[str, ...]
    background: Background
    fit: Fit
    row: int
    pairs: bool

    def of_places(self, places: Int64[Tensor, "place"]) -> Float[Tensor, "place"]:
        """What it says of some tokens."""
        return self.fit.predicted(self.row, self.background.positions[places], pairs=self.pairs)

    def of_windows(self, windows: Int64[Tensor, "window"]) -> Float[Tensor, "window"]:
        """The largest that it says of a token of each window."""
        places, owner = self.background.windows.places(windows)
        said = self.of_places(places)
        return torch.full((len(windows),), -torch.inf).scatter_reduce_(0, owner, said, "amax")


@dataclass(frozen=True)
class WordsRule:
    """A number for every window: how much it is like those where the feature fires."""

    text: str
    terms: tuple[str, ...]
    vectors: Vectors
    vector: Float[Tensor, "term"]

    def of_places(self, places: Int64[Tensor, "place"]) -> None:  # noqa: ARG002
        """It says nothing of single tokens."""
        return

    def of_windows(self, windows: Int64[Tensor, "window"]) -> Float[Tensor, "window"]:
        """What it says of some windows."""
        return self.vectors.likeness(self.vector, windows)


def background_of(windows: Windows, words: Sequence[str]) -> Background:
    """The tokens and pairs of the windows' text, of which those of documents that judge are not fitted."""
    text = windows.text
    part = torch.zeros(len(text.names), dtype=torch.bool)
    part[windows.documents] = True
    kept = text.usable & part[text.documents]
    judges = torch.zeros(len(text.names), dtype=torch.bool)
    judges[windows.documents[windows.judging]] = True
    previous = torch.full_like(text.tokens, -1)
    behind = kept[:, 1:] & kept[:, :-1] & (text.documents[:, 1:] == text.documents[:, :-1])
    previous[:, 1:][behind] = text.tokens[:, :-1][behind]
    documents = text.documents[kept]
    grammar = Grammar(text.tokens[kept], previous[kept], documents, text.d_vocab, judges=judges[documents])
    positions = torch.where(kept.flatten(), kept.flatten().cumsum(0) - 1, -1)
    return Background(windows, Vectors(windows, words), grammar, positions, words)


def rules(features: Sequence[Drawn], background: Background) -> dict[str, list[Rule]]:
    """The explanations of some features by each baseline; at most `background.grammar.at_once` features."""
    fit = _fit(features, background)
    found: dict[str, list[Rule]] = {name: [] for name in BASELINES}
    for row, named in enumerate(fit.named()):
        tokens = tuple(background.words[t] for t, _ in named.tokens)
        pairs = tuple(background.words[t] for token, before, _ in named.pairs for t in (before, token))
        alone = named.tokens_text(background.words)
        both = [*alone, *named.pairs_text(background.words)]
        found["ngrams"].append(_token_rule(both, (*tokens, *pairs), background, fit, row, pairs=True))
        found["tokens"].append(_token_rule(alone, tokens, background, fit, row, pairs=False))
    found["tfidf"] = [_words_rule(drawn, background) for drawn in features]
    return found


def _fit(features: Sequence[Drawn], background: Background) -> Fit:
    entries: list[tuple[Tensor, Tensor, Tensor]] = []
    for row, drawn in enumerate(features):
        at = background.positions[drawn.acts.places]
        there = at >= 0
        entries.append((torch.full((int(there.sum()),), row), at[there], drawn.acts.values[there]))
    feature, at, act = (torch.cat(column) for column in zip(*entries, strict=True))
    return Fit(background.grammar, Firing(feature, at, act, len(features)))


def _token_rule(
    said: list[str], named: tuple[str, ...], background: Background, fit: Fit, row: int, *, pairs: bool
) -> TokenRule:
    terms = tuple(term(word) for word in dict.fromkeys(named))
    return TokenRule(", ".join(said) or "no token in particular", terms, background, fit, row, pairs)


def _words_rule(drawn: Drawn, background: Background) -> WordsRule:
    vectors, shown = background.vectors, drawn.fitting
    vector = vectors.mean(shown.windows[shown.fires]) - vectors.mean(shown.windows[~shown.fires])
    best = vector.topk(min(N_TERMS, len(vector)))
    terms = tuple(vectors.terms[i] for i, w in zip(best.indices.tolist(), best.values.tolist(), strict=True) if w > 0)
    text = ", ".join(map(repr, terms))
    return WordsRule(f"windows with {text}" if text else "no word in particular", terms, vectors, vector)


@dataclass(frozen=True)
class Fitted:
    """A rule with the thresholds of its own feature: what is asked of it says yes from there on."""

    rule: Rule
    detection_cut: float
    fuzzing_cut: float


def fitted(rule: Rule, drawn: Drawn) -> Fitted:
    """The thresholds on the documents that explain."""
    detection = best_cut(rule.of_windows(drawn.fitting.windows), drawn.fitting.fires)
    said = _of_marks(rule, drawn.fitting_marks)
    fuzzing = torch.inf if said is None or not len(said) else best_cut(said, drawn.fitting_marks.right)
    return Fitted(rule, detection, fuzzing)


def scored(of: Fitted, drawn: Drawn, background: Background) -> Mapping[str, Tally]:
    """The scores of an explanation, which may be of another feature, on the windows of `drawn`; those that are
    defined for it."""
    shown, own = drawn.judging, background.windows.documents
    documents, numbers = own[shown.windows], of.rule.of_windows(shown.windows)
    found = {
        "detection": balanced_accuracy(numbers >= of.detection_cut, shown.fires, documents),
        "detection_auc": auc(numbers, shown.fires, documents),
        "embedding": embedded(background.vectors.of_terms(of.rule.terms), shown, background),
    }
    said = _of_marks(of.rule, drawn.marks)
    if said is not None and len(said):
        marks = drawn.marks
        found["fuzzing"] = balanced_accuracy(said >= of.fuzzing_cut, marks.right, own[marks.windows])
    predicted = of.rule.of_places(background.windows.places(shown.windows)[0])
    if predicted is not None:
        found["simulation"] = simulated(predicted, drawn, background.windows)
    return found


def embedded(vector: Float[Tensor, "term"], shown: Shown, background: Background) -> Tally:
    """AUC of the likeness of an explanation's words to each window."""
    likeness = background.vectors.likeness(vector, shown.windows)
    return auc(likeness, shown.fires, background.windows.documents[shown.windows])


def simulated(predicted: Float[Tensor, "place"], drawn: Drawn, windows: Windows) -> Tally:
    """Correlation of what is said of every token of the windows with the activation: an estimate of that over all
    tokens of the documents that judge."""
    shown = drawn.judging
    places, owner = windows.places(shown.windows)
    documents = windows.documents[shown.windows][owner]
    return correlation(predicted, drawn.acts.at(places), shown.stands_for[owner], documents, len(shown))


def intruder(odd: Sequence[Odd], background: Background) -> Tally | None:
    """How often the window least like the others is the odd one; None where there are too few windows to ask."""
    if not odd:
        return None
    right = torch.tensor([background.vectors.odd_one(one.windows) == one.at for one in odd])
    return accuracy(right, background.windows.documents[torch.stack([one.windows[one.at] for one in odd])])


def _of_marks(rule: Rule, marks: Marked) -> Float[Tensor, "window"] | None:
    """The mean of what a rule says of the marked tokens less that of the others; None where it says nothing."""
    if not len(marks) or rule.of_places(marks.places[0]) is None:
        return None
    assert isinstance(rule, TokenRule), "only such say numbers of tokens"
    places, owner = rule.background.windows.places(marks.windows)
    said = rule.of_places(places).double()
    keys = owner * rule.background.windows.text.tokens.numel() + places
    marked_owner = torch.repeat_interleave(torch.arange(len(marks)), torch.tensor([len(p) for p in marks.places]))
    marked_keys = marked_owner * rule.background.windows.text.tokens.numel() + torch.cat(marks.places)
    on: Bool[Tensor, "place"] = torch.isin(keys, marked_keys)

    def mean(mask: Tensor) -> Tensor:
        sums = torch.zeros(len(marks), dtype=torch.float64).index_add_(0, owner[mask], said[mask])
        return sums / torch.bincount(owner[mask], minlength=len(marks)).clamp(min=1)

    return mean(on) - mean(~on)

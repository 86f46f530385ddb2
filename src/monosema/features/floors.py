"""What a feature fires on, said by tokens and pairs of tokens alone: the floor under every explanation.

    e(t)     = Z (mean of a on t)           + (1 - Z) (mean of a)        Z = N_t / (N_t + kappa_1)
    e(p, t)  = Z (mean of a on t behind p)  + (1 - Z) e(t)               Z = N_pt / (N_pt + kappa_2)

Fitted on four fifths of the documents, judged on the others: the Pearson correlation of e(p, t) with
the activation over all their tokens, and F1 of "e(p, t) reaches a threshold" against "the feature
fires", the threshold being the best on the fitted documents. kappa is the ratio of the variance within
groups to that between them (the credibility of Buehlmann and Straub 1970), each feature its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.seeding import derive
from monosema.features.mixing import mixed

HELD_OUT = 5
"""One document in so many is judged on."""

CELLS = 2**20
"""Numbers of one matrix at a time: 4 MB, which a processor keeps near; of 32 MB it takes three times as long."""

THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
"""Of the largest e(p, t)."""

N_TOKENS, N_PAIRS = 3, 2
"""Named in the text of a floor."""


@dataclass(frozen=True)
class Floor:
    """What tokens say about a feature. `r` and `f1` are None where it does not vary, or does not fire, on
    the documents that judge."""

    text: str
    r: float | None
    f1: float | None


@dataclass(frozen=True)
class Named:
    """What a floor's text names: (token, lift), and (token, token before, lift); a lift is a ratio to the mean."""

    tokens: tuple[tuple[int, float], ...]
    pairs: tuple[tuple[int, int, float], ...]

    def tokens_text(self, words: Sequence[str]) -> list[str]:
        """The tokens in words."""
        return [f"{words[t]!r} ({_times(x)})" for t, x in self.tokens]

    def pairs_text(self, words: Sequence[str]) -> list[str]:
        """The pairs in words."""
        return [f"{words[t]!r} after {words[p]!r} ({_times(x)})" for t, p, x in self.pairs]


@dataclass(frozen=True)
class Firing:
    """The activations of some features at the positions of a `Grammar`, as entries.

    feature  index within the features asked about      at  index of the position
    """

    feature: Int64[Tensor, "entry"]
    at: Int64[Tensor, "entry"]
    act: Float[Tensor, "entry"]
    n_features: int


class Grammar:
    """The tokens and pairs of a text, and which documents fit and which judge; the same for all features."""

    def __init__(
        self,
        tokens: Int64[Tensor, "position"],
        previous: Int64[Tensor, "position"],
        documents: Int64[Tensor, "position"],
        d_vocab: int,
        seed: int = 0,
        judges: Bool[Tensor, "position"] | None = None,
    ) -> None:
        """tokens, previous (the token before, -1 where there is none) and documents of every position; `judges`
        says which positions are not fitted on, in place of one document in HELD_OUT."""
        self.d_vocab = d_vocab
        self.judges = mixed(documents, derive(seed, "floors")) % HELD_OUT == 0 if judges is None else judges
        fits = ~self.judges
        keys = (previous + 1) * d_vocab + tokens
        self.pairs = keys[fits].unique()
        self.pair_token, self.pair_previous = self.pairs % d_vocab, self.pairs // d_vocab - 1
        group = torch.searchsorted(self.pairs, keys).clamp(max=max(len(self.pairs) - 1, 0))
        known = self.pairs[group] == keys if len(self.pairs) else torch.zeros_like(fits)
        self.group = torch.where(known, group, -1)
        self.token = tokens
        self.n_pair = torch.bincount(self.group[fits], minlength=len(self.pairs)).float()
        self.n_token = torch.bincount(tokens[fits], minlength=d_vocab).float()
        self.n = float(fits.sum())
        self.judged = self.judges.nonzero().flatten()

    def floors(self, firing: Firing, words: Sequence[str]) -> list[Floor]:
        """The floor of each feature; `words` are the texts of the tokens."""
        if self.n == 0:
            return [Floor("", None, None)] * firing.n_features
        found: list[Floor] = []
        for start in range(0, firing.n_features, self.at_once):
            stop = min(start + self.at_once, firing.n_features)
            its = (firing.feature >= start) & (firing.feature < stop)
            part = Firing(firing.feature[its] - start, firing.at[its], firing.act[its], stop - start)
            found += Fit(self, part).floors(words)
        return found

    @property
    def at_once(self) -> int:
        """How many features a `Fit` may have."""
        return max(1, CELLS // max(len(self.pairs), len(self.judged), self.d_vocab, 1))


class Fit:
    """The estimates of a few features, as matrices: e(t) in `on_token`, e(p, t) in `on_pair`."""

    def __init__(self, grammar: Grammar, firing: Firing) -> None:
        self.grammar, self.firing = grammar, firing
        fits = ~grammar.judges[firing.at]
        f, at, a = firing.feature[fits], firing.at[fits], firing.act[fits]
        group, token = grammar.group[at], grammar.token[at]
        self.by_token = _table(firing.n_features, grammar.d_vocab, f, token, a)
        self.by_pair = _table(firing.n_features, len(grammar.pairs), f, group, a)
        self.fires = _table(firing.n_features, len(grammar.pairs), f, group, torch.ones_like(a))
        squares = torch.zeros(firing.n_features, dtype=torch.float64).index_add_(0, f, a.double().square())
        self.mean = self.by_token.double().sum(1) / grammar.n
        self.on_token = self._token_estimates(squares)
        self.on_pair = self._pair_estimates(squares)

    def _token_estimates(self, squares: Float[Tensor, "feature"]) -> Float[Tensor, "feature d_vocab"]:
        g = self.grammar
        n_groups = float((g.n_token > 0).sum())
        between = _explained(self.by_token, g.n_token)
        within = (squares - between) / max(g.n - n_groups, 1.0)
        spread = between - g.n * self.mean.square() - (n_groups - 1) * within
        kappa = _credibility(within, spread / (g.n - float(g.n_token.double().square().sum()) / g.n))
        prior = self.mean.float().unsqueeze(1)
        return _shrunk(self.by_token, g.n_token, prior, kappa)

    def _pair_estimates(self, squares: Float[Tensor, "feature"]) -> Float[Tensor, "feature pair"]:
        g = self.grammar
        explained, n_groups = _explained(self.by_pair, g.n_pair), float(len(g.pairs))
        within = (squares - explained) / max(g.n - n_groups, 1.0)
        n_tokens = float((g.n_token > 0).sum())
        spread = explained - _explained(self.by_token, g.n_token) - (n_groups - n_tokens) * within
        concentration = torch.zeros(g.d_vocab, dtype=torch.float64)
        concentration.index_add_(0, g.pair_token, g.n_pair.double().square())
        weight = g.n - float((concentration / g.n_token.double().clamp(min=1)).sum())
        kappa = _credibility(within, spread / max(weight, 1e-9))
        return _shrunk(self.by_pair, g.n_pair, self.on_token[:, g.pair_token], kappa)

    def floors(self, words: Sequence[str]) -> list[Floor]:
        predicted, actual = self._predicted(), self._actual()
        r, f1 = _pearson(predicted, actual), _f1(predicted >= self._threshold().unsqueeze(1), actual > 0)
        texts = self._texts(words)
        return [Floor(t, _number(x), _number(y)) for t, x, y in zip(texts, r.tolist(), f1.tolist(), strict=True)]

    def _predicted(self) -> Float[Tensor, "feature judged"]:
        g = self.grammar
        group, token = g.group[g.judged], g.token[g.judged]
        seen = self.on_pair[:, group.clamp(min=0)]
        return torch.where(group >= 0, seen, self.on_token[:, token])

    def predicted(self, feature: int, at: Int64[Tensor, "place"], *, pairs: bool) -> Float[Tensor, "place"]:
        """What one feature's estimates say of some positions: e(p, t), or e(t) where the pair is new or not `pairs`."""
        g = self.grammar
        group, on_token = g.group[at], self.on_token[feature, g.token[at]]
        if not pairs or not len(g.pairs):
            return on_token
        return torch.where(group >= 0, self.on_pair[feature, group.clamp(min=0)], on_token)

    def _actual(self) -> Float[Tensor, "feature judged"]:
        g, firing = self.grammar, self.firing
        place = torch.full((len(g.judges),), -1)
        place[g.judged] = torch.arange(len(g.judged))
        its = g.judges[firing.at]
        actual = torch.zeros(firing.n_features, len(g.judged))
        actual[firing.feature[its], place[firing.at[its]]] = firing.act[its]
        return actual

    def _threshold(self) -> Float[Tensor, "feature"]:
        """What e(p, t) must reach, by the best F1 on the fitted documents."""
        g, largest = self.grammar, self.on_pair.amax(1)
        total = self.fires.sum(1)
        best, chosen = torch.full_like(largest, -1.0), largest.clone()
        for fraction in THRESHOLDS:
            at = (fraction * largest).clamp(min=1e-12)
            over = (self.on_pair >= at.unsqueeze(1)).float()
            f1 = 2 * (over * self.fires).sum(1) / (over @ g.n_pair + total).clamp(min=1.0)
            better = f1 > best
            best, chosen = torch.where(better, f1, best), torch.where(better, at, chosen)
        return chosen

    def _texts(self, words: Sequence[str]) -> list[str]:
        return [", ".join([*said.tokens_text(words), *said.pairs_text(words)]) for said in self.named()]

    def named(self) -> list["Named"]:
        """The tokens and pairs that say most of each feature."""
        g, mean = self.grammar, self.mean.float().clamp(min=1e-30).unsqueeze(1)
        lift = self.on_token / mean
        best = (self.by_token * lift.clamp(min=1e-30).log()).topk(min(N_TOKENS, g.d_vocab), dim=1)
        over = self.on_pair / self.on_token[:, g.pair_token].clamp(min=1e-30)
        pairs = (self.by_pair * over.clamp(min=1e-30).log()).topk(min(N_PAIRS, len(g.pairs)), dim=1)
        found = []
        for f in range(self.firing.n_features):
            tokens = [(t, float(lift[f, t])) for t, w in _items(best.values[f], best.indices[f]) if w > 0]
            behind = [
                (int(g.pair_token[i]), int(g.pair_previous[i]), float(self.on_pair[f, i] / mean[f, 0]))
                for i, w in _items(pairs.values[f], pairs.indices[f])
                if w > 0 and int(g.pair_previous[i]) >= 0
            ]
            found.append(Named(tuple(tokens), tuple(behind)))
        return found


def _table(n_features: int, n: int, feature: Tensor, at: Tensor, value: Tensor) -> Float[Tensor, "feature group"]:
    """Sums of `value` by feature and group."""
    sums = torch.zeros(n_features * n, dtype=torch.float64).index_add_(0, feature * n + at, value.double())
    return sums.view(n_features, n).float()


def _explained(sums: Float[Tensor, "feature group"], n: Float[Tensor, "group"]) -> Float[Tensor, "feature"]:
    """Sum over groups of N * mean^2."""
    return (sums.double().square() / n.double().clamp(min=1)).sum(1)


def _credibility(within: Float[Tensor, "feature"], between: Float[Tensor, "feature"]) -> Float[Tensor, "feature"]:
    """Variance within groups over variance between them; infinite where groups do not differ."""
    within = within.clamp(min=1e-12)
    return torch.where(between > 0, within / between.clamp(min=1e-300), torch.inf)


def _shrunk(
    sums: Float[Tensor, "feature group"], n: Float[Tensor, "group"], prior: Tensor, kappa: Float[Tensor, "feature"]
) -> Float[Tensor, "feature group"]:
    k = kappa.float().clamp(max=1e9).unsqueeze(1)
    return (sums + k * prior) / (n + k)


def _pearson(x: Float[Tensor, "feature n"], y: Float[Tensor, "feature n"]) -> Float[Tensor, "feature"]:
    """Not a number where either does not vary."""
    if x.shape[1] < 2:
        return torch.full((len(x),), torch.nan, dtype=torch.float64)
    x, y = (z.double() - z.double().mean(1, keepdim=True) for z in (x, y))
    return (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt()


def _f1(said: Bool[Tensor, "feature n"], fires: Bool[Tensor, "feature n"]) -> Float[Tensor, "feature"]:
    """Not a number where the feature never fires."""
    both, n_fires = (said & fires).sum(1), fires.sum(1)
    return torch.where(n_fires > 0, 2 * both / (said.sum(1) + n_fires).clamp(min=1), torch.nan)


def _items(weights: Float[Tensor, "k"], indices: Int64[Tensor, "k"]) -> list[tuple[int, float]]:
    return list(zip(indices.tolist(), weights.tolist(), strict=True))


def _times(lift: float) -> str:
    return f"{lift:.0f}x" if lift >= 10 else f"{lift:.1f}x"


def _number(value: float) -> float | None:
    return value if value == value else None

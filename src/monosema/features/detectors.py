"""Which single-token rule a feature comes closest to, and on which token it fires most.

    fires              . # . . # .        rule "the token is `self`"     . # . . . .   F1 .67
    tokens             ( self , x self    rule "the token before is `(`" . # . . . .

The rule is chosen on one half of the documents and its F1 measured on the other, so that the best of
a whole vocabulary of rules is not simply the luckiest. Counts are kept only for pairs that occur.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.seeding import derive
from monosema.features.mixing import mixed
from monosema.features.rows import Detector, Pattern, TopToken

PATTERNS: tuple[Pattern, ...] = ("token", "previous token")
COMPRESS_AT = 2_000_000


class TokenCounts:
    """Counts, over positions, of tokens, of firings, and of firings on each token and after each.

    For `n` tracked features and two halves of the documents: half 0 chooses, half 1 measures.
    """

    def __init__(self, n: int, d_vocab: int, seed: int) -> None:
        self.n, self.d_vocab, self.salt = n, d_vocab, derive(seed, "halves")
        self.totals = torch.zeros(2, len(PATTERNS), d_vocab, dtype=torch.int64)
        self.fired = torch.zeros(2, n, dtype=torch.int64)
        self.keys = torch.zeros(0, dtype=torch.int64)
        self.counts = torch.zeros(0, dtype=torch.int64)
        self.waiting: list[Int64[Tensor, "entry"]] = []

    def update(
        self,
        documents: Int64[Tensor, "row"],
        tokens: Int64[Tensor, "row"],
        previous: Int64[Tensor, "row"],
        active: Bool[Tensor, "row tracked"],
    ) -> None:
        """Take in positions: their document, token, the token before (-1 at a block's start), who fires."""
        half = mixed(documents, self.salt) & 1
        rows, features = active.nonzero(as_tuple=True)
        self.fired += torch.bincount(half[rows] * self.n + features, minlength=2 * self.n).view(2, self.n)
        for kind, ids in enumerate((tokens, previous)):
            here = ids >= 0
            places = (half[here] * len(PATTERNS) + kind) * self.d_vocab + ids[here]
            self.totals += torch.bincount(places, minlength=self.totals.numel()).view_as(self.totals)
            pairs = here[rows]
            places = (half * len(PATTERNS) + kind)[rows[pairs]] * self.n + features[pairs]
            self.waiting.append(places * self.d_vocab + ids[rows[pairs]])
        if sum(map(len, self.waiting)) > COMPRESS_AT:
            self._compress()

    def _compress(self) -> None:
        if not self.waiting:
            return
        fresh, counts = torch.cat([self.keys, *self.waiting]).unique(return_inverse=True)
        weights = torch.cat([self.counts, self.counts.new_ones(sum(map(len, self.waiting)))])
        self.keys, self.counts = fresh, torch.zeros_like(fresh).index_add_(0, counts, weights)
        self.waiting = []

    def _pairs(self, half: int, kind: int, feature: int) -> tuple[Int64[Tensor, "pair"], Int64[Tensor, "pair"]]:
        """(token ids in ascending order, firings with each) of one feature."""
        first = ((half * len(PATTERNS) + kind) * self.n + feature) * self.d_vocab
        low, high = torch.searchsorted(self.keys, torch.tensor([first, first + self.d_vocab])).tolist()
        return self.keys[low:high] - first, self.counts[low:high]

    def top_token(self, feature: int, text: Callable[[int], str]) -> TopToken:
        """The token with most of the feature's firings, in both halves; the smallest id of equals."""
        self._compress()
        totals = torch.zeros(self.d_vocab, dtype=torch.int64)
        for half in (0, 1):
            ids, counts = self._pairs(half, 0, feature)
            totals[ids] += counts
        best = int(totals.argmax())
        return TopToken(best, text(best), int(totals[best]) / int(totals.sum()))

    def detector(self, feature: int, text: Callable[[int], str]) -> Detector | None:
        """The best rule of half 0 with its F1 on half 1; None when the feature is silent in half 0."""
        self._compress()
        candidates = [self._best_rule(kind, feature) for kind in range(len(PATTERNS))]
        f1, kind, token = max(candidates, key=lambda c: c[0])
        if f1 == 0:
            return None
        ids, counts = self._pairs(1, kind, feature)
        hits = int(counts[ids == token].sum())
        both = int(self.fired[1, feature]) + int(self.totals[1, kind, token])
        return Detector(PATTERNS[kind], token, text(token), 2 * hits / both if both else 0.0)

    def _best_rule(self, kind: int, feature: int) -> tuple[float, int, int]:
        ids, counts = self._pairs(0, kind, feature)
        if not len(ids):
            return 0.0, kind, -1
        f1 = 2 * counts.double() / (self.fired[0, feature] + self.totals[0, kind, ids])
        best = int(f1.argmax())
        return float(f1[best]), kind, int(ids[best])

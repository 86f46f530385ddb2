"""Where features fire and where they do not: three kinds of context, found in one pass.

    top        the strongest firing of each of the k documents where it is strongest
    active     k firings drawn uniformly
    inactive   k positions drawn uniformly from those with no firing in the whole window

Every position of a block can be drawn, the first and the last included: the window is then shorter.
"""

import math

import torch
from jaxtyping import Bool, Float, Int64, Num
from torch import Tensor
from torch.nn.functional import pad

from monosema.core.seeding import derive
from monosema.corpus.views import Tokens
from monosema.features.mixing import mixed
from monosema.features.reading import Part, Tokenizer
from monosema.features.reservoirs import Kept, Reservoir
from monosema.features.rows import Context, SampleConfig

DIGITS = 5
"""Significant digits of a stored activation."""

MARGIN = 8
"""Tokens decoded beyond a window; no character is cut into more."""


class ContextsOf:
    """The contexts of one feature: `update` with parts of the corpus in their order."""

    def __init__(self, feature: int, config: SampleConfig) -> None:
        self.config = config
        self.salts = {kind: derive(config.seed, kind, feature) for kind in ("active", "inactive")}
        self.top = Reservoir(config.n_top, one_per_document=True)
        self.active = Reservoir(config.n_active)
        self.inactive = Reservoir(config.n_inactive)

    def update(self, part: Part, grid: Float[Tensor, "batch seq"], near: Bool[Tensor, "batch seq"]) -> None:
        """Take in the feature's activations in `part`, not a number where it has none, and whether the
        window around each position holds a firing."""
        values = grid[part.usable]
        active, quiet = (values > 0).nonzero().flatten(), (~near[part.usable]).nonzero().flatten()
        self._offer(self.top, part, grid, values[active], active)
        self._offer(self.active, part, grid, mixed(part.places[active], self.salts["active"]), active)
        self._offer(self.inactive, part, grid, mixed(part.places[quiet], self.salts["inactive"]), quiet)

    def _offer(
        self,
        reservoir: Reservoir,
        part: Part,
        grid: Float[Tensor, "batch seq"],
        keys: Num[Tensor, "candidate"],
        rows: Int64[Tensor, "candidate"],
    ) -> None:
        def window(i: int) -> Float[Tensor, "width"]:
            block, position = part.where[rows[i]].tolist()
            padded = pad(grid[block], (self.config.before, self.config.after), value=torch.nan)
            return padded[position : position + self.config.before + 1 + self.config.after]

        reservoir.offer(keys, part.places[rows], part.owners[rows], window)


class Contexts:
    """The contexts of several features, in the order of `features`."""

    def __init__(self, features: list[int], config: SampleConfig) -> None:
        self.config = config
        self.each = [ContextsOf(feature, config) for feature in features]

    def update(self, part: Part, f: Float[Tensor, "row feature"]) -> None:
        """Take in the features' activations at the usable positions of `part`."""
        grids = torch.full((f.shape[1], *part.usable.shape), torch.nan)
        grids[:, part.usable] = f.T
        near = _near(grids > 0, self.config.before, self.config.after)
        for contexts, grid, near_one in zip(self.each, grids, near, strict=True):
            contexts.update(part, grid, near_one)


def _near(firing: Bool[Tensor, "feature batch seq"], before: int, after: int) -> Bool[Tensor, "feature batch seq"]:
    """Whether the window around each position holds a firing."""
    counts = pad(firing, (before + 1, after)).to(torch.int32).cumsum(-1)
    return counts[..., before + 1 + after :] > counts[..., : firing.shape[-1]]


class Windows:
    """Turns places of a corpus into contexts with text."""

    def __init__(self, tokens: Tokens, tokenizer: Tokenizer, config: SampleConfig) -> None:
        self.tokens, self.tokenizer, self.config = tokens, tokenizer, config

    def context(self, kept: Kept) -> Context:
        """The window around a place, cut where its document begins and ends; a BOS in front of the
        document is shown."""
        number, position = divmod(kept.place, self.tokens.context)
        block = self.tokens.blocks(number, number + 1)
        ids, own = block.tokens[0].tolist(), _owners(block.documents[0].tolist(), block.usable[0].tolist())
        first, last = _stretch(own, kept.document, position)
        low, high = max(first, position - self.config.before), min(last, position + self.config.after) + 1
        # Decoded with a few tokens more on either side, so that a character cut by the window is whole.
        start = max(first, low - MARGIN)
        texts = self.tokenizer.token_texts(ids[start : min(last + 1, high + MARGIN)])[low - start : high - start]
        offset = position - self.config.before
        values = kept.window[low - offset : high - offset].tolist()
        return Context(
            document=self.tokens.document_name(kept.document),
            block=number,
            position=position,
            at=position - low,
            texts=tuple(texts),
            ids=tuple(ids[low:high]),
            activations=tuple(None if math.isnan(value) else rounded(value) for value in values),
        )


def _owners(documents: list[int], usable: list[bool]) -> list[int]:
    """The document that each position belongs to: a BOS to the document behind it, padding to none."""
    own = list(documents)
    for i in range(len(own) - 2, -1, -1):
        if not usable[i] and own[i] >= 0:
            own[i] = own[i + 1]
    return own


def _stretch(own: list[int], document: int, position: int) -> tuple[int, int]:
    """First and last position around `position` that belong to `document` without a gap."""
    first = last = position
    while first > 0 and own[first - 1] == document:
        first -= 1
    while last + 1 < len(own) and own[last + 1] == document:
        last += 1
    return first, last


def rounded(value: float) -> float:
    """`value` to DIGITS significant digits: what a page shows needs no more, and files stay small."""
    return float(f"{value:.{DIGITS}g}")

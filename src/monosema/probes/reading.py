"""Activations of texts at many sites in one pass.

    texts --tokens--> batches of texts of one length --model--> site: [n, width]

Texts are batched by their number of tokens, so nothing is ever padded: no pad token is needed, no mask, and no text's
activations depend on how long another is. The tokenizer's BOS stands first where it has one, as in training; it is
never read.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.core.errors import DataError
from monosema.corpus.statements.labelled import Pairs, Statements
from monosema.models.model import Edit, Model
from monosema.probes.data import Contrast, Labelled

Position = Literal["last", "mean"] | int
SHOWN = 60
"""Characters of a text in an error."""


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer; `monosema.corpus.Tokenizer` is one."""

    bos: int | None

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...


def read_texts(
    model: Model,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    sites: Sequence[str],
    position: Position = "last",
    batch: int = 64,
    edits: Sequence[Edit] = (),
) -> dict[str, Float[Tensor, "n width"]]:
    """The activation of every text at every site, float32 on the CPU, in the order of the texts.

    position    the text's last token, the mean over its tokens, or the token of this number (from 0; from the end
                where negative). A site of a decoder that is given its start token alone has one position, which every
                choice but a number other than 0 and -1 reads.
    batch       texts at a time, at most
    edits       spliced in: what is read is the model's with them

    Raises SiteError (no such site, or none with a width), DataError naming the text that has no tokens, is longer than
    the model's context, or has no token of that number.
    """
    require_range("batch", batch, 1)
    require(len(texts) > 0, "there are no texts to read: give at least one")
    names = [model.resolve(site) for site in sites]
    widths = {site: model.width(site) for site in names}
    start = [] if tokenizer.bos is None else [tokenizer.bos]
    ids = [[*start, *of_text] for of_text in tokenizer.encode(texts)]
    _check_lengths(texts, ids, len(start), model)
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, of_text in enumerate(ids):
        by_length[len(of_text)].append(i)
    found = {site: torch.empty(len(texts), width) for site, width in widths.items()}
    for length in sorted(by_length):
        members = by_length[length]
        for at in range(0, len(members), batch):
            rows = members[at : at + batch]
            tokens = torch.tensor([ids[i] for i in rows])
            with torch.no_grad():
                read = model.run(tokens, names, edits, attention="fused")
            for site, x in read.items():
                of_text = x[:, len(start) :] if x.shape[1] == length else x
                found[site][rows] = _at(of_text.flatten(2).float(), position, texts[rows[0]]).cpu()
    return {asked: found[site] for asked, site in zip(sites, names, strict=True)}


def read_labelled(
    model: Model,
    tokenizer: Tokenizer,
    statements: Statements,
    sites: Sequence[str],
    position: Position = "last",
    batch: int = 64,
    edits: Sequence[Edit] = (),
) -> dict[str, Labelled]:
    """`read_texts` of labelled statements (`monosema.corpus.Statements`), by site."""
    y = torch.as_tensor(statements.labels)
    read = read_texts(model, tokenizer, statements.texts, sites, position, batch, edits)
    return {site: Labelled(x, y, tuple(statements.groups)) for site, x in read.items()}


def read_contrast(
    model: Model,
    tokenizer: Tokenizer,
    pairs: Pairs,
    sites: Sequence[str],
    position: Position = "last",
    batch: int = 64,
    edits: Sequence[Edit] = (),
) -> dict[str, Contrast]:
    """`read_texts` of both sides of contrast pairs (`monosema.corpus.Pairs`), by site."""
    y = torch.as_tensor(pairs.labels)
    sides: list[Mapping[str, Tensor]] = [
        read_texts(model, tokenizer, texts, sites, position, batch, edits) for texts in (pairs.negative, pairs.positive)
    ]
    return {site: Contrast(sides[0][site], sides[1][site], y, tuple(pairs.groups)) for site in sites}


def _check_lengths(texts: Sequence[str], ids: Sequence[Sequence[int]], n_start: int, model: Model) -> None:
    for i, (text, of_text) in enumerate(zip(texts, ids, strict=True)):
        if len(of_text) == n_start:
            raise DataError(f"text {i} has no tokens: '{_short(text)}'. Leave it out")
        if len(of_text) > model.n_context:
            raise DataError(
                f"text {i} has {len(of_text)} tokens and {model.name} takes {model.n_context}: '{_short(text)}'. "
                "Shorten it, or leave it out"
            )


def _at(x: Float[Tensor, "batch seq width"], position: Position, text: str) -> Float[Tensor, "batch width"]:
    if position == "mean":
        return x.mean(1)
    at = -1 if position == "last" else position
    if not -x.shape[1] <= at < x.shape[1]:
        raise DataError(f"position {at} is not among the {x.shape[1]} tokens of '{_short(text)}': give a smaller one")
    return x[:, at]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."

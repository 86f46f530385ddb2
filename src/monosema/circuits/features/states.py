"""What prompts put at a site, taken apart; and what is there on average.

Rows are [pair, token] laid end to end: row r is token r % n_tokens of its prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.features.parts import Part
from monosema.dictionaries import SparseCodes
from monosema.models import Model


@dataclass(frozen=True)
class State:
    """A part on some prompts: codes of every row, a value that all prompts share, and the error.

    y = codes and constant written + bias + error
    """

    codes: SparseCodes
    constant: Float[Tensor, "token n_features"] | None
    error: Float[Tensor, "pair token d"]

    def activation(self, part: Part) -> Float[Tensor, "pair token d"]:
        """The site's activation that this is."""
        y = self.error + part.bias(self.error) + part.written(self.codes, self.error).view_as(self.error)
        return y if self.constant is None else y + self.constant.to(y) @ part.directions(y)


def apart(part: Part, x: Float[Tensor, "pair token d_in"], y: Float[Tensor, "pair token d_out"]) -> State:
    """What the site's activation `y` is made of, where the part reads `x`."""
    x, y = x.flatten(2), y.flatten(2)
    codes = part.encode(x.flatten(0, 1))
    return State(codes, None, y - part.bias(y) - part.written(codes, y).view_as(y))


def read_states(model: Model, parts: Sequence[Part], tokens: Int64[Tensor, "pair token"]) -> tuple[State, ...]:
    """Every part on `tokens`."""
    seen = model.run(tokens, sorted({site for part in parts for site in (part.reads, part.writes)}))
    return tuple(apart(part, seen[part.reads], seen[part.writes]) for part in parts)


@dataclass(frozen=True)
class Means:
    """Of every part the mean codes [place, n_features] and errors [place, d] over some prompts; a place is a position,
    or there is one place for all positions."""

    codes: tuple[Tensor, ...]
    errors: tuple[Tensor, ...]

    def state(self, i: int, like: State) -> State:
        """Part number `i` at its mean on each of as many prompts as `like` has."""
        n_pairs, n_tokens, _ = like.error.shape
        none = SparseCodes(
            like.codes.indices[:0], like.codes.values[:0], torch.zeros_like(like.codes.offsets), like.codes.n_features
        )
        constant = self.codes[i].expand(n_tokens, -1)
        return State(none, constant, self.errors[i].to(like.error).expand(n_pairs, n_tokens, -1))


@torch.no_grad()
def means_of(
    model: Model, parts: Sequence[Part], tokens: Int64[Tensor, "prompt token"], positions: bool = True, rows: int = 256
) -> Means:
    """Over `tokens`, position by position, or over all positions together; in float64."""
    n_tokens = tokens.shape[1]
    codes = [torch.zeros(n_tokens, part.n_features, dtype=torch.float64) for part in parts]
    errors = [torch.zeros(n_tokens, part.d_out, dtype=torch.float64) for part in parts]
    for batch in tokens.split(rows):
        for i, state in enumerate(read_states(model, parts, batch)):
            place = state.codes.rows() % n_tokens
            flat = (place * parts[i].n_features + state.codes.indices).cpu()
            codes[i].view(-1).index_add_(0, flat, state.codes.values.double().cpu())
            errors[i] += state.error.double().sum(0).cpu()
    if not positions:
        codes, errors = ([one.mean(0, keepdim=True) for one in group] for group in (codes, errors))
    return Means(tuple(one / len(tokens) for one in codes), tuple(one / len(tokens) for one in errors))

"""Second lines as a model writes them, word by word, the likeliest each time; and states put in place of its own.

A state is resid_post of every layer at one token. Putting one in place of another changes all that later tokens can
know of that token, but nothing that they saw in it before layer 0 wrote, which is the token itself.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.planning.sight import Reader
from monosema.corpus.plans.couplets import END, NEWLINE, Verses
from monosema.models import Edit

States = Float[Tensor, "layer n d_model"]
"""One token's states in n texts."""


@torch.no_grad()
def written(
    reader: Reader, begun: Int64[Tensor, "n seq"], n_words: int = 4, edits: Sequence[Edit] = ()
) -> Int64[Tensor, "n n_words"]:
    """The `n_words` tokens that the model goes on with."""
    tokens = begun
    for _ in range(n_words):
        logits = reader.run(tokens, ["logits"], edits)["logits"]
        tokens = torch.cat([tokens, logits[:, -1].argmax(-1, keepdim=True)], 1)
    return tokens[:, begun.shape[1] :]


@torch.no_grad()
def states_at(reader: Reader, tokens: Int64[Tensor, "n seq"], place: int) -> States:
    """The states of the token in `place`."""
    found = reader.run(tokens[:, : place + 1], reader.streams)
    return torch.stack([found[site][:, place] for site in reader.streams])


def being(states: States, place: int, layers: Sequence[int] | None = None) -> list[Edit]:
    """Edits that make the token in `place` have `states`, at all layers or at some."""
    chosen = range(len(states)) if layers is None else layers
    return [Edit(f"resid_post.{layer}", _being(states[layer], place)) for layer in chosen]


def _being(state: Float[Tensor, "n d_model"], place: int) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        x[:, place] = state.to(x)
        return x

    return apply


@torch.no_grad()
def losses(reader: Reader, verses: Verses, edits: Sequence[Edit] = ()) -> Float[Tensor, "n 4"]:
    """Nats of the words of second lines, each told from the true ones before it."""
    told = reader.run(verses.tokens[:, :END], ["logits"], edits)["logits"][:, NEWLINE:].log_softmax(-1)
    return -told.gather(2, verses.tokens[:, NEWLINE + 1 :, None])[..., 0]


def follows(written: Int64[Tensor, "n 4"], line: Int64[Tensor, "n 4"]) -> Bool[Tensor, "n"]:
    """Whether t2, t3 and the end word are those of `line`. t1 is told at the newline itself, so that it says nothing
    of what the later tokens know."""
    return (written[:, 1:] == line[:, 1:]).all(1)

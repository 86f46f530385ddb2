"""Where heads look on repeated random tokens: r_1 .. r_n r_1 .. r_n, after the BOS where there is one.

    previous    mean of pattern[q, q - 1] over the repetition
    duplicate   mean of pattern[q, q - n]         the same token, the first time
    induction   mean of pattern[q, q - n + 1]     the token that came after it

Each is a share of attention in [0, 1]. Random tokens, none twice, so that nothing but the repetition can be known; all
three are means over the queries of the repetition, so that heads are compared where all three are possible.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.config import require
from monosema.core.seeding import generator
from monosema.models import Model, next_token_loss
from monosema.models.losses import require_next_token

LOOKS = ("previous", "duplicate", "induction")
"""The scores, each by how far back from its query it looks: 1, n and n - 1 tokens."""

MOST_PATTERNS = 2**26
"""Numbers of patterns that are kept at a time: 256 MB."""


@dataclass(frozen=True)
class PatternScores:
    """By name, [sequence, layer, head]; and the loss in nats on each first occurrence and each repetition, by sequence.

    `of(name)` is the mean over sequences.
    """

    scores: Mapping[str, Float[Tensor, "sequence layer head"]]
    first_loss: Float[Tensor, "sequence"]
    repeated_loss: Float[Tensor, "sequence"]

    def of(self, name: str) -> Float[Tensor, "layer head"]:
        return self.scores[name].mean(0)


def repeated_tokens(
    model: Model, n: int = 25, n_sequences: int = 16, bos: int | None = None, seed: int = 0
) -> Int64[Tensor, "sequence token"]:
    """`n` random tokens and the same again, after `bos`. Raises ConfigError when they do not fit the context, or the
    vocabulary has not as many."""
    known = len(model.module.get_submodule(model.family.embed).get_parameter("weight"))
    length = 2 * n + (bos is not None)
    require(n >= 2, f"{n} tokens are too few to repeat: take at least 2")
    require(n < known, f"{n} tokens, none twice, are asked of a vocabulary of {known}: take fewer")
    require(
        length <= model.n_context,
        f"{n} tokens and their repetition are {length}, more than the {model.n_context} that {model.name} takes: take "
        "fewer",
    )
    draws = generator(seed, "repeated tokens")
    usable = torch.tensor([token for token in range(known) if token != bos])
    rows = torch.stack([usable[torch.randperm(len(usable), generator=draws)[:n]] for _ in range(n_sequences)])
    start = [] if bos is None else [torch.full((n_sequences, 1), bos)]
    return torch.cat([*start, rows, rows], 1)


@torch.no_grad()
def pattern_scores(model: Model, tokens: Int64[Tensor, "sequence token"], n: int) -> PatternScores:
    """The scores on sequences that end in `n` tokens and the same `n` again (see `repeated_tokens`).

    Raises MismatchError for a model that does not predict the next token, SiteError for one without attention.
    """
    require_next_token(model, "repetition")
    require(
        tokens.shape[1] >= 2 * n and torch.equal(tokens[:, -n:], tokens[:, -2 * n : -n]),
        f"the sequences do not end in {n} tokens and the same again",
    )
    sites = [f"attn_pattern.{layer}" for layer in range(model.n_layers)]
    step = max(1, MOST_PATTERNS // (model.n_layers * model.n_heads * tokens.shape[1] ** 2))
    found: dict[str, list[Tensor]] = {name: [] for name in LOOKS}
    losses = []
    for start in range(0, len(tokens), step):
        seen = model.run(tokens[start : start + step], [*sites, "logits"])
        patterns = torch.stack([seen[site] for site in sites], 1)
        for name, back in zip(LOOKS, (1, n, n - 1), strict=True):
            looks = patterns.diagonal(-back, -2, -1)
            found[name].append(looks[..., -n:].double().mean(-1).cpu())
        losses.append(next_token_loss(seen["logits"], tokens[start : start + step]).double().cpu())
    loss = torch.cat(losses)
    means = {name: torch.cat(parts) for name, parts in found.items()}
    return PatternScores(means, loss[:, -2 * n + 1 : -n].mean(1), loss[:, -n + 1 :].mean(1))

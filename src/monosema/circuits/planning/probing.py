"""What a linear probe reads of the plan, position by position and layer by layer.

    score of plan p = mean_p . S^-1 x - mean_p . S^-1 mean_p / 2        S: covariance within plans, pooled

Linear discriminant analysis: fitted on couplets of its own, asked of others. That a probe reads the plan says that it
is there to be read, not that anything reads it.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.planning.sight import Reader
from monosema.core.seeding import generator
from monosema.corpus.plans.couplets import N_PLANS, NEWLINE, Couplets, Verses

FITTED_ON, ASKED = 4096, 1024
RIDGE = 1e-3
"""Of the mean variance, added to S: without it a layer where all states are alike has no inverse."""

PLACES = {"rhyme": NEWLINE - 1, "newline": NEWLINE, "t1": NEWLINE + 1, "t2": NEWLINE + 2, "t3": NEWLINE + 3}


@torch.no_grad()
def probed(reader: Reader, language: Couplets, seed: int) -> Bool[Tensor, "place layer n"]:
    """For each of the places, at resid_pre.0 and after every layer: whether the probe names the plan of each couplet.

    After `place` come, last, the newline's with the labels of other couplets: the control."""
    draws = generator(seed, "couplets to probe")
    fit, ask = language.draw(FITTED_ON, draws), language.draw(ASKED, draws)
    seen, asked = (_states(reader, each) for each in (fit, ask))
    shuffled = fit.first[torch.randperm(FITTED_ON, generator=draws)]
    rows = [_right(seen[place], asked[place], fit.first, ask.first) for place in PLACES.values()]
    rows.append(_right(seen[NEWLINE], asked[NEWLINE], shuffled, ask.first))
    return torch.stack(rows)


def _states(reader: Reader, verses: Verses) -> Float[Tensor, "seq layer n d_model"]:
    sites = ["resid_pre.0", *reader.streams]
    found = reader.run(verses.tokens, sites)
    return torch.stack([found[site] for site in sites]).permute(2, 0, 1, 3)


def _right(
    seen: Float[Tensor, "layer n d_model"], asked: Float[Tensor, "layer m d_model"], plans: Tensor, truth: Tensor
) -> Bool[Tensor, "layer m"]:
    layers = zip(seen.double(), asked.double(), strict=True)
    return torch.stack([named(x, plans, y) == truth for x, y in layers])


def named(
    x: Float[Tensor, "n d_model"], plans: Int64[Tensor, "n"], asked: Float[Tensor, "m d_model"]
) -> Int64[Tensor, "m"]:
    """The plan that the discriminants of `x` and `plans` name for each of `asked`."""
    belongs = torch.nn.functional.one_hot(plans, N_PLANS).to(x)
    means = (belongs / belongs.sum(0).clamp(min=1)).T @ x
    within = x - means[plans]
    S = within.T @ within / len(x)
    S += (RIDGE * S.trace() / len(S) + 1e-9) * torch.eye(len(S), dtype=S.dtype)
    readers = torch.linalg.solve(S, means.T).T
    return (asked @ readers.T - 0.5 * (means * readers).sum(1)).argmax(1)

"""Which share of what the first line does to the end word passes the newline.

By gradients: with attention patterns held, each first-line token's embedding times the gradient of the end word's
logit is what travels from it along all routes; with the newline's states cut off after every layer, along those that
do not pass it. The share is |through| / (|through| + |past|), summed over the first line's tokens.

By exchange: the first line becomes the donor's, and the newline keeps its state. Where the end word's logit (less the
donor's end word's) stays, all came by the newline; the share is 1 - what changed over what changes without keeping.

In both, the second line is the couplet's own, so that only the end word is at stake.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.planning.transplants import Scene
from monosema.circuits.planning.writing import being
from monosema.corpus.plans.couplets import END, NEWLINE
from monosema.models import Edit


def share_by_gradients(scene: Scene, place: int = NEWLINE) -> Float[Tensor, "n"]:
    """Of each couplet the share that passes the newline, or the states of another `place`."""
    past = _travels(scene, place)
    through = (_travels(scene, None) - past).abs().sum(1)
    return through / (through + past.abs().sum(1))


@torch.no_grad()
def share_by_exchange(scene: Scene) -> Float[Tensor, "n"]:
    """The share of each couplet; about 1 or 0 where the routes add up, between or beyond where they do not."""
    ends = torch.stack([scene.lines(each.first)[:, -1] for each in (scene.verses, scene.donors)], 1)
    mixed = scene.verses.tokens[:, :END].clone()
    mixed[:, :NEWLINE] = scene.donors.tokens[:, :NEWLINE]
    clean = _prefers(scene, scene.verses.tokens[:, :END], ends)
    changed = clean - _prefers(scene, mixed, ends)
    kept = clean - _prefers(scene, mixed, ends, being(scene.own, NEWLINE))
    return 1 - kept / changed


def _prefers(scene: Scene, tokens: Tensor, ends: Int64[Tensor, "n 2"], edits: list[Edit] | None = None) -> Tensor:
    logits = scene.reader.run(tokens, ["logits"], edits or [])["logits"][:, -1].gather(1, ends)
    return logits[:, 0] - logits[:, 1]


def _travels(scene: Scene, cut: int | None) -> Float[Tensor, "n token"]:
    """Embedding times gradient of the end word's logit, of each token of the first line; patterns are held, and the
    states of the token in place `cut` let nothing through."""
    leaves: list[Tensor] = []

    def leaf(x: Tensor) -> Tensor:
        leaves.append(x.detach().requires_grad_(True))
        return leaves[0]

    n_layers = scene.reader.model.n_layers
    edits = [Edit("resid_pre.0", leaf), *(Edit(f"attn_pattern.{layer}", Tensor.detach) for layer in range(n_layers))]
    if cut is not None:
        edits += [Edit(f"resid_post.{layer}", _cutting(cut)) for layer in range(n_layers)]
    logits = scene.reader.run(scene.verses.tokens[:, :END], ["logits"], edits)["logits"][:, -1]
    ends = scene.lines(scene.verses.first)[:, -1:]
    logits = logits - logits.mean(1, keepdim=True)
    (gradient,) = torch.autograd.grad(logits.gather(1, ends).sum(), leaves[0])
    return (gradient * leaves[0].detach()).sum(2)[:, :NEWLINE]


def _cutting(place: int) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        cut = torch.zeros(x.shape[1], dtype=torch.bool)
        cut[place] = True
        return torch.where(cut[:, None], x.detach(), x)

    return apply

"""Direct effects: what every source adds to what a target reads, a block of targets at a time.

    A[t, s] = < the reading of where s writes that t is, what s writes >

A target's reading is pulled back from the top; at each layer it is multiplied with what features and errors write
there, at the bottom with tokens and position embeddings. Only tokens up to the last of the block are pulled. Where
more than d_model features read the same place, the d_model unit vectors are pulled instead, once, and every
feature's effects are its direction's combination of theirs. What biases add is pushed forward once for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.replacing import Replaced, Writing
from monosema.circuits.attribution.targets import Targets
from monosema.circuits.linear.local import LocalModel

MOST_ROWS, FEWEST_WASTED = 512, 96
"""Rows in a block: many keep a GPU busy; fewer reach less far beyond their own tokens, which is quicker on a CPU."""


@dataclass(frozen=True)
class Numbering:
    """The numbers of nodes: features, errors by layer and token, tokens, positions, the biases, logits."""

    n_features: int
    n_layers: int
    n_tokens: int
    n_positions: int
    n_logits: int

    @property
    def errors(self) -> int:
        return self.n_features

    @property
    def tokens(self) -> int:
        return self.errors + self.n_layers * self.n_tokens

    @property
    def positions(self) -> int:
        return self.tokens + self.n_tokens

    @property
    def bias(self) -> int:
        return self.positions + self.n_positions

    @property
    def logits(self) -> int:
        return self.bias + 1

    def __len__(self) -> int:
        return self.logits + self.n_logits


@dataclass(frozen=True)
class Block:
    """Direct effects of `sources` on `targets`, by number; those of all other nodes are zero."""

    targets: Int64[Tensor, "target"]
    sources: Int64[Tensor, "source"]
    effects: Float[Tensor, "source target"]


@dataclass(frozen=True)
class Scene:
    """Everything that direct effects are made of. `states`: what each site reads of biases alone. `workspace`: bytes
    that a block of readings may take."""

    local: LocalModel
    replaced: Replaced
    targets: Targets
    numbers: Numbering
    states: dict[str, Tensor]
    workspace: int

    def sources(self, layer: int) -> Int64[Tensor, "source"]:
        """The numbers of all that `layer` can read, in the order of a block's rows; of all nodes but logits from the
        layer after the last."""
        n = self.numbers
        low = self.replaced.active.span(layer)[0]
        spans = (range(low), range(n.errors, n.errors + layer * n.n_tokens), range(n.tokens, n.logits))
        device = self.local.W_U.device
        return torch.cat([torch.arange(span.start, span.stop, device=device) for span in spans])


def scene(local: LocalModel, replaced: Replaced, targets: Targets, workspace: int) -> Scene:
    """The scene; biases are pushed through the linear model here."""
    zeros = torch.zeros_like(local.seen["embed"])[:, None]
    states = local.push(zeros, dict(enumerate(replaced.b_dec)), biases=True)
    n_positions = local.n_tokens if bool(local.positions.any()) else 0
    numbers = Numbering(len(replaced.active), len(local.layers), local.n_tokens, n_positions, len(targets.tokens))
    return Scene(local, replaced, targets, numbers, {site: x[:, 0] for site, x in states.items()}, workspace)


def logit_rows(scene: Scene) -> Block:
    """The rows of all logit targets."""
    local, n = scene.local, scene.numbers
    ids = torch.arange(n.logits, len(n), device=local.W_U.device)
    effects = _pulled(scene, len(local.layers), local.pull_final(scene.targets.reads))
    effects[-1] = scene.targets.reads @ scene.states["ln_final"][-1] + scene.targets.bias
    return Block(ids, scene.sources(len(local.layers)), effects)


def feature_rows(scene: Scene, layer: int) -> Iterator[Block]:
    """The rows of all features of `layer`, in blocks, in the order of their numbers."""
    active, sources = scene.replaced.active, scene.sources(layer)
    for place in range(len(active.normed)):
        low, high = active.span(layer)
        inside = (active.place[low:high] == place).nonzero()[:, 0] + low
        for ids, effects in _place_rows(scene, layer, inside, active.normed[place]):
            effects[-1] = _biases(scene, ids, layer, normed=active.normed[place])
            yield Block(ids, sources, effects)


def _place_rows(scene: Scene, layer: int, ids: Tensor, normed: bool) -> Iterator[tuple[Tensor, Tensor]]:
    active, local = scene.replaced.active, scene.local
    d_model = local.W_U.shape[1]
    tokens, counts = active.token[ids].unique_consecutive(return_counts=True)
    starts = [0, *counts.cumsum(0).tolist()]
    few = torch.repeat_interleave(counts <= d_model, counts)
    plain = ids[few]
    at = 0
    while at < len(plain):
        # Tokens rise along the ids: the first of a block says how many fit, the last how far it reaches.
        size = rows_at_once(scene, int(active.token[plain[min(len(plain), at + MOST_ROWS) - 1]]) + 1)
        some = plain[at : at + size]
        g = local.pull_reading(layer, active.reads[some], active.token[some], normed=normed)
        yield some, _pulled(scene, layer, g)
        at += size
    for site in (counts > d_model).nonzero()[:, 0].tolist():
        crowd, unit = ids[starts[site] : starts[site + 1]], torch.eye(d_model).to(local.W_U)
        basis = []
        size = rows_at_once(scene, int(tokens[site]) + 1)
        for vectors in unit.split(size):
            at_site = tokens[site].expand(len(vectors))
            basis.append(_pulled(scene, layer, local.pull_reading(layer, vectors, at_site, normed=normed)))
        effects = torch.cat(basis, 1)
        for some in crowd.split(max(d_model, MOST_ROWS)):
            yield some, effects @ active.reads[some].T


def effects_of(
    scene: Scene, layer: int, g: Float[Tensor, "token row d_model"], constant: Float[Tensor, "row"]
) -> Float[Tensor, "source row"]:
    """What all of `scene.sources(layer)` add to readings `g` of resid_pre.`layer`; with `constant`, what the biases
    add."""
    local, written = scene.local, dict(enumerate(scene.replaced.b_dec))
    state = torch.zeros_like(local.seen["embed"])[:, None]
    for below in range(layer):
        state = local.push_layer(below, state, written, biases=True)[2]
    effects = _pulled(scene, layer, g)
    effects[-1] = torch.einsum("trd,td->r", g, state[: len(g), 0]) + constant
    return effects


def rows_at_once(scene: Scene, seq: int) -> int:
    """How many readings of the first `seq` tokens the workspace holds."""
    d_model = scene.local.W_U.shape[1]
    a_row = 6 * seq * d_model * scene.local.W_U.element_size() + 3 * len(scene.numbers) * 8
    most = FEWEST_WASTED if scene.local.W_U.device.type == "cpu" else MOST_ROWS
    return max(1, min(most, scene.workspace // a_row))


def _pulled(scene: Scene, layer: int, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "source row"]:
    """From readings of the stream that `layer` starts from: effects of all `scene.sources(layer)`, the biases' zero."""
    local, n, replaced = scene.local, scene.numbers, scene.replaced
    low, seq = replaced.active.span(layer)[0], len(g)
    out = g.new_zeros(low + layer * n.n_tokens + n.logits - n.tokens, g.shape[1])
    for below in range(layer - 1, -1, -1):
        _read_features(replaced.written[below], g, out)
        at = low + below * n.n_tokens
        out[at : at + seq] = torch.einsum("trd,td->tr", g, replaced.errors[below, :seq])
        if below:
            g = local.pull(below, g)
    at = low + layer * n.n_tokens
    x = torch.stack([local.seen["embed"], local.positions][: 2 if n.n_positions else 1])
    ends = local.read(0, g, x) if layer else torch.einsum("trd,mtd->mtr", g, x[:, :seq])
    out[at : at + seq] = ends[0]
    if n.n_positions:
        out[at + n.n_tokens : at + n.n_tokens + seq] = ends[1]
    return out


def _read_features(writing: Writing, g: Tensor, out: Tensor) -> None:
    for token, (start, stop) in enumerate(zip(writing.starts[: len(g)], writing.starts[1 : len(g) + 1], strict=True)):
        if start < stop:
            out[writing.source[start:stop]] += writing.vectors[start:stop] @ g[token].T


def _biases(scene: Scene, ids: Tensor, layer: int, *, normed: bool) -> Float[Tensor, "row"]:
    active = scene.replaced.active
    stream = "resid_pre" if scene.local.parallel else "resid_mid"
    state = scene.states[f"{'mlp_in' if normed else stream}.{layer}"]
    return (active.reads[ids] * state[active.token[ids]]).sum(1) + active.bias[ids]

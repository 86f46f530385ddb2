"""Which heads an edge goes through: at every attention layer between, the source pushed up to it meets the target's
reading pulled down to it.

    A[t, s] = past[m] + sum over heads h, queries q, keys k of  pattern[m, h, q, k] <z[h, q], v[h, k]>

    v      what the source changes in the values of layer m
    z      the reading of what a head of layer m gathers that the target is
    past   what goes by layer m without its heads: it stays in the stream, or is written after them

Exact at each layer m, for every kind of node; of the biases, those inside a head's values count as the head's. An edge
passes several layers, so what goes through the heads of two of them is not a sum of two parts. `straight` is what goes
by all heads of all layers: between two tokens there is none.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.rows import Scene
from monosema.circuits.linear.attention import HeldAttention
from monosema.circuits.linear.local import HeldLayer


@dataclass(frozen=True)
class Crossings:
    """Of each edge what passes where; in every layer its heads and `past` add up to `weight`.

    through   by head; 0 in layers that are not between source and target
    even      the same if that head, and no other, looked at all it can see alike: the control
    """

    weight: Float[Tensor, "edge"]
    through: Float[Tensor, "edge layer head"]
    past: Float[Tensor, "edge layer"]
    straight: Float[Tensor, "edge"]
    even: Float[Tensor, "edge layer head"]


@dataclass(frozen=True)
class Reading:
    """What a target reads, [token, d_model]: of what each layer's attention adds (`out`), of the stream beside it
    (`beside`), of what each layer's MLP adds (`post`), and at its end; `bias` is what it has besides."""

    out: tuple[Tensor, ...]
    beside: tuple[Tensor, ...]
    post: tuple[Tensor, ...]
    end: Float[Tensor, "token d_model"]
    bias: Float[Tensor, ""]


@torch.no_grad()
def crossings(scene: Scene, targets: Int64[Tensor, "edge"], sources: Int64[Tensor, "edge"]) -> Crossings:
    """Of the edges from `sources` to `targets`, numbers of nodes of `scene`."""
    local, edges = scene.local, len(targets)
    n_heads = len(local.layers[0].attention.pattern)
    columns = {
        name: local.W_U.new_zeros(edges, *shape)
        for name, shape in (
            ("through", (len(local.layers), n_heads)),
            ("past", (len(local.layers),)),
            ("straight", ()),
            ("even", (len(local.layers), n_heads)),
        )
    }
    for target in targets.unique().tolist():
        at = reading(scene, target)
        mine = (targets == target).nonzero()[:, 0]
        biases = sources[mine] == scene.numbers.bias
        for some in (*mine[~biases].split(_rows_at_once(scene)), mine[biases]):
            if len(some):
                for name, found in _crossed(scene, at, sources[some]).items():
                    columns[name][some] = found
    return Crossings(columns["past"][:, 0] + columns["through"][:, 0].sum(1), **columns)


@torch.no_grad()
def positions(scene: Scene, target: int, source: int, layer: int, head: int) -> Float[Tensor, "query key"]:
    """What of one edge passes one head, by where it looks from and at: the parts of `Crossings.through`."""
    at, local = reading(scene, target), scene.local
    pattern = local.layers[layer].attention.pattern[head]
    if layer >= len(at.out):
        return torch.zeros_like(pattern)
    biases = source == scene.numbers.bias
    x, written = _writes(scene, torch.tensor([source], device=pattern.device))
    for below in range(layer):
        x = local.push_layer(below, x, written, biases=biases)[2]
    held = local.layers[layer]
    values = _values(held, x, biases=biases)[head // held.attention.groups, :, 0]
    meets = _gathered(held, at.out[layer])[:, head] @ values.T
    found = torch.zeros_like(pattern)
    found[: len(meets)] = pattern[: len(meets)] * meets
    return found


def reading(scene: Scene, target: int) -> Reading:
    """The target's reading, pulled down layer by layer."""
    local, n = scene.local, scene.numbers
    out: list[Tensor] = []
    if target >= n.logits:
        layer, reads = len(local.layers), scene.targets.reads[target - n.logits]
        g = end = local.pull_final(reads[None])
        bias = reads @ local.final_norm.bias + scene.targets.bias[target - n.logits]
    else:
        active = scene.replaced.active
        layer, token, normed = int(active.layer[target]), active.token[target], active.normed[active.place[target]]
        norm, reads = local.layers[layer].mlp_norm, active.reads[target]
        g = local.pull_reading(layer, reads[None], token[None], normed=normed)
        end = torch.zeros_like(g)
        end[token] = norm.at(token[None]).pull(reads[None]) if normed else reads
        bias = active.bias[target] + (reads @ norm.bias if normed else 0)
        out = [] if local.parallel else [end]
    beside, post = list(out), []
    for below in range(layer - 1, -1, -1):
        post.insert(0, g)
        beside.insert(0, local.pull_mlp(below, g))
        out.insert(0, g if local.parallel else beside[0])
        g = local.pull(below, g) if below else g
    out, beside, post = ([x[:, 0] for x in group] for group in (out, beside, post))
    return Reading(tuple(out), tuple(beside), tuple(post), end[:, 0], bias)


def _crossed(scene: Scene, at: Reading, sources: Int64[Tensor, "row"]) -> dict[str, Tensor]:
    """The columns of `Crossings` of edges to one target: from the biases alone, or from none of them."""
    local, biases = scene.local, bool((sources == scene.numbers.bias).any())
    x, written = _writes(scene, sources)
    straight, through, even, stays = x, [], [], []
    for layer, held in enumerate(local.layers):
        if layer < len(at.out):
            values, z = _values(held, x, biases=biases), _gathered(held, at.out[layer])
            pattern = held.attention.pattern[:, : len(z), :]
            through.append(_through(held.attention, pattern, z, values))
            even.append(_through(held.attention, _evenly(pattern), z, values))
            own = _dot(at.out[layer], _without_heads(held)) if biases else 0
            stays.append(_dot(at.beside[layer], x) + own)
        x = local.push_layer(layer, x, written, biases=biases)[2]
        if layer < len(at.post):
            straight = _past_heads(scene, layer, straight, written, biases=biases)
        elif layer < len(at.out) and biases:
            straight = straight + _without_heads(held)
    later = _later(scene, at, written, len(sources), biases=biases)
    n_layers, n_heads = len(local.layers), len(local.layers[0].attention.pattern)
    found = {
        "through": x.new_zeros(len(sources), n_layers, n_heads),
        "even": x.new_zeros(len(sources), n_layers, n_heads),
    }
    for name, rows in (("through", through), ("even", even)):
        if rows:
            found[name][:, : len(rows)] = torch.stack(rows, 1)
    whole = _dot(at.end, straight) + (at.bias if biases else 0)
    past = [one + after for one, after in zip(stays, later, strict=True)]
    beyond = past[-1] + through[-1].sum(1) if past else whole
    columns = [past[layer] if layer < len(past) else beyond for layer in range(n_layers)]
    return found | {"past": torch.stack(columns, 1), "straight": whole}


def _writes(scene: Scene, sources: Int64[Tensor, "row"]) -> tuple[Tensor, dict[int, Tensor]]:
    """What each of `sources` writes: before layer 0 [token, row, d_model], and by layer at mlp_out."""
    local, n, replaced = scene.local, scene.numbers, scene.replaced
    embed = local.seen["embed"]
    empty = embed.new_zeros(n.n_tokens, len(sources), embed.shape[1])
    written = {layer: empty.clone() for layer in range(n.n_layers)}
    row_of = torch.full((len(n),), -1, device=embed.device)
    row_of[sources] = torch.arange(len(sources), device=embed.device)
    for layer, what in replaced.written.items():
        mine = (row_of[what.source] >= 0).nonzero()[:, 0]
        source = what.source[mine]
        written[layer][replaced.active.token[source], row_of[source]] = what.vectors[mine]
    for row, number in enumerate(sources.tolist()):
        if n.errors <= number < n.tokens:
            layer, token = divmod(number - n.errors, n.n_tokens)
            written[layer][token, row] = replaced.errors[layer, token]
        elif n.tokens <= number < n.positions:
            empty[number - n.tokens, row] = embed[number - n.tokens]
        elif n.positions <= number < n.bias:
            empty[number - n.positions, row] = local.positions[number - n.positions]
        elif number == n.bias:
            written = {layer: x + replaced.b_dec[layer] for layer, x in written.items()}
    return empty, written


def _values(held: HeldLayer, x: Tensor, *, biases: bool) -> Float[Tensor, "n_kv key row d_head"]:
    read = held.attn_norm.push(x) + (held.attn_norm.bias if biases else 0)
    values = held.attention.values(read)
    return values + held.attention.v_bias[:, None, None] if biases else values


def _gathered(held: HeldLayer, out: Float[Tensor, "query d_model"]) -> Float[Tensor, "query head d_head"]:
    """The reading of what each head gathers that a reading `out` of what attention adds is."""
    g = out if held.after is None else held.after.pull(out)
    return torch.einsum("qd,hed->qhe", g, held.attention.W_O)


def _through(attention: HeldAttention, pattern: Tensor, z: Tensor, values: Tensor) -> Float[Tensor, "row head"]:
    reads = torch.einsum("hqk,qhe->hke", pattern, z).unflatten(0, (-1, attention.groups))
    return torch.einsum("ngke,nkre->rng", reads, values).flatten(1)


def _evenly(pattern: Float[Tensor, "head query key"]) -> Float[Tensor, "head query key"]:
    """Attention spread alike over all that each head looks at at all."""
    seen = (pattern > 0).to(pattern)
    return seen / seen.sum(-1, keepdim=True).clamp(min=1)


def _without_heads(held: HeldLayer) -> Float[Tensor, "token 1 d_model"]:
    """What a layer's attention adds by biases that no head's values hold."""
    tokens = held.attention.pattern.shape[-1]
    bias = held.attention.o_bias.expand(tokens, 1, -1)
    return bias if held.after is None else held.after.push(bias) + held.after.bias


def _past_heads(
    scene: Scene, layer: int, x: Tensor, written: dict[int, Tensor], *, biases: bool
) -> Float[Tensor, "token row d_model"]:
    """As `LocalModel.push_layer` if no head wrote anything."""
    local, held = scene.local, scene.local.layers[layer]
    after = x + (_without_heads(held) if biases else 0)
    if layer in local.skips:
        mlp_in = held.mlp_norm.push(x if local.parallel else after) + (held.mlp_norm.bias if biases else 0)
        after = after + mlp_in @ local.skips[layer]
    return after + written[layer]


def _later(scene: Scene, at: Reading, written: dict[int, Tensor], rows: int, *, biases: bool) -> list[Tensor]:
    """By layer, what of the edge is written after its attention."""
    local = scene.local
    total = at.end.new_zeros(rows) + (at.bias if biases else 0)
    found: list[Tensor] = []
    for layer in range(len(at.out) - 1, -1, -1):
        if layer < len(at.post):
            total = total + _dot(at.post[layer], written[layer])
            if biases and layer in local.skips:
                total = total + (at.post[layer] @ (local.layers[layer].mlp_norm.bias @ local.skips[layer])).sum()
        found.insert(0, total)
        if biases:
            nothing = torch.zeros_like(written[layer])
            total = total + _dot(at.out[layer], local.layers[layer].push_attention(nothing, biases=True))
    return found


def _dot(reads: Float[Tensor, "token d_model"], x: Float[Tensor, "tokens row d_model"]) -> Float[Tensor, "row"]:
    return torch.einsum("td,trd->r", reads, x[: len(reads)])


def _rows_at_once(scene: Scene) -> int:
    embed = scene.local.seen["embed"]
    return max(1, scene.workspace // ((len(scene.local.layers) + 6) * embed.numel() * embed.element_size()))

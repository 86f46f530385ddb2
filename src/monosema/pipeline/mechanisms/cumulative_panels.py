"""Cumulative sums: pictures of the first model, and what taking its parts away costs."""

import torch
from torch import Tensor

from monosema.core.exhibits import Curves, Heatmap, Line, Panel, Table
from monosema.models import Edit
from monosema.pipeline.mechanisms.counting import SITE, Counter
from monosema.pipeline.mechanisms.cumulative_study import SPAN, Counted, grid, lines

N_TURNED = 256
"""Sequences whose steps are turned round, one by one."""


def pictures(one: Counted) -> tuple[Panel, ...]:
    """Weights, the count's direction, the zone of level, ablations."""
    return (_weights(one), _coordinate(one), _zone(one), _lines(one), _training(one), _ablations(one))


def _t(x: Tensor) -> tuple[float, ...]:
    return tuple(x.tolist())


def _relative(model: Counter) -> Tensor:
    """What each step so far adds at each position, over what it would add were all alike."""
    few = Counter(model.model, model.tokens[:N_TURNED], model.targets[:N_TURNED], model.direction)
    found = few.step_weights()
    return found / found.sum(1, keepdim=True) * model.position[:, None]


def _weights(one: Counted) -> Heatmap:
    relative = _relative(one.counter)
    inside = torch.ones_like(relative).tril().bool()
    off, blank = ((x[inside] - 1).abs().mean() for x in (relative, _relative(one.blank)))
    n = tuple(range(1, len(relative) + 1))
    return Heatmap(
        "What each step adds to the count",
        f"1 where every step so far counts alike; steps to come add 0. Off by {float(off):.1%} in the mean; before "
        f"training by {float(blank):.1%}.",
        "step",
        "position",
        n,
        n,
        tuple(map(_t, relative)),
        low=0.0,
        high=2.0,
    )


def _coordinate(one: Counted) -> Curves:
    along, model = one.counter.along(), one.counter
    drawn = []
    for n in (2, 4, 8, 16):
        counts = model.counts[:, n - 1]
        values = counts.unique()
        means = torch.stack([along[counts == c, n - 1].mean() for c in values]) + model.direction.shares[n - 1]
        drawn.append(Line(f"position {n}", _t(values / n), _t(means)))
    drawn.append(Line("S / n", (-1.0, 1.0), (-1.0, 1.0), role="theory"))
    share = one.measured["one_direction"]
    return Curves(
        "The direction of the count",
        f"What the first layer's attention adds along it, by S / n, at four positions. S / n times one vector is "
        f"{share.value:.1%} of the variance of all that it adds.",
        "S / n",
        "along the direction",
        tuple(drawn),
    )


def _zone(one: Counted) -> Heatmap:
    seq = len(one.level)
    even = tuple(range(2, seq + 1, 2))
    inside = one.level[:, grid().abs() < 1].mean(1)
    return Heatmap(
        "Where the model says level",
        f"The share of sequences answered level when the count is set to c: between -1 and 1 it is "
        f"{float(inside[0::2].mean()):.1%} at odd positions, where a sum cannot be level, and "
        f"{float(inside[1::2].mean()):.1%} at even ones. Dashed: midway between the counts that occur there.",
        "count c",
        "position",
        _t(grid()),
        tuple(range(1, seq + 1)),
        tuple(map(_t, one.level)),
        lines=(
            Line("midway below 0", (-1.0,) * len(even), even, role="theory"),
            Line("midway above 0", (1.0,) * len(even), even, role="theory"),
        ),
    )


def _lines(one: Counted) -> Curves:
    reach = lines(one.level)[1::2]
    even = tuple(range(2, len(one.level) + 1, 2))
    return Curves(
        "How far level reaches",
        f"Below 0 and above it, at even positions: {float(reach.mean()):.2f} of a step in the mean, from "
        f"{float(reach.min()):.2f} to {float(reach.max()):.2f}. Midway is 1.",
        "position",
        "count",
        (
            Line("below 0", even, _t(reach[:, 0])),
            Line("above 0", even, _t(reach[:, 1])),
            Line("midway", (even[0], even[-1]), (SPAN / 2,) * 2, role="theory"),
        ),
    )


def _training(one: Counted) -> Curves:
    learnt = one.learnt
    return Curves(
        "Loss by step",
        f"At the end {learnt.losses[-1]:.1e} nats per answer; {one.accuracy:.2%} of fresh answers are right.",
        "step",
        "nats per answer",
        (Line("loss", learnt.steps, learnt.losses),),
        log_y=True,
    )


def _ablations(one: Counted) -> Table:
    model = one.counter

    def rate(answers: Tensor) -> str:
        return f"{float((answers == model.targets).double().mean()):.1%}"

    def head(layer: int, head: int) -> str:
        def put(x: Tensor) -> Tensor:
            x[:, :, head] = x[:, :, head].mean(0, keepdim=True)
            return x

        return rate(model.answers([Edit(f"attn_z.{layer}", put)]))

    n_layers, n_heads = model.model.n_layers, model.model.n_heads
    parts = {"attn_out": "all heads of layer", "mlp_out": "MLP"}
    rows = [("nothing", rate(model.answers()))]
    rows += [(f"head {i}.{j}", head(i, j)) for i in range(n_layers) for j in range(n_heads)]
    rows += [
        (f"{name} {i}", rate(model.at_its_mean(f"{site}.{i}"))) for site, name in parts.items() for i in range(n_layers)
    ]
    rows.append((f"the count's direction in {SITE}", rate(model.flattened(model.direction.vector))))
    return Table(
        "What is taken away, and what that costs",
        "Each part at its mean over the sequences, position by position: answers that stay right. One head may be "
        "missing where others write the same direction.",
        ("at its mean", "answers right"),
        tuple(rows),
    )

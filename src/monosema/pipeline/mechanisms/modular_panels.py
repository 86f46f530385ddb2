"""Modular addition: pictures of the first model, and what taking its parts away costs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from monosema.core.exhibits import Curves, Heatmap, Line, Panel, Points, Scatter, Table, on_shared_axes
from monosema.models import Edit
from monosema.pipeline.mechanisms import fourier
from monosema.pipeline.mechanisms.adding import Adder
from monosema.pipeline.mechanisms.modular_study import Studied


def pictures(one: Studied) -> tuple[Panel, ...]:
    """Circles, spectra, training, logits, attention, a neuron, ablations."""
    return (*_circles(one), _spectra(one), _training(one), _logits(one), _attention(one), _neuron(one), _ablations(one))


def listed(numbers: Sequence[object]) -> str:
    """1, 2 and 3."""
    texts = [str(n) for n in numbers]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _on_circle(vectors: Tensor, frequency: int) -> tuple[Tensor, Tensor]:
    """Each number's place in the plane of a frequency, by least squares, so that a vector of that circle alone has its
    cosine and sine."""
    along = (2 / len(vectors)) ** 0.5 * (fourier.planes(len(vectors), (frequency,)).T @ vectors)
    x, y = along @ (vectors - vectors.mean(0)).T
    (xx, xy), (_, yy) = along @ along.T
    room = xx * yy - xy * xy
    return (yy * x - xy * y) / room, (xx * y - xy * x) / room


def _circles(one: Studied) -> tuple[Scatter, ...]:
    first = fourier.strongest(one.heart.numbers, 1)[0]
    cases = [(one.adder, k, "By rule") for k in one.keys[:3]] + [(one.heart, first, "By heart")]
    panels = []
    for model, k, when in cases:
        x, y = _on_circle(model.numbers, k)
        share = float(fourier.spectrum(model.numbers)[k - 1])
        labels = tuple(str(n) for n in range(model.p))
        control = when == "By heart"
        about = f"step {one.learned.heart_step:,}, its strongest frequency" if control else "a key frequency"
        panels.append(
            Scatter(
                f"{when}: frequency {k}",
                f"The numbers in the plane of frequency {k}, {about}: {share:.1%} of the embeddings' variance. A step "
                f"of one turns by {k}/{model.p} of a circle.",
                "cosine",
                "sine",
                (Points("numbers", _t(x), _t(y), labels, "control" if control else "measured"),),
            )
        )
    return on_shared_axes(*panels)


def _t(x: Tensor) -> tuple[float, ...]:
    return tuple(x.tolist())


def _spectra(one: Studied) -> Curves:
    x = tuple(range(1, (one.adder.p + 1) // 2))
    lines = [
        ("embedding", one.adder.numbers, False),
        ("unembedding", one.adder.answers(), False),
        ("attention scores", one.adder.scores(), False),
        ("embedding, by heart", one.heart.numbers, True),
    ]
    drawn = [
        Line(name, x, _t(fourier.spectrum(vectors)), role="control" if control else "measured")
        for name, vectors, control in lines
    ]
    share = float(fourier.spectrum(one.adder.numbers)[[k - 1 for k in one.keys]].sum())
    return Curves(
        "Spectra",
        f"Share of the variance by frequency. Key frequencies {listed(one.keys)}: {share:.1%} of the embeddings'.",
        "frequency",
        "share of variance",
        tuple(drawn),
    )


def _training(one: Studied) -> Curves:
    run, columns = one.learned.grokked, [k - 1 for k in one.keys]
    keyed = tuple(float(fourier.spectrum(x)[columns].sum()) for x in one.learned.embeddings)
    half = next((step for step, value in zip(run.steps, keyed, strict=True) if value > 0.5), None)
    when = f"They have half of it at step {half:,}" if half is not None else "They never have half of it"
    return Curves(
        "Training",
        f"Sums right, and the share of the embeddings' variance in the frequencies that are key at the end. {when}; "
        f"the pairs shown are known by heart at step {one.learned.heart_step:,}, with {one.heart_accuracy:.1%} of the "
        "others right.",
        "step",
        "share",
        (
            Line("shown pairs right", run.steps, run.train),
            Line("unseen pairs right", run.steps, run.test),
            Line("key frequencies' share", run.steps, keyed),
        ),
    )


def _by_offset(model: Adder, logits: Tensor) -> Tensor:
    """The mean logit of an answer by how far it is from the sum: a + b - c modulo p, from -(p - 1) / 2 up."""
    p, half = model.p, (model.p - 1) // 2
    offsets = (model.targets[:, None] - torch.arange(p) + half) % p
    return torch.zeros(p, dtype=torch.float64).scatter_add_(0, offsets.flatten(), logits.flatten()) / len(logits)


def _logits(one: Studied) -> Curves:
    p, half = one.adder.p, (one.adder.p - 1) // 2
    x = tuple(range(-half, half + 1))
    angles = 2 * torch.pi / p * torch.tensor(x).double()[:, None] * torch.tensor(one.keys)
    formula = (one.heights * angles.cos()).sum(1)
    heights = listed([f"{height:.1f}" for height in one.heights.tolist()])
    return Curves(
        "Logits by distance from the sum",
        f"Mean over all pairs of the logit of c by a + b - c, and sum_k A_k cos(w_k (a + b - c)) with A = {heights}.",
        "a + b - c, modulo p",
        "logit, less the mean",
        (
            Line("model", x, _t(_by_offset(one.adder, one.adder.logits()))),
            Line("formula", x, _t(formula), role="theory"),
            Line("by heart", x, _t(_by_offset(one.heart, one.heart.logits())), role="control"),
        ),
    )


def _attention(one: Studied) -> Heatmap:
    scores = fourier.spectrum(one.adder.scores())
    head = int(one.adder.scores().var(0).argmax())
    own = fourier.spectrum(one.adder.scores()[:, head : head + 1])
    k = int(own.argmax()) + 1
    share = float(scores[[k - 1 for k in one.keys]].sum())
    return _pairs(
        f"Attention of head 0.{head}",
        f"How much '=' looks at a. Its scores go with frequency {k} ({float(own[k - 1]):.0%} of their variance); all "
        f"heads' with the key ones ({share:.0%}).",
        one.adder.patterns()[head],
        1.0,
    )


def _neuron(one: Studied) -> Heatmap:
    activations = one.adder.activations()
    best = int(activations.var((0, 1)).argmax())
    shares = fourier.by_neuron(activations)[:, best]
    k = int(shares.argmax()) + 1
    picture = activations[:, :, best]
    return _pairs(
        f"Neuron {best}",
        f"The neuron that varies most, over all pairs: {float(shares[k - 1]):.1%} of its variance is of frequency {k}.",
        picture,
        max(float(picture.max()), 1e-9),
    )


def _pairs(title: str, says: str, values: Tensor, high: float) -> Heatmap:
    numbers = tuple(range(len(values)))
    return Heatmap(title, says, "b", "a", numbers, numbers, tuple(map(_t, values)), low=0.0, high=high)


def _ablations(one: Studied) -> Table:
    model = one.adder

    def rate(logits: Tensor) -> float:
        return float(model.right(logits).double().mean())

    def at_mean(site: str, part: slice | Tensor) -> float:
        def put(x: Tensor) -> Tensor:
            x[..., part] = x[..., part].mean(0, keepdim=True)
            return x

        return rate(model.logits([Edit(site, put)]))

    def head_at_mean(head: int) -> float:
        def put(x: Tensor) -> Tensor:
            x[:, :, head] = x[:, :, head].mean(0, keepdim=True)
            return x

        return rate(model.logits([Edit("attn_z.0", put)]))

    rows = [("nothing", one.accuracy)]
    rows += [(f"head 0.{head} at its mean", head_at_mean(head)) for head in range(model.model.n_heads)]
    rows += [
        ("where all heads look at its mean", at_mean("attn_pattern.0", slice(None))),
        ("the MLP at its mean", at_mean("mlp_out.0", slice(None))),
    ]
    best = fourier.by_neuron(model.activations()).argmax(0) + 1
    for k in one.keys:
        own = best == k
        without = rate(model.with_numbers(fourier.removed(model.numbers, (k,))))
        rows.append((f"circle {k} out of the embedding", without))
        rows.append((f"the {int(own.sum())} neurons of circle {k} at their mean", at_mean("mlp_act.0", own)))
    rows.append(
        ("all key circles out of the embedding", rate(model.with_numbers(fourier.removed(model.numbers, one.keys))))
    )
    least = min(rows[1:], key=lambda row: row[1])
    return Table(
        "What is taken away, and what that costs",
        f"Sums right on the unseen pairs. Least are left by {least[0]}: {least[1]:.1%}; chance is {1 / model.p:.1%}.",
        ("taken away", "sums right"),
        tuple((name, f"{value:.1%}") for name, value in rows),
    )

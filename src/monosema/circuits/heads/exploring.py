"""A model's heads as an exhibit: where they look, what they compose, what they add to the logits."""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.heads.panels import TITLES, panels
from monosema.circuits.heads.patterns import LOOKS
from monosema.circuits.heads.settings import HeadsConfig
from monosema.circuits.heads.studying import Study, study
from monosema.core.exhibits import Exhibit
from monosema.core.findings import Finding, bootstrap, short
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.models import Model

QUESTION = "Which heads look where, which read what others write, and what do they add to the logits?"


def explore_heads(
    model: Model,
    config: HeadsConfig,
    bos: int | None = None,
    prompt: tuple[Tensor, int] | None = None,
    dictionary: Dictionary | None = None,
) -> Exhibit:
    """The exhibit. `bos`: stands before the repeated tokens. Raises as `study` does."""
    found = study(model, config, bos, prompt, dictionary)
    numbers = findings(found)
    how = (
        f"{model.name}: {model.n_layers} layers of {model.n_heads} heads. {config.sequences} sequences of "
        f"{config.repeated} random tokens, none twice, and the same again{'' if bos is None else ', after the BOS'}. "
        f"Controls: the same model with every weight redrawn, on the same tokens; {config.random} pairs of random "
        "matrices. A control's number is that of its best head, since the model's is too."
    )
    return Exhibit("heads", QUESTION, sentences(found, numbers), panels(found), numbers, config, how, "heads")


def findings(found: Study) -> dict[str, Finding]:
    """The best head of each score, the best pair by its keys, the strongest head's direct effect, what repetition
    is worth."""
    numbers = {f"{name}_head": _best_head(found, name) for name in LOOKS}
    own, control = found.own.patterns, found.control.patterns
    gain, other = (one.first_loss - one.repeated_loss for one in (own, control))
    numbers["repetition_in_nats"] = _mean(found, "repetition", gain, other, "sequences", "a redrawn model")
    n_layers, n_heads = found.model.n_layers, found.model.n_heads
    effects, others = (one.direct.by_head(n_layers, n_heads) for one in (found.own, found.control))
    best = int(effects.mean(-1).abs().argmax())
    beside = int(others.mean(-1).abs().argmax())
    rows = effects.flatten(0, 1)[best], others.flatten(0, 1)[beside]
    numbers["direct_effect"] = _mean(found, "direct effect", *rows, "prompts", "a redrawn model's strongest head")
    for kind in found.own.composition.scores:
        if pairs := found.own.composition.strongest(kind, 1):
            score, random = pairs[0][-1], found.control.composition.strongest(kind, 1)[0][-1]
            n = int((~found.own.composition.scores[kind].isnan()).sum())
            name, control_is = f"{kind}_composition", "a redrawn model's best pair"
            numbers[name] = Finding(name, score, random, control_is, score, score, n, "pairs of heads")
    return numbers


def best_head(found: Study, name: str) -> tuple[int, int]:
    """(layer, head) with the highest score."""
    scores = found.own.patterns.of(name)
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    return layer, head


def _best_head(found: Study, name: str) -> Finding:
    layer, head = best_head(found, name)
    rows = found.own.patterns.scores[name][:, layer, head]
    control = float(found.control.patterns.of(name).max())
    value, low, high = _interval(rows, found.config.seed)
    return Finding(name, value, control, "the best head of a redrawn model", low, high, len(rows), "sequences")


def _mean(
    found: Study, name: str, own: Float[Tensor, "n"], other: Float[Tensor, "n"], unit: str, control_is: str
) -> Finding:
    value, low, high = _interval(own, found.config.seed)
    return Finding(name, value, float(other.mean()), control_is, low, high, len(own), unit)


def _interval(rows: Float[Tensor, "n"], seed: int) -> tuple[float, float, float]:
    terms = torch.stack([rows.double(), torch.ones(len(rows), dtype=torch.float64)], 1)
    return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "heads"))


def sentences(found: Study, numbers: dict[str, Finding]) -> tuple[str, ...]:
    """What was found, in words."""
    said = []
    for name in LOOKS:
        (layer, head), number = best_head(found, name), numbers[f"{name}_head"]
        beyond = number.value > 2 * (number.control or 0.0)
        verdict = "" if beyond else ", which is not far from what a head with redrawn weights gives"
        said.append(
            f"{TITLES[name]}: head {layer}.{head} gives {short(number.value)} of its attention there, the best head of "
            f"the redrawn model {short(number.control)}{verdict}."
        )
    gain = numbers["repetition_in_nats"]
    said.append(
        f"A repeated token costs {short(gain.value)} nats less than the first time (95% {short(gain.low)} to "
        f"{short(gain.high)}); in the redrawn model {short(gain.control)}."
    )
    if pairs := found.own.composition.strongest("K", 1):
        layer, head, later, reader, score = pairs[0]
        band, scores = found.own.composition.baseline, found.own.composition.scores["K"]
        said.append(
            f"Of all pairs, head {later}.{reader} reads by its keys most of what head {layer}.{head} writes: "
            f"{short(score)}. The median pair has {short(float(scores[~scores.isnan()].median()))}, random matrices of "
            f"the same shapes {short(band.mean)}."
        )
    effects = found.own.direct.by_head(found.model.n_layers, found.model.n_heads).mean(-1)
    layer, head = divmod(int(effects.abs().argmax()), effects.shape[1])
    total = float(found.own.direct.total.mean())
    said.append(
        f"Head {layer}.{head} has the largest direct effect on the logit of {found.prompts}: "
        f"{short(float(effects[layer, head]))}. That logit is {short(abs(total))} {'above' if total >= 0 else 'below'} "
        "the mean of all tokens, and the parts add up to it exactly."
    )
    return tuple(said)

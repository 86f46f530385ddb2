"""Couplets: the headline numbers and the answer in sentences."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from monosema.circuits.planning.couplets import Chosen, Experiment, Measured
from monosema.circuits.planning.graph_panels import graph_answer, graph_findings
from monosema.circuits.planning.probing import PLACES
from monosema.circuits.planning.settings import PlanningConfig
from monosema.circuits.planning.shares import mean, rate, share
from monosema.core.findings import Finding, short
from monosema.corpus.plans.config import SIGHTS, Sight

RANDOM = "a random direction as long as the mean difference"
BLANK = "the same probe on the model before training"
BESIDE = "the filler before the rhyme word"
OTHERS = "other features that fire as often, as long"
WELL = 0.9
"""F1 from which on features are said to be of a plan."""

LEARNT = 0.95
"""Share of lines that a model must write rightly to be said to have learnt its language."""


def at_newline(probed: Tensor) -> Tensor:
    """Whether the probe names the plan at the newline after the last layer."""
    return probed[list(PLACES).index("newline"), -1]


def joined(models: Sequence[Measured] | Sequence[Chosen], of: Callable[..., Tensor]) -> Tensor:
    """What `of` gives of every model, end to end along the couplets."""
    return torch.cat([of(one) for one in models], -1)


def findings(experiment: Experiment) -> dict[str, Finding]:
    """The headline numbers, by sight."""
    found: dict[str, Finding] = {}
    for sight in SIGHTS:
        found |= {f"{name}_{sight.replace(' ', '_')}": one for name, one in _of_sight(experiment, sight).items()}
    chosen = experiment.chosen
    second = joined(chosen, lambda one: one.features.changes.to_second)
    found["second_candidate"] = share(
        "the second candidate's line, when the first's features are suppressed", second[0], rate(second[1]), OTHERS
    )
    return found


def _of_sight(experiment: Experiment, sight: Sight) -> dict[str, Finding]:
    models = experiment.of(sight)

    def all_of(of: Callable[[Measured], Tensor]) -> Tensor:
        return joined(models, of)

    random = rate(all_of(lambda one: one.plants.random))
    found = {
        "plan_transfer": share(
            f"the donor's line, with the donor's state at the newline, {sight}",
            all_of(lambda one: one.plants.donor),
            random,
            RANDOM,
        ),
        "mean_difference": share(
            f"the donor's line, by a mean difference, {sight}", all_of(lambda one: one.plants.mean), random, RANDOM
        ),
        "probe": share(
            f"plans that a probe names at the newline, {sight}",
            all_of(lambda one: at_newline(one.probed)),
            rate(all_of(lambda one: at_newline(one.blank))),
            BLANK,
        ),
        "through_newline": mean(
            f"share of the first line's influence on the end word through the newline, {sight}",
            all_of(lambda one: one.by_gradients),
            float(all_of(lambda one: one.beside).mean()),
            BESIDE,
        ),
    }
    return found | _of_features(models, sight) | graph_findings(experiment, sight)


def _of_features(models: Sequence[Measured], sight: Sight) -> dict[str, Finding]:
    featured = [one.features for one in models if one.features is not None]
    if not featured:
        return {}
    f1, shuffled = (torch.cat([getattr(one.planned, name) for one in featured]) for name in ("f1", "shuffled"))
    left, put_in = (torch.cat([getattr(one.changes, name) for one in featured], 1) for name in ("left", "put_in"))
    return {
        "features": share(
            f"plans whose features name them with F1 {WELL:g} or more, {sight}",
            f1 >= WELL,
            rate(shuffled >= WELL),
            "labels dealt anew",
            "plans",
        ),
        "suppressed": share(
            f"other end words, the plan's features suppressed, {sight}", left[0], rate(left[1]), OTHERS
        ),
        "exchanged": share(
            f"the donor's line, the plan's features exchanged for the donor's, {sight}",
            put_in[0],
            rate(put_in[1]),
            OTHERS,
        ),
    }


def answer(experiment: Experiment, found: dict[str, Finding]) -> tuple[str, ...]:
    """Sentences with the numbers in them."""

    def value(name: str) -> str:
        return f"{found[name].value:.1%}"

    return (
        *_unlearnt(experiment),
        f"With another couplet's state at the newline, at every layer, {value('plan_transfer_planner')} of a planner's "
        f"lines become that couplet's, and {value('mean_difference_planner')} by a mean difference; a random direction "
        f"as long gives {short(found['plan_transfer_planner'].control)}. At one layer alone it is at most "
        f"{_most_of_one_layer(experiment):.1%}. Of a model whose newline cannot see the first line: "
        f"{value('plan_transfer_no_plan')}.",
        _probe_said(found, learnt=not _unlearnt(experiment)),
        "Of the first line's influence on the end word's logit the planner sends "
        f"{value('through_newline_planner')} through the newline, the free model {value('through_newline_free')}, "
        f"one without a plan {value('through_newline_no_plan')}.",
        f"{value('features_planner')} of the planner's plans have features at the newline that name them. Suppressed, "
        f"{value('suppressed_planner')} of the end words change ({short(found['suppressed_planner'].control)} by other "
        f"features); exchanged for another plan's, {value('exchanged_planner')} of the lines become that plan's "
        f"({short(found['exchanged_planner'].control)}). In the free model {value('features_free')} of the plans have "
        f"such features too, and exchanging them moves {value('exchanged_free')} of the lines.",
        "Where the first line leaves two end words open, suppressing the features of the likelier gives the line of "
        f"the other in {value('second_candidate')} ({short(found['second_candidate'].control)} by other features, "
        f"{_as_it_is(experiment):.1%} without any change).",
        *graph_answer(found),
    )


def _unlearnt(experiment: Experiment) -> tuple[str, ...]:
    """A warning, where planners or free models do not write the lines of their language."""
    models = [*experiment.of("planner"), *experiment.of("free")]
    least = min(rate(one.plants.unchanged) for one in models)
    if least >= LEARNT:
        return ()
    return (
        f"Not every model has learnt its language: one writes the right line after {least:.1%} of the first lines. "
        "Train for more steps before reading on.",
    )


def _probe_said(found: dict[str, Finding], *, learnt: bool) -> str:
    free, planner, moved = found["probe_free"], found["probe_planner"], found["plan_transfer_free"]
    trap = learnt and free.value > 0.5 and moved.value < 0.05
    return (
        f"{'A probe is not evidence. ' if trap else ''}A linear probe at the newline names the end word in "
        f"{planner.value:.1%} of the planner's couplets, and in {free.value:.1%} of the free model's, of whose lines "
        f"{moved.value:.1%} become another couplet's with its state there{': it looks back instead' if trap else ''}. "
        f"Before any training the probe names {short(free.control)}."
    )


def _most_of_one_layer(experiment: Experiment) -> float:
    by_layer = joined(experiment.of("planner"), lambda one: one.plants.by_layer)
    return max(rate(layer) for layer in by_layer)


def _as_it_is(experiment: Experiment) -> float:
    return rate(joined(experiment.chosen, lambda one: one.features.changes.as_it_is))


def how(config: PlanningConfig) -> str:
    """What ran."""
    learning, dictionary, transcoders = config.learning, config.dictionary, config.transcoders
    return (
        f"Models of each sight: {config.models}; {learning.steps} steps of {learning.batch_size} fresh couplets (with "
        "two candidates half as many again), loss on the second line; each measured on "
        f"{config.couplets} other couplets, pooled. Lines are written word by word, the likeliest each time; a line "
        "counts as a plan's where t2, t3 and the end word are. Dictionaries: TopK, "
        f"{dictionary.n_features} features, k {dictionary.k}, on resid_post of all layers at the newline. Influence: "
        f"embedding times gradient with attention patterns held. Graphs: {config.graphs} couplets of each model, with "
        f"TopK transcoders of {transcoders.n_features} features, k {transcoders.k}, trained on {transcoders.rows:,} "
        "tokens; the mask is an edit of attention patterns in the pass that is explained."
    )

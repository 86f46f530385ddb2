"""Couplets traced: the tables, the headline numbers and the sentences that come of graphs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from monosema.circuits.attribution.tracing import CONTROL
from monosema.circuits.planning.carriers import PUT, TAKEN
from monosema.circuits.planning.couplets import Experiment, Measured
from monosema.circuits.planning.shares import mean, rate, share
from monosema.circuits.planning.traces import Traces
from monosema.core.exhibits import Table
from monosema.core.findings import Finding, short
from monosema.corpus.plans.config import SIGHTS, Sight

BESIDE = "the filler before the rhyme word"
OTHERS = "other features of the layer that fire as often there, as long"
RANDOM = "random directions as long"
VECTORS = "random vectors of the same size"
WELL = 0.9


def graph_findings(experiment: Experiment, sight: Sight) -> dict[str, Finding]:
    """The headline numbers of one sight."""
    models = experiment.of(sight)
    through, by_features = (_joined(models, lambda one, name=name: getattr(one, name)) for name in _ROUTES)
    scores, agreement = _joined(models, lambda one: one.scores), _joined(models, lambda one: one.agreement)
    left, put_in = (_joined(models, lambda one, name=name: getattr(one.carried, name)) for name in ("left", "put_in"))
    line = "share of the first line's influence on the end word"
    return {
        "graph_through_newline": _mean(f"{line} through the newline, by graphs, {sight}", through, BESIDE),
        "graph_by_features": _mean(f"{line} through features of the newline, {sight}", by_features, BESIDE),
        "replacement": _mean(f"replacement score of the end word's graphs, {sight}", scores[0], CONTROL),
        "agreement": _mean(
            f"rank correlation of what graphs predict of features taken away with what happens, {sight}",
            agreement,
            VECTORS,
        ),
        "eight_taken": share(
            f"other end words, the graph's eight features at the newline taken away, {sight}",
            left[0],
            rate(left[2]),
            OTHERS,
        ),
        "features_exchanged": share(
            f"the donor's line, all transcoder features at the newline exchanged for the donor's, {sight}",
            put_in[1],
            rate(put_in[3]),
            RANDOM,
        ),
        "mlps_exchanged": share(
            f"the donor's line, all that MLPs write at the newline exchanged for the donor's, {sight}",
            put_in[2],
            rate(put_in[3]),
            RANDOM,
        ),
    }


_ROUTES = ("through", "by_features")


def _mean(name: str, values: Tensor, control_is: str) -> Finding:
    """Of values [measured or control, n]."""
    return mean(name, values[0], float(values[1].mean()), control_is, "graphs")


def _joined(models: Sequence[Measured], of: Callable[[Traces], Tensor]) -> Tensor:
    return torch.cat([of(one.traces) for one in models], -1)


def graph_answer(found: dict[str, Finding]) -> tuple[str, ...]:
    """What the graphs say, in sentences."""

    def value(name: str) -> str:
        return f"{found[name].value:.1%}"

    taken, put = found["eight_taken_planner"], found["features_exchanged_planner"]
    return (
        "Attribution graphs, made with transcoders of every layer and the mask in the pass, count path by path: "
        f"{value('graph_through_newline_planner')} of the first line's influence passes the planner's newline, "
        f"{value('graph_through_newline_free')} the free model's, {value('graph_through_newline_no_plan')} that of a "
        f"model without a plan. In the planner {value('graph_by_features_planner')} of it passes a feature there; "
        "attention alone carries the rest.",
        "The eight features at the newline to which a planner's graph gives most influence change "
        f"{taken.value:.1%} of the end words when they are taken away, others as long {short(taken.control)}. All of "
        f"its transcoder features there exchanged for another couplet's give that one's line in {put.value:.1%}, all "
        f"that its MLPs write there in {value('mlps_exchanged_planner')}; the features of whole states in "
        f"{value('exchanged_planner')}, which hold what attention writes there as well.",
    )


def graph_panels(experiment: Experiment) -> tuple[Table, ...]:
    """The tables."""
    return _graphs(experiment), _routes(experiment), _taken(experiment), _put(experiment)


def _graphs(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        explained = torch.tensor([one.traces.made.explained for one in models]).mean(0)
        nats = [_joined(models, lambda one, name=name: getattr(one, name)) for name in ("spliced", "silenced")]
        scores, agreement = _joined(models, lambda one: one.scores), _joined(models, lambda one: one.agreement)
        loss = torch.cat([one.losses.sum(1) for one in models]).mean()
        rows.append(
            (
                sight,
                " ".join(f"{x:.3f}" for x in explained.tolist()),
                " / ".join(f"{float(x.mean()):.3f}" for x in (loss, *nats)),
                *(_beside(x) for x in (scores[0], scores[1], agreement)),
            )
        )
    n = sum(one.traces.through.shape[1] for one in experiment.of("planner"))
    return Table(
        "Graphs of couplets",
        f"Transcoders of every layer, and {n} graphs of the end word for each sight: the variance of MLPs "
        "that they explain, layer by layer; nats a second line as it is, with all transcoders in the MLPs' place, and "
        "with the MLPs' means; the graphs' scores; and whether what they predict of features taken away happens. Means "
        "over graphs with 95% intervals, and in brackets the control.",
        ("sight", "explained", "loss: as it is / transcoders / means", "replacement", "completeness", "agreement"),
        tuple(rows),
    )


def _beside(values: Tensor) -> str:
    """Mean and interval of values [measured or control, n], and the control's mean."""
    found = _mean("mean", values, "")
    return f"{found.value:.3f}, {found.low:.3f}..{found.high:.3f} ({found.control:.3f})"


def _routes(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        values = [_joined(models, lambda one, name=name: getattr(one, name)) for name in _ROUTES]
        gradients = torch.stack(
            [torch.cat([getattr(one, name) for one in models]) for name in ("by_gradients", "beside")]
        )
        rows.append((sight, *(_beside(x) for x in (*values, gradients))))
    return Table(
        "The first line's influence on the end word, path by path",
        "The share of it that passes the newline, by all paths of the graph from the first line's tokens: by whatever "
        "way, and by at least one feature there; beside the figure by gradients. In brackets the same of the filler "
        "before the rhyme word.",
        ("sight", "through the newline", "through a feature of the newline", "by gradients"),
        tuple(rows),
    )


def _taken(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        left = _joined(models, lambda one: one.carried.left)
        influence = _joined(models, lambda one: one.carried.share)
        common = _joined(models, lambda one: one.first_word)
        rows.append((sight, *map(_shares, left), f"{float(influence.mean()):.1%}", _beside(common)))
    return Table(
        "Features that carry the end word by the graph, taken away",
        "Of the transcoders' features at the newline the eight with most influence on the end word in the couplet's "
        "own graph: end words that become others when they are taken away, beside eight that fire there and have "
        "least, others that fire as often, and random directions, all as long. Then what the eight have of all "
        "features' influence there; and which share of them is among the eight of t1 (in brackets: by chance).",
        ("sight", *TAKEN, "influence of the eight", "also of t1"),
        tuple(rows),
    )


def _shares(hits: Tensor) -> str:
    found = share("share", hits, 0.0, "")
    return f"{found.value:.3f}, {found.low:.3f}..{found.high:.3f}"


def _put(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        put_in = _joined(models, lambda one: one.carried.put_in)
        f1, dealt = (torch.cat([getattr(one.traces.newline, name) for one in models]) for name in ("f1", "shuffled"))
        states = [one.features.changes.put_in[0] for one in models if one.features is not None]
        whole = _shares(torch.cat(states)) if states else ""
        rows.append((sight, *map(_shares, put_in), whole, f"{rate(f1 >= WELL):.3f} ({rate(dealt >= WELL):.3f})"))
    return Table(
        "What the transcoders' features say of a plan, beside the dictionary of states",
        "Lines that become the donor's when at the newline the donor's eight features are put in the place of the "
        "couplet's own, all of its features, all that its MLPs write; or random directions. Beside it the plan's "
        "features in the dictionary of whole states. Last, the plans whose transcoder features name them with F1 of "
        f"{WELL:g} or more (in brackets: labels dealt anew).",
        ("sight", *PUT, "dictionary of states", "plans named"),
        tuple(rows),
    )

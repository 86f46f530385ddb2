"""`monosema intervene`: features of a prompt changed, and what that does beside what the graph says."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require
from monosema.core.errors import ConfigError

if TYPE_CHECKING:
    from monosema.circuits import Graph
    from monosema.pipeline.tracing import Ground


@dataclass(frozen=True)
class Arguments:
    """Change features of a prompt together: what the graph predicts of the logits, and what the model does.

    Beside it random features of the same size. A graph that `monosema trace` wrote knows its run and its prompt; a run
    needs a prompt, which is traced first.
    """

    graph: Positional[Path]
    """Folder that `monosema trace` wrote, or a run."""
    prompt: Annotated[Positional[str], arg(metavar="[PROMPT]")] = ""
    """With a run: the prompt."""
    node: UseAppendAction[tuple[str, ...]] = ()
    """Feature to change, as LAYER_FEATURE_TOKEN, such as 3_1204_7; again for several."""
    set: float | None = None
    """Set them to this activation; 0 takes them away."""
    scale: float | None = None
    """Multiply their activations by this."""
    clamp: float | None = None
    """Keep their activations between 0 and this."""
    dictionaries: UseAppendAction[tuple[str, ...]] = ()
    """With a run: transcoders by name, or by the name of a set."""
    target: UseAppendAction[tuple[str, ...]] = ()
    """With a run: a token whose logit is followed; again for several. Default: the likeliest."""
    draws: int = 16
    """Random features for each one that is changed."""
    seed: int = 0
    """Of the random features."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Open or trace the graph, change the features, and say what that did."""
    a = arguments
    how, amount = _how(a)
    require(len(a.node) > 0, "no feature to change: give one, such as --node 3_1204_7 (`monosema trace` names them)")
    require(a.draws >= 1, f"--draws is {a.draws}: it must be at least 1")

    from monosema.pipeline.tracing_changes import change_of, changed

    changes = [change_of(name, how, amount) for name in a.node]
    graph, ground = _opened(a)
    done = changed(ground, graph, changes, a.draws, a.seed)
    texts = [repr(text) for text in ground.tokenizer.token_texts(list(done.tokens))]
    columns = [done.predicted.tolist(), done.linear.tolist(), done.patterns.tolist(), done.free.tolist()]
    columns.append(done.random.abs().mean(0).tolist())
    headings = ("logit", "predicted", "linear", "patterns held", "free", "random features")
    rows = [list(row) for row in zip(texts, *columns, strict=True)]
    moved = zip(a.node, done.before, done.after, strict=True)
    return Outcome(
        wrote=(),
        next="",
        result={
            "changed": [{"node": name, "before": old, "after": new} for name, old, new in moved],
            "logits": [dict(zip(headings, map(_plain, row), strict=True)) for row in rows],
            "findings": {finding.name: vars(finding) for finding in done.findings},
        },
        shown=(
            *(
                f"{name}: {old:.3g} becomes {new:.3g}"
                for name, old, new in zip(a.node, done.before, done.after, strict=True)
            ),
            Grid(
                headings, [[row[0], *map(_signed, row[1:5]), f"{row[5]:.3f}"] for row in rows], frozenset(headings[1:])
            ),
            "",
            Grid(("finding", "value"), [[found.name.replace("_", " "), str(found)] for found in done.findings]),
            "changes of logits less their mean; of random features the mean size in the model itself",
        ),
    )


def _how(a: Arguments) -> tuple[str, float]:
    given = {"set": a.set, "scale": a.scale, "clamp": a.clamp}
    asked = [(how, amount) for how, amount in given.items() if amount is not None]
    if len(asked) != 1:
        raise ConfigError("say once what becomes of the features: --set 0, --scale 2 or --clamp 1")
    return asked[0]


def _opened(a: Arguments) -> "tuple[Graph, Ground]":
    """The graph that is named, or that of the prompt in the run that is."""
    from monosema.pipeline.tracing import TracingConfig, open_ground, saved, traced

    is_run = (a.graph / "provenance.json").exists()
    if not is_run:
        if a.prompt or a.dictionaries or a.target:
            raise ConfigError("a graph has its prompt, transcoders and targets already: give them with a run only")
        return saved(a.graph)
    if not a.prompt:
        raise ConfigError(f"{a.graph} is a run: give a prompt too, or the folder that `monosema trace` wrote")
    ground = open_ground(a.graph, a.dictionaries)
    return traced(ground, a.prompt, TracingConfig(a.target, control=False)), ground


def _signed(value: float) -> str:
    return "not in the graph" if isnan(value) else f"{value:+.3f}"


def _plain(value: str | float) -> str | float | None:
    return None if isinstance(value, float) and isnan(value) else value

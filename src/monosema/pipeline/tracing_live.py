"""Graphs of one run, traced when they are asked for, and its features changed: what the browser's screen asks.

The last few graphs are kept, and of the last few prompts the clean pass, so that one intervention after another costs
only itself.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar, final

from monosema.circuits import Bench, Graph
from monosema.core.config import require
from monosema.dashboard.graph.live import ChangedValues, Intervention, LogitChange, Moved, PreChange, Question
from monosema.dashboard.graph.values import Graphed
from monosema.pipeline.tracing import Ground, TracingConfig, traced
from monosema.pipeline.tracing_changes import Changed, change_of, changed
from monosema.pipeline.tracing_page import graphed

KEPT = 4
"""Graphs, and clean passes, that are kept."""

Value = TypeVar("Value")


@final
class Tracer:
    """`grounds` opens the transcoders of a set by its name, '' for the only one."""

    def __init__(self, grounds: Callable[[str], Ground]) -> None:
        self._open = grounds
        self._grounds: dict[str, Ground] = {}
        self._graphs: dict[Question, Graph] = {}
        self._benches: dict[tuple[str, str], Bench] = {}

    def trace(self, question: Question) -> Graphed:
        """The graph of a prompt. Raises as `open_ground`, `traced` and `graphed` do."""
        return graphed(self._ground(question), self._graph(question))

    def change(self, question: Question, wanted: Intervention) -> ChangedValues:
        """What changing features of that graph does. Raises as `change_of` and `changed` do."""
        require(len(wanted.nodes) > 0, "no feature is to be changed: pin one, or choose a group")
        changes = [change_of(name, wanted.how, wanted.amount) for name in wanted.nodes]
        ground, graph = self._ground(question), self._graph(question)
        bench = _kept(
            self._benches,
            (question.transcoders, question.prompt),
            lambda: Bench(ground.model, ground.sides, graph.tokens),
        )
        return _told(ground, graph, wanted, changed(ground, graph, changes, bench=bench))

    def _ground(self, question: Question) -> Ground:
        return _kept(self._grounds, question.transcoders, lambda: self._open(question.transcoders))

    def _graph(self, question: Question) -> Graph:
        q = question
        config = TracingConfig(q.targets, q.nodes, q.edges, q.from_token, control=q.control)
        return _kept(self._graphs, question, lambda: traced(self._ground(q), q.prompt, config))


Key = TypeVar("Key", bound=Hashable)


def _kept(shelf: dict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    """The value of `key`, made when it is not on the shelf, which holds the last `KEPT` that were asked for."""
    value = shelf.pop(key) if key in shelf else make()
    shelf[key] = value
    while len(shelf) > KEPT:
        del shelf[next(iter(shelf))]
    return value


def _told(ground: Ground, graph: Graph, wanted: Intervention, done: Changed) -> ChangedValues:
    texts = [repr(text) for text in ground.tokenizer.token_texts(list(done.tokens))]
    columns = [column.tolist() for column in (done.linear, done.patterns, done.free, done.random.abs().mean(0))]
    predicted = [None if value != value else value for value in done.predicted.tolist()]
    moved = zip(wanted.nodes, done.before, done.after, strict=True)
    return ChangedValues(
        tuple(Moved(*row) for row in moved),
        tuple(LogitChange(*row) for row in zip(texts, predicted, *columns, strict=True)),
        _features(graph, done),
        done.findings,
    )


def _features(graph: Graph, done: Changed) -> tuple[PreChange, ...]:
    """The graph's features with what moved them, those first that the model itself moves most."""
    one = done.effects["free"]
    names = [f"{layer}_{index}_{token}" for layer, index, token in one.features.tolist()]
    there = set(graph.nodes.ids())
    columns = (one.pre_before, done.effects["patterns"].pre, one.pre)
    rows = zip(names, *(column.double().tolist() for column in columns), strict=True)
    found = [PreChange(*row) for row in rows if row[0] in there]
    return tuple(sorted(found, key=lambda row: -abs(row.free)))

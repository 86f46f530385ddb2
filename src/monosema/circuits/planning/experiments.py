"""The two experiments by the language that they are of."""

from monosema.circuits.planning import articles, couplets
from monosema.circuits.planning.meanings import Drawn
from monosema.circuits.planning.settings import PlanningConfig
from monosema.core.exhibits import Exhibit


def run_planning(config: PlanningConfig) -> Exhibit:
    """The exhibit of `config.language`. Raises DivergedError."""
    return run_with_graphs(config)[0]


def run_with_graphs(config: PlanningConfig) -> tuple[Exhibit, tuple[Drawn, ...]]:
    """The exhibit, and the graphs of some texts. Raises DivergedError."""
    if config.language == "couplets":
        experiment = couplets.run(config)
        graphs = tuple(graph for one in experiment.measured for graph in one.traces.drawn)
        return couplets.shown(config, experiment), graphs
    runs = articles.run(config)
    traces = [one.traces for models in runs.values() for one in models if one.traces is not None]
    return articles.shown(config, runs), tuple(graph for one in traces for graph in one.drawn)

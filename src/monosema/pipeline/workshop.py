"""What `monosema dash` is given to show prompts and graphs: a run's model, opened once, when it is first needed.

Importing this loads no numerics, nor does `sets`: every page but those that need a model does without.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from monosema.core.errors import DamagedError
from monosema.core.runs import read_json
from monosema.pipeline.set_names import is_transcoder, set_of

if TYPE_CHECKING:
    from monosema.corpus import Tokenizer
    from monosema.dashboard.graph.live import Tracing
    from monosema.dashboard.graph.values import Graphed
    from monosema.features.live import Explorer
    from monosema.models import Model
    from monosema.pipeline.exploring import OnDisk


@final
class RunModels:
    """Models by run directory. Not for two threads at a time on one run."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[Model, Tokenizer, OnDisk]] = {}

    def explorer(self, run: Path) -> "Explorer":
        """What answers about prompts. Raises as `open_model` does."""
        from monosema.features.live import Explorer

        return Explorer(*self._opened(run))

    def sets(self, run: Path) -> tuple[str, ...]:
        """The names of a run's sets of transcoders."""
        found = sorted(run.glob("dictionaries/[!.]*/cfg.json"))
        return tuple(sorted({set_of(path.parent.name) for path in found if _is_transcoder(read_json(path))}))

    def tracer(self, run: Path) -> "Tracing":
        """What traces prompts. Raises as `open_model` does."""
        from monosema.pipeline.tracing import ground_of
        from monosema.pipeline.tracing_live import Tracer

        opened = self._opened(run)
        return Tracer(lambda asked: ground_of(run, *opened, (asked,) if asked else ()))

    def read(self, name: str, text: str) -> "Graphed":
        """The graph in a file called `name`. Raises DamagedError and MismatchError as `read_neuronpedia` does."""
        from monosema.circuits.attribution.neuronpedia import graph_of_document
        from monosema.pipeline.tracing_page import graphed_file

        try:
            document = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DamagedError(f"{name} is not valid JSON ({error}): it was edited or cut; make it again") from error
        return graphed_file(*graph_of_document(document, name))

    def _opened(self, run: Path) -> "tuple[Model, Tokenizer, OnDisk]":
        from monosema.pipeline.exploring import open_model

        if run not in self._open:
            self._open[run] = open_model(run)
        return self._open[run]


def _is_transcoder(about: Any) -> bool:
    """Whether a dictionary's cfg.json is that of a transcoder of MLPs."""
    own = about.get("metadata", {}).get("monosema", {}) if isinstance(about, dict) else {}
    return is_transcoder(own.get("reads", ()), own.get("writes", ()))

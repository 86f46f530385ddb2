"""What a report shows, as the layers below wrote it. No tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monosema.core.runs import open_run, read_json
from monosema.evaluation.prune_study import PruneStudy
from monosema.evaluation.scorecard import Scorecard
from monosema.features.rows import FeatureStudy


@dataclass(frozen=True)
class ReportData:
    """A run, ready to be shown. What is None is said to be missing, with the command that makes it.

    facts    what the reader should know first, in order: ("model", "gpt2, 4 layers"), ("corpus", ...)
    stages   provenance.json: by stage the command, seed, versions, and fingerprints of inputs and outputs
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    stages: Mapping[str, Any] = field(default_factory=dict)
    scorecard: Scorecard | None = None
    prune: PruneStudy | None = None
    features: FeatureStudy | None = None


def read_run(path: Path | str, facts: Sequence[tuple[str, str]] = ()) -> ReportData:
    """What the run directory holds so far.

    Raises RunError when it is not a run directory, DamagedError or ConfigError naming a file that
    is not what was written.
    """
    run = open_run(path)
    found = {
        name: read_json(run.path / f"{name}.json") if (run.path / f"{name}.json").exists() else None
        for name in ("scorecard", "prune", "features")
    }
    return ReportData(
        title=run.path.resolve().name,
        facts=tuple(facts),
        stages=run.stages(),
        scorecard=None if found["scorecard"] is None else Scorecard.from_json(found["scorecard"]),
        prune=None if found["prune"] is None else PruneStudy.from_json(found["prune"]),
        features=None if found["features"] is None else FeatureStudy.from_json(found["features"]),
    )

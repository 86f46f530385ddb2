"""Where the numbers come from: commands, versions, seeds and fingerprints, stage by stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.dashboard.data import ReportData
from monosema.dashboard.text import visible


@dataclass(frozen=True)
class StageView:
    """One stage of the run; `details` are (label, value) pairs to be read as they are."""

    name: str
    command: str
    finished: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class OriginsView:
    """Every stage, in the order in which they ran."""

    stages: tuple[StageView, ...]


def view(data: ReportData) -> OriginsView | None:
    """The provenance of the run; None when nothing is known of it."""
    if not data.stages:
        return None
    return OriginsView(tuple(_stage(name, stage) for name, stage in data.stages.items()))


def _stage(name: str, stage: Mapping[str, Any]) -> StageView:
    items = [
        ("seed", str(stage.get("seed", ""))),
        ("machine", str(stage.get("machine", ""))),
        ("python", str(stage.get("python", ""))),
        *((f"{what} {version}", "") for what, version in stage.get("packages", {}).items()),
        *((f"reads {what}", str(value)) for what, value in stage.get("inputs", {}).items()),
        *((f"wrote {what}", str(value)) for what, value in stage.get("outputs", {}).items()),
    ]
    return StageView(
        name=name,
        command=visible(str(stage.get("command", ""))),
        finished=str(stage.get("finished") or "not finished when this page was made"),
        details=tuple((visible(label), visible(value)) for label, value in items if label and (value or " " in label)),
    )

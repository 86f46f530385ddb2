"""The attribution graph of a prompt, or of a file: traced behind the page, shown as `monosema trace` shows it, and its
features changed in the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monosema.core.config import require_range
from monosema.core.errors import ConfigError, DataError, MonosemaError, unknown
from monosema.dashboard import cells
from monosema.dashboard.graph.live import HOWS, ChangedValues, Intervention, Question
from monosema.dashboard.graph.page import FROM_FILE, graph_view
from monosema.dashboard.graph.values import Graphed, GraphValues, NodeValues
from monosema.dashboard.graphs import Waiting
from monosema.dashboard.pages.asking import Asked, address

KEYS = ("of", "prompt", "targets", "nodes", "edges", "from", "control", "file")
"""What an address says; the pins, groups, sliders and changes stand behind its #, for the browser alone."""

CHANGE = ("features", "how", "amount")
LONGEST = 4000
DEFAULTS = {"nodes": "0.8", "edges": "0.98", "from": "1", "control": "yes"}


@dataclass(frozen=True)
class GraphRows:
    """`graph` is None while nothing is asked for, and while it is `awaited`: ask again."""

    graph: GraphValues | None
    awaited: Waiting | None = None


def rows(asked: Asked) -> GraphRows:
    """The graph of the address's prompt or file."""
    asked.only(*KEYS)
    if not asked.given.get("file") and not _prompt(asked):
        return GraphRows(None)
    found = _found(asked)
    return GraphRows(None, found) if isinstance(found, Waiting) else GraphRows(found.values)


def document(asked: Asked) -> str:
    """The same as Neuronpedia's JSON. Raises DataError while it is being traced."""
    asked.only(*KEYS)
    found = _found(asked)
    if isinstance(found, Waiting):
        raise DataError("the graph is being traced: ask again when its page shows it")
    return found.document


def change(asked: Asked) -> Mapping[str, Any]:
    """What changing features does, as the page shows it."""
    asked.only(*KEYS, *CHANGE)
    names = tuple(filter(None, asked.given.get("features", "").split(",")))
    how = asked.given.get("how", "")
    if how not in HOWS:
        raise ConfigError(unknown("change", how, HOWS))
    wanted = Intervention(names, how, _number(asked, "amount", "0"))
    run, question = _question(asked)
    done: ChangedValues = asked.library.graphs.changed(run, question, wanted)
    findings = [(found, cells.cell(found, cells.decimals_of([found]))) for found in done.findings]
    return {
        "moved": done.moved,
        "logits": done.logits,
        "features": done.features,
        "findings": [
            {
                "name": found.name.replace("_", " "),
                "value": cell.value,
                "control": cell.control,
                "control_is": cell.control_is,
            }
            for found, cell in findings
        ],
    }


def opened(asked: Asked, text: str) -> str:
    """The address of the graph in a file. Raises what reading it raises."""
    asked.only("name")
    return address(None, "graph", file=asked.library.graphs.opened(asked.given.get("name") or "the file", text))


def view(found: GraphRows, asked: Asked) -> Mapping[str, Any]:
    """The form, and the graph where there is one."""
    shell = {**_shell(asked), "waiting": found.awaited}
    if found.graph is None:
        return shell
    of_file = bool(asked.given.get("file"))
    given = {key: value for key, value in asked.given.items() if key in KEYS}
    return {
        **shell,
        **graph_view(found.graph),
        "document_url": address(None, "graph/neuronpedia.json", **given),
        "table_url": None if of_file else lambda node: _table(asked, node),
        "live": None if of_file else sorted(given.items()),
        "hows": list(HOWS.items()),
        "no_changes": FROM_FILE if of_file else "",
    }


def failed(error: MonosemaError, asked: Asked) -> Mapping[str, Any]:
    """The form with what went wrong; what was typed is kept."""
    return {**_shell(asked), "problem": str(error)}


def _shell(asked: Asked) -> dict[str, Any]:
    fields = {key: asked.given.get(key, DEFAULTS.get(key, "")) for key in KEYS}
    return {
        "problem": "",
        "waiting": None,
        "values": None,
        "choices": _choices(asked),
        "fields": fields | {"prompt": _prompt(asked), "targets": _lines(asked)},
    }


def _choices(asked: Asked) -> list[str]:
    """Every set of transcoders of every run, as RUN/SET."""
    library = asked.library
    return [f"{run}/{name}" for run, path in library.runs.items() for name in library.graphs.sets(path)]


def _found(asked: Asked) -> Graphed | Waiting:
    if key := asked.given.get("file"):
        return asked.library.graphs.file(key)
    return asked.library.graphs.of(*_question(asked))


def _question(asked: Asked) -> tuple[Path, Question]:
    """The run and what is asked of it. Raises ConfigError and DataError for what cannot be asked."""
    choices, prompt = _choices(asked), _prompt(asked)
    of = asked.given.get("of", "") or (choices[0] if choices else "")
    if of not in choices:
        raise DataError(unknown("set of transcoders", of, choices))
    if len(prompt) > LONGEST:
        raise ConfigError(f"the prompt has {len(prompt):,} characters: at most {LONGEST:,} are read")
    run, _, name = of.rpartition("/")
    share = {key: _number(asked, key, DEFAULTS[key]) for key in ("nodes", "edges")}
    for key, value in share.items():
        require_range(key, value, 0, 1)
    control = asked.given.get("control", "yes")
    if control not in ("yes", "no"):
        raise ConfigError(f"control is '{control}': it must be yes or no")
    start = asked.whole("from")
    question = Question(
        prompt=prompt,
        transcoders=name,
        targets=tuple(filter(None, _lines(asked).split("\n"))),
        from_token=1 if start is None else start,
        control=control == "yes",
        **share,
    )
    return asked.library.runs[run], question


def _prompt(asked: Asked) -> str:
    return asked.given.get("prompt", "").replace("\r\n", "\n")


def _lines(asked: Asked) -> str:
    return asked.given.get("targets", "").replace("\r\n", "\n")


def _number(asked: Asked, key: str, default: str) -> float:
    text = (asked.given.get(key, "").strip() or default).replace("\u2212", "-")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{key} is {text!r}: it must be a number, such as 0.8")
    return value


def _table(asked: Asked, node: NodeValues) -> str:
    """The address of a feature's own page."""
    run = (asked.given.get("of") or _choices(asked)[0]).rpartition("/")[0]
    return address(asked.library.place(run, node.table), f"feature/{node.name.split('_')[1]}")

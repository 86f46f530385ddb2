"""What a benchmark hands out: JSON rows, which can be compared over time, and Markdown tables, to be read.

A row of a training benchmark has exactly the fields of `TrainingRow`; a row of any other those of `ValueRow`.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.contenders import Contender
from monosema.core.runs import write_json


@dataclass(frozen=True)
class TrainingRow:
    """low, high: over the rounds, of tokens_per_second; where there is no speed, over the seeds, of loss.

    loss            nmse on held-out rows after the tokens that all contenders saw
    ratio_to_dense  median over the rounds
    peak_mb         beyond what the process used before it made the dictionary
    """

    name: str
    tokens_per_second: float | None
    ratio_to_dense: float | None
    peak_mb: float | None
    loss: float | None
    low: float
    high: float


@dataclass(frozen=True)
class ValueRow:
    """ratio: of value to what it is measured beside; None where there is nothing beside it. low, high: of that ratio
    over the rounds, where each of them has one."""

    name: str
    value: float
    unit: str
    ratio: float | None
    low: float | None = None
    high: float | None = None


def write_rows(path: Path, rows: Sequence[TrainingRow] | Sequence[ValueRow]) -> None:
    write_json(path, [asdict(row) for row in rows])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is of numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine() -> str:
    """The processor, its cores, memory and Python, in one line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cpu = models[0] if models else platform.processor() or platform.machine()
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, Python {platform.python_version()}"


def number(value: float | None) -> str:
    """Three digits that count, with thousands separated; a dash for what was not measured."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(row: ValueRow) -> str:
    """The ratio of a row, with the lowest and the highest where they are known."""
    ends = "" if row.low is None or row.high is None else f" ({number(row.low)} to {number(row.high)})"
    return number(row.ratio) + ends


PACKAGES = {
    "ours": "monosema",
    "saelens": "sae-lens",
    "dictionary-learning": "dictionary-learning",
    "sparsify": "eai-sparsify",
    "sae-vis": "sae-vis",
    "saedashboard": "sae-dashboard",
    "concept-erasure": "concept-erasure",
    "circuit-tracer": "circuit-tracer",
    "transformer-lens": "transformer-lens",
    "nnsight": "nnsight",
}
"""The package that each environment is for."""


def versions(contenders: Sequence[Contender]) -> str:
    """The versions of the libraries that ran, and of torch beside each, in one line."""
    pythons = {contender.environment: contender.python() for contender in contenders}
    said = []
    for environment, python in pythons.items():
        package = PACKAGES[environment]
        code = f"from importlib.metadata import version; print(version({package!r}), 'on torch', version('torch'))"
        done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        said.append(f"{package} {done.stdout.strip()}")
    return ", ".join(said)

"""LEACE fitted on a stream of 1,048,576 rows of 768 numbers, beside concept-erasure and plain numpy.

    python benchmarks/leace.py

ours              `probes.EraserFitter`: one pass
concept_erasure   `LeaceFitter` of concept-erasure 0.2.4: one pass
plain             numpy: two passes, and the paper's formula

A round is a whole fit of each in turn, from no rows to the eraser. All see the same batches: views of 131,072 rows in
memory, eight times over. `off` is the largest entry of P - P_0 against the largest of 1 - P_0, and `left` the gap of
the class means after erasure over that before; P_0 and the gaps are computed in float64 from all rows at once.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.activations import synthetic
from benchmarks.command import run
from benchmarks.contenders import OURS, Contender
from benchmarks.processes import Worker, WorkerError
from benchmarks.race import BUSY, installed, say
from benchmarks.rounds import ratios, summary
from benchmarks.tables import ValueRow, machine, number, table, versions, write_rows
from benchmarks.workers.erasing import EraseTask
from monosema.core.seeding import generator

CONTENDERS = (
    Contender("ours", OURS, "erasing_ours", None, {}),
    Contender("concept_erasure", "concept-erasure", "concept_erasure", None, {}),
    Contender("plain", OURS, "erasing_plain", None, {}),
)
REFERENCE = "ours"


@dataclass(frozen=True)
class LeaceBenchConfig:
    """rows: in memory. passes: how often a fit sees them. gap: between the class means, in deviations. offset: the
    mean's norm against that of a centred row."""

    rounds: int = 5
    rows: int = 131_072
    passes: int = 8
    d: int = 768
    batch: int = 4096
    gap: float = 0.5
    offset: float = 1.0
    threads: int = os.cpu_count() or 1
    json: Path | None = None


def main(config: LeaceBenchConfig) -> int:
    torch.set_num_threads(config.threads)
    contenders = installed(CONTENDERS)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(config, contenders, Path(folder))
    print(f"{machine()}; {config.threads} threads; {versions(contenders)}\n")
    print(f"{config.rows * config.passes:,} rows of {config.d}, batches of {config.batch:,}\n")
    body = [[row.name, number(row.value), row.unit, number(row.ratio)] for row in rows]
    print(table(["", "value", "unit", f"times {REFERENCE}"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 0


def prepared(config: LeaceBenchConfig, folder: Path) -> tuple[Tensor, Tensor]:
    """Rows with two classes, written to `folder`: the mean of class 1 is moved along one direction."""
    x = synthetic(config.rows, config.d, 0, "leace", offset=config.offset)
    random = generator(0, "leace labels")
    z = torch.randint(2, (config.rows,), generator=random)
    direction = torch.nn.functional.normalize(torch.randn(config.d, generator=random), dim=0)
    x += config.gap * z[:, None] * direction
    x.numpy().tofile(folder / "rows")
    z.to(torch.uint8).numpy().tofile(folder / "labels")
    return x, z


def measured(config: LeaceBenchConfig, contenders: list[Contender], folder: Path) -> list[ValueRow]:
    """Seconds by the clock and of the processor, memory beyond the rows, and how exact each is."""
    x, z = prepared(config, folder)
    workers: dict[str, Worker] = {}
    answers: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in contenders}
    try:
        for contender in contenders:
            files = {name: str(folder / name) for name in ("rows", "labels")} | {"keep": str(folder / contender.name)}
            numbers = {"d": config.d, "batch": config.batch, "passes": config.passes, "threads": config.threads}
            task = EraseTask(**files, **numbers, answers=-1, settings={})
            workers[contender.name] = Worker(contender, task)
            workers[contender.name].ready()
        for turn in range(config.rounds + 1):
            for name, worker in workers.items():
                answer = worker.go(1)
                if answer["idle"] > BUSY:
                    say(f"{name} used {answer['idle']:.1f} s of CPU time while others were measured")
                if turn:  # what the first round compiles and allocates is not counted
                    answers[name].append(answer)
                say(f"round {turn} of {config.rounds}: {name} {answer['seconds']:.2f} s")
        for worker in workers.values():
            worker.finish()
    except WorkerError as error:
        say(str(error))
        raise
    finally:
        for worker in workers.values():
            worker.close()
    exactness = {name: exact(x, z, load_file(folder / name)["P"], config) for name in answers}
    return [row for name in answers for row in rows_of(name, answers, exactness[name])]


def rows_of(name: str, answers: dict[str, list[dict[str, float]]], exactness: tuple[float, float]) -> list[ValueRow]:
    """The rows of one contender; ratios are taken within each round."""
    found = []
    for key, unit in (("seconds", "s"), ("processor", "s")):
        values = {each: [answer[key] for answer in of] for each, of in answers.items()}
        found.append(
            ValueRow(f"{name}/{key}", summary(values[name]).median, unit, ratios(values, REFERENCE)[name].median)
        )
    peaks = [answer["peak_mb"] for answer in answers[name] if answer["peak_mb"] is not None]
    if peaks:
        found.append(ValueRow(f"{name}/peak", max(peaks), "MB", None))
    off, left = exactness
    return [*found, ValueRow(f"{name}/off", off, "of P", None), ValueRow(f"{name}/left", left, "of the gap", None)]


def exact(x: Tensor, z: Tensor, P: Tensor, config: LeaceBenchConfig) -> tuple[float, float]:
    """`off` and `left`, against float64."""
    S, total = torch.zeros(config.d, config.d, dtype=torch.float64), torch.zeros(2, config.d, dtype=torch.float64)
    for part, labels in zip(x.split(8192), z.split(8192), strict=True):
        total.index_add_(0, labels, part.double())
    counts = torch.bincount(z, minlength=2).double()[:, None]
    mean = total.sum(0) / len(x)
    for part in x.split(8192):
        centred = part.double() - mean
        S += centred.T @ centred / len(x)
    means = total / counts
    gap = means[1] - means[0]
    tilted = torch.linalg.solve(S, gap)
    removed = torch.outer(gap, tilted) / (gap @ tilted)
    off = (torch.eye(config.d) - removed - P).abs().max() / removed.abs().max()
    return float(off), float((P @ gap).norm() / gap.norm())


if __name__ == "__main__":
    sys.exit(run(main, LeaceBenchConfig, __file__, __doc__))

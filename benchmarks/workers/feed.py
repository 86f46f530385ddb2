"""The worker's side of a benchmark: batches that come when the driver says so, and answers to it.

    driver                          worker
    "go 5" on standard input  --->  five batches for the trainer, which knows nothing of this
                              <---  {"seconds": ..., "idle": ..., "peak_mb": ...} when it asks for the sixth
    "finish"                  --->  no more batches: the trainer ends, and held-out rows are measured
                              <---  {"nmse": ..., "l0": ..., "peak_mb": ...}

A batch counts until the next one is asked for, so that whatever a library does between two batches is
in its time. Every library sees the same rows in the same order. Imports nothing but torch.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Reconstruct = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From rows to their reconstructions and to how many features fire on each."""

HELD_OUT_AT_ONCE = 1024
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Task:
    """What a worker is told when it starts. `steps` is how long the whole training is: schedules need it.

    rows, held_out    files of float32, one row of d_in after another
    settings          of this contender, for its library
    answers           the file descriptor that answers go to: standard output belongs to the library
    """

    rows: str
    held_out: str
    d_in: int
    n_features: int
    k: int
    batch: int
    steps: int
    seed: int
    threads: int
    answers: int
    settings: dict[str, Any]


def one_adam_step() -> None:
    """It imports what every later one uses, 150 MB of it."""
    weight = torch.zeros(1, requires_grad=True)
    adam = torch.optim.Adam([weight])
    weight.sum().backward()
    adam.step()


def serve(
    train: Callable[[Task, Iterator[Tensor]], Reconstruct | None], rehearse: Callable[[], None] = one_adam_step
) -> None:
    """Do the task that the command line describes: `train` on batches until they end, then measure.

    `train` gives None when it has nothing that reconstructs. What `rehearse` imports and compiles counts as
    imports do: memory is measured from there.
    """
    task = Task(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    with os.fdopen(task.answers, "w", buffering=1) as answers:
        rows = mapped(task.rows, task.d_in)
        rehearse()
        before = measured_from_here()
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        reconstruct = train(task, batches(task, rows, before, answers.write))
        peak = peak_mb(before)
        score = {"nmse": None, "l0": None} if reconstruct is None else evaluate(task, reconstruct)
        answers.write(json.dumps({**score, "peak_mb": peak}) + "\n")


@cache
def mapped(path: str, d_in: int) -> Tensor:
    """The rows of a file, mapped once and not copied; every page is touched, so that none is counted later."""
    numbers = Path(path).stat().st_size // 4
    rows = torch.from_file(path, shared=False, size=numbers, dtype=torch.float32).view(-1, d_in)
    rows.sum()
    return rows


def batches(task: Task, rows: Tensor, before: int, answer: Callable[[str], Any]) -> Iterator[Tensor]:
    """Copies of consecutive rows, round and round, as many at a time as the driver says."""
    step, rested = 0, time.process_time()
    per_epoch = len(rows) // task.batch
    for line in sys.stdin:
        command, _, number = line.partition(" ")
        if command.strip() == "finish":
            return
        idle = time.process_time() - rested
        started = time.perf_counter()
        for _ in range(int(number)):
            at = step % per_epoch * task.batch
            yield rows[at : at + task.batch].clone()
            step += 1
        seconds, rested = time.perf_counter() - started, time.process_time()
        answer(json.dumps({"seconds": seconds, "idle": idle, "peak_mb": peak_mb(before)}) + "\n")


@torch.no_grad()
def evaluate(task: Task, reconstruct: Reconstruct) -> dict[str, float]:
    """nmse = mean |x - y|^2 / mean |x - mean x|^2 over the held-out rows, and the mean L0."""
    rows = mapped(task.held_out, task.d_in)
    error = active = 0.0
    for x in rows.split(HELD_OUT_AT_ONCE):
        y, l0 = reconstruct(x.clone())
        error += float((x - y).double().square().sum())
        active += float(l0.sum())
    total = float((rows - rows.mean(0)).double().square().sum())
    return {"nmse": error / total, "l0": active / len(rows)}


def measured_from_here() -> int:
    """The bytes in use now, or 0 if the system does not say; the peak so far is forgotten."""
    with suppress(OSError):  # where that is not allowed the peak counts from the start of the process
        Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def peak_mb(before: int) -> float | None:
    """Megabytes in use at the peak beyond `before`; None where the system does not say."""
    return (memory("VmHWM") - before) / MEGABYTE if before else None


def memory(field: str) -> int:
    """Bytes that Linux reports of this process: VmRSS is in use now, VmHWM at the peak. 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = [line for line in status.read_text().splitlines() if line.startswith(field + ":")]
    return int(lines[0].split()[1]) * 1024

"""The worker's side of a benchmark: batches that come when the driver says so, and answers to it.

    driver                          worker
    "go 5" on standard input  --->  five batches for the trainer, which knows nothing of this
                              <---  {"seconds": ..., "idle": ..., "peak_mb": ...} when it asks for the sixth
    "finish"                  --->  no more batches: the trainer ends, and held-out rows are measured
                              <---  {"nmse": ..., "l0": ..., "peak_mb": ...}

A batch counts until the next one is asked for, so that whatever a library does between two batches is
in its time. Every library sees the same rows in the same order. Imports nothing but torch and safetensors.

With `series` on its command line a worker does one task after another, each a line of standard input that
holds what differs, and is never timed: what a training made is kept in the file that the task names.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

HELD_OUT_AT_ONCE = 1024
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Made:
    """A trained dictionary. encode: rows to features [row, n_features], dense; decode: back to rows."""

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """What a worker is told when it starts. `steps` is how long the whole training is: schedules need it.

    rows, held_out    files of float32, one row of d_in after another
    settings          of this contender, for its library
    answers           the file descriptor that answers go to: standard output belongs to the library
    keep              a file for decoder, bias, and the codes of the held-out rows; empty: nothing is kept
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
    keep: str = ""


Train = Callable[[Task, Iterator[Tensor]], Made | None]


def one_adam_step() -> None:
    """It imports what every later one uses, 150 MB of it."""
    weight = torch.zeros(1, requires_grad=True)
    adam = torch.optim.Adam([weight])
    weight.sum().backward()
    adam.step()


def serve(train: Train, rehearse: Callable[[], None] = one_adam_step) -> None:
    """Do the task that the command line describes: `train` on batches until they end, then measure.

    `train` gives None when it has nothing that reconstructs. What `rehearse` imports and compiles counts as
    imports do: memory is measured from there.
    """
    task = Task(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    with os.fdopen(task.answers, "w", buffering=1) as answers:
        if sys.argv[2:] == ["series"]:
            serve_series(train, task, answers.write)
            return
        rows = mapped(task.rows, task.d_in)
        rehearse()
        before = measured_from_here()
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        made = train(task, batches(task, rows, before, answers.write))
        peak = peak_mb(before)
        score = {"nmse": None, "l0": None} if made is None else evaluate(task, made)
        answers.write(json.dumps({**score, "peak_mb": peak}) + "\n")


def serve_series(train: Train, first: Task, answer: Callable[[str], Any]) -> None:
    """Tasks as they come: each a JSON object of the fields in which it differs from `first`."""
    answer(json.dumps({"torch": torch.__version__}) + "\n")
    for line in sys.stdin:
        task = replace(first, **json.loads(line))
        torch.manual_seed(task.seed)
        started = time.perf_counter()
        made = train(task, all_batches(task))
        seconds = time.perf_counter() - started
        assert made is not None
        answer(json.dumps({**evaluate(task, made), "seconds": seconds}) + "\n")


def all_batches(task: Task) -> Iterator[Tensor]:
    """The batches of the task in order, each row once."""
    rows = mapped(task.rows, task.d_in)
    for step in range(task.steps):
        yield rows[step * task.batch : (step + 1) * task.batch].clone()


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
def evaluate(task: Task, made: Made) -> dict[str, float]:
    """nmse = mean |x - y|^2 / mean |x - mean x|^2 over the held-out rows, and the mean L0; what is to be kept, is."""
    rows = mapped(task.held_out, task.d_in)
    error, codes = 0.0, []
    for x in rows.split(HELD_OUT_AT_ONCE):
        f = made.encode(x.clone())
        error += float((x - made.decode(f)).double().square().sum())
        codes.append(f.to_sparse())
    total = float((rows - rows.mean(0)).double().square().sum())
    if task.keep:
        keep(task, made, codes)
    return {"nmse": error / total, "l0": sum(part.values().numel() for part in codes) / len(rows)}


def keep(task: Task, made: Made, codes: list[Tensor]) -> None:
    """Write the codes of the held-out rows, what no feature decodes to, and what one of each adds to it."""
    bias = made.decode(torch.zeros(1, task.n_features))
    alone = torch.eye(task.n_features).split(HELD_OUT_AT_ONCE)
    kept = {
        "decoder": torch.cat([made.decode(part) - bias for part in alone]),
        "bias": bias[0],
        "indices": torch.cat([part.indices()[1] for part in codes]),
        "values": torch.cat([part.values() for part in codes]),
        "sizes": torch.cat([torch.bincount(part.indices()[0], minlength=part.shape[0]) for part in codes]),
    }
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in kept.items()}, task.keep)


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

"""The worker's side of the benchmark of LEACE: a whole fit when the driver says so.

    driver                          worker
                              <---  {"torch": ...} when the library is imported and the rows are mapped
    "go 1" on standard input  --->  a new fitter, every batch, the eraser
                              <---  {"seconds", "processor", "idle", "peak_mb"}
    "finish"                  --->  the projection of the last fit is written to `keep`
                              <---  {}

A batch is a view of the mapped rows: nothing is read from disk or copied in the time. Imports nothing but torch.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.workers.feed import mapped, measured_from_here, peak_mb

Batches = Callable[[], Iterator[tuple[Tensor, Tensor]]]
Fit = Callable[[Batches, int], Tensor]
"""Of the batches, as often as they are asked for, and d: the projection P [d, d]."""


@dataclass(frozen=True)
class EraseTask:
    """rows: a file of float32 [n, d]. labels: a file of n bytes, 0 or 1. passes: how often they are seen in a fit."""

    rows: str
    labels: str
    d: int
    batch: int
    passes: int
    keep: str
    threads: int
    answers: int
    settings: dict[str, Any]


def serve_fits(fit: Fit) -> None:
    """Do the task that the command line describes."""
    task = EraseTask(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    rows = mapped(task.rows, task.d)
    labels = torch.frombuffer(bytearray(Path(task.labels).read_bytes()), dtype=torch.uint8).long()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(task.passes):
            yield from zip(rows.split(task.batch), labels.split(task.batch), strict=True)

    with os.fdopen(task.answers, "w", buffering=1) as answers:
        before = measured_from_here()
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        P, rested = torch.eye(task.d), time.process_time()
        for line in sys.stdin:
            if line.strip() == "finish":
                save_file({"P": P.double().contiguous()}, task.keep)
                answers.write("{}\n")
                return
            idle = time.process_time() - rested
            started, used = time.perf_counter(), time.process_time()
            P = fit(batches, task.d)
            answer = {
                "seconds": time.perf_counter() - started,
                "processor": time.process_time() - used,
                "idle": idle,
                "peak_mb": peak_mb(before),
            }
            rested = time.process_time()
            answers.write(json.dumps(answer) + "\n")

"""The worker's side of the benchmark of attribution graphs: one graph, traced and pruned when the driver says so.

    driver                          worker
                              <---  {"torch": ...} when the model and the transcoders are loaded
    "go 1" on standard input  --->  everything from the tokens to the pruned graph
                              <---  {"seconds", "processor", "idle", "peak_mb", "nodes", "kept", "edges"}

The names of the nodes and edges that were kept go to a file, after the clock has stopped. Imports nothing but torch.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.workers.feed import measured_from_here, peak_mb

MODEL, TRANSCODERS, TOKENS = "model", "transcoders.safetensors", "tokens.safetensors"


@dataclass(frozen=True)
class Kept:
    """A pruned graph. total: nodes before. nodes: (layer, feature, token), a token's layer is -1 and its feature the
    vocabulary's, an error's feature -1, a logit's layer the number of layers; edges: from and to, by place in nodes."""

    total: int
    nodes: list[tuple[int, int, int]]
    edges: list[tuple[int, int]]


Trace = Callable[[], Kept]


@dataclass(frozen=True)
class TraceTask:
    """What a worker is told when it starts. subject: a folder with a model, transcoders and tokens; names: the file for
    what was kept; answers: the file descriptor that answers go to."""

    subject: str
    names: str
    threads: int
    answers: int
    settings: dict[str, Any]


def serve_traces(prepare: Callable[[TraceTask], Trace]) -> None:
    """Do the task that the command line describes."""
    task = TraceTask(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    with os.fdopen(task.answers, "w", buffering=1) as answers:
        trace = prepare(task)
        before, rested = measured_from_here(), time.process_time()
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        for _ in sys.stdin:
            began, started = time.process_time(), time.perf_counter()
            kept = trace()
            seconds, idle = time.perf_counter() - started, began - rested
            rested = time.process_time()
            Path(task.names).write_text(json.dumps({"nodes": kept.nodes, "edges": kept.edges}))
            times = {"seconds": seconds, "processor": rested - began, "idle": idle, "peak_mb": peak_mb(before)}
            sizes = {"nodes": kept.total, "kept": len(kept.nodes), "edges": len(kept.edges)}
            answers.write(json.dumps({**times, **sizes}) + "\n")

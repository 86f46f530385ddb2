"""The worker's side of the benchmark of feature tables: pages that are made when the driver says so.

    driver                          worker
                              <---  {"torch": ...} when the model and the dictionary are loaded
    "go 1" on standard input  --->  everything from the tokens to the finished page
                              <---  {"seconds", "processor", "idle", "peak_mb", "features", "bytes"}

What is loaded before is not in the time, as it is not for the other contenders. Imports nothing but torch.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.workers.feed import measured_from_here, peak_mb

Make = Callable[[Path], int]
"""Write the page of some features to a path; how many there are on it."""

TOKENS, DICTIONARY = "tokens.safetensors", "dictionary"


@dataclass(frozen=True)
class ShowTask:
    """What a worker is told when it starts.

    model          a folder of transformers
    subject        a folder with the dictionary (as SAELens saves one) and the blocks of tokens
    n_features     how many to show; 0 is all
    before, after  tokens on either side of the chosen one
    answers        the file descriptor that answers go to: standard output belongs to the library
    """

    model: str
    subject: str
    n_features: int
    before: int
    after: int
    seed: int
    threads: int
    answers: int
    settings: dict[str, Any]


def serve_pages(prepare: Callable[[ShowTask], Make]) -> None:
    """Do the task that the command line describes."""
    task = ShowTask(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    with os.fdopen(task.answers, "w", buffering=1) as answers:
        make = prepare(task)
        before, rested = measured_from_here(), time.process_time()
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        for line in sys.stdin:
            began, started = time.process_time(), time.perf_counter()
            answer = [made_once(make) for _ in range(int(line.split()[1]))][-1]
            seconds, idle = time.perf_counter() - started, began - rested
            rested = time.process_time()
            times = {"seconds": seconds, "processor": rested - began, "idle": idle}
            answers.write(json.dumps({**times, "peak_mb": peak_mb(before), **answer}) + "\n")


def made_once(make: Make) -> dict[str, int]:
    """The page made and thrown away: features on it, and its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        n_features = make(page)
        return {"features": n_features, "bytes": page.stat().st_size}

"""The worker's side of the benchmark of hooks: passes through one model, in changing order, when the driver says so.

    driver                          worker
                              <---  {"torch": ...} when every pass has been made once, and what it gave is written down
    "go 1" on standard input  --->  all passes, over and over in an order drawn anew each time, for some seconds
                              <---  {"seconds", "idle", "sweeps", "library", "passes": {name: [clock, processor]}}

    logits      the logits, nothing else read             all         resid_post of every layer, and the logits
    one         resid_post in the middle, and the logits  patterns    attention of every layer, and the logits
    stop        resid_post in the middle; the pass ends   edit        resid_post in the middle halved; the logits

Beside them every worker times `plain`, the forward pass of transformers in its own environment, which makes the ratios,
and `plain_again`, the same, which says how much of a ratio is chance. No gradients. Imports torch and transformers.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

MODEL, TOKENS = "model", "tokens.safetensors"
LEAST_SWEEPS = 3

Pass = Callable[[], Mapping[str, Tensor]]
"""What was read, by the names of our sites: logits, resid_post.2, attn_pattern.0."""


@dataclass(frozen=True)
class HookTask:
    """What a worker is told when it starts. subject: a folder with a model and tokens; keep: a file for what the passes
    gave; seconds: of a round; answers: the file descriptor that answers go to."""

    subject: str
    keep: str
    seconds: float
    threads: int
    answers: int
    settings: dict[str, Any]


def pretrained(subject: Path, attention: str = "eager") -> Any:
    """The model of transformers in `subject`, with its own eager attention or torch's fused one (`sdpa`)."""
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(
        subject / MODEL, dtype=torch.float32, attn_implementation=attention, local_files_only=True
    )
    return loaded.eval().requires_grad_(False)


def tokens_of(subject: Path) -> Tensor:
    """[batch, seq]"""
    return load_file(subject / TOKENS)["tokens"]


def middle(n_layers: int) -> int:
    """The layer after which half of them are done."""
    return max(0, n_layers // 2 - 1)


def forward(model: Any, tokens: Tensor) -> Pass:
    """A plain pass, which makes no cache of keys and values."""
    return lambda: {"logits": model(input_ids=tokens, use_cache=False, return_dict=True).logits}


def serve_passes(library: str, prepare: Callable[[Path], Mapping[str, Pass]]) -> None:
    """Do the task that the command line describes; `library`: the package that makes the passes."""
    task = HookTask(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    torch.set_grad_enabled(False)
    subject, drawn = Path(task.subject), random.Random(0)
    with os.fdopen(task.answers, "w", buffering=1) as answers:
        plain = forward(pretrained(subject), tokens_of(subject))
        passes = {"plain": plain, "plain_again": plain, **prepare(subject)}
        given = {f"{name}/{site}": x for name, once in passes.items() for site, x in once().items()}
        save_file({name: x.detach().clone().contiguous() for name, x in given.items()}, task.keep)
        del given
        answers.write(json.dumps({"torch": torch.__version__}) + "\n")
        rested = time.process_time()
        for _ in sys.stdin:
            idle, started = time.process_time() - rested, time.perf_counter()
            times = sweeps(passes, task.seconds, drawn)
            seconds, rested = time.perf_counter() - started, time.process_time()
            found = {name: [median(values) for values in zip(*both, strict=True)] for name, both in times.items()}
            said = {"seconds": seconds, "idle": idle, "sweeps": len(times["plain"])}
            answers.write(json.dumps({**said, "library": f"{library} {version(library)}", "passes": found}) + "\n")


def sweeps(passes: Mapping[str, Pass], seconds: float, drawn: random.Random) -> dict[str, list[tuple[float, float]]]:
    """Seconds by the clock and of the processor of each pass; sweeps through all of them, until `seconds` are over."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in passes}
    order, end = list(passes), time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["plain"]) < LEAST_SWEEPS:
        drawn.shuffle(order)
        for name in order:
            used, started = time.process_time(), time.perf_counter()
            passes[name]()
            times[name].append((time.perf_counter() - started, time.process_time() - used))
    return times

"""Attribution graphs beside circuit-tracer: seconds and memory from a prompt to a pruned graph, and the same graph.

    python benchmarks/circuits.py            alternating rounds, each contender in a process of its own

Both see the same random GPT-2, the same random ReLU transcoders of its layers and the same tokens, which are loaded
before the clock starts. Time runs from the tokens to the names of the nodes and edges that are kept; memory is the
peak beyond what was in use before. circuit-tracer counts no constants, so neither does ours here.
"""

import json
import math
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder


from benchmarks.command import run
from benchmarks.contenders import OURS, Contender
from benchmarks.processes import Worker
from benchmarks.race import in_turn, installed
from benchmarks.rounds import ratios, summary
from benchmarks.tables import ValueRow, machine, number, spread, table, versions, write_rows
from benchmarks.workers.tracing import MODEL, TOKENS, TRANSCODERS, TraceTask

CIRCUIT_TRACER = Contender("circuit_tracer", "circuit-tracer", "circuit_tracer", None, {})
CONTENDERS = (CIRCUIT_TRACER, Contender("ours", OURS, "ours_graphs", None, {}))


@dataclass(frozen=True)
class SizeConfig:
    """The model, its transcoders and the prompt. share: of a transcoder's features, those that fire at a token; cross:
    each also writes all later layers."""

    n_layers: int = 6
    d_model: int = 256
    n_heads: int = 8
    d_vocab: int = 4096
    n_features: int = 2048
    n_tokens: int = 48
    share: float = 0.015
    cross: bool = False


@dataclass(frozen=True)
class CircuitsBenchConfig:
    """batch: rows that circuit-tracer makes at once, for which it copies the prompt as often; 512 is its default."""

    size: SizeConfig = field(default_factory=SizeConfig)
    rounds: int = 3
    batch: int = 256
    threads: int = os.cpu_count() or 1
    seed: int = 0
    contenders: tuple[str, ...] = tuple(one.name for one in CONTENDERS)
    json: Path | None = None


def prepare(folder: Path, size: SizeConfig, seed: int) -> None:
    """Write the model, the transcoders and the tokens that every contender reads."""
    import torch
    from safetensors.torch import save_file
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    sizes = {"n_layer": size.n_layers, "n_embd": size.d_model, "n_head": size.n_heads, "vocab_size": size.d_vocab}
    model = GPT2LMHeadModel(GPT2Config(**sizes, n_positions=max(64, size.n_tokens), bos_token_id=0, eos_token_id=0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder / MODEL)
    # A direction sees a normalised state, times the norm's gain, as about standard normal: so large a bias lets the
    # wanted share fire.
    bias = float(torch.special.ndtri(torch.tensor(size.share, dtype=torch.float64)))
    tensors: dict[str, torch.Tensor] = {}
    n, d = size.n_features, size.d_model
    for layer in range(size.n_layers):
        tensors[f"{layer}.W_enc"] = torch.randn(n, d) / math.sqrt(d)
        writes = size.n_layers - layer if size.cross else 1
        tensors[f"{layer}.W_dec"] = torch.randn(n, writes, d) / math.sqrt(d * writes)
        tensors[f"{layer}.b_enc"] = torch.full((n,), bias)
        tensors[f"{layer}.b_dec"] = 0.1 * torch.randn(d)
    save_file(tensors, folder / TRANSCODERS)
    tokens = torch.randint(1, size.d_vocab, (size.n_tokens,))
    tokens[0] = 0
    save_file({"tokens": tokens}, folder / TOKENS)


@dataclass(frozen=True)
class Traced:
    """What one contender has shown: seconds and the processor's of each round, and its last graph."""

    seconds: list[float]
    processor: list[float]
    peak_mb: float | None
    answer: dict[str, Any]
    names: Path


def main(config: CircuitsBenchConfig) -> int:
    contenders = installed([one for one in CONTENDERS if one.name in config.contenders])
    with tempfile.TemporaryDirectory() as made:
        prepare(Path(made), config.size, config.seed)
        traced, failures = raced(contenders, Path(made), config)
        rows = rows_of(traced)
    print(f"{machine()}; {config.threads} threads; {versions(contenders)}\n")
    body = [[row.name, number(row.value), row.unit, spread(row)] for row in rows]
    print(table(["", "value", "unit", f"against {CIRCUIT_TRACER.name}"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 1 if failures else 0


def raced(
    contenders: list[Contender], subject: Path, config: CircuitsBenchConfig
) -> tuple[dict[str, Traced], list[str]]:
    """What every contender traced over the rounds; and what those said that died."""
    names = {one.name: subject / f"{one.name}.json" for one in contenders}
    workers = {one.name: Worker(one, task_of(one, subject, names[one.name], config)) for one in contenders}
    answers, failures = in_turn(workers, config.rounds)
    return {name: _traced(of, names[name]) for name, of in answers.items()}, failures


def _traced(answers: list[dict[str, Any]], names: Path) -> Traced:
    seconds, processor = ([answer[key] for answer in answers] for key in ("seconds", "processor"))
    return Traced(seconds, processor, answers[-1]["peak_mb"], answers[-1], names)


def task_of(contender: Contender, subject: Path, names: Path, config: CircuitsBenchConfig) -> TraceTask:
    """What a worker is told; the process sets the descriptor."""
    settings = {} if contender.environment == OURS else {"batch_size": config.batch}
    return TraceTask(str(subject.resolve()), str(names), config.threads, -1, settings)


def rows_of(traced: dict[str, Traced]) -> list[ValueRow]:
    """Seconds, memory and sizes; `ratio` is to circuit-tracer's, of times within each round."""
    reference = traced.get(CIRCUIT_TRACER.name)
    rows = []
    for kind in ("seconds", "processor"):
        times = {name: getattr(found, kind) for name, found in traced.items()}
        against = ratios(times, CIRCUIT_TRACER.name) if reference else {}
        for name, values in times.items():
            ratio = against.get(name)
            ends = (ratio.median, ratio.low, ratio.high) if ratio else (None,)
            rows.append(ValueRow(f"{name}/{kind}", summary(values).median, "s", *ends))
    for name, found in traced.items():
        if found.peak_mb is not None:
            peak = found.peak_mb / reference.peak_mb if reference and reference.peak_mb else None
            rows.append(ValueRow(f"{name}/peak", found.peak_mb, "MB", peak))
        for what in ("nodes", "kept", "edges"):
            rows.append(ValueRow(f"{name}/{what}", found.answer[what], what, None))
    if len(traced) == len(CONTENDERS):
        one, two = (_kept(found.names) for found in traced.values())
        for what in ("nodes", "edges"):
            same = len(one[what] & two[what]) / max(1, len(one[what] | two[what]))
            rows.append(ValueRow(f"shared/{what}", same, "of those that either keeps", None))
    return rows


def _kept(names: Path) -> dict[str, set[Any]]:
    found = json.loads(names.read_text())
    nodes = [tuple(node) for node in found["nodes"]]
    return {"nodes": set(nodes), "edges": {(nodes[source], nodes[target]) for source, target in found["edges"]}}


if __name__ == "__main__":
    sys.exit(run(main, CircuitsBenchConfig, __file__, __doc__))

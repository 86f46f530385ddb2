"""What hooks cost: `Model.run` beside the plain forward pass of transformers, TransformerLens and nnsight.

    python benchmarks/hooks.py            alternating rounds, each contender in a process of its own

All see the same random models and the same tokens. Every process also times the plain pass of transformers, eager
attention, in the same sweeps as its own passes, so that a ratio is of two times taken within milliseconds. First of
all every pass has to give what plain hooks written by hand give: ours bit for bit.

    logits one stop all patterns edit      see benchmarks/workers/hooking.py
    sdpa, fused                            transformers' own fused attention, and ours
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.command import run
from benchmarks.contenders import OURS, Contender
from benchmarks.processes import Worker
from benchmarks.race import in_turn, installed, say
from benchmarks.rounds import ratios, summary
from benchmarks.tables import ValueRow, machine, number, spread, table, write_rows
from benchmarks.workers.hooking import MODEL, TOKENS, HookTask, middle
from monosema.core.config import require
from monosema.core.errors import unknown
from monosema.models.quiet import quiet

CONTENDERS = (
    Contender("ours", OURS, "hooking_ours", None, {}),
    Contender("hooked_transformer", "saelens", "hooking_lens", None, {}),
    Contender("bridge", "transformer-lens", "hooking_bridge", None, {}),
    Contender("nnsight", "nnsight", "hooking_nnsight", None, {}),
)
REFERENCE = "plain"
EXACT = ("plain", "plain_again", "logits", "one", "stop", "all", "patterns", "edit")
"""The passes of ours that must give the same bits; the fused ones are the same to rounding."""
TOLERANCE = 1e-4
"""How far a pass may be off, against the largest number of the same site, before its time means nothing."""

GPT2 = {"n_positions": 128, "vocab_size": 4096, "bos_token_id": 0, "eos_token_id": 0}
LLAMA = {"max_position_embeddings": 128, "vocab_size": 4096, "bos_token_id": 0, "eos_token_id": 0}
SUBJECTS: dict[str, tuple[str, dict[str, int]]] = {
    "gpt2, 4 layers, d 64": ("gpt2", GPT2 | {"n_layer": 4, "n_embd": 64, "n_head": 4}),
    "gpt2, 6 layers, d 256": ("gpt2", GPT2 | {"n_layer": 6, "n_embd": 256, "n_head": 8}),
    "gpt2, 12 layers, d 384": ("gpt2", GPT2 | {"n_layer": 12, "n_embd": 384, "n_head": 12}),
    "llama, 8 layers, d 512": (
        "llama",
        LLAMA
        | {"num_hidden_layers": 8, "hidden_size": 512, "intermediate_size": 1376}
        | {"num_attention_heads": 8, "num_key_value_heads": 4},
    ),
}
"""A model type and what its config says, by the name that the rows have."""


@dataclass(frozen=True)
class HooksBenchConfig:
    """subjects: all unless some are named. seconds: of each contender in a round, three sweeps at least."""

    subjects: tuple[str, ...] = tuple(SUBJECTS)
    batch: int = 8
    context: int = 64
    rounds: int = 5
    seconds: float = 2.0
    threads: int = os.cpu_count() or 1
    seed: int = 0
    contenders: tuple[str, ...] = tuple(one.name for one in CONTENDERS)
    json: Path | None = None


def main(config: HooksBenchConfig) -> int:
    for name in config.subjects:
        require(name in SUBJECTS, unknown("subject", name, SUBJECTS))
    torch.set_num_threads(config.threads)
    contenders = installed([one for one in CONTENDERS if one.name in config.contenders])
    rows: list[ValueRow] = []
    failures: list[str] = []
    print(f"{machine()}; {config.threads} threads; torch {torch.__version__}; {config.batch} x {config.context} tokens")
    for name in config.subjects:
        with tempfile.TemporaryDirectory() as made:
            found, said = measured(name, Path(made), contenders, config)
        rows += found
        failures += said
    if config.json:
        write_rows(config.json, rows)
    return 1 if failures else 0


def measured(
    name: str, folder: Path, contenders: list[Contender], config: HooksBenchConfig
) -> tuple[list[ValueRow], list[str]]:
    """The rows of one model, which are printed; and what those said that died or gave something else."""
    expected = prepare(folder, name, config)
    keep = {one.name: folder / f"{one.name}.safetensors" for one in contenders}
    told = {one: HookTask(str(folder), str(path), config.seconds, config.threads, -1, {}) for one, path in keep.items()}
    workers = {one.name: Worker(one, told[one.name]) for one in contenders}
    answers, failures = in_turn(workers, config.rounds)
    rows: list[ValueRow] = []
    libraries = []
    for contender, of in answers.items():
        off = off_by(load_file(keep[contender]), expected)
        if wrong := [each for each, by in off.items() if by > allowed(contender, each)]:
            failures.append(f"{contender} gives something else in {', '.join(wrong)}: its times are left out")
            say(failures[-1])
            continue
        libraries.append(of[0]["library"])
        rows += rows_of(f"{name}/{contender}", [answer["passes"] for answer in of], off)
    print(f"\n{name}; {', '.join(dict.fromkeys(libraries))}\n")
    body = list(table_rows(rows, name))
    print(table(["", "ms", f"times {REFERENCE}", "processor's", "off by"], body), end="", flush=True)
    return rows, failures


def prepare(folder: Path, name: str, config: HooksBenchConfig) -> dict[str, Tensor]:
    """Write the model and the tokens that every contender reads; what their passes must give, by pass and site."""
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, settings = SUBJECTS[name]
    torch.manual_seed(config.seed)
    with quiet():
        made: Any = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(kind, **settings), attn_implementation="eager"
        )
        with torch.no_grad():
            for parameter in made.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
        made.save_pretrained(folder / MODEL)
    tokens = torch.randint(1, settings["vocab_size"], (config.batch, config.context))
    save_file({"tokens": tokens}, folder / TOKENS)
    return by_hand(made.eval(), tokens)


@torch.no_grad()
def by_hand(module: Any, tokens: Tensor) -> dict[str, Tensor]:
    """What each pass must give, from plain hooks on the layers of transformers' model."""
    layers = module.model.layers if module.config.model_type == "llama" else module.transformer.h
    half = middle(len(layers))
    resid: dict[str, Tensor] = {}

    def reading(layer: torch.nn.Module, _: Any, output: Tensor) -> None:
        resid[f"resid_post.{places[layer]}"] = output

    places = {layer: i for i, layer in enumerate(layers)}
    handles = [layer.register_forward_hook(reading) for layer in layers]
    said = module(input_ids=tokens, use_cache=False, output_attentions=True)
    for handle in handles:
        handle.remove()
    halving = layers[half].register_forward_hook(lambda _, __, output: output * 0.5)
    edited = module(input_ids=tokens, use_cache=False).logits
    halving.remove()
    middling = {f"resid_post.{half}": resid[f"resid_post.{half}"]}
    logits = {"logits": said.logits}
    expected = {
        **dict.fromkeys(("plain", "plain_again", "logits", "sdpa", "fused"), logits),
        "one": middling | logits,
        "stop": middling,
        "all": resid | logits,
        "patterns": {f"attn_pattern.{i}": x for i, x in enumerate(said.attentions)} | logits,
        "edit": {"logits": edited},
    }
    return {f"{each}/{site}": x for each, sites in expected.items() for site, x in sites.items()}


def off_by(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """By pass: the largest difference from what is expected, against the largest number of the same site; infinite
    where one of its sites was not given."""
    off: dict[str, float] = {}
    for each in {name.partition("/")[0] for name in given}:
        sites = [name for name in expected if name.partition("/")[0] == each]
        off[each] = max(_difference(given.get(site), expected[site]) for site in sites)
    return off


def _difference(given: Tensor | None, expected: Tensor) -> float:
    if given is None or given.shape != expected.shape:
        return float("inf")
    return float((given - expected).abs().max() / expected.abs().max())


def allowed(contender: str, each: str) -> float:
    """How far a pass of a contender may be off."""
    return 0.0 if contender == "ours" and each in EXACT else TOLERANCE


def rows_of(name: str, rounds: list[dict[str, list[float]]], off: Mapping[str, float]) -> list[ValueRow]:
    """Of each pass of a contender: milliseconds by the clock and of the processor, the ratios within each round to the
    plain pass of the same process; and how far off it is."""
    rows = []
    for i, unit in enumerate(("ms", "processor ms")):
        times = {each: [1e3 * of[each][i] for of in rounds] for each in rounds[0]}
        against = ratios(times, REFERENCE)
        for each, values in times.items():
            ratio = against[each]
            row = ValueRow(f"{name}/{each}", summary(values).median, unit, ratio.median, ratio.low, ratio.high)
            rows.append(row)
    return [*rows, *(ValueRow(f"{name}/{each}", off[each], "of the largest", None) for each in rounds[0])]


def table_rows(rows: list[ValueRow], subject: str) -> Iterator[list[str]]:
    """One line for each pass of each contender."""
    units: dict[str, dict[str, ValueRow]] = {}
    for row in rows:
        units.setdefault(row.name.removeprefix(f"{subject}/"), {})[row.unit] = row
    for name, of in units.items():
        clock, off = of["ms"], of["of the largest"].value
        yield [name, number(clock.value), spread(clock), spread(of["processor ms"]), "0" if off == 0 else f"{off:.0e}"]


if __name__ == "__main__":
    sys.exit(run(main, HooksBenchConfig, __file__, __doc__))

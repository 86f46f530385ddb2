"""How fast activations are harvested, beside the bare forward pass of transformers up to the same layer.

    python benchmarks/harvest.py

bare     the model without its head, made with as many layers as the site needs, run on the same tokens in the
         same dtype and batches, with torch's fused attention, as transformers chooses; nothing is read or kept
harvest  `activations.harvest`: read, checked for outliers and for what is not finite, written to disk

On the embedded language model, and on a GPT-2 of the small size (12 layers, width 768) with random weights: how
long a forward pass takes does not depend on what the weights are, nor on which tokens it is given.
"""

import copy
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that the file runs as it is, from any folder

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM, GPT2Config

from benchmarks.command import run
from benchmarks.rounds import ratios, summary
from benchmarks.tables import ValueRow, machine, number, table, write_rows
from monosema.activations import HarvestConfig, harvest
from monosema.core.seeding import generator
from monosema.models import Model, load, wrap
from monosema.pipeline.demo import EMBEDDED_LM, EMBEDDED_SITE


@dataclass(frozen=True)
class HarvestBenchConfig:
    """tokens: in a round, on the embedded model; the larger one gets an eighth of them, in blocks of `context`."""

    rounds: int = 5
    tokens: int = 131_072
    context: int = 128
    batch_size: int = 32
    threads: int = os.cpu_count() or 1
    json: Path | None = None


@dataclass(frozen=True)
class Subject:
    """A model, the sites that are read in one pass, and how many layers the last of them needs."""

    name: str
    model: Model
    sites: tuple[str, ...]
    n_layers: int
    tokens: int


@dataclass(frozen=True)
class Blocks:
    tokens: Tensor
    documents: Tensor
    usable: Tensor


class RandomTokens:
    """A corpus of random tokens, one document a block, every position of them text."""

    def __init__(self, n_blocks: int, context: int, d_vocab: int) -> None:
        self.context, self.n_blocks, self.d_vocab = context, n_blocks, d_vocab
        self.fingerprint = f"random {n_blocks} {context} {d_vocab}"
        self.ids = torch.randint(d_vocab, (n_blocks, context), generator=generator(0, self.fingerprint))

    def blocks(self, start: int, stop: int) -> Blocks:
        ids = self.ids[start:stop]
        documents = torch.arange(start, start + len(ids))[:, None].expand(ids.shape).clone()
        return Blocks(ids, documents, torch.ones(ids.shape, dtype=torch.bool))

    def document_name(self, i: int) -> str:
        return f"block {i}"


def subjects(config: HarvestBenchConfig) -> Iterator[Subject]:
    """One at a time, so that one model is in memory."""
    embedded = load(EMBEDDED_LM)
    n_layers = int(EMBEDDED_SITE.rpartition(".")[2]) + 1
    yield Subject("embedded", embedded, (EMBEDDED_SITE,), n_layers, config.tokens)
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(GPT2Config(), attn_implementation="eager").eval()
    small = wrap(made.requires_grad_(False), "gpt2-small-sized")
    yield Subject("gpt2_small", small, ("resid_post.5",), 6, config.tokens // 8)
    yield Subject("gpt2_small", small, ("resid_post.3", "resid_post.4", "resid_post.5"), 6, config.tokens // 8)


def main(config: HarvestBenchConfig) -> int:
    torch.set_num_threads(config.threads)
    rows: list[ValueRow] = []
    for subject in subjects(config):
        rows += measured(subject, config)
    body = [[row.name, number(row.value), "-" if row.ratio is None else number(row.ratio)] for row in rows]
    print(f"{machine()}; {config.threads} threads\n")
    print(table(["", "tokens/s", "against bare"], body), end="")
    if config.json:
        write_rows(config.json, rows)
    return 0


def measured(subject: Subject, config: HarvestBenchConfig) -> list[ValueRow]:
    """Rounds of the bare forward and of a harvest, in turn, after one of each that is not counted."""
    n_blocks = max(config.batch_size, subject.tokens // config.context)
    tokens = RandomTokens(n_blocks, config.context, subject.model.d_vocab)
    bare = bare_model(subject)
    speeds: dict[str, list[float]] = {"bare": [], "harvest": []}
    for turn in range(config.rounds + 1):
        print(f"{subject.name}: round {turn} of {config.rounds}", file=sys.stderr, flush=True)
        for name, seconds in (
            ("bare", clocked(lambda: forward(bare, tokens, config.batch_size))),
            ("harvest", clocked(lambda: harvested(subject, tokens, config.batch_size))),
        ):
            if turn:
                speeds[name].append(tokens.ids.numel() / seconds)
    against = ratios(speeds, "bare")
    place = f"{subject.name}/{'+'.join(subject.sites)}"
    return [
        ValueRow(f"{name}/{place}", summary(values).median, "tokens/s", against[name].median)
        for name, values in speeds.items()
    ]


def bare_model(subject: Subject) -> torch.nn.Module:
    """As many layers of the same shape, with weights of its own and no head."""
    shorter: Any = copy.deepcopy(subject.model.module.config)
    shorter.num_hidden_layers = subject.n_layers
    return AutoModel.from_config(shorter, attn_implementation="sdpa").to(subject.model.dtype).eval()


@torch.inference_mode()
def forward(bare: torch.nn.Module, tokens: RandomTokens, batch_size: int) -> None:
    for ids in tokens.ids.split(batch_size):
        bare(input_ids=ids, use_cache=False)


def harvested(subject: Subject, tokens: RandomTokens, batch_size: int) -> None:
    with tempfile.TemporaryDirectory() as out:
        harvest(subject.model, tokens, subject.sites, Path(out) / "store", HarvestConfig(batch_size=batch_size))


def clocked(work: Callable[[], None]) -> float:
    """The seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(run(main, HarvestBenchConfig, __file__, __doc__))

"""monosema: `features.build` of every feature, and the single file. settings: those of `BuildConfig`.

The importance of every feature is in the table, and in the time. What the peers make has no control, nor has this.
"""

import tempfile
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from benchmarks.workers.showing import DICTIONARY, TOKENS, Make, ShowTask, serve_pages
from monosema import dictionaries, models
from monosema.corpus import Tokenizer
from monosema.corpus.blocks import TokenBlocks
from monosema.dashboard.exports.selection import select
from monosema.dashboard.exports.single import write_single
from monosema.features import BuildConfig, build
from monosema.features.browse import Query, open_table


class Held:
    """Blocks of a file as a corpus."""

    def __init__(self, tensors: dict[str, Tensor], d_vocab: int) -> None:
        self.tensors, self.d_vocab, self.fingerprint = tensors, d_vocab, "benchmark"
        self.n_blocks, self.context = tensors["tokens"].shape

    def blocks(self, start: int, stop: int) -> TokenBlocks:
        return TokenBlocks(*(self.tensors[name][start:stop] for name in ("tokens", "documents", "usable")))

    def document_name(self, i: int) -> str:
        return f"document {i}"


def prepare(task: ShowTask) -> Make:
    subject = Path(task.subject)
    model, tokenizer = models.load(task.model), Tokenizer.load(Path(task.model))
    tokens = Held(load_file(subject / TOKENS), model.d_vocab)
    dictionary = dictionaries.load(subject / DICTIONARY)
    numbers = {"max_tokens": tokens.n_blocks * tokens.context, "seed": task.seed}
    config = BuildConfig(before=task.before, after=task.after, **numbers, **task.settings)

    def make(page: Path) -> int:
        with tempfile.TemporaryDirectory() as out:
            tables = build({"d": dictionary}, model, tokens, tokenizer, Path(out), config)
            table = open_table(tables["d"])
            chosen = select(table, Query(), {})
            write_single(page, chosen)
            return len(chosen.features)

    return make


if __name__ == "__main__":
    serve_pages(prepare)

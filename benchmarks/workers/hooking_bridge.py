"""TransformerLens from version 4: `TransformerBridge` around the model of transformers, run with cache or hooks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerFast

from benchmarks.workers.hooking import MODEL, Pass, pretrained, serve_passes, tokens_of
from benchmarks.workers.lens_passes import lens_passes


def prepare(subject: Path) -> Mapping[str, Pass]:
    words = Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a"))  # it asks for one in a folder, and never uses it
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="a", eos_token="a", pad_token="a").save_pretrained(
        subject / "tokenizer"
    )
    bridge: Any = TransformerBridge.boot_transformers(
        str(subject / MODEL),
        hf_model=pretrained(subject),
        tokenizer=PreTrainedTokenizerFast.from_pretrained(subject / "tokenizer"),
        device="cpu",
    )
    return lens_passes(bridge, tokens_of(subject))


if __name__ == "__main__":
    serve_passes("transformer-lens", prepare)

"""TransformerLens before version 4: `HookedTransformer`, the weights as they are, run with cache or hooks."""

from collections.abc import Mapping
from pathlib import Path

from transformer_lens import HookedTransformer

from benchmarks.workers.hooked import hooked
from benchmarks.workers.hooking import Pass, pretrained, serve_passes, tokens_of
from benchmarks.workers.lens_passes import lens_passes


def prepare(subject: Path) -> Mapping[str, Pass]:
    model = hooked(pretrained(subject), HookedTransformer).eval().requires_grad_(False)
    return lens_passes(model, tokens_of(subject))


if __name__ == "__main__":
    serve_passes("transformer-lens", prepare)

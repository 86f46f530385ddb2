"""monosema: `Model.run`. Beside the passes of all, transformers' own fused attention (`sdpa`) and ours (`fused`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.workers.hooking import Pass, forward, middle, pretrained, serve_passes, tokens_of
from monosema.models import Edit, wrap


def prepare(subject: Path) -> Mapping[str, Pass]:
    model, tokens = wrap(pretrained(subject), subject.name), tokens_of(subject)
    site, layers = f"resid_post.{middle(model.n_layers)}", range(model.n_layers)
    halved = Edit(site, lambda x: x.mul_(0.5))

    def run(read: Sequence[str], **settings: Any) -> Pass:
        return lambda: model.run(tokens, read, **settings)

    return {
        "logits": run(["logits"]),
        "one": run([site, "logits"]),
        "stop": run([site]),
        "all": run([*(f"resid_post.{i}" for i in layers), "logits"]),
        "patterns": run([*(f"attn_pattern.{i}" for i in layers), "logits"]),
        "edit": run(["logits"], edits=[halved]),
        "sdpa": forward(pretrained(subject, "sdpa"), tokens),
        "fused": run(["logits"], attention="fused"),
    }


if __name__ == "__main__":
    serve_passes("monosema", prepare)

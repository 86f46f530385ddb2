"""nnsight: `NNsight` around the model of transformers, a trace for each pass."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nnsight
from torch import Tensor

from benchmarks.workers.hooking import Pass, middle, pretrained, serve_passes, tokens_of


def prepare(subject: Path) -> Mapping[str, Pass]:
    module, tokens = pretrained(subject), tokens_of(subject)
    net: Any = nnsight.NNsight(module)
    llama = module.config.model_type == "llama"
    layers: Any = net.model.layers if llama else net.transformer.h
    n_layers, asked = module.config.num_hidden_layers, {"input_ids": tokens, "use_cache": False}
    half = middle(n_layers)
    attention = "self_attn" if llama else "attn"

    def logits() -> Mapping[str, Tensor]:
        with net.trace(**asked):
            said = net.output.logits.save()
        return {"logits": said}

    def one() -> Mapping[str, Tensor]:
        with net.trace(**asked):
            resid = layers[half].output.save()
            said = net.output.logits.save()
        return {f"resid_post.{half}": resid, "logits": said}

    def stop() -> Mapping[str, Tensor]:
        with net.trace(**asked) as tracer:
            resid = layers[half].output.save()
            tracer.stop()
        return {f"resid_post.{half}": resid}

    def every() -> Mapping[str, Tensor]:
        with net.trace(**asked):
            found = nnsight.save({})
            for i in range(n_layers):
                found[f"resid_post.{i}"] = layers[i].output
            found["logits"] = net.output.logits
        return found

    def patterns() -> Mapping[str, Tensor]:
        with net.trace(**asked):
            found = nnsight.save({})
            for i in range(n_layers):
                found[f"attn_pattern.{i}"] = getattr(layers[i], attention).output[1]
            found["logits"] = net.output.logits
        return found

    def edit() -> Mapping[str, Tensor]:
        with net.trace(**asked):
            layers[half].output = layers[half].output * 0.5
            said = net.output.logits.save()
        return {"logits": said}

    return {"logits": logits, "one": one, "stop": stop, "all": every, "patterns": patterns, "edit": edit}


if __name__ == "__main__":
    serve_passes("nnsight", prepare)

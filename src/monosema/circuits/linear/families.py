"""Where each family keeps what its linear model is made of: a layer's norms, values and output matrix.

A family that is not listed cannot be linearised here: an encoder has no next token to explain, a stack of two
reads one from the other, a state space has no pattern to hold. `require_linear` says so.
"""

from dataclasses import dataclass
from typing import Any, Literal

from monosema.core.errors import ConfigError
from monosema.models import Model


@dataclass(frozen=True)
class LinearPaths:
    """Paths of a layer's parts, counted from the layer; `values` and `output` from there on too.

    split    how `values` holds queries, keys and values: each in a matrix of its own, the three side by side
             with inputs as rows (GPT-2), or head by head (GPT-NeoX)
    after    the norm of what attention adds; '' where there is none
    """

    attn_norm: str = "input_layernorm"
    mlp_norm: str = "post_attention_layernorm"
    values: str = "self_attn.v_proj"
    output: str = "self_attn.o_proj"
    split: Literal["alone", "thirds", "heads"] = "alone"
    after: str = ""


_LLAMA = LinearPaths()
_GEMMA2 = LinearPaths(mlp_norm="pre_feedforward_layernorm", after="post_attention_layernorm")

LINEAR: dict[str, LinearPaths] = {
    "gpt2": LinearPaths("ln_1", "ln_2", "attn.c_attn", "attn.c_proj", "thirds"),
    "gpt_neox": LinearPaths(values="attention.query_key_value", output="attention.dense", split="heads"),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "small_transformer": LinearPaths("attn_norm", "mlp_norm", "attn.value", "attn.output"),
}
"""The families that can be linearised, by the `model_type` of their config."""


def require_linear(model: Model) -> LinearPaths:
    """The paths of `model`'s family. Raises ConfigError for one that has no linear model here."""
    config: Any = model.module.config
    return require_family(model.name, config.model_type)


def require_family(name: str, kind: str) -> LinearPaths:
    """The same of the model `name`, by the `model_type` of its config."""
    if kind not in LINEAR:
        raise ConfigError(
            f"{name} is a {kind}: with its patterns and norms held it is not a linear model that we know, so no graph "
            f"of it can be exact. Families that can be linearised: {', '.join(sorted(LINEAR))}"
        )
    return LINEAR[kind]

"""Checkpoints of TransformerLens's HookedTransformer as a small transformer: nothing folded, nothing dropped.

    embed.W_E, pos_embed.W_pos, blocks.0.attn.W_Q [head, d_model, d_head], ...  -->  SmallTransformer's state

A norm without weights (LNPre, RMSPre) becomes the same norm with a gain of one. What the small transformer does not
compute (rotary positions, gated MLPs, soft caps, ...) is refused by name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from monosema.core.errors import ConfigError, DataError, MismatchError
from monosema.models.small_transformer import SmallConfig, SmallTransformer, misfits, small_transformer

NORMS: Mapping[str | None, Literal["layer", "rms", "none"]] = {
    "LN": "layer",
    "LNPre": "layer",
    "RMS": "rms",
    "RMSPre": "rms",
    None: "none",
}
"""TransformerLens's `normalization_type`, and ours."""

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
}
"""Its `act_fn`, and ours. Its gelu_fast is another approximation, and refused."""

NEEDED = {
    "positional_embedding_type": ("standard",),
    "gated_mlp": (False,),
    "parallel_attn_mlp": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "use_local_attn": (False,),
    "attn_scores_soft_cap": (-1.0,),
    "output_logits_soft_cap": (-1.0,),
    "use_qk_norm": (False,),
    "use_normalization_before_and_after": (False,),
    "post_embedding_ln": (False,),
    "num_experts": (None,),
    "n_key_value_heads": (None,),
    "final_rms": (False,),
    "shortformer_pos": (False,),
}
"""Settings that must have one of these values, or not be there."""

EPS = 1e-5
BUFFERS = ("mask", "IGNORE")
"""Last parts of the keys of what is no weight."""


def from_transformer_lens(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> SmallTransformer:
    """The model of a HookedTransformer's `state_dict()` and `cfg.to_dict()`.

    Sizes are read off the tensors. Of the config are needed `act_fn` (unless there is no MLP) and
    `normalization_type`; `attention_dir`, `use_attn_scale` and `attn_scale` count where they are given. Raises
    ConfigError for a setting that is not supported, MismatchError when tensors are missing, left over or of shapes that
    do not belong together.
    """
    weights = {key: x for key, x in state.items() if key.rsplit(".", 1)[-1] not in BUFFERS}
    settings = _settings(weights, config)
    module = small_transformer(settings)
    found = _filled(settings, config) | _translated(weights)
    wrong = misfits(module, found)
    if wrong:
        raise MismatchError(f"the checkpoint is not one of the model that its config describes: {wrong}")
    module.load_state_dict({name: x.float() for name, x in found.items()})
    return module


def load_transformer_lens(path: str | Path, config: Mapping[str, Any]) -> SmallTransformer:
    """As `from_transformer_lens`, from a file: .safetensors, or .pt and .pth as torch saves a state dict (read without
    running what is in it)."""
    file = Path(path)
    if not file.exists():
        raise DataError(f"there is no checkpoint at {file}")
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return from_transformer_lens(load_file(file), config)
    state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(x, Tensor) for x in state.values()):
        raise DataError(f"{file} holds no state dict: save model.state_dict()")
    return from_transformer_lens(state, config)


def _settings(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> SmallConfig:
    for name, allowed in NEEDED.items():
        if name in config and config[name] not in allowed:
            raise ConfigError(f"TransformerLens's {name}={config[name]!r} is not supported: only {allowed[0]!r} is")
    norm = config.get("normalization_type", "LN")
    if norm not in NORMS:
        raise ConfigError(f"TransformerLens's normalization_type={norm!r} is not supported: only {[*NORMS]} are")
    if NORMS[norm] != "none" and abs(config.get("eps", EPS) - EPS) > 1e-12:
        raise ConfigError(f"TransformerLens's eps={config['eps']!r} is not supported: only {EPS} is")
    query, embed = _get(weights, "blocks.0.attn.W_Q"), _get(weights, "embed.W_E")
    hidden = weights.get("blocks.0.mlp.W_in")
    return SmallConfig(
        d_vocab=embed.shape[0],
        d_vocab_out=_get(weights, "unembed.W_U").shape[1],
        n_context=_get(weights, "pos_embed.W_pos").shape[0],
        n_layers=1 + max(int(key.split(".")[1]) for key in weights if key.startswith("blocks.")),
        d_model=embed.shape[1],
        n_heads=query.shape[0],
        d_head=query.shape[2],
        d_mlp=0 if hidden is None else hidden.shape[1],
        activation=_activation(config) if hidden is not None else "relu",
        norm=NORMS[norm],
        attn_scale=_scale(config, query.shape[2]),
        bidirectional=config.get("attention_dir", "causal") == "bidirectional",
    )


def _get(weights: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in weights:
        raise MismatchError(f"the checkpoint has no {key}: it is not a HookedTransformer's state dict")
    return weights[key]


def _activation(config: Mapping[str, Any]) -> Any:
    name = config.get("act_fn")
    if name not in ACTIVATIONS:
        raise ConfigError(f"TransformerLens's act_fn={name!r} is not supported: only {', '.join(ACTIVATIONS)} are")
    return ACTIVATIONS[name]


def _scale(config: Mapping[str, Any], d_head: int) -> float:
    if not config.get("use_attn_scale", True):
        return 1.0
    given = config.get("attn_scale", -1.0)
    return float(given) if given > 0 else d_head**0.5


def _translated(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under our names; a key that has no place stays under its own, so that it is found out."""
    found: dict[str, Tensor] = {}
    for key, x in weights.items():
        block, _, rest = key.rpartition(".attn.") if ".attn." in key else key.rpartition(".mlp.")
        if rest in _ATTENTION and block:
            name, kind = _ATTENTION[rest]
            found[f"{block}.attn.{name}"] = _attention_part(x, kind)
        elif rest in _MLP and block:
            found[f"{block}.mlp.{_MLP[rest]}"] = x.mT if x.ndim == 2 else x
        else:
            name = _renamed(key)
            found[name] = x.mT if name == "unembed.weight" else x
    return found


def _attention_part(x: Tensor, kind: str) -> Tensor:
    """As a Linear of all heads has it: [head, d_model, d_head] and [head, d_head, d_model], transposed and flat."""
    if kind == "read":
        return x.permute(0, 2, 1).flatten(0, 1)
    if kind == "write":
        return x.flatten(0, 1).mT
    return x.flatten()


_ATTENTION = {
    "W_Q": ("query.weight", "read"),
    "W_K": ("key.weight", "read"),
    "W_V": ("value.weight", "read"),
    "b_Q": ("query.bias", "flat"),
    "b_K": ("key.bias", "flat"),
    "b_V": ("value.bias", "flat"),
    "W_O": ("output.weight", "write"),
    "b_O": ("output.bias", "flat"),
}
_MLP = {"W_in": "up.weight", "b_in": "up.bias", "W_out": "down.weight", "b_out": "down.bias"}
_WHOLE = {
    "embed.W_E": "embed.weight",
    "pos_embed.W_pos": "positions.weight",
    "unembed.W_U": "unembed.weight",
    "unembed.b_U": "unembed.bias",
    "ln_final.w": "final_norm.weight",
    "ln_final.b": "final_norm.bias",
}
_NORMS = {"ln1.w": "attn_norm.weight", "ln1.b": "attn_norm.bias", "ln2.w": "mlp_norm.weight", "ln2.b": "mlp_norm.bias"}


def _renamed(key: str) -> str:
    if key in _WHOLE:
        return _WHOLE[key]
    for theirs, ours in _NORMS.items():
        if key.startswith("blocks.") and key.endswith(f".{theirs}"):
            return f"{key.removesuffix(theirs)}{ours}"
    return key


def _filled(settings: SmallConfig, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """What a checkpoint does not hold and we do: gain and offset of a norm without weights, an MLP of width 0."""
    own = small_transformer(settings).state_dict()
    bare = str(config.get("normalization_type")).endswith("Pre")
    parts = (("norm.",) if bare else ()) + ((".mlp.", "mlp_norm.") if settings.d_mlp == 0 else ())
    return {name: x for name, x in own.items() if any(part in name for part in parts)}

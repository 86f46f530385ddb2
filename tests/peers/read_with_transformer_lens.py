"""Run by TransformerLens's own environment: random HookedTransformers, their configs, and their logits.

python read_with_transformer_lens.py FOLDER    one safetensors file and one JSON file a model
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig

SIZES = {"n_layers": 2, "d_model": 24, "n_ctx": 10, "d_head": 8, "n_heads": 3, "d_mlp": 40, "d_vocab": 13}
KINDS = {
    "ln": {"normalization_type": "LN", "act_fn": "gelu_new"},
    "lnpre": {"normalization_type": "LNPre", "act_fn": "relu"},
    "none": {"normalization_type": None, "act_fn": "relu", "use_attn_scale": False},
    "bidirectional": {"normalization_type": "LN", "act_fn": "gelu", "attention_dir": "bidirectional", "d_vocab_out": 5},
    "attn_only": {"normalization_type": "LN", "attn_only": True},
}

folder = Path(sys.argv[1])
for name, settings in KINDS.items():
    model = HookedTransformer(HookedTransformerConfig(**SIZES, **settings, seed=0, device="cpu"))
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=draws)
        tokens = torch.randint(0, 13, (4, 9), generator=draws)
        logits = model(tokens)
    state = {f"state.{key}": x.contiguous() for key, x in model.state_dict().items()}
    save_file(state | {"tokens": tokens, "logits": logits}, folder / f"{name}.safetensors")
    plain = {key: x for key, x in model.cfg.to_dict().items() if isinstance(x, str | int | float | bool | None)}
    (folder / f"{name}.json").write_text(json.dumps(plain))

"""Run by the interpreter of an environment that has sae_vis: what its feature view says of our activations."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from sae_vis.data_config_classes import SeqMultiGroupConfig
from sae_vis.data_fetching_fns import get_sequences_data
from safetensors.torch import load_file

given, out = Path(sys.argv[1]), Path(sys.argv[2])
held = load_file(given)
n_layers, n_features = 1, held["acts"].shape[2]
model = SimpleNamespace(
    cfg=SimpleNamespace(n_layers=n_layers, eps=1e-5, device="cpu"),
    W_U=held["W_U"],
    b_U=torch.zeros(held["W_U"].shape[1]),
)
sae = SimpleNamespace(cfg=SimpleNamespace(hook_name="blocks.0.hook_resid_post", hook_layer=0))
cache = {
    "blocks.0.hook_resid_post": held["resid"],
    "blocks.0.hook_resid_post.hook_sae_acts_post": held["acts"],
    "blocks.0.attn.hook_v": None,
    "blocks.0.attn.hook_pattern": None,
}
config = SeqMultiGroupConfig(dfa_for_attn_saes=False)
found = []
for feature in range(n_features):
    direction = held["directions"][feature]
    view = get_sequences_data(
        held["tokens"], feature, direction @ held["W_U"], cache, direction, model, sae, None, config
    )
    for group in view.seq_group_data:
        for sequence in group.seq_data:
            places = [tuple(map(int, re.findall(r"\d+", place))) for place in sequence.token_posns]
            found += [[feature, *place, loss] for place, loss in zip(places, sequence.loss_contribution, strict=True)]
out.write_text(json.dumps(found))

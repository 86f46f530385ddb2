"""T1: with sae_vis's own final norm in the place of ours, its feature view says what `direct` does.

sae_vis divides by the variance where a LayerNorm divides by its square root. The sign is the other: its
loss contribution is negative where a feature helps.

MONOSEMA_PEERS_SAE_VIS is the python of an environment with sae_vis 0.3.7 and what it does not install itself:
sae-lens before 6, pyarrow before 19, frozendict, tabulate.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from monosema.features.effects import direct
from tests.features.toy_models import Blocks, Mixing, dictionary_of

READER = Path(__file__).with_name("read_with_sae_vis.py")
SITE = "resid_post.1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MONOSEMA_PEERS_SAE_VIS" not in os.environ, reason="no environment with sae_vis is named"),
]


def normed(x: torch.Tensor, power: float) -> torch.Tensor:
    x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5) ** power


def test_t1_the_feature_view_of_sae_vis_is_direct_under_its_norm(tmp_path: Path):
    random = torch.Generator().manual_seed(0)
    n_vocab, width, n_features = 60, 16, 6
    E, U = (torch.randn(*shape, generator=random) for shape in ((n_vocab, width), (width, n_vocab)))
    tokens = torch.randint(0, n_vocab, (12, 40), generator=random)
    model = Mixing(E=E, U=U, mix=0.5)
    encoder = torch.randn(n_features, width, generator=random) / 4
    dictionary = dictionary_of(encoder, torch.randn(n_features, width, generator=random), (SITE,))
    everywhere = torch.ones_like(tokens, dtype=torch.bool)
    blocks = Blocks(tokens, torch.zeros_like(tokens), everywhere)
    resid = model.run(tokens, read=[SITE])[SITE]
    acts = dictionary.encode(resid.flatten(0, 1)).dense().view(*tokens.shape, n_features)
    held = {"tokens": tokens, "resid": resid, "acts": acts, "directions": dictionary.W_dec, "W_U": U}
    save_file({name: tensor.contiguous() for name, tensor in held.items()}, tmp_path / "given.safetensors")
    command = [
        os.environ["MONOSEMA_PEERS_SAE_VIS"],
        str(READER),
        str(tmp_path / "given.safetensors"),
        str(tmp_path / "out"),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    theirs = json.loads((tmp_path / "out").read_text())

    by_variance, true_norm = (
        direct(model, dictionary, blocks, torch.arange(n_features), lambda x, p=p: normed(x, p) @ U) for p in (1.0, 0.5)
    )
    assert len(theirs) > 1000 and max(abs(loss) for *_, loss in theirs) > 0.1
    for feature, block, position, loss in theirs:
        assert -loss == pytest.approx(float(by_variance[feature, block, position]), abs=6e-5)
    # With the norm that a model really has, the numbers are others.
    off = max(abs(-loss - float(true_norm[f, b, p])) for f, b, p, loss in theirs)
    assert off > 0.02

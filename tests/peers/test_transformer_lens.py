"""Checkpoints of TransformerLens itself: the same logits."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from monosema.models import wrap
from monosema.models.transformer_lens import from_transformer_lens

WRITER = Path(__file__).with_name("read_with_transformer_lens.py")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hooked")
    command = [os.environ["MONOSEMA_PEERS"], str(WRITER), str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ln", "lnpre", "none", "bidirectional", "attn_only"])
def test_we_compute_what_transformer_lens_does(name: str, written: Path):
    tensors = load_file(written / f"{name}.safetensors")
    state = {key.removeprefix("state."): x for key, x in tensors.items() if key.startswith("state.")}
    module = from_transformer_lens(state, json.loads((written / f"{name}.json").read_text()))
    ours = wrap(module.requires_grad_(False), name).run(tensors["tokens"], ["logits"])["logits"]
    torch.testing.assert_close(ours, tensors["logits"], rtol=1e-4, atol=1e-5)

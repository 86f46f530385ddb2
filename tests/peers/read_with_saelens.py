"""Run by SAELens's own interpreter: load a folder as SAELens loads it, and write what it computes."""

import sys
from pathlib import Path

import torch
from sae_lens import SAE
from safetensors.torch import load_file, save_file

folder, rows, out = (Path(argument) for argument in sys.argv[1:4])
sae = SAE.load_from_disk(str(folder), device="cpu")
x = load_file(rows)["x"]
with torch.no_grad():
    codes = sae.encode(x)
    save_file({"codes": codes.contiguous(), "y": sae.decode(codes).contiguous()}, out)

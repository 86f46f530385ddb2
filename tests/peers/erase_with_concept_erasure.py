"""Run by concept-erasure's own environment: its projections of rows and labels.

python erase_with_concept_erasure.py IN OUT    IN holds x and z of several cases, OUT then holds P, and the mean
"""

import sys

import torch
from concept_erasure import LeaceFitter, OracleFitter
from safetensors.torch import load_file, save_file

tensors = load_file(sys.argv[1])
found: dict[str, torch.Tensor] = {}
for name in sorted({key.rpartition(".")[0] for key in tensors}):
    x, z = tensors[f"{name}.x"], tensors[f"{name}.z"]
    for method in ("leace", "orth"):
        # In float32 its last singular value, which is 0, can come out above 1e-6: a direction of noise.
        options = {"shrinkage": False, "svd_tol": 1e-4, "constrain_cov_trace": False, "dtype": x.dtype}
        fitter = LeaceFitter(x.shape[1], z.shape[1], method, **options)
        for start in range(0, len(x), 500):
            fitter.update(x[start : start + 500], z[start : start + 500])
        found[f"{name}.{method}"] = fitter.eraser(x)
        found[f"{name}.{method}.P"] = fitter.eraser.P
    found[f"{name}.oracle"] = OracleFitter.fit(x, z).eraser(x, z)
small = tensors["small gap.x"], tensors["small gap.z"]
found["small gap.default"] = LeaceFitter.fit(*small).eraser.P
save_file({key: value.contiguous() for key, value in found.items()}, sys.argv[2])

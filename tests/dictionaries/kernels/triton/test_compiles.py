"""The kernels compile for the chips they are meant for, into tensor core code that fits. No GPU is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

PROGRAM = Path(__file__).parent / "compiled.py"


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "shared", "product"), [(80, 99 * 1024, "mma"), (90, 227 * 1024, "wgmma")])
def test_every_kernel_compiles_and_fits(arch: int, shared: int, product: str, tmp_path: Path):
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(PROGRAM), str(arch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    kernels = json.loads(done.stdout)
    assert max(kernel["shared"] for kernel in kernels.values()) <= shared
    for name in ("peaks bf16", "nominate bf16"):
        assert kernels[name][product]
    assert not any(kernels[name][product] for name in ("split", "kth_largest", "sum_pieces", "pair_products"))

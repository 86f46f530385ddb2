"""concept-erasure finds the projections that we do; with its default tolerance it leaves a small gap in place."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from monosema.core.seeding import generator
from monosema.probes import EraserFitter, LeaceConfig, OrthConfig

ERASER = Path(__file__).with_name("erase_with_concept_erasure.py")
CLOSE = {torch.float64: 1e-9, torch.float32: 1e-5}


def case(k: int, n: int = 3000, d: int = 20) -> tuple[Tensor, Tensor]:
    """Correlated rows away from 0, and the class of each."""
    random = generator(k, "against concept-erasure")
    z = torch.arange(n) % k
    mixing = torch.eye(d) + 0.3 * torch.randn(d, d, generator=random) / d**0.5
    rows = torch.randn(n, d, generator=random) @ mixing + torch.randn(k, d, generator=random)[z] + 1
    return rows.double(), z


def small_gap() -> tuple[Tensor, Tensor]:
    """Balanced, unit variance, class means .02 apart."""
    half = torch.randn(2000, 4, generator=generator(0, "gap"), dtype=torch.float64)
    half = (half - half.mean(0)) / half.std(0)
    x, z = torch.cat([half, half]), torch.arange(2).repeat_interleave(2000)
    x[2000:, 1] += 0.02
    return x, z


CASES = {
    **{f"{k} classes, {str(dtype)[6:]}": (case(k)[0].to(dtype), case(k)[1]) for k in (2, 3, 6) for dtype in CLOSE},
    "small gap": small_gap(),
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    folder = tmp_path_factory.mktemp("erased")
    tensors: dict[str, Tensor] = {}
    for name, (x, z) in CASES.items():
        one_hot = torch.nn.functional.one_hot(z).to(x.dtype)
        tensors |= {f"{name}.x": x, f"{name}.z": one_hot[:, 1:].contiguous() if one_hot.shape[1] == 2 else one_hot}
    save_file(tensors, folder / "in")
    command = [os.environ["MONOSEMA_PEERS"], str(ERASER), str(folder / "in"), str(folder / "out")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return load_file(folder / "out")


@pytest.mark.parametrize("name", CASES)
def test_we_erase_as_concept_erasure_does(name: str, theirs: dict[str, Tensor]):
    x, z = CASES[name]
    close = CLOSE[x.dtype]
    for config in (LeaceConfig(), OrthConfig()):
        fitter = EraserFitter(x.shape[1], int(z.max()) + 1, config, x.dtype)
        fitter.update(x, z)
        eraser, key = fitter.result(), f"{name}.{config.method}"
        torch.testing.assert_close(eraser.matrix(), theirs[f"{key}.P"].double(), rtol=close, atol=close)
        torch.testing.assert_close(eraser(x), theirs[key], rtol=close, atol=10 * close)
        torch.testing.assert_close(fitter.oracle()(x, z), theirs[f"{name}.oracle"], rtol=close, atol=10 * close)


def test_a_small_gap_is_left_by_their_default_and_erased_by_ours(theirs: dict[str, Tensor]):
    assert torch.equal(theirs["small gap.default"], torch.eye(4).double())
    x, z = CASES["small gap"]
    fitter = EraserFitter(4, 2)
    fitter.update(x.float(), z)
    erased = fitter.result()(x)
    assert float((erased[z == 1].mean(0) - erased[z == 0].mean(0)).norm()) < 1e-6

"""A dictionary's folder, opened by SAELens as it is: the same codes, the same reconstruction.

`make peers` installs SAELens where it cannot touch our environment and runs this file.
"""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from monosema.dictionaries import ARCHITECTURES, Dictionary, TrainConfig, parse_spec, save, train
from tests.dictionaries.test_trainer import SPECS
from tests.dictionaries.worlds import SITE, World

READER = Path(__file__).with_name("read_with_saelens.py")


def read_by_saelens(dictionary: Dictionary, x: torch.Tensor, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    save(dictionary, folder / "d")
    save_file({"x": x}, folder / "x.safetensors")
    command = [os.environ["MONOSEMA_PEERS"], str(READER), *(str(folder / f) for f in ("d", "x.safetensors", "out"))]
    subprocess.run(command, check=True, capture_output=True, text=True)
    found = load_file(folder / "out")
    return found["codes"], found["y"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dictionary]:
    specs = [parse_spec(text, (SITE,), (SITE,)) for text in SPECS.values()]
    out = tmp_path_factory.mktemp("trained")
    return train(World(), specs, TrainConfig(rows=128 * 100, batch_size=128), out).dictionaries


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ARCHITECTURES, "tied"])
@pytest.mark.parametrize("pruned", [False, True])
def test_saelens_computes_what_we_do(name: str, pruned: bool, trained: dict[str, Dictionary], tmp_path: Path):
    dictionary, x = trained[name], World().rows(256, "peers")
    keep = torch.arange(dictionary.n_features) % 4 != 0
    if pruned:
        dictionary = dictionary.pruned(keep)
    codes, y = read_by_saelens(dictionary, x, tmp_path)
    ours = dictionary.encode(x).dense()
    torch.testing.assert_close(codes * dictionary.keep, ours, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(y, dictionary.reconstruct(x), rtol=1e-5, atol=1e-6)
    assert float(ours.abs().sum()) > 0

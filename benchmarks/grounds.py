"""The worlds that dictionaries are judged on, their rows in files, and how much of a world a dictionary found."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.activations import Files
from monosema.corpus.worlds import DenseConfig, FamilyConfig, GroupConfig, World, WorldConfig
from monosema.dictionaries import SparseCodes
from monosema.evaluation import recover

HELD_OUT = 16_384
AT_ONCE = 65_536
PURPOSE = "recovery"
"""What `recover` draws its rows for: those are the ones held out."""


def worlds(n_features: int, d: int, l0: float) -> dict[str, WorldConfig]:
    """Three worlds, which differ in how features go together. All have noise and a mean."""
    plain = WorldConfig(n_features, d, l0=l0, noise=0.02, offset=1.0)
    return {
        "independent": plain,
        "hierarchical": replace(plain, families=FamilyConfig(n_features // 10, 4, 0.6)),
        "dense": replace(plain, dense=DenseConfig(max(2, round(l0 / 2)), 0.4), groups=GroupConfig(16)),
    }


@dataclass(frozen=True)
class Kept:
    """A dictionary that someone trained, as it encoded the held-out rows; in the units of the world."""

    W_dec: Tensor
    b_dec: Tensor
    codes: SparseCodes

    def encode(self, x: Tensor) -> SparseCodes:
        assert len(x) == len(self.codes)
        return self.codes


@final
class Ground:
    """A world, with `n_rows` rows in `folder` scaled to unit variance of a coordinate on average."""

    def __init__(self, name: str, config: WorldConfig, folder: Path, n_rows: int) -> None:
        self.name, self.world = name, World(config)
        self.files = Files(folder / f"{name}.rows", folder / f"{name}.held_out", config.d, n_rows)
        sample = self.world.rows(AT_ONCE, "scale").x
        self.scale = float((sample - sample.mean(0)).square().mean().rsqrt())
        self._write(n_rows)

    def _write(self, n_rows: int) -> None:
        with self.files.rows.open("wb") as file:
            for at in range(0, n_rows, AT_ONCE):
                part = self.world.rows(min(AT_ONCE, n_rows - at), "train", at).x
                (part * self.scale).numpy().tofile(file)
        with self.files.held_out.open("wb") as file:
            (self.world.rows(HELD_OUT, PURPOSE, 0).x * self.scale).numpy().tofile(file)

    @cached_property
    def truth(self) -> float:
        """Mean number of features on a row."""
        return float(self.world.frequencies.sum())

    def judge(self, path: Path) -> dict[str, tuple[float, float | None]]:
        """Each measure of `recover`, and its control, of what a worker kept at `path`."""
        kept = load_file(path)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), kept["sizes"].cumsum(0)])
        codes = SparseCodes(kept["indices"], kept["values"].float(), offsets, len(kept["decoder"]))
        dictionary = Kept(kept["decoder"] / self.scale, kept["bias"] / self.scale, codes)
        found = recover(dictionary, self.world, HELD_OUT, seed=0)
        return {name: (finding.value, finding.control) for name, finding in found.items()}

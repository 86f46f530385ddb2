"""Memory and time of the builder of feature tables at a size that no small model's text comes to.

The model and the dictionary are stand-ins (`stand_ins`): what a real one computes is left out, what the builder does
with it is not. A process of its own, so that its largest resident set is the build's.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import ROOT
from benchmarks.tables import ValueRow
from benchmarks.workers.feed import MEGABYTE


@dataclass(frozen=True)
class BuildSizeConfig:
    """out: where to build, which takes about 15 GB while it goes on; a build that was stopped there goes on."""

    n_features: int = 16_384
    n_tokens: int = 10_000_000
    k: int = 32
    out: Path | None = None


def build_rows(config: BuildSizeConfig) -> list[ValueRow]:
    """Peak, seconds and bytes of the table; raises CalledProcessError when the build fails."""
    with tempfile.TemporaryDirectory() as temporary:
        out = config.out or Path(temporary)
        command = [sys.executable, "-m", "benchmarks.workers.building", str(config.n_features), str(config.n_tokens)]
        done = subprocess.run(
            [*command, str(config.k), str(out.resolve())], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
    name = f"build/{config.n_features}x{config.n_tokens}"
    return [
        ValueRow(f"{name}/peak", found["peak"] / MEGABYTE, "MB", None),
        ValueRow(f"{name}/before", found["before"] / MEGABYTE, "MB", None),
        ValueRow(f"{name}/seconds", found["seconds"], "s", None),
        ValueRow(f"{name}/processor", found["processor"], "s", None),
        ValueRow(f"{name}/bytes", found["bytes"] / config.n_features, "bytes/feature", None),
    ]

"""Who runs: a literal table. Settings not named here are the library's own defaults.

`lr` and the penalties were looked for at d_in 512, n_features 4,096, k 32, on the rows of `activations.synthetic`;
benchmarks/RESULTS.md says which were tried. `{k}` in a line of ours stands for the k of the run.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monosema.core.config import require
from monosema.core.errors import unknown

ROOT = Path(__file__).parent.parent
PEERS_VARIABLE = "MONOSEMA_BENCH_PEERS"
"""A folder of environments to use in place of those that `make peers-bench` makes beside the repository."""

OURS = "ours"
DENSE = "dense"


@dataclass(frozen=True)
class Contender:
    """A worker module, the environment whose Python runs it, its learning rate (None: the library's own law, or
    nothing is learned), and settings for its library."""

    name: str
    environment: str
    worker: str
    lr: float | None
    settings: dict[str, Any]

    def python(self) -> Path:
        """The interpreter of its environment, whether it is there or not."""
        if self.environment == OURS:
            return Path(sys.executable)
        folder = os.environ.get(PEERS_VARIABLE)
        root = Path(folder) / self.environment if folder else ROOT / f".venv-{self.environment}"
        return root / "bin" / "python"

    def installed(self) -> bool:
        return self.python().exists()

    @property
    def learns(self) -> bool:
        """Whether there is a loss to speak of: the floors have none."""
        return self.worker != "floor"

    def at(self, lr: float) -> "Contender":
        """The same with another learning rate, and named for it."""
        return replace(self, name=f"{self.name},lr={lr:g}", lr=lr)


def ours(name: str, lr: float | None, spec: str) -> Contender:
    return Contender(name, OURS, "ours", lr, {"spec": spec})


def saelens(architecture: str, lr: float, **sae: Any) -> Contender:
    return Contender(f"saelens_{architecture}", "saelens", "saelens", lr, {"architecture": architecture, "sae": sae})


def dictionary_learning(name: str, lr: float, trainer: str, **options: Any) -> Contender:
    settings = {"trainer": trainer, "options": options}
    return Contender(f"dictionary_learning_{name}", "dictionary-learning", "dictionary_learning", lr, settings)


def sparsify(name: str, lr: float | None, optimizer: str) -> Contender:
    return Contender(name, "sparsify", "sparsify", lr, {"optimizer": optimizer})


TABLE = (
    Contender(DENSE, OURS, "dense", 3e-3, {}),
    Contender("floor_f32", OURS, "floor", None, {"dtype": "float32"}),
    Contender("floor_bf16", OURS, "floor", None, {"dtype": "bfloat16"}),
    ours("topk", None, "topk,k={k}"),
    ours("batchtopk", None, "batchtopk,k={k}"),
    ours("l1", 3e-3, "l1,penalty=3,resample_rows=32768"),
    ours("jumprelu", None, "jumprelu,target={k}"),
    ours("gated", 3e-3, "gated"),
    ours("matryoshka", None, "matryoshka,k={k}"),
    saelens("topk", 3e-3),
    saelens("batchtopk", 3e-3),
    saelens("standard", 3e-3, l1_coefficient=5.0),
    saelens("jumprelu", 3e-3, l0_coefficient=5.0),
    dictionary_learning("topk", 3e-3, "TopKTrainer"),
    dictionary_learning("batchtopk", 3e-3, "BatchTopKTrainer"),
    dictionary_learning("standard", 3e-3, "StandardTrainer", l1_penalty=0.1),
    sparsify("sparsify_topk", None, "signum"),
    sparsify("sparsify_topk_adam", 3e-3, "adam"),
)

CONTENDERS = {contender.name: contender for contender in TABLE}
ON_REQUEST = {"gated", "matryoshka"}
"""Run only when they are asked for by name."""


def chosen(names: tuple[str, ...]) -> list[Contender]:
    """The contenders of these names, the dense reference always among them; without names all but ON_REQUEST."""
    for name in names:
        require(name in CONTENDERS, unknown("contender", name, CONTENDERS))
    wanted = {DENSE, *(names or CONTENDERS.keys() - ON_REQUEST)}
    return [contender for contender in TABLE if contender.name in wanted]


USUAL_ROWS = 4_000_000
"""Of a run as `TrainConfig` has it: a feature is dead after 1/64 of them."""

FOR_TIMING = {
    "l1": "resample_at=",
    **dict.fromkeys(("topk", "batchtopk", "jumprelu", "matryoshka"), f"dead_after={USUAL_ROWS // 64}"),
}


def timed(contender: Contender) -> Contender:
    """The same as in a run of usual length: a share of a few timed steps would be no time to fire in. L1 without
    resampling, which a long run does four times, and a timed one as often."""
    spec = contender.settings.get("spec", "")
    setting = FOR_TIMING.get(spec.partition(",")[0])
    if setting is None:
        return contender
    return replace(contender, settings={**contender.settings, "spec": f"{spec},{setting}"})

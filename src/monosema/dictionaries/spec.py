"""What to train: a name, an architecture with its settings, the sites, the optimiser.

topk,k=12,n_features=1024,lr=0.002          named 'topk'
narrow=l1,penalty=8,tied=true               named 'narrow'
clt=batchtopk,k=64,cross_layer=true         named 'clt', its features split over the layers that it reads
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from monosema.core.config import from_json, from_text, require, require_range, to_json
from monosema.core.errors import ConfigError, unknown
from monosema.dictionaries.architecture import Architecture
from monosema.dictionaries.l1 import L1Config
from monosema.dictionaries.table import architecture

LR_SCALE, MOST_TURN, MOST_LR = 2.0, 0.1, 0.01


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam (Kingma & Ba 2015) with a linear warm-up and a linear decay to zero, both as fractions of
    the run; the gradient is clipped to norm `clip`. lr: None is `usual_lr`. state: what is kept of the moments,
    float32 or factored (see `optimiser`)."""

    lr: float | None = None
    lr_warmup: float = 0.02
    lr_decay: float = 0.2
    beta1: float = 0.9
    beta2: float = 0.999
    clip: float = 1.0
    state: Literal["float32", "factored"] = "float32"

    def __post_init__(self) -> None:
        if self.lr is not None:
            require_range("lr", self.lr, 0, 1, open_low=True)
        require_range("lr_warmup + lr_decay", self.lr_warmup + self.lr_decay, 0, 1)
        require_range("lr_warmup", self.lr_warmup, 0, 1)
        require_range("lr_decay", self.lr_decay, 0, 1)
        require_range("beta1", self.beta1, 0, 0.9999)
        require_range("beta2", self.beta2, 0, 0.999999)
        require_range("clip", self.clip, 0, open_low=True)
        require(self.state in ("float32", "factored"), f"state is '{self.state}': it must be float32 or factored")

    def at(self, progress: float) -> float:
        """The share of the learning rate that holds when `progress` of the run, in [0, 1], is done."""
        up = 1.0 if self.lr_warmup == 0 else min(1.0, progress / self.lr_warmup)
        down = 1.0 if self.lr_decay == 0 else min(1.0, (1.0 - progress) / self.lr_decay)
        return min(up, down)


def usual_lr(d_in: int, steps: int) -> float:
    """2 / sqrt(d_in steps), at most .1 / sqrt(d_in) and .01: fitted on runs of 200 to 3,000 steps, widths 128 and 512.

    Adam moves every coordinate by about its rate, those of a unit row are of about 1 / sqrt(d_in), and a run of
    so many steps walks sqrt(steps) of them. At 100,000 steps and a width of 2,304 it is the rate of Gao et al. (2024).
    """
    return min(MOST_LR, min(MOST_TURN, LR_SCALE / math.sqrt(steps)) / math.sqrt(d_in))


@dataclass(frozen=True)
class DictionarySpec:
    """One dictionary to train. `config` is the architecture's own; reads == writes: an autoencoder. `cross_layer`: its
    features are split over layers, one for each site in `reads`, and write that of `writes` and later ones."""

    name: str
    architecture: str
    config: Any
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    cross_layer: bool = False

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set('/\\:*?"<>| ') or self.name.startswith("."):
            raise ConfigError(f"'{self.name}' cannot name a folder: use letters, digits, '-' and '_'")
        if not isinstance(self.config, architecture(self.architecture).Config):
            raise ConfigError(f"'{self.name}': {type(self.config).__name__} is not a config of '{self.architecture}'")
        if self.cross_layer:
            self._require_layers()

    def _require_layers(self) -> None:
        n, said = len(self.reads), f"'{self.name}' is cross_layer, so"
        require(n == len(self.writes), f"{said} it must write as many sites as it reads: {n}, not {len(self.writes)}")
        require(self.reads != self.writes, f"{said} it must write elsewhere than it reads, as from mlp_in to mlp_out")
        require(
            self.architecture != "matryoshka", f"{said} it cannot be matryoshka: its first features would be layer 0's"
        )
        require(not (isinstance(self.config, L1Config) and self.config.tied), f"{said} it cannot be tied")
        for name in ("n_features", *architecture(self.architecture).counts_per_row):
            value = getattr(self.config, name)
            require(value >= n, f"{said} each of its {n} layers needs a share: {name} is {value}")

    def rule(self) -> Architecture:
        """The architecture, with its config."""
        return architecture(self.architecture)(self.config)  # type: ignore[call-arg]

    def to_json(self) -> dict[str, Any]:
        """As written to checkpoints and run directories; `cross_layer` only where it holds, as before it was there."""
        data = {f.name: to_json(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return {name: value for name, value in data.items() if name != "cross_layer" or value}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "DictionarySpec":
        """What `to_json` wrote."""
        config = from_json(architecture(data["architecture"]).Config, data["config"], data["name"])
        optimiser = from_json(OptimiserConfig, data["optimiser"], data["name"])
        reads, writes = tuple(data["reads"]), tuple(data["writes"])
        cross_layer = "cross_layer" in data and data["cross_layer"]
        return DictionarySpec(data["name"], data["architecture"], config, reads, writes, optimiser, cross_layer)


def parse_spec(text: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> DictionarySpec:
    """The dictionary that a line of the module's examples describes.

    Settings of the architecture, of the optimiser and `cross_layer` stand side by side. Raises ConfigError for an
    unknown architecture or setting (naming the nearest) and for values that cannot work.
    """
    head, *pairs = [part.strip() for part in text.split(",")]
    name, _, kind = head.rpartition("=")
    cls = architecture(kind)
    settings = dict(_pair(pair, text) for pair in pairs)
    ours = {f.name for f in dataclasses.fields(OptimiserConfig)}
    theirs = {f.name for f in dataclasses.fields(cls.Config)}
    known = ours | theirs | {"cross_layer"}
    for key in settings:
        if key not in known:
            raise ConfigError(f"'{text}': {unknown('setting', key, known)}")
    config = from_text(cls.Config, {k: v for k, v in settings.items() if k in theirs}, text)
    optimiser = from_text(OptimiserConfig, {k: v for k, v in settings.items() if k in ours}, text)
    split = from_text(_Split, {k: v for k, v in settings.items() if k == "cross_layer"}, text)
    return DictionarySpec(name or kind.rpartition(":")[2], kind, config, reads, writes, optimiser, split.cross_layer)


@dataclass(frozen=True)
class _Split:
    cross_layer: bool = False


def _pair(text: str, whole: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"'{whole}': '{text}' is not of the form setting=value")
    return key.strip(), value.strip()

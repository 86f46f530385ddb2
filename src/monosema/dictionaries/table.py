"""Every architecture by name, with a tiny config on which the contract tests run.

To add one: write `dictionaries/foo.py` with `FooConfig` and `Foo`, and add its line here. Configs
and the command line also take `package.module:Class`.
"""

import importlib
from typing import Any

from monosema.core.errors import ConfigError, unknown
from monosema.dictionaries.architecture import Architecture
from monosema.dictionaries.batchtopk import BatchTopK, BatchTopKConfig
from monosema.dictionaries.gated import Gated, GatedConfig
from monosema.dictionaries.jumprelu import JumpReLU, JumpReLUConfig
from monosema.dictionaries.l1 import L1, L1Config
from monosema.dictionaries.matryoshka import Matryoshka, MatryoshkaConfig
from monosema.dictionaries.topk import TopK, TopKConfig

ARCHITECTURES: dict[str, tuple[type[Architecture], Any]] = {
    "batchtopk": (BatchTopK, BatchTopKConfig(n_features=24, k=3, dead_after=64)),
    "gated": (Gated, GatedConfig(n_features=24, penalty=0.5)),
    "jumprelu": (JumpReLU, JumpReLUConfig(n_features=24, target=3.0)),
    "l1": (L1, L1Config(n_features=24, penalty=0.5, resample_rows=64)),
    "matryoshka": (Matryoshka, MatryoshkaConfig(n_features=24, k=3, dead_after=64, shares=(0.25, 1.0))),
    "topk": (TopK, TopKConfig(n_features=24, k=3, dead_after=64)),
}


def architecture(name: str) -> type[Architecture]:
    """The architecture called `name`, or the class that `package.module:Class` names.

    Raises ConfigError naming the nearest one.
    """
    if ":" in name:
        return _foreign(name)
    if name not in ARCHITECTURES:
        raise ConfigError(unknown("architecture", name, ARCHITECTURES))
    return ARCHITECTURES[name][0]


def _foreign(name: str) -> type[Architecture]:
    module, _, attribute = name.partition(":")
    try:
        found = vars(importlib.import_module(module))[attribute]
    except (ImportError, KeyError) as error:
        raise ConfigError(f"architecture '{name}' cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Architecture)):
        raise ConfigError(f"'{name}' is not an Architecture: derive it from monosema.dictionaries.Architecture")
    return found

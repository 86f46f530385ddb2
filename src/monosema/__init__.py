"""monosema: take a language model apart, and test every claim against its control.

    tokens -> model -> activations -> dictionaries -> scorecard -> features -> page

`import monosema` loads no numerics: a layer is imported when its name is first used, so that
`monosema.evaluation.score` works after a bare `import monosema` and `monosema --help` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monosema import (
        activations,
        circuits,
        corpus,
        dashboard,
        dictionaries,
        evaluation,
        features,
        geometry,
        models,
        probes,
        toys,
    )
    from monosema.core.errors import MonosemaError
    from monosema.core.findings import Finding
    from monosema.core.sites import Site

    __version__: str

_LAYERS = (
    "corpus",
    "models",
    "activations",
    "dictionaries",
    "evaluation",
    "features",
    "toys",
    "probes",
    "circuits",
    "geometry",
    "dashboard",
)
_NAMES = {
    "Finding": "monosema.core.findings",
    "MonosemaError": "monosema.core.errors",
    "Site": "monosema.core.sites",
}

__all__ = [
    "Finding",
    "MonosemaError",
    "Site",
    "activations",
    "circuits",
    "corpus",
    "dashboard",
    "dictionaries",
    "evaluation",
    "features",
    "geometry",
    "models",
    "probes",
    "toys",
]


def __getattr__(name: str) -> Any:
    """The layer or the name, imported now. Raises AttributeError naming the nearest one."""
    if name == "__version__":
        from importlib.metadata import version

        return version("monosema")
    if name in _LAYERS:
        return import_module(f"monosema.{name}")
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    from monosema.core.errors import unknown

    raise AttributeError(f"monosema: {unknown('name', name, __all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

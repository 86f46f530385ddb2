"""Names of a package that are imported when they are first used, so that naming it costs no numerics."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: each name in `homes` comes from the module given for it, counted from the
    package, or from monosema where it begins so. Any other name raises AttributeError, as Python would."""

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        home = homes[name]
        return getattr(import_module(home if home.startswith("monosema.") else f"{package}.{home}"), name)

    return attribute

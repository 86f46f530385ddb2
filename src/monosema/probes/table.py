"""Every method by name. To add one: a frozen config in `settings`, a function, a line here. No torch.

A class outside the library is asked for as `package.module:Class`: a frozen dataclass of settings with at least
`normalisation`, and with a class attribute `method`, a `Method` whose `config` is the class.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from monosema.core.config import require
from monosema.core.errors import ConfigError, unknown
from monosema.probes.settings import (
    CCSConfig,
    CRCConfig,
    KMeansConfig,
    LDAConfig,
    LogisticConfig,
    MassMeanConfig,
    PCAConfig,
    RandomConfig,
    VINCConfig,
)


@dataclass(frozen=True)
class Method:
    """config: the frozen dataclass of its settings. function: 'package.module:name' of

        fit_foo(config, rows: Rows, labels [labelling, n], seed) -> list[Fitted]

    which gives a Fitted for each labelling, or, when it looks at no labels (`supervised` is False), one.
    pairs: it needs pairs. reads: how pairs are scored. settings: of the line's config that are not its defaults.
    """

    config: type
    function: str
    supervised: bool
    pairs: bool
    paper: str
    reads: str = "difference"
    settings: tuple[tuple[str, Any], ...] = ()

    def default(self) -> Any:
        return self.config(**dict(self.settings))


_HERE = "monosema.probes"

PROBES: dict[str, Method] = {
    "ccs": Method(CCSConfig, f"{_HERE}.ccs:fit_ccs", False, True, "Burns et al. 2022", "sides"),
    "crc": Method(CRCConfig, f"{_HERE}.principal:fit_crc", False, True, "Burns et al. 2022"),
    "vinc": Method(VINCConfig, f"{_HERE}.principal:fit_vinc", False, True, "Mallen & Belrose 2023"),
    "pca": Method(PCAConfig, f"{_HERE}.principal:fit_pca", False, False, "Pearson 1901"),
    "kmeans": Method(KMeansConfig, f"{_HERE}.clusters:fit_kmeans", False, False, "Lloyd 1982"),
    "mass_mean": Method(
        MassMeanConfig, f"{_HERE}.class_means:fit_mass_mean", True, False, "Marks & Tegmark 2023, without the tilt"
    ),
    "mass_mean_tilted": Method(
        MassMeanConfig,
        f"{_HERE}.class_means:fit_mass_mean",
        True,
        False,
        "Marks & Tegmark 2023, with the tilt",
        settings=(("tilt", True),),
    ),
    "lda": Method(LDAConfig, f"{_HERE}.class_means:fit_lda", True, False, "Fisher 1936"),
    "logistic": Method(LogisticConfig, f"{_HERE}.logistic:fit_logistic", True, False, "Cox 1958; Liu & Nocedal 1989"),
    "random": Method(RandomConfig, f"{_HERE}.drawn:fit_random", False, False, "the control of all others"),
}
"""Every method by the name that `monosema probe --methods` takes. Supervised ones read pairs by their differences;
for one side alone give them `Contrast.one_side()`."""


def config_of(name: str) -> Any:
    """The default settings of the method called `name`, or of the class that `package.module:Class` names.

    Raises ConfigError naming the nearest one.
    """
    if ":" not in name:
        if name not in PROBES:
            raise ConfigError(unknown("probe", name, PROBES))
        return PROBES[name].default()
    module, _, attribute = name.partition(":")
    try:
        found = vars(import_module(module))[attribute]
    except (ImportError, KeyError) as error:
        raise ConfigError(f"probe '{name}' cannot be imported: {error}") from error
    fits = isinstance(found, type) and isinstance(vars(found).get("method"), Method) and found.method.config is found
    require(fits, f"'{name}' is no probe: give the class an attribute `method`, a monosema.probes.Method of itself")
    return found()


def method_of(config: Any) -> tuple[str, Method]:
    """The name and the line of the method that `config` is the settings of. Raises ConfigError."""
    rows = [
        (name, method)
        for name, method in PROBES.items()
        if method.config is type(config) and all(getattr(config, key) == value for key, value in method.settings)
    ]
    if rows:
        return max(rows, key=lambda row: len(row[1].settings))
    method = vars(type(config)).get("method")
    if isinstance(method, Method):
        return type(config).__name__, method
    known = ", ".join(sorted({method.config.__name__ for method in PROBES.values()}))
    raise ConfigError(f"{type(config).__name__} is the settings of no probe: give one of {known}")


def function_of(method: Method) -> Any:
    """The fit function, imported now."""
    module, _, name = method.function.partition(":")
    return getattr(import_module(module), name)

"""The exceptions a user of monosema can meet, as one small tree.

    MonosemaError
    |-- ConfigError       a setting that cannot work: unknown, out of range, contradictory
    |-- SiteError         an address that this model does not have
    |-- DataError         text or numbers that cannot be used: missing, empty, not UTF-8, not finite
    |-- DamagedError      a file that is truncated, edited or half-written
    |-- MismatchError     two things that do not belong together, told apart by their fingerprints
    |-- RunError          a run directory in the wrong state for what was asked
    `-- DivergedError     training that left the finite numbers

A message says what was got, what was expected, and what to do. The command line prints it as one
line and exits with status 2; anything else that reaches the command line is a bug of ours.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MonosemaError(Exception):
    """Any error that the user can put right."""


class ConfigError(MonosemaError):
    """A setting that is unknown, out of range or contradicts another."""


class SiteError(MonosemaError):
    """A site that does not exist in this model; the message lists those that do."""


class DataError(MonosemaError):
    """Text or numbers that cannot be used."""


class DamagedError(MonosemaError):
    """A file that is not what was written."""


class MismatchError(MonosemaError):
    """Two artefacts that do not belong together."""


class RunError(MonosemaError):
    """A run directory that is not in the state the command needs."""


class DivergedError(MonosemaError):
    """Every dictionary of a training run has diverged."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not one of `known`: what was got, the nearest, the list.

    `unknown("metric", "mxe", ["mse", "l0"])` is
    "unknown metric 'mxe'. Did you mean 'mse'? Known: l0, mse".
    """
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    return f"unknown {what} '{name}'.{hint} Known: {', '.join(names)}"

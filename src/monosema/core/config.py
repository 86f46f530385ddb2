"""Configs are frozen dataclasses; this turns them to JSON and back, and refuses what it does not know.

A field may be a bool, int, float, str, a Literal of those, None in a union, a tuple of fields, or
another frozen dataclass. Reading is strict: an unknown key, a missing key and a value of the wrong
type are ConfigErrors that say where, so that no setting is ever dropped without a word.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from monosema.core.errors import ConfigError, unknown

Json = None | bool | int | float | str | list[Any] | dict[str, Any]

T = TypeVar("T")

_NOT_FINITE = ("nan", "inf", "-inf")


def to_json(config: Any) -> Json:
    """`config` as plain JSON values; tuples become lists, dataclasses dictionaries of every field.

    JSON has no numbers that are not finite: they are written as "nan", "inf" and "-inf", and read back.
    """
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: to_json(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, list | tuple):
        return [to_json(item) for item in config]
    if isinstance(config, float) and not math.isfinite(config):
        return str(config)
    if config is None or isinstance(config, bool | int | float | str):
        return config
    raise TypeError(f"a config cannot hold a {type(config).__name__}")


def from_json(cls: type[T], data: Any, where: str = "config") -> T:
    """The `cls` that `data` describes. Fields with a default may be left out; nothing else may.

    Raises ConfigError: unknown key (with the nearest known one), missing key, wrong type.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: expected an object with the fields of {cls.__name__}, got {data!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise ConfigError(f"{where}: {unknown('setting', key, fields)}")
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: setting '{name}' is missing")
    return cls(**values)


def from_text(cls: type[T], assignments: Mapping[str, str], where: str = "config") -> T:
    """As `from_json`, from command-line text: `{"k": "32", "tied": "true", "sites": "embed+resid_post.1"}`.

    The parts of a tuple are joined by `+`; an empty text is the empty tuple; `none` is None.
    """
    hints = typing.get_type_hints(cls)
    return from_json(cls, {key: _literal(hints.get(key, str), text) for key, text in assignments.items()}, where)


def _literal(hint: Any, text: str) -> Any:
    options = _options(hint)
    if type(None) in options and text.lower() == "none":
        return None
    if bool in options and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for option in options:
        if typing.get_origin(option) is tuple:
            return _parts(typing.get_args(option), text.split("+") if text else [])
        if typing.get_origin(option) is Literal:
            named = {str(choice): choice for choice in typing.get_args(option)}
            if text in named:
                return named[text]
    for kind in (int, float):
        if kind in options:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _parts(kinds: tuple[Any, ...], texts: list[str]) -> list[Any]:
    if kinds[-1] is Ellipsis:
        return [_literal(kinds[0], text) for text in texts]
    if len(kinds) != len(texts):
        return list(texts)  # `_tuple` says how many were expected
    return [_literal(kind, text) for kind, text in zip(kinds, texts, strict=True)]


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)


def _value(hint: Any, value: Any, where: str) -> Any:
    for option in _options(hint):
        origin = typing.get_origin(option)
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return from_json(typing.cast(type, option), value, where)
        if origin is tuple and isinstance(value, list | tuple):
            return _tuple(typing.get_args(option), value, where)
        if origin is Literal:
            if any(value == choice and type(value) is type(choice) for choice in typing.get_args(option)):
                return value
        elif option is float and (type(value) in (int, float) or value in _NOT_FINITE):
            return float(value)
        elif option is int and isinstance(value, bool):
            continue
        elif isinstance(option, type) and isinstance(value, option):
            return value
    choices = [a for option in _options(hint) if typing.get_origin(option) is Literal for a in typing.get_args(option)]
    if isinstance(value, str) and any(isinstance(choice, str) for choice in choices):
        raise ConfigError(f"{where}: {unknown('value', value, map(str, choices))}")
    raise ConfigError(f"{where}: expected {' or '.join(map(_name, _options(hint)))}, got {value!r}")


def _name(option: Any) -> str:
    if option is type(None):
        return "null"
    if typing.get_origin(option) is Literal:
        return " or ".join(repr(choice) for choice in typing.get_args(option))
    return option.__name__ if isinstance(option, type) and not typing.get_args(option) else str(option)


def _tuple(kinds: tuple[Any, ...], value: list[Any] | tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_value(kinds[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(kinds) != len(value):
        raise ConfigError(f"{where}: expected {len(kinds)} values, got {len(value)}")
    return tuple(_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def require(holds: bool, message: str) -> None:
    """Raise ConfigError(message) unless `holds`: one line per rule in a config's `__post_init__`."""
    if not holds:
        raise ConfigError(message)


def require_range(
    name: str, value: int | float, low: int | float, high: int | float = math.inf, *, open_low: bool = False
) -> None:
    """Raise ConfigError unless low <= value <= high (low < value with `open_low`) and value is finite."""
    inside = math.isfinite(value) and (low < value if open_low else low <= value) and value <= high
    if not inside:
        bounds = f"{'more than' if open_low else 'at least'} {low:g}" + (
            "" if high == math.inf else f", at most {high:g}"
        )
        raise ConfigError(f"{name} is {value!r}: it must be {bounds}")

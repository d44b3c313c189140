"""TOML files -> frozen dataclasses: unknown keys are refused with their path, an experiment is a diff on its base."""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from diffposetalk.errors import InputError, UsageError

T = TypeVar("T")


def load_config(cls: type[T], path: str | Path, overrides: Iterable[str] = ()) -> T:
    """Read a TOML file (and the files its ``base`` names) into the dataclass ``cls``.

    Args:
        cls: a frozen dataclass; nested dataclasses become tables.
        path: the TOML file.
        overrides: ``"a.b=value"`` strings, the value written as in TOML (a bare word counts as a string).

    Raises:
        InputError: the file is missing or no TOML.
        UsageError: a key is unknown, missing, or its value of the wrong type; the message gives its path.
    """
    return from_dict(cls, read_config(path, overrides), str(path))


def read_config(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a TOML file and its bases into nested dictionaries; arguments and errors as for `load_config`."""
    values = _read(Path(path))
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise UsageError(f"override {override!r}: write key.path=value")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        _merge(values, _nested(key.strip().split("."), value))
    return values


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build the dataclass ``cls`` from nested dictionaries, strictly.

    Raises:
        UsageError: an unknown or missing key or a value of the wrong type, named by its path.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = set(values) - set(fields)
    if unknown:
        raise UsageError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(fields)}")
    arguments = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _convert(hints[name], values[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UsageError(f"{where}: the key {name!r} is missing")
    return cls(**arguments)


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass as plain nested dictionaries, as written into checkpoints and logs; None is left out."""
    return _plain(dataclasses.asdict(config))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a TOML file ({error})") from None
    base = values.pop("base", None)
    return _merge(_read(path.parent / base), values) if base else values


def _merge(into: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Put values over those of a base; a table of another ``kind`` takes the whole place of the base's."""
    for key, value in values.items():
        known = into.get(key)
        if isinstance(value, dict) and isinstance(known, dict) and value.get("kind") in (None, known.get("kind")):
            _merge(known, value)
        else:
            into[key] = value
    return into


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _chosen(alternatives: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return the alternative of a union that a value means: of several dataclasses, the one of the same ``kind``."""
    real = [item for item in alternatives if item is not type(None)]
    kinds = {getattr(item, "kind", None): item for item in real}
    if len(real) == 1 or not isinstance(value, dict):
        return real[0]
    kind = value.get("kind", next(iter(kinds)))
    if kind not in kinds:
        raise UsageError(f"{where}: unknown kind {kind!r}; choose from {', '.join(map(str, kinds))}")
    return kinds[kind]


def _convert(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _convert(_chosen(arguments, value, where), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise UsageError(f"{where} is {value!r}; choose from {', '.join(map(str, arguments))}")
        return value
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise UsageError(f"{where} must be a table, got {value!r}")
        return from_dict(typing.cast(type, hint), value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple) or (arguments[-1] is not ... and len(value) != len(arguments)):
            raise UsageError(f"{where} must be a list of {hint}, got {value!r}")
        items = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return tuple(_convert(item, element, where) for item, element in zip(items, value))
    if origin is dict:
        if not isinstance(value, dict):
            raise UsageError(f"{where} must be a table, got {value!r}")
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not hint:
        raise UsageError(f"{where} must be of type {getattr(hint, '__name__', hint)}, got {value!r}")
    return value

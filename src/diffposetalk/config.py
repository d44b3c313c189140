"""Read TOML files into frozen dataclasses. Unknown keys are refused, and a file may extend another by ``base``.

The recipes that come with the program have names: "lite", "paper/denoiser".
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.parsing import first_line, parsing

T = TypeVar("T")
MOST_DOTS = 100
"""In a recipe's key; the parser's time grows with their square."""
LARGEST_BYTES = 1_000_000
"""Largest size of a recipe file, bytes."""


def recipes() -> dict[str, Path]:
    """Return the recipes that come with the program: name -> TOML file."""
    package = Path(__file__).parent
    folder = package / "configs"  # in an installed package
    if not folder.is_dir():
        folder = package.parents[1] / "configs"  # in the source tree
    files = sorted(folder.rglob("*.toml"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_recipe(word: str | Path) -> Path:
    """Return the TOML file of a recipe.

    Args:
        word: a file ("mine.toml"), or the name of a recipe that comes with the program ("lite", "paper/denoiser").
            "configs/lite.toml" also means "lite" if there is no such file.

    Raises:
        InputError: there is neither a file nor a recipe of this name; the message lists the names.
    """
    if Path(word).exists():
        return Path(word)
    known = recipes()
    name = Path(word).as_posix().removeprefix("configs/").removesuffix(".toml")
    if name in known:
        return known[name]
    raise InputError(f"{word}: no such recipe; name a TOML file, or one of {', '.join(known)}")


def load_config(cls: type[T], path: str | Path, overrides: Iterable[str] = ()) -> T:
    """Read a TOML file (and the files its ``base`` names) into the dataclass ``cls``.

    Args:
        cls: a frozen dataclass; nested dataclasses become tables.
        path: the TOML file, or the name of a recipe; see `find_recipe`.
        overrides: ``"a.b=value"`` strings. The value is written as in TOML; a bare word is a string.

    Raises:
        InputError: the file is missing or is not TOML.
        UsageError: a key is unknown, missing, or its value of the wrong type; the message gives its path.
    """
    values = read_config(path, overrides)
    try:
        return from_dict(cls, values, str(path))
    except UsageError as error:
        if str(path) in str(error):
            raise
        raise UsageError(f"{path}: {error}") from error


def read_config(path: str | Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a TOML file and its bases into nested dictionaries; arguments and errors as for `load_config`."""
    path = find_recipe(path)
    values = _read(path)
    with parsing(path, "recipe"):  # tables nested a thousand deep
        for override in overrides:
            key, separator, text = override.partition("=")
            if not separator:
                raise UsageError(f"override {override!r}: write key.path=value")
            _merge(values, _nested(key.strip().split("."), _value_of(text)))
    return values


def _value_of(text: str) -> Any:
    """Parse a value written as in TOML; a bare word is a string."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    except (RecursionError, ValueError) as error:  # brackets a thousand deep, a number of thousands of digits
        raise UsageError(f"override {text!r}: not a value ({first_line(error)})") from None


def from_dict(cls: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build the dataclass ``cls`` from nested dictionaries.

    A class may list earlier names of its keys in ``RENAMED_KEYS``; the error then gives the new name.

    Raises:
        UsageError: a key is unknown or missing, or a value has the wrong type; the message gives its path.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = set(values) - set(fields)
    if unknown:
        for old, new in getattr(cls, "RENAMED_KEYS", {}).items():
            if old in unknown:
                raise UsageError(f"{where}: the key {old!r} is now called {new!r}")
        raise UsageError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(fields)}")
    arguments = {}
    for name, field in fields.items():
        if name in values:
            arguments[name] = _convert(hints[name], values[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UsageError(f"{where}: the key {name!r} is missing")
    return cls(**arguments)


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass as nested dictionaries, for checkpoints and logs; fields that are None are left out."""
    return _plain(dataclasses.asdict(config))


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a TOML file and its bases.

    Args:
        path: the file.
        above: the files whose ``base`` led to this one.
    """
    import tomllib

    if path.resolve() in above:
        chain = " -> ".join(file.name for file in (*above, path))
        raise InputError(f"{path}: is its own base ({chain}); a chain of bases must end")
    with parsing(path, "recipe"):
        if not path.exists():
            raise InputError(
                f"{path}: no such recipe (the base of {above[-1]})" if above else f"{path}: no such recipe"
            )
        if not path.is_file():
            raise InputError(f"{path}: a recipe is a TOML file, not a folder or a device")
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{path}: a recipe has at most {LARGEST_BYTES} bytes, this file has {path.stat().st_size}")
        try:
            text = path.read_text("utf-8-sig")
            if any(line.partition("=")[0].partition("#")[0].count(".") > MOST_DOTS for line in text.splitlines()):
                raise InputError(f"{path}: a key has more than {MOST_DOTS} dots")
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a TOML file ({first_line(error)})") from None
        base = values.pop("base", None)
        if base is None:
            return values
        if not isinstance(base, str) or not base:
            raise InputError(f"{path}: base must be the name of a file or recipe in quotes, got {base!r}")
        sibling = path.parent / base
        base_path = sibling if sibling.exists() or base not in (known := recipes()) else known[base]
        return _merge(_read(base_path, (*above, path.resolve())), values)


def _merge(into: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Override the values of a base. A table of another ``kind`` replaces the table of the base as a whole."""
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
    """Choose the type of a value from a union. Among several dataclasses it is the one with the same ``kind``."""
    types_ = [item for item in alternatives if item is not type(None)]
    kinds = {getattr(item, "kind", None): item for item in types_}
    if len(types_) == 1 or not isinstance(value, dict):
        return types_[0]
    kind = value.get("kind", next(iter(kinds)))
    if not isinstance(kind, str) or kind not in kinds:
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
    if hint is float and type(value) is int and abs(value) < 2**1000:
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not hint:
        raise UsageError(f"{where} must be of type {getattr(hint, '__name__', hint)}, got {value!r}")
    return value

"""Configuration files: strict, layered, overridable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from diffposetalk.config import from_dict, load_config, read_config, to_dict
from diffposetalk.errors import InputError, UsageError


@dataclass(frozen=True)
class Inner:
    rate: float
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    steps: int = 3
    sizes: tuple[int, ...] = (1, 2)
    weights: dict[str, float] = field(default_factory=dict)
    maybe: float | None = None


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_base_files_and_overrides(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", 'name = "x"\nsteps = 5\n[inner]\nrate = 1\nkind = "b"\n')
    path = write(tmp_path / "diff.toml", 'base = "base.toml"\n[inner]\nrate = 2.5\n[weights]\nx_0 = 1\n')
    config = load_config(Outer, path, ["steps=7", "name=other", "sizes=[4, 5, 6]", "maybe=0.5"])
    assert config == Outer("other", Inner(2.5, "b"), 7, (4, 5, 6), {"x_0": 1.0}, 0.5)
    assert from_dict(Outer, to_dict(config)) == config


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": "x", "inner": {"rate": 1.0, "rat": 2}}, "inner: unknown key 'rat'"),
        ({"name": "x", "inner": {}}, "'rate' is missing"),
        ({"name": 3, "inner": {"rate": 1.0}}, "name must be of type str"),
        ({"name": "x", "inner": {"rate": 1.0, "kind": "c"}}, "choose from a, b"),
        ({"name": "x", "inner": {"rate": 1.0}, "steps": True}, "steps must be of type int"),
        ({"name": "x", "inner": {"rate": 1.0}, "sizes": 3}, "must be a list"),
        ({"name": "x", "inner": 4}, "must be a table"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_dict(Outer, values)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        load_config(Outer, tmp_path / "none.toml")
    with pytest.raises(InputError, match="not a TOML"):
        load_config(Outer, write(tmp_path / "a.toml", "= 3"))
    with pytest.raises(UsageError, match=r"key\.path=value"):
        load_config(Outer, write(tmp_path / "b.toml", 'name = "x"\n[inner]\nrate = 1\n'), ["steps"])


def test_a_table_of_another_kind_replaces_its_base(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", '[part]\nkind = "a"\nonly_a = 1\nboth = 2\n')
    same = write(tmp_path / "same.toml", 'base = "base.toml"\n[part]\nboth = 3\n')
    other = write(tmp_path / "other.toml", 'base = "base.toml"\n[part]\nkind = "b"\nboth = 3\n')
    assert read_config(same) == {"part": {"kind": "a", "only_a": 1, "both": 3}}
    assert read_config(other) == {"part": {"kind": "b", "both": 3}}
    assert read_config(same, ["part.kind=b", "part.x=1"]) == {"part": {"kind": "b", "x": 1}}

"""Configuration files: strict, layered, overridable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from diffposetalk.config import find_recipe, from_dict, load_config, read_config, recipes, to_dict
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base = 3", "base must be the name"),
        ("base = [1]", "base must be the name"),
        ('base = ""', "base must be the name"),
        ('base = "a.toml"', "is its own base"),
        ('base = "b.toml"', "is its own base"),
        ('base = "none.toml"', "no such recipe"),
        ('base = "."', "not a folder"),
        ('base = "a\\u0000b"', "not a readable recipe"),
        ("x = " + "[" * 100_000, "a.toml: not a readable recipe"),
        ("x = " + "{a=" * 20_000, "a.toml: not a"),
        ("x" + ".x" * 3_000 + " = 1", "a.toml: not a readable recipe|unknown key 'x'|more than 100 dots"),
        ("x = " + "9" * 100_000, "a.toml: not a"),
        ("x = 1" + " " * 2_000_000, "at most"),
    ],
)  # fmt: skip
def test_hostile_recipes_are_one_line(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path / "b.toml", 'base = "a.toml"')
    with pytest.raises((InputError, UsageError), match=said) as caught:
        load_config(Outer, write(tmp_path / "a.toml", text))
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("override", ["x=" + "[" * 100_000, "inner.kind=[1]", "inner=" + "{a=" * 9_000, "steps=1.5"])
def test_hostile_overrides_are_one_line(tmp_path: Path, override: str) -> None:
    path = write(tmp_path / "a.toml", 'name = "x"\n[inner]\nrate = 1\n')
    with pytest.raises((InputError, UsageError)):
        load_config(Outer, path, [override])


def test_a_device_is_no_recipe() -> None:
    with pytest.raises(InputError, match="not a folder or a device"):
        read_config("/dev/zero")


@dataclass(frozen=True)
class Other:
    kind: Literal["b"] = "b"


@dataclass(frozen=True)
class Whole:
    part: Inner | Other


def test_a_kind_that_is_a_list() -> None:
    with pytest.raises(UsageError, match=r"unknown kind \['a'\]"):
        from_dict(Whole, {"part": {"kind": ["a"]}})


def test_the_files_of_the_fuzzer(shared: Path) -> None:
    faults = shared.parent / "faults"
    if not faults.is_dir():
        pytest.skip("needs the folder of small inputs that once showed faults")
    files = [*(faults / "fuzz").glob("toml__*"), *(faults / "hand").glob("*.toml")]
    assert files
    for path in files:
        with pytest.raises((InputError, UsageError)):
            load_config(Outer, path)


def test_recipes_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = recipes()
    assert {"lite", "people", "paper/denoiser", "paper/style", "paper/ablations/no_guidance"} <= set(known)
    for name, path in known.items():
        assert find_recipe(name) == find_recipe(f"configs/{name}.toml") == path
        read_config(name)
    path = write(tmp_path / "mine.toml", 'base = "lite"\nname = "mine"\n')
    assert read_config(path) == read_config("lite") | {"name": "mine"}
    with pytest.raises(InputError, match=r"no such recipe; name a TOML file, or one of ablations/.*, base, "):
        find_recipe("heavy")


def test_a_file_of_the_users_goes_before_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe("lite") == recipes()["lite"]
    write(tmp_path / "lite", 'name = "mine"')
    assert find_recipe("lite") == Path("lite")


def test_a_key_of_very_many_dots_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dots.toml"
    path.write_text(".".join(["a"] * 30_000) + " = 1\n")
    with pytest.raises(InputError, match=r"dots\.toml: a key has more than 100 dots"):
        read_config(path)

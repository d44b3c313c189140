"""The shape of the code: imports go one way, nothing is a catch-all, the quick paths stay quick."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffposetalk.cli import main

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "diffposetalk"

LAYERS = """
errors progress arkit files config pages parallel geometry media speech motion style
diffusion head model
metrics render retarget exchange track generate live data released_weights
workshop.corpus workshop.footage workshop.train workshop.baselines workshop.evaluate workshop
cli __init__ __main__
""".split()  # noqa: SIM905 (in groups, as documented)
"""A module imports only what is named before it; the modules of a package one another, but without cycles."""

HEAVY = {"torch", "av", "moderngl", "matplotlib", "anny", "warp", "scipy", "transformers", "soxr", "PIL", "rich", "mediapipe",
         "cv2"}  # fmt: skip
"""Not to be loaded by `import diffposetalk` or `--help`."""


def modules() -> dict[str, Path]:
    """All modules of the package by dotted name below it; a package by its own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Names below `diffposetalk` that a file imports, wherever in it, type checking left out."""
    known = modules()
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if not name.startswith("diffposetalk"):
                continue
            name = name.removeprefix("diffposetalk").lstrip(".") or "__init__"
            while name and name not in known:
                name = name.rpartition(".")[0]
            found.add(name or "__init__")
    return found


def layer(module: str) -> int:
    """Where a module stands in `LAYERS`, by its own name or that of a package around it."""
    name = module
    while name not in LAYERS:
        name = name.rpartition(".")[0]
        assert name, f"the module {module} has no place in LAYERS of {Path(__file__).name}"
    return LAYERS.index(name)


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    package = module.partition(".")[0]
    for imported in imports(modules()[module]):
        if imported == "__init__" and module.startswith(("cli", "__main__")):
            continue  # for the version
        if imported.partition(".")[0] == package and layer(imported) == layer(module):
            continue  # within a package
        assert layer(imported) < layer(module), f"{module} imports {imported}, which stands above it"


def test_no_cycles() -> None:
    graph = {module: imports(path) - {module, "__init__"} for module, path in modules().items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"cycle: {' -> '.join((*way[way.index(module) :], module))}"
        if module in done:
            return
        for imported in graph[module]:
            if not module.startswith(f"{imported}."):  # a module may import the package that it lies in
                visit(imported, (*way, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_no_catch_all_modules() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [name for name in modules() if vague & set(name.split("."))]


FILES = sorted(
    path.relative_to(ROOT).as_posix() for top in ("src", "tests", "tools") for path in (ROOT / top).rglob("*.py")
)


@pytest.mark.parametrize("file", FILES)
def test_no_file_over_400_lines(file: str) -> None:
    assert len((ROOT / file).read_text().splitlines()) <= 400


def test_no_folder_over_14_modules() -> None:
    folders = [PACKAGE, *(path.parent for path in PACKAGE.rglob("__init__.py"))]
    counts = {folder.relative_to(PACKAGE).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert not {folder: count for folder, count in counts.items() if count > 14}


def test_at_most_28_entries_at_the_top() -> None:
    packages = [path.parent for path in PACKAGE.glob("*/__init__.py")]
    assert len([*packages, *PACKAGE.glob("*.py")]) <= 28


def loaded(code: str) -> set[str]:
    """Top-level names of the modules that running `code` in a new process loads."""
    code += "\nimport sys; print('\\nLOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_import_is_light() -> None:
    assert not loaded("import diffposetalk") & (HEAVY | {"numpy"})


COMMANDS = [[], *([name] for name in main.COMMANDS)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_light(command: list[str]) -> None:
    code = f"from diffposetalk.cli import run; assert run({[*command, '--help']}) == 0"
    assert not loaded(code) & HEAVY


def test_public_names_exist() -> None:
    import diffposetalk

    for name in diffposetalk.__all__:
        assert getattr(diffposetalk, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = diffposetalk.nothing


def test_version_is_said_once() -> None:
    import tomllib

    import diffposetalk

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == diffposetalk.__version__
    assert f"## {diffposetalk.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is absent"

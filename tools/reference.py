"""Build the reference of the Python interface: web pages from the docstrings, without network.

python tools/reference.py FOLDER
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pdoc

import diffposetalk

FRAMEWORKS = {"diffposetalk.live.agents.livekit": "livekit", "diffposetalk.live.agents.pipecat": "pipecat"}
"""Modules that can only be described where the package that they plug into is installed."""


def build(folder: Path) -> None:
    """Write the pages; a warning is an error.

    Args:
        folder: where the pages go; `index.html` is the first.
    """
    pdoc.render.configure(docformat="google", footer_text=f"DiffPoseTalk {diffposetalk.__version__}")
    absent = {module: package for module, package in FRAMEWORKS.items() if find_spec(package) is None}
    for module, package in absent.items():
        print(f"reference: {module} is not described, since {package} is not installed", file=sys.stderr)
        sys.modules[module] = ModuleType(module, f"Its description needs the package {package}.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*modules(), output_directory=folder)


def modules() -> list[str]:
    """Return the modules that pdoc must be given by name.

    pdoc finds by itself the modules of a package without `__all__`, and those that `__all__` lists.
    """
    names, listed = ["diffposetalk"], set[str]()
    for name in names:  # grows
        package = import_module(name)
        if hasattr(package, "__path__") and hasattr(package, "__all__"):
            for public in package.__all__:  # imported when first used, which pdoc would not see
                setattr(package, public, getattr(package, public))
            listed |= {f"{name}.{public}" for public in package.__all__}
            children = (f"{name}.{child.name}" for child in pkgutil.iter_modules(package.__path__))
            names += [child for child in children if child not in ("diffposetalk.cli", "diffposetalk.__main__")]
    return [name for name in names if name not in listed]


if __name__ == "__main__":
    build(Path(sys.argv[1]))

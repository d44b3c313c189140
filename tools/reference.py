"""Build the reference of the Python interface: web pages from the docstrings, without network.

python tools/reference.py FOLDER
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pdoc

import diffposetalk


def build(folder: Path) -> None:
    """Write the pages; a warning is an error.

    Args:
        folder: where the pages go; `index.html` is the first.
    """
    for name in diffposetalk.__all__:  # resolved when first used, which pdoc would not see
        setattr(diffposetalk, name, getattr(diffposetalk, name))
    pdoc.render.configure(docformat="google", footer_text=f"DiffPoseTalk {diffposetalk.__version__}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc(*modules(), output_directory=folder)


def modules() -> list[str]:
    """Return the names that pdoc needs to be told; it finds the modules of packages without `__all__` by itself."""
    names = ["diffposetalk"]
    for name in names:  # grows
        package = import_module(name)
        if hasattr(package, "__path__") and hasattr(package, "__all__"):
            children = (f"{name}.{child.name}" for child in pkgutil.iter_modules(package.__path__))
            names += [child for child in children if child not in ("diffposetalk.cli", "diffposetalk.__main__")]
    return names


if __name__ == "__main__":
    build(Path(sys.argv[1]))

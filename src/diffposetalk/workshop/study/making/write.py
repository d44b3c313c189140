"""Writing of the study file: the study, its videos, and a copy of the modules that serve it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from diffposetalk.files.atomic import replacing
from diffposetalk.workshop.study.plan import Study
from diffposetalk.workshop.study.study_file import PLAN

SERVING = (
    "__init__.py",
    "config.py",
    "errors.py",
    "files/__init__.py",
    "files/parsing.py",
    "workshop/__init__.py",
    "workshop/study/__init__.py",
    "workshop/study/answers.py",
    "workshop/study/design.py",
    "workshop/study/plan.py",
    "workshop/study/study_file.py",
)
"""Modules of the package that serving needs, besides `workshop/study/serving` itself."""
MAIN = "from diffposetalk.workshop.study.serving.host import main\n\nmain()\n"
"""What Python runs in the file."""
SHEBANG = b"#!/usr/bin/env python3\n"
DATE = (1980, 1, 1, 0, 0, 0)
"""Time of all entries, so that the same study gives the same file."""


def write_study(study: Study, videos: Mapping[str, Path], path: Path) -> None:
    """Write the study file, complete or not at all.

    Args:
        study: the study.
        videos: name in the file -> video.
        path: `.pyz` file to write.
    """
    package = resources.files("diffposetalk")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "__main__.py", MAIN.encode())
            for name in SERVING:
                _add(archive, f"diffposetalk/{name}", (package / name).read_bytes())
            serving = "workshop/study/serving"
            for entry in sorted(_files(package / serving), key=lambda entry: entry.name):
                _add(archive, f"diffposetalk/{serving}/{entry.name}", entry.read_bytes())
            _add(archive, PLAN, study.to_json().encode())
            for name in sorted(videos):
                _add(archive, name, videos[name].read_bytes(), zipfile.ZIP_STORED)


def _files(folder: Traversable) -> list[Traversable]:
    return [entry for entry in folder.iterdir() if entry.is_file() and not entry.name.endswith(".pyc")]


def _add(archive: zipfile.ZipFile, name: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> None:
    entry = zipfile.ZipInfo(name, DATE)
    entry.compress_type = compression
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)

"""What makes the bytes of small valid files."""

from __future__ import annotations

import functools
import importlib.util
import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[2]


@functools.cache
def helper(path: str) -> ModuleType:
    """Return a module of the tests that makes files, by its path below ``tests``."""
    spec = importlib.util.spec_from_file_location("fuzz_" + path.replace("/", "_"), TESTS / f"{path}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(write: Callable[[Path], Any], name: str) -> bytes:
    """Return the content of the file that `write` makes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        result = write(path)
        return (path if path.exists() else Path(result)).read_bytes()


def npz(**arrays: Any) -> bytes:
    """Return an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(value: Any, allow_pickle: bool = False) -> bytes:
    """Return a npy file."""
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=allow_pickle)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def protocol() -> bytes:
    """A protocol with one clip."""
    digest = "0" * 64
    return (
        f'name = "one"\nformat = 1\nfps = 25.0\nseeds = [0, 1]\n\n[[topologies]]\nvertices = 8\nlip_pairs = [[0, 1]]\n\n'
        f'[[clips]]\nname = "a"\nspeaker = "a"\nseconds = 2.0\nsound = {{ file = "a.wav", sha256 = "{digest}" }}\n'
        f'truth = {{ file = "a.npz", sha256 = "{digest}", start = 0.04 }}\nphones = [["p", 0.0, 0.1], ["aa", 0.1, 2.0]]\n'
    ).encode()

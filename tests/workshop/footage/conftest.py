"""What the tests of footage share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from diffposetalk.parallel import OnRay

HERE = str(Path(__file__).parent)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`fake_cutting`, importable by worker processes."""
    monkeypatch.syspath_prepend(HERE)
    return importlib.import_module("fake_cutting")


@pytest.fixture(scope="session")
def on_ray() -> Iterator[OnRay]:
    """A Ray cluster of two worker processes on this machine; skips where Ray is absent."""
    ray = pytest.importorskip("ray", reason="needs Ray, which is not installed")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{HERE}:{before}" if before else HERE
    try:
        cluster = OnRay("local", 2)
        assert cluster.join()
        yield cluster
    finally:
        ray.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before

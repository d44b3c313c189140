"""Integrations are loaded from their files, as the programs that use them do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "integrations"


@pytest.fixture(scope="session")
def integration() -> Callable[[str], Any]:
    """`integration("gradio/app.py")`: the module in that file of `integrations/`."""

    def load(file: str) -> Any:
        spec = importlib.util.spec_from_file_location(f"diffposetalk_{Path(file).parts[0]}", FOLDER / file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load

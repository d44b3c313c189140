"""What the tests of comparisons share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workshop.evaluate.performances import write_material


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six clips of three speakers and its protocol `set.toml`."""
    return write_material(tmp_path_factory.mktemp("comparison"))

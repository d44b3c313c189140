"""What heads say they can do: callers ask the head instead of its class."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import diffposetalk
from diffposetalk.errors import ModelError
from diffposetalk.head import HeadModel, load_head


@pytest.fixture(scope="module")
def flame(flame_path: Path) -> HeadModel:
    return load_head(str(flame_path))


def test_a_head_without_lip_gap_says_so(flame: HeadModel) -> None:
    with pytest.raises(ModelError, match="head flame does not define how far its lips are apart"):
        flame.lip_gap(flame.vertices(np.zeros((1, 4), np.float32)))
    with pytest.raises(ModelError, match="head flame does not say which points of its lips face each other"):
        _ = flame.lip_pairs


def test_inner_lips_lie_on_the_pairs_of_the_free_head_and_on_flames_landmarks(flame: HeadModel) -> None:
    anny = load_head("anny")
    rest = anny.mesh().vertices
    assert anny.inner_lips is not None and flame.inner_lips is not None
    for points, pairs in zip(anny.inner_lips, anny.lip_pairs.T):
        np.testing.assert_array_equal(points.of(rest), rest[pairs])
    assert [len(points) for points in flame.inner_lips] == [3, 3]


def test_only_heads_of_flames_kind_are_jointed(flame: HeadModel) -> None:
    assert flame.jointed is flame and load_head("anny").jointed is None


def test_no_caller_asks_for_the_class_of_a_head() -> None:
    package = Path(diffposetalk.__file__).parent
    asked = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] != "head"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "isinstance"
        and ast.unparse(node.args[1]).endswith("Head")
    ]
    assert not asked

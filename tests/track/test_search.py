"""Small faces are found in parts of the picture and followed as these move along."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np
import pytest

from diffposetalk.track import search
from diffposetalk.track.search import SearchingFinder, around, largest, parts

FACE = 40


class Bright:
    """Sees a bright square that is whole and takes at least an eighth of what it is shown."""

    how = "a test"

    def __init__(self) -> None:
        self.restarts = self.looks = 0

    def find(self, picture: np.ndarray, time_s: float) -> list[np.ndarray]:
        self.looks += 1
        y, x = np.nonzero(picture[..., 0] > 128)
        if not len(x) or np.ptp(x) + 1 < FACE or np.ptp(y) + 1 < FACE or np.ptp(x) + 1 < max(picture.shape[:2]) / 8:
            return []
        corners = [[x.min(), y.min(), 0], [x.max(), y.max(), 0]]
        return [np.resize(np.array(corners, np.float32), (478, 3))]

    def restart(self) -> None:
        self.restarts += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def shot(x: int, y: int, height: int = 540, width: int = 960, size: int = FACE) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y : y + size, x : x + size] = 255
    return picture


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Bright]:
    """The two finders that a `SearchingFinder` opens: the one that follows, and the one that searches."""
    finders: list[Bright] = []

    def open_one(*_: object, **__: object) -> Bright:
        finders.append(Bright())
        return finders[-1]

    monkeypatch.setattr(search, "open_finder", open_one)
    return finders


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (2160, 3840), (288, 360), (100, 101), (1, 1), (3, 700)])
def test_a_face_of_half_a_part_lies_in_one_of_them_whole(size: tuple[int, int]) -> None:
    height, width = size
    places = list(parts(height, width))
    side = places[0][2] - places[0][0]
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in places)
    assert side <= search.LARGEST_PART and len(places) < 100 * max(size) / min(size)
    half, rng = side // 2, np.random.default_rng(0)
    for x, y in zip(rng.integers(0, width - half + 1, 200), rng.integers(0, height - half + 1, 200), strict=True):
        assert any(
            left <= x and top <= y and x + half <= right + 1 and y + half <= bottom + 1
            for left, top, right, bottom in places
        )


def test_the_largest_in_the_picture_own_points() -> None:
    assert not Bright().find(shot(100, 50, size=60), 0)
    found = largest(shot(700, 400) | shot(100, 50, size=60), Bright(), 0)
    assert found is not None
    np.testing.assert_array_equal(found[:2, :2], [[100, 50], [159, 109]])
    assert largest(shot(0, 0, size=5), Bright(), 0) is None


def test_a_part_around_a_face_stays_in_the_picture() -> None:
    face = np.resize(np.array([[5, 10, 0], [44, 49, 0]], np.float32), (478, 3))
    left, top, right, bottom = around(face, 540, 960)
    assert (left, top) == (0, 0) and 80 < right < 120 and 80 < bottom < 120


def test_a_small_face_is_followed_where_it_goes(opened: list[Bright]) -> None:
    with SearchingFinder() as finder:
        near, far = opened
        for i in range(100):
            found = finder.find(shot(50 + 8 * i, 60 + 4 * i), i / 25)
            assert len(found) == 1
            np.testing.assert_array_equal(found[0][0, :2], [50 + 8 * i, 60 + 4 * i])
        assert far.looks == len(list(parts(540, 960)))  # searched once
        assert 5 < near.restarts < 50  # the part moves now and then, not with every frame
        assert "parts" in finder.how


def test_a_lost_face_is_searched_now_and_then_and_found_again(opened: list[Bright]) -> None:
    finder, empty = SearchingFinder(), np.zeros((540, 960, 3), np.uint8)
    far, n = opened[1], len(list(parts(540, 960)))
    seen = [bool(finder.find(shot(60, 60) if i < 5 or i >= 45 else empty, i / 25)) for i in range(60)]
    assert all(seen[:5]) and not any(seen[5:45]) and all(seen[56:])
    assert far.looks <= n * (2 + 40 / 25 / search.AGAIN_S + 1)
    finder.restart()  # a cut: searched at once
    assert finder.find(shot(800, 400), 60 / 25)


def test_a_face_that_comes_nearer(opened: list[Bright]) -> None:
    finder = SearchingFinder()
    for i in range(60):
        size = FACE + 3 * i
        found = finder.find(shot(300, 100, size=size), i / 25)
        assert len(found) == 1 and np.ptp(found[0][:, 0]) == size - 1

"""The main face is followed through cuts, losses and other faces; finding faces says what it needs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage

from diffposetalk.track.follow import choose_main_face, sharpness
from diffposetalk.track.limits import limit_on


def face(x: float, y: float = 200, size: float = 50) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (np.array([x, y, 0]) + size * rng.uniform(-1, 1, (478, 3))).astype(np.float32)


def of(faces: list[list[np.ndarray]], cuts: list[int]):
    return choose_main_face(
        [i / 25 for i in range(len(faces))], faces, cuts, [[0.1] * len(each) for each in faces], (640, 480), "test"
    )


def test_the_largest_is_followed_whatever_the_order() -> None:
    small, large = [face(500, size=30)], [face(150)]
    frames = [[*small, face(150 + i)] if i % 2 else [face(150 + i), *small] for i in range(30)]
    followed = of(frames, [])
    assert followed.face.detected.all()
    assert np.allclose(followed.face.points[:, :, 0].mean(1), large[0][:, 0].mean() + np.arange(30), atol=1)
    assert len(followed.others) == 1 and followed.others[0].box[0] > 400


def test_losses_and_cuts_make_takes() -> None:
    frames = [[face(200)] for _ in range(80)]
    for i in range(20, 24):  # short: bridged later
        frames[i] = []
    for i in range(60, 76):  # long
        frames[i] = []
    followed = of(frames, [40])
    assert followed.takes() == [(0, 40), (40, 60), (76, 80)]
    assert (~followed.face.detected).sum() == 20


def test_after_a_cut_the_largest_is_chosen_anew() -> None:
    followed = of([[face(100)]] * 20 + [[face(500)]] * 20, [20])
    assert followed.face.detected.all() and not followed.others


def test_sharpness_tells_detail_from_blur() -> None:
    """The same picture blurred more and more, by scipy; light and contrast do not count, one direction is enough."""
    rng = np.random.default_rng(0)
    coarse = scipy.ndimage.zoom(rng.uniform(0, 255, (20, 20)), 15, order=1)
    picture = np.clip(0.6 * coarse + 0.4 * rng.uniform(0, 255, (300, 300)), 0, 255)
    where = face(150, 150, 100)

    def of_gray(gray: np.ndarray) -> float:
        return sharpness(np.repeat(gray.astype(np.uint8)[..., None], 3, 2), where)

    found = [of_gray(scipy.ndimage.gaussian_filter(picture, sigma)) for sigma in (0, 1, 2, 4, 8)]
    assert all(more > less for more, less in itertools.pairwise(found))
    blurred = limit_on("sharpness").warning
    assert blurred is not None and found[0] > 1.5 * blurred and found[-1] < blurred
    assert of_gray(40 + 0.2 * picture) == pytest.approx(found[0], abs=0.05)
    assert of_gray(scipy.ndimage.gaussian_filter1d(picture, 6, axis=1)) < 0.5 * found[0]
    assert of_gray(np.full((300, 300), 90.0)) == 0.0

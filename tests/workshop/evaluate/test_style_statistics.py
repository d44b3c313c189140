"""Whether manners come through: what the comparison finds for generators that follow, ignore or mirror them."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.style_statistics import halves, lip_shapes, mean_face, measure, pieces_of, report

SPEECH = Speech(np.zeros(16000 * 8, np.float32), 16000)


def person(level: float, seconds: float = 4.0, seed: int = 0) -> Motion:
    """Somebody who smiles, opens the mouth and turns the head as far as the level says."""
    rng = np.random.default_rng(seed)
    expression = rng.random((round(25 * seconds), 52)).astype(np.float32) * 0.05
    for name in ("mouthSmileLeft", "mouthSmileRight", "jawOpen"):
        expression[:, INDEX[name]] = level * (1 + rng.random(len(expression)))
    return Motion(expression, CHANNELS, (rng.normal(size=(len(expression), 3)) * level).astype(np.float32), 25.0)


PEOPLE = {f"p{k}": person(0.1 + 0.05 * k, seed=k) for k in range(6)}


def follower(speech: Speech, *, seed: int = 0, style: object = None) -> Motion:
    assert isinstance(style, Motion)
    level = float(style.channel("jawOpen").mean()) / 1.5
    return person(level, speech.duration, seed + 100)


def ignorer(speech: Speech, *, seed: int = 0, style: object = None) -> Motion:
    return person(0.2, speech.duration, seed + 100)


def opposer(speech: Speech, *, seed: int = 0, style: object = None) -> Motion:
    assert isinstance(style, Motion)
    return person(0.5 - float(style.channel("jawOpen").mean()) / 1.5, speech.duration, seed)


def test_a_follower_correlates_and_an_opposer_does_not() -> None:
    wanted = ("mouth_open_mean", "smile_mean", "pitch_std_deg")
    found = measure(follower, PEOPLE, [SPEECH], n_samples=2)
    assert min(found["correlation"][name] for name in wanted) > 0.95
    assert max(measure(opposer, PEOPLE, [SPEECH])["correlation"][name] for name in wanted) < -0.9
    assert abs(found["generated"]["p5"]["smile_mean"] - found["reference"]["p5"]["smile_mean"]) < 0.05
    assert np.isnan(measure(ignorer, PEOPLE, [SPEECH])["correlation"]["smile_mean"])
    assert "6 references" in report(found)


def test_lip_shapes_tell_rounded_stretched_and_uneven_lips_apart() -> None:
    def shown(**weights: float) -> dict[str, float]:
        expression = np.zeros((50, 52), np.float32)
        for name, value in weights.items():
            expression[:, INDEX[name]] = value
        return lip_shapes(Motion(expression, CHANNELS, np.zeros((50, 3), np.float32), 25.0))

    assert set(shown().values()) == {0.0}
    assert shown(mouthPucker=0.3)["pucker_mean"] == pytest.approx(0.3)
    assert shown(mouthFunnel=0.3)["funnel_p95"] == pytest.approx(0.3)
    assert shown(mouthStretchLeft=0.2, mouthStretchRight=0.4)["stretch_p95"] == pytest.approx(0.3)
    left, right = (shown(**{f"mouthLowerDown{side}": 0.3})["mouth_left_right"] for side in ("Left", "Right"))
    assert left == pytest.approx(-right) and left > 0.02
    assert shown(mouthLeft=0.5, mouthSmileLeft=0.2, mouthSmileRight=0.2)["mouth_left_right"] == pytest.approx(0)


def test_pieces_are_as_long_as_the_reference() -> None:
    motion = person(0.2, 10.0)
    assert [len(piece) for piece in pieces_of(motion, 3.0)] == [75, 75, 75]
    assert [len(piece) for piece in pieces_of(motion, 30.0)] == [250]


def test_halves_find_one_another_by_a_telling_style_and_not_by_noise() -> None:
    levels = np.linspace(0, 1, 6)

    def telling(motion: Motion) -> np.ndarray:
        level = float(motion.channel("jawOpen").mean()) * 6
        return np.exp(-((levels * 3 - level) ** 2))

    good = halves(telling, PEOPLE)
    assert good["retrieved"] > 0.9 and good["ranked"] > 0.95 and good["same"] > good["different"] and good["n"] == 12
    rng = np.random.default_rng(0)
    assert halves(lambda motion: rng.normal(size=64), PEOPLE)["retrieved"] < 0.5


def test_the_floor_knows_the_face_and_not_the_camera() -> None:
    names = ("jawOpen", "head_x", "head_y", "head_z")
    space = MotionSpace("anny", 25.0, names, np.zeros(4, np.float32), np.full(4, 0.5, np.float32))
    motion = person(0.2)
    turned = Motion(motion.expression, CHANNELS, motion.head_pose + 0.3, 25.0)
    assert mean_face(motion, space) == pytest.approx([motion.channel("jawOpen").mean() * 2], rel=1e-5)
    np.testing.assert_array_equal(mean_face(turned, space), mean_face(motion, space))

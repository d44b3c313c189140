"""Upper face: blinks as often and as shaped as asked, eyes that agree, lids that follow, brows on accents."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.metrics import blink_frames
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, Accent, Phrase, Prosody
from diffposetalk.workshop.corpus.motion.upper_face import blinks, brows, gaze, smooth_noise, upper_face

FPS = 25.0


def talk(seconds: float, accents=(), phrases=()) -> Prosody:
    """Prosody with given accents (times) and phrases (start, end, rising)."""
    n = round(seconds * RATE_HZ) + 1
    events = tuple(Accent(time, 1.0) for time in accents)
    return Prosody(seconds, np.zeros(n), events, tuple(Phrase(*phrase) for phrase in phrases))


def face(
    seconds: float = 60.0, seed: int = 0, prosody: Prosody | None = None, **manner: float
) -> dict[str, np.ndarray]:
    prosody = prosody or talk(seconds)
    n_frames = round(prosody.duration * FPS)
    return upper_face(prosody, Manner(**manner), np.random.default_rng(seed), n_frames, FPS)


def blink_curve(seconds: float, rate: float, seed: int = 0, fps: float = FPS) -> np.ndarray:
    manner, rng = Manner(blink_rate=rate), np.random.default_rng(seed)
    return blinks(talk(seconds), manner, rng, round(seconds * fps), fps, [])


@pytest.mark.parametrize("rate", [8.0, 20.0, 40.0])
def test_blinks_come_as_often_as_asked(rate):
    rates = [len(blink_frames(blink_curve(300, rate, seed))) / 5 for seed in range(4)]
    assert np.mean(rates) == pytest.approx(rate, rel=0.2)


def test_blinks_are_irregular_but_never_at_once_again():
    between = np.diff(blink_frames(blink_curve(600, 25.0))) / FPS
    assert between.min() >= 0.4
    assert between.std() > 0.35 * between.mean()


def test_lids_fall_faster_than_they_rise():
    """A blink takes less than 0.1 s down and twice that up, and is more than half shut for 0.09 to 0.15 s."""
    curve = blink_curve(300, 12.0, fps=200.0)
    down, up, shut = [], [], []
    for peak in blink_frames(curve):
        around = curve[max(0, peak - 80) : peak + 81]
        if curve[peak] > 0.99 and len(around) == 161 and max(around[0], around[-1]) < 0.05:  # no other blink near
            full = np.flatnonzero(around > 0.99)
            down.append(full[0] - np.flatnonzero(around[: full[0]] < 0.05)[-1])
            up.append(np.flatnonzero(around[full[-1] :] < 0.05)[0])
            shut.append((around > 0.5).sum() / 200)
    assert 0.06 < np.mean(down) / 200 < 0.12
    assert 1.4 < np.mean(up) / np.mean(down) < 3
    assert 0.09 < np.mean(shut) < 0.15


def test_eyes_are_open_most_of_the_time():
    """Drawn speakers blink about 22 times a minute, and their eyes are shut in at most 6 % of the frames."""
    rng = np.random.default_rng(0)
    rates, shut = [], []
    for seed in range(80):
        manner = Manner.sample(rng)
        eyes = upper_face(talk(60), manner, np.random.default_rng(seed), 1500, FPS)
        lid = (eyes["eyeBlinkLeft"] + eyes["eyeBlinkRight"]) / 2
        frames = blink_frames(lid)
        rates.append(len(frames))
        shut.append((lid > 0.5).mean())
        assert (np.diff(frames) >= 0.4 * FPS).all()
        assert np.median(lid[frames]) > 0.9
    assert 19 < np.mean(rates) < 25
    assert np.mean(shut) < 0.05


def test_blinks_gather_at_phrase_ends():
    ends = np.arange(4.0, 240, 4.0)
    prosody = talk(240, phrases=[(end - 3, end, False) for end in ends])
    manner = Manner(blink_rate=15)
    share = []
    for seed in range(4):
        curve = blinks(prosody, manner, np.random.default_rng(seed), 6000, FPS, [])
        times = blink_frames(curve) / FPS
        share.append((np.abs(np.subtract.outer(times, ends)).min(1) < 0.3).mean())
    assert np.mean(share) > 2 * 0.6 / 4  # by chance 0.6 s of every 4 s


def test_both_eyes_look_the_same_way():
    eyes = face(gaze_activity=1.4)
    assert np.array_equal(eyes["eyeLookOutLeft"], eyes["eyeLookInRight"])
    assert np.array_equal(eyes["eyeLookInLeft"], eyes["eyeLookOutRight"])
    for first, second in (("Out", "In"), ("Up", "Down")):
        for side in ("Left", "Right"):
            assert (np.minimum(eyes[f"eyeLook{first}{side}"], eyes[f"eyeLook{second}{side}"]) == 0).all()


def test_eyes_mostly_rest_and_jump_between_rests():
    yaw, pitch, _ = gaze(talk(120), Manner(gaze_activity=0.8), np.random.default_rng(1), 3000, FPS)
    speed = np.abs(np.diff(yaw)) + np.abs(np.diff(pitch))
    assert np.median(speed) < 0.01
    assert speed.max() > 0.1


def test_livelier_eyes_look_farther():
    spread = []
    for level in (0.1, 0.6, 1.4):
        curves = [gaze(talk(60), Manner(gaze_activity=level), np.random.default_rng(s), 1500, FPS)[0] for s in range(4)]
        spread.append(np.mean([curve.std() for curve in curves]))
    assert spread[0] < spread[1] < spread[2]


def test_lids_follow_the_gaze():
    eyes = face(120, gaze_activity=1.2, blink_rate=8)
    open_eyed = eyes["eyeBlinkLeft"] < 0.3
    down, lid = eyes["eyeLookDownLeft"][open_eyed], eyes["eyeBlinkLeft"][open_eyed]
    assert lid[down > 0.2].mean() > lid[down == 0].mean() + 0.03
    up = eyes["eyeLookUpLeft"]
    assert eyes["eyeWideLeft"][open_eyed & (up > 0.15)].mean() > eyes["eyeWideLeft"][open_eyed & (up == 0)].mean()


def test_eye_openness_narrows_and_widens():
    narrow, middle, wide = (face(20, eye_openness=value) for value in (-0.5, 0.0, 0.5))
    assert narrow["eyeSquintLeft"].mean() > middle["eyeSquintLeft"].mean() + 0.1
    assert wide["eyeWideLeft"].mean() > middle["eyeWideLeft"].mean() + 0.1
    assert np.median(narrow["eyeBlinkLeft"]) > np.median(middle["eyeBlinkLeft"])


def test_brows_rise_on_accents_with_activity():
    times = np.arange(2.0, 58, 3.0)
    prosody = talk(60, accents=times)
    rises = []
    for level in (0.0, 0.5, 1.4):
        at = []
        for seed in range(4):
            inner = brows(prosody, Manner(brow_activity=level), np.random.default_rng(seed), 1500, FPS)["browInnerUp"]
            frames = np.round(times * FPS).astype(int)
            at.append((inner[frames + 5] - inner[frames - 8]).mean())
        rises.append(np.mean(at))
    assert abs(rises[0]) < 0.02
    assert rises[0] < rises[1] < rises[2]


def test_brows_rise_at_the_end_of_a_question():
    def end(rising: bool) -> float:
        prosody = talk(4, phrases=[(0.5, 3.0, rising)])
        made = [
            brows(prosody, Manner(), np.random.default_rng(seed), 100, FPS)["browOuterUpLeft"] for seed in range(12)
        ]
        return float(np.mean([curve[75:80].mean() for curve in made]))

    assert end(True) > end(False) + 0.15


def test_brow_posture_and_side():
    low, high = face(20, brow_raise=-0.5), face(20, brow_raise=0.5)
    assert low["browDownLeft"].mean() > 0.4 > high["browDownLeft"].mean()
    assert high["browInnerUp"].mean() > 0.3 > low["browInnerUp"].mean()
    left = face(20, brow_raise=0.5, asymmetry=1.0)
    assert left["browOuterUpLeft"].mean() > 1.3 * left["browOuterUpRight"].mean()


def test_same_generator_same_face():
    first, again, other = face(10, seed=1), face(10, seed=1), face(10, seed=2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_single_frame():
    assert all(curve.shape == (1,) for curve in face(0.04).values())


@pytest.mark.parametrize("time_s", [0.1, 0.5, 1.5])
def test_smooth_noise_has_unit_spread_and_its_own_time(time_s):
    noise = smooth_noise(np.random.default_rng(0), 60000, FPS, time_s)
    assert len(noise) == 60000
    assert noise.std() == pytest.approx(1, abs=0.1)
    lag = round(3 * max(time_s, 0.04) * FPS)
    assert abs((noise[lag:] * noise[:-lag]).mean()) < 0.15
    near = max(1, round(time_s * FPS / 4))
    assert (noise[near:] * noise[:-near]).mean() > 0.6

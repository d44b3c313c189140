"""Head: amplitudes per axis, nods on accents, lowering at phrase ends, life in silence, bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.metrics import head_angular_speed
from diffposetalk.workshop.corpus.motion.head_motion import head_motion
from diffposetalk.workshop.corpus.motion.manner import PRESETS, Manner
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, Accent, Phrase, Prosody

FPS = 25.0
AXES = ("pitch", "yaw", "roll")


def talk(seconds: float, accents=(), phrases=()) -> Prosody:
    """Prosody with given accents (times) and phrases (start, end, rising)."""
    n = round(seconds * RATE_HZ) + 1
    events = tuple(Accent(time, 1.0) for time in accents)
    return Prosody(seconds, np.zeros(n), events, tuple(Phrase(*phrase) for phrase in phrases))


def heads(prosody: Prosody, n: int = 4, **manner: float) -> list[np.ndarray]:
    """``(T, 3)`` head poses of several seeds."""
    n_frames = round(prosody.duration * FPS)
    return [head_motion(prosody, Manner(**manner), np.random.default_rng(k), n_frames, FPS) for k in range(n)]


@pytest.mark.parametrize("axis", range(3))
def test_amplitude_of_an_axis_grows_with_its_parameter_alone(axis):
    name = f"head_{AXES[axis]}"
    low, high = Manner.ranges()[name]
    prosody = talk(30, accents=[5, 12, 20], phrases=[(1, 14, False), (15, 28, False)])
    made = [heads(prosody, **{name: value}) for value in (low, (low + high) / 2, high)]
    spread = [np.mean([pose[:, axis].std() for pose in poses]) for poses in made]
    assert spread[0] < spread[1] < spread[2]
    others = [k for k in range(3) if k != axis]
    for quiet, lively in zip(made[0], made[2]):
        assert np.allclose(quiet[:, others], lively[:, others], atol=1e-6)


def test_spread_is_what_the_manner_says():
    """Posture and sway together have about the asked spread, also without any speech."""
    poses = np.concatenate(heads(talk(120), n=6, head_pitch=0.03, head_yaw=0.05, head_roll=0.02))
    assert poses.std(0) == pytest.approx([0.03, 0.05, 0.02], rel=0.35)


def nod(size: float, lag_s: float = 0.0) -> float:
    """Mean drop of the head from half a second before accents to the accent plus ``lag_s``, radians."""
    times = np.arange(2.0, 58, 2.0)
    prosody = talk(60, accents=times)
    frames = np.round(times * FPS).astype(int)
    drops = [
        (pose[frames + round(lag_s * FPS), 0] - pose[frames - 12, 0]).mean()
        for pose in heads(prosody, n=6, nod_on_accent=size, head_pitch=0.006)
    ]
    return float(np.mean(drops))


def test_nods_grow_with_nod_on_accent():
    drops = [nod(size) for size in (0.0, 0.75, 1.5)]
    assert abs(drops[0]) < 0.005
    assert drops[0] < drops[1] < drops[2]
    assert 0.02 < drops[2] < 0.12


def test_nods_are_lowest_at_the_accent():
    depth = [nod(1.5, lag) for lag in (-0.24, -0.12, 0.04, 0.2, 0.4)]
    assert int(np.argmax(depth)) == 2


def test_the_head_sinks_at_the_end_of_a_statement_and_lifts_at_that_of_a_question():
    def change(rising: bool) -> float:
        prosody = talk(5, phrases=[(0.5, 3.0, rising)])
        poses = heads(prosody, n=24, nod_on_accent=1.5, head_pitch=0.006)
        return float(np.mean([pose[76:82, 0].mean() - pose[56:62, 0].mean() for pose in poses]))

    assert change(False) > 0.01 > -0.005 > change(True)


def test_tilt_is_held():
    for tilt in (-0.14, 0.0, 0.14):
        poses = np.concatenate(heads(talk(60), n=4, head_tilt=tilt, head_roll=0.004))
        assert poses[:, 2].mean() == pytest.approx(tilt, abs=0.004)


def test_quicker_heads_move_faster():
    prosody = talk(60, phrases=[(1, 59, False)])
    speeds = [
        np.mean([head_angular_speed(pose, FPS).mean() for pose in heads(prosody, head_speed=value)])
        for value in (0.5, 1.0, 2.0)
    ]
    assert speeds[0] < speeds[1] < speeds[2]


def test_silence_leaves_the_head_alive():
    """In every stretch of two seconds of silence the head moves, even that of a calm speaker."""
    for name, manner in PRESETS.items():
        pose = head_motion(talk(20), manner, np.random.default_rng(0), 500, FPS)
        for start in range(0, 451, 50):
            assert np.rad2deg(np.ptp(pose[start : start + 50], axis=0).max()) > 0.15, name


def syllables(seconds: float, seed: int) -> Prosody:
    """Three-second phrases of four to five syllables a second, their loudest ones accented, and pauses between them."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE_HZ) + 1) / RATE_HZ
    loudness, accents, phrases, clock = np.zeros(len(time)), [], [], 0.5
    while clock + 3 < seconds:
        phrases.append(Phrase(clock, clock + 3, False))
        last = 0.0
        for peak in np.arange(clock + 0.15, clock + 3, 0.22) + rng.uniform(-0.04, 0.04, 13):
            height = rng.uniform(0.55, 1.0)
            np.maximum(loudness, height * np.exp(-0.5 * ((time - peak) / 0.07) ** 2), out=loudness)
            if height > 0.85 and peak - last > 0.5:
                accents.append(Accent(float(peak), height))
                last = peak
        clock += 3 + rng.uniform(0.4, 1.0)
    return Prosody(seconds, loudness, tuple(accents), tuple(phrases))


def test_drawn_speakers_are_as_quick_as_people():
    """Real heads turn at a median of 8.6 degrees a second (95 %: 20.9); speakers differ, some by far."""
    rng = np.random.default_rng(1)
    middle, fast = [], []
    for seed in range(120):
        speed = np.rad2deg(head_angular_speed(head_motion(syllables(12, seed), Manner.sample(rng), rng, 300, FPS), FPS))
        middle.append(np.median(speed))
        fast.append(np.percentile(speed, 95))
    assert 7.5 < np.mean(middle) < 11
    assert 18 < np.mean(fast) < 27
    assert np.percentile(middle, 10) < 6 < 12 < np.percentile(middle, 90)


def test_presets_differ_in_speed():
    def speed(name: str) -> float:
        pose = head_motion(syllables(60, 1), PRESETS[name], np.random.default_rng(0), 1500, FPS)
        return float(np.median(head_angular_speed(pose, FPS)))

    assert 3 * speed("calm") < speed("neutral") < speed("lively") < speed("expressive-head")


def test_the_head_moves_before_what_is_loud():
    """Over many clips, speed follows loudness best when the head is 0.1 to 0.3 s ahead."""
    lags = range(-10, 11)  # frames by which loudness comes later
    r = []
    for seed in range(30):
        prosody = syllables(30, seed)
        speed = head_angular_speed(head_motion(prosody, Manner(), np.random.default_rng(seed), 750, FPS), FPS)
        middles = (np.arange(749) + 0.5) / FPS
        heard = [np.interp(middles + lag / FPS, np.arange(3001) / RATE_HZ, prosody.loudness) for lag in lags]
        r.append([np.corrcoef(speed, curve)[0, 1] for curve in heard])
    mean = np.mean(r, axis=0)
    assert 0.1 <= lags[int(mean.argmax())] / FPS <= 0.3
    assert mean.max() > 0.15


def test_the_head_does_not_jitter():
    """Nine tenths of the velocity's power lie below 4 Hz, a tenth at least above 2 Hz."""
    pose = head_motion(syllables(120, 0), Manner(), np.random.default_rng(0), 3000, FPS)
    velocity = np.diff(np.rad2deg(pose.astype(float)), axis=0)
    power = (np.abs(np.fft.rfft(velocity, axis=0)) ** 2).sum(1)
    hertz = np.fft.rfftfreq(len(velocity), 1 / FPS)
    assert power[hertz < 4].sum() > 0.9 * power.sum()
    assert power[hertz > 2].sum() > 0.1 * power.sum()


@given(
    st.lists(st.floats(0, 1), min_size=len(Manner.ranges()), max_size=len(Manner.ranges())),
    st.lists(st.floats(0, 8), max_size=12),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_bounds(shares, accents, seed):
    prosody = talk(8, accents=sorted(accents), phrases=[(0.2, 3.5, True), (4.0, 7.9, False)])
    manner = Manner.from_vector(np.array(shares))
    first, again = (head_motion(prosody, manner, np.random.default_rng(seed), 200, FPS) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (200, 3) and first.dtype == np.float32
    assert np.abs(first).max() <= 0.45 + 1e-6
    assert head_angular_speed(first, FPS).max() < 12

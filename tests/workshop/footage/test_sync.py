"""The lag of sound against picture: found where lips follow the sound, unknown where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.errors import InputError
from diffposetalk.metrics.timing.sound_offset import FPS, MAX_LAG, combined_lag, lag_of_curves
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.footage.sync import measure_lag


def lips(n_frames: int, seed: int) -> np.ndarray:
    """A lip gap that changes about as quickly as in speech, metres."""
    noise = np.random.default_rng(seed).standard_normal(n_frames + 40)
    return 0.005 * np.abs(np.convolve(noise, np.hanning(7) / 3, "same"))[20:-20]


def moved(curve: np.ndarray, frames: float) -> np.ndarray:
    """The same curve so many frames later, straight between frames."""
    return np.interp(np.arange(len(curve)) - frames, np.arange(len(curve)), curve)


@pytest.mark.parametrize("late", [-10, -3.5, 0, 0.4, 7, 12.25])
def test_a_lag_is_found_between_frames(late):
    seen = lips(200, 0)
    found = lag_of_curves(seen, moved(seen, late))
    assert found.known
    assert found.seconds == pytest.approx(late / FPS, abs=0.3 / FPS)
    assert len(found.curve) == 2 * MAX_LAG + 1


def test_scale_and_slow_changes_do_not_matter():
    seen = lips(200, 0)
    changed = 3 * moved(seen, 4) + 0.02 * np.sin(np.arange(200) / 40)
    assert lag_of_curves(seen, changed).seconds == pytest.approx(4 / FPS, abs=0.3 / FPS)


def test_lips_of_another_sentence_tell_nothing():
    known = [lag_of_curves(lips(150, seed), lips(150, 1000 + seed)).known for seed in range(40)]
    assert np.mean(known) < 0.15


@pytest.mark.parametrize("n_frames", [0, 20, 49])
def test_short_takes_tell_nothing(n_frames):
    found = lag_of_curves(lips(100, 0)[:n_frames], lips(100, 0)[:n_frames])
    assert (found.known, found.seconds, found.curve) == (False, 0.0, ())


def test_still_lips_tell_nothing():
    assert not lag_of_curves(np.zeros(100), lips(100, 0)).known


def test_takes_together_tell_more_than_one():
    rng = np.random.default_rng(0)
    curves = [lips(75, seed) for seed in range(12)]
    parts = [lag_of_curves(seen, moved(0.55 * seen, 5) + 0.002 * rng.standard_normal(75)) for seen in curves]
    together = combined_lag(parts)
    assert sum(part.known for part in parts) < 4
    assert together.known
    assert together.seconds == pytest.approx(5 / FPS, abs=0.25 / FPS)
    assert together.n_frames == 12 * 75


def test_combining_leaves_out_what_was_not_compared():
    short, long = lag_of_curves(lips(20, 0), lips(20, 0)), lag_of_curves(lips(100, 1), moved(lips(100, 1), 3))
    assert combined_lag([short, long]) == long
    assert combined_lag([short]) == short
    with pytest.raises(InputError, match="no lags"):
        combined_lag([])


@pytest.mark.parametrize("late_s", [-0.32, 0.0, 0.24])
def test_the_models_own_lips_tell_how_late_the_sound_is(talker, sample_path, late_s):
    """Motion generated with another seed stands for a tracked face."""
    sound = Speech.load(sample_path).slice(0, 8)
    motion = talker.generate(sound, seed=77)
    n_late = round(late_s * sound.sample_rate)
    late = np.roll(sound.samples, n_late)
    late[:n_late] = 0 if n_late > 0 else late[:n_late]
    found = measure_lag(motion, Speech(late), talker, n_samples=2)
    assert found.known
    assert found.seconds == pytest.approx(late_s, abs=0.04)


def test_a_head_with_a_jaw_is_judged_by_its_jaw(talker, sample_path):
    sound = Speech.load(sample_path).slice(0, 8)
    seen = talker.generate(sound, seed=77)
    jaw = np.stack([0.3 * seen.channel("jawOpen"), np.zeros(len(seen)), np.zeros(len(seen))], axis=1)
    flame = Motion(np.zeros((len(seen), 2)), ("exp_00", "exp_01"), seen.head_pose, seen.fps, "flame", jaw)
    found = measure_lag(flame, sound, talker, n_samples=2)
    assert found.known
    assert found.seconds == pytest.approx(0, abs=0.06)


def test_real_faces(talker, shared):
    """Lips of a filmed face as an independent tracker saw them, and its sound."""
    from diffposetalk.head import load_head
    from diffposetalk.metrics.lips import mouth_gap
    from diffposetalk.workshop.evaluate.recordings.clips import tracked_clips

    clip = next(clip for clip in tracked_clips(shared) if clip.name == "ls_demo1_video")
    takes = talker.generate_many(clip.speech, 4)
    expected = np.mean([mouth_gap(take, load_head(take.head)) for take in takes], axis=0)
    found = lag_of_curves(clip.aperture, expected)
    assert found.known
    assert abs(found.seconds) <= 0.06

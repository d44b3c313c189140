"""Audio-video offsets of made-up clips whose offsets are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from diffposetalk.metrics.timing.sound_offset import peak
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate import real_lips
from diffposetalk.workshop.evaluate.recordings.clips import FPS, TrackedClip
from diffposetalk.workshop.evaluate.recordings.sound_offset import group_of, shifted, sound_offsets

Phones = list[tuple[str, float, float]]


def made_up_clip(name: str, offset_s: float, seed: int, seconds: float = 6.0) -> tuple[TrackedClip, Phones]:
    """Return vowels of noise between silent closures, and lips that do the same ``offset_s`` later than the sound."""
    rng = np.random.default_rng(seed)
    phones, time = [], 0.3
    while time < seconds - 0.5:
        phones.append(("b", time, time + 0.08))
        time += 0.08 + rng.uniform(0.1, 0.35)
    loudness = rng.uniform(0.4, 1.0, len(phones) + 1)

    def opening(times: np.ndarray) -> np.ndarray:
        """Return how far the mouth is open at some time of the sound."""
        level = loudness[np.searchsorted([start for _, start, _ in phones], times)]
        shut = np.max([np.exp(-(((times - (a + b) / 2) / 0.05) ** 2)) for _, a, b in phones], axis=0)
        return level * (1 - shut)

    sound = rng.normal(size=round(seconds * 16000)) * 0.1 * opening(np.arange(round(seconds * 16000)) / 16000)
    lips = opening(np.arange(round(seconds * FPS)) / FPS - offset_s) + rng.normal(size=round(seconds * FPS)) * 0.02
    return TrackedClip(name, Speech(sound.astype(np.float32)), 0.02 + 0.1 * lips), phones


@pytest.fixture(scope="module")
def clips() -> Iterator[dict[str, tuple[TrackedClip, Phones]]]:
    offsets = {"known_1": 0.0, "known_2": 0.0, "early_1": -0.05, "early_2": -0.05, "late_1": 0.03, "late_2": 0.03}
    yield {name: made_up_clip(name, offset, seed) for seed, (name, offset) in enumerate(offsets.items())}


def test_groups_are_found_by_the_prefix_of_their_names():
    assert [group_of(name) for name in ("grid_bbaf2n", "vr_1", "plain")] == ["grid", "vr", "plain"]


def test_offsets_between_frames_are_found_by_closures_and_by_lag(clips):
    offsets = sound_offsets(
        [clip for clip, _ in clips.values()], {name: clips[name][1] for name in ("known_1", "known_2")}
    )
    for name, offset_s, method in (
        ("known_1", 0.0, "closures"),
        ("early_1", -0.05, "group"),
        ("late_2", 0.03, "group"),
    ):
        assert offsets[name].seconds == pytest.approx(offset_s, abs=0.008), name
        assert offsets[name].method == method
        assert offsets[name].error_s is not None and offsets[name].error_s < 0.02
    assert offsets["early_1"] == offsets["early_2"]


def test_closures_find_an_offset_of_their_own_group(clips):
    early = [clips[name][0] for name in ("early_1", "early_2")]
    offsets = sound_offsets(early, {name: clips[name][1] for name in ("early_1", "early_2")})
    assert offsets["early_1"].seconds == pytest.approx(-0.05, abs=0.008)
    assert "closures" in offsets["early_1"].evidence


def test_without_known_words_offsets_are_relative_to_the_mean(clips):
    offsets = sound_offsets([clip for clip, _ in clips.values()])
    mean = (0.0 - 0.05 + 0.03) / 3
    for name, offset_s in (("known_1", 0.0), ("early_1", -0.05), ("late_1", 0.03)):
        assert offsets[name].seconds == pytest.approx(offset_s - mean, abs=0.012), name


def test_a_clip_that_clearly_differs_from_its_group_keeps_its_own_offset(clips):
    stray, _ = made_up_clip("early_3", -0.15, 9)
    known = {name: clips[name][1] for name in ("known_1", "known_2")}
    offsets = sound_offsets([*(clip for clip, _ in clips.values()), stray], known)
    assert offsets["early_3"].method == "clip" and offsets["early_3"].seconds == pytest.approx(-0.15, abs=0.01)
    assert offsets["early_1"].method == "group" and offsets["early_1"].seconds == pytest.approx(-0.05, abs=0.01)


def test_lips_that_have_nothing_to_do_with_the_sound_get_no_offset(clips):
    still = TrackedClip("still_1", clips["early_1"][0].speech, np.full(150, 0.02))
    known = {name: clips[name][1] for name in ("known_1", "known_2")}
    offsets = sound_offsets([clips["known_1"][0], clips["known_2"][0], still], known)
    assert offsets["still_1"].method == "assumed" and offsets["still_1"].seconds == 0


def test_the_report_gives_r_at_lag_0_and_at_the_offset(clips):
    members = [clip for clip, _ in clips.values()]
    offsets = sound_offsets(members, {name: clips[name][1] for name in ("known_1", "known_2")})
    perfect = {clip.name: made_up_clip(clip.name, 0.0, seed)[0].aperture for seed, clip in enumerate(members)}
    result = real_lips.compare([perfect], members, offsets)
    assert result["per_clip"]["early_1"]["one"]["r_at_offset"] > 0.9 > result["per_clip"]["early_1"]["one"]["r0"]
    assert result["per_group"]["early"]["one"]["r_at_offset"] > 0.9 > result["per_group"]["early"]["one"]["r0"]
    assert result["mean"]["r_at_offset"] > result["mean"]["r0"] + 0.1
    text = real_lips.report(result)
    assert "all early_*" in text and "pooled" in text
    for name in offsets:
        assert any(
            name in line and "ms" in line and ("closures" in line or "group" in line) for line in text.splitlines()
        )


def test_peak_lies_between_samples_and_shifts_keep_a_parabola():
    place, height = peak(-((np.arange(7) - 3.3) ** 2))
    assert place == pytest.approx(3.3) and height == pytest.approx(0)
    curve = np.arange(20.0) ** 2
    assert shifted(curve, 0.5 / FPS)[2:-3] == pytest.approx((np.arange(20) + 0.5)[2:-3] ** 2)
    assert shifted(curve, 0.0) == pytest.approx(curve)

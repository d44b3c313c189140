"""A real clip, where the recordings, MediaPipe and its model file are there."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from PIL import Image

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.media import VideoWriter, audio_blocks, probe, read_frames
from diffposetalk.motion import Motion
from diffposetalk.track.detection import BUNDLED


@pytest.fixture(scope="module")
def landmarker() -> Path:
    pytest.importorskip("mediapipe", reason="needs MediaPipe, which is not installed")
    return BUNDLED


def test_a_clip_is_tracked_as_an_independent_tracker_does(shared: Path, landmarker: Path) -> None:
    from diffposetalk.track import track
    from diffposetalk.workshop.evaluate.tracking import Reference, compare, row

    clip = "grid_id2_vcd_swwp2s"
    ours = track(shared / "clips" / f"{clip}.mpg", landmarker=landmarker)
    found = compare(ours, Reference.load(shared / "tracks" / f"{clip}.npz"))
    assert found["missed"] == []
    assert found["blinks"]["theirs"] == 3
    assert clip in row(clip, found)
    assert ours.quality.coverage == 1.0 and not ours.quality.n_cuts


def test_the_command(
    shared: Path, landmarker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path))  # the bundled model
    clip, out = shared / "clips" / "grid_sbia1a.mpg", tmp_path / "talk.npz"
    words = [
        "track",
        str(clip),
        "-o",
        str(out),
        "--overlay",
        str(tmp_path / "o.mp4"),
        "--identity",
        str(tmp_path / "i.npy"),
    ]
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    motion = Motion.load(out)
    assert told["frames"] == len(motion) == 75 and motion.fps == 25
    assert told["quality"]["error_percent"] < 3
    assert probe(tmp_path / "o.mp4").width == 360
    assert np.load(tmp_path / "i.npy").shape == (40,)


def test_a_part_moves_as_the_whole_does(shared: Path, landmarker: Path, tmp_path: Path) -> None:
    """From 1 s on, with the sound that belongs to it."""
    from diffposetalk.track import track
    from diffposetalk.track.overlay import write_overlay

    clip, out = shared / "clips" / "grid_bbaf2n.mpg", tmp_path / "o.mp4"
    whole, part = track(clip, landmarker=landmarker), track(clip, landmarker=landmarker, start_s=1.0, seconds=1.6)
    assert part.start_s == pytest.approx(1.0, abs=0.021) and len(part.motion) == 40
    first = round(part.start_s * 25)
    for channel in ("jawOpen", "eyeBlinkLeft"):
        one, other = part.motion.channel(channel), whole.motion.channel(channel)[first : first + 40]
        assert np.corrcoef(one, other)[0, 1] > 0.97
    write_overlay(clip, part, out)
    there, here = (np.concatenate(list(audio_blocks(path))) for path in (clip, out))
    there = there[round(part.start_s * 16000) :][: len(here)]
    lag = int(scipy.signal.correlate(here, there).argmax()) - len(there) + 1
    assert len(here) == pytest.approx(1.6 * 16000, abs=1100) and abs(lag) < 0.03 * 16000
    with pytest.raises(InputError, match="start before that"):
        track(clip, landmarker=landmarker, start_s=30.0)


def test_a_small_face_of_a_real_clip(shared: Path, landmarker: Path, tmp_path: Path) -> None:
    """A talking person in a fiftieth of the picture moves as in the clip's own size."""
    from diffposetalk.track import track
    from diffposetalk.track.overlay import View, overlays

    clip, out = shared / "clips" / "grid_brbk7n.mpg", tmp_path / "far.mp4"
    with VideoWriter(out, crf=12) as film:
        for _, frame in read_frames(clip):
            picture = np.full((1080, 1920, 3), 90, np.uint8)
            picture[454 : 454 + 172, 500 : 500 + 216] = Image.fromarray(frame).resize((216, 172))
            film.write(picture)
    far, own = track(out, landmarker=landmarker), track(clip, landmarker=landmarker)
    assert "parts" in far.how and "parts" not in own.how  # the whole picture shows no face
    assert far.quality.coverage > 0.95
    n = min(len(far.motion), len(own.motion))
    for channel in ("jawOpen", "eyeBlinkLeft"):
        assert np.corrcoef(far.motion.channel(channel)[:n], own.motion.channel(channel)[:n])[0, 1] > 0.9
    whole, part = View.of(own), View.of(far)
    assert (whole.left, whole.top, whole.right, whole.bottom, whole.scale) == (0, 0, 360, 288, 1.0)
    assert part.scale > 2 and 454 - 60 < part.top < part.bottom < 454 + 172 + 60
    drawn = next(overlays(out, far))[1]
    assert 600 < max(drawn.shape) <= 722 and not any(side % 2 for side in drawn.shape[:2])
    marks = part.place(far.face.points[0, :, :2])
    assert (marks > 0).all() and (marks < drawn.shape[1::-1]).all() and np.ptp(marks[:, 1]) > 250


def test_a_blurred_clip_is_told(shared: Path, landmarker: Path, tmp_path: Path) -> None:
    """The same frames, and blurred by a tenth of the distance of the eyes: only these are warned of."""
    from diffposetalk.track import track

    clip = shared / "clips" / "grid_brbk7n.mpg"
    frames = [frame for _, frame in read_frames(clip, stop_s=1.59)]
    for sigma, warned in ((0.0, False), (5.0, True)):
        out = tmp_path / f"{sigma}.mp4"
        with VideoWriter(out) as film:
            for frame in frames:
                film.write(scipy.ndimage.gaussian_filter(frame, (sigma, sigma, 0)))
        told = track(out, landmarker=landmarker).quality.warnings
        assert any("blurred" in line for line in told) == warned, told


def test_a_video_is_a_style(
    shared: Path,
    landmarker: Path,
    sample_path: Path,
    bundled_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(landmarker.parent))
    clip, style = shared / "clips" / "grid_sbia1a.mpg", tmp_path / "s.safetensors"
    assert run(["style", str(clip), "-o", str(style)]) == 0
    for name, word in {"read": style, "at_once": clip}.items():
        assert run(["animate", str(sample_path), "--style", str(word), "-o", str(tmp_path / f"{name}.npz")]) == 0
    read, at_once = (Motion.load(tmp_path / f"{name}.npz") for name in ("read", "at_once"))
    np.testing.assert_array_equal(read.expression, at_once.expression)
    assert run(["animate", str(sample_path), "-o", str(tmp_path / "neutral.npz")]) == 0
    assert np.abs(Motion.load(tmp_path / "neutral.npz").expression - read.expression).max() > 0.01
    assert not capsys.readouterr().err.startswith("diffposetalk: unexpected")


def test_pixels_that_are_not_square(shared: Path, tmp_path: Path) -> None:
    """The same clip squeezed to three quarters of its width, with the sample aspect that undoes it: the same motion."""
    import av

    from diffposetalk.track import track
    from diffposetalk.track.overlay import write_overlay

    clip, out = shared / "clips" / "grid_sbia1a.mpg", tmp_path / "squeezed.mp4"
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
        stream.pix_fmt = "yuv420p"
        for number, (_, picture) in enumerate(read_frames(clip)):
            image = Image.fromarray(picture)
            image = image.resize((image.width * 3 // 4 // 2 * 2, image.height))
            if number == 0:
                stream.width, stream.height = image.size
                stream.codec_context.sample_aspect_ratio = Fraction(picture.shape[1], image.width)
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    square, squeezed = track(clip), track(out)
    write_overlay(out, squeezed, tmp_path / "drawn.mp4")
    drawn = probe(tmp_path / "drawn.mp4")
    assert drawn.height == square.face.size[1] and abs((drawn.width or 0) - square.face.size[0]) <= 2
    assert len(square.motion) == len(squeezed.motion)
    assert abs(squeezed.face.size[0] - square.face.size[0]) <= 2
    channels = [square.motion.expression_names.index(name) for name in ("mouthSmileLeft", "browInnerUp", "jawOpen")]
    off = np.abs(square.motion.expression[:, channels].mean(0) - squeezed.motion.expression[:, channels].mean(0))
    assert off.max() < 0.05
    assert np.rad2deg(np.abs(square.motion.head_pose.mean(0) - squeezed.motion.head_pose.mean(0))).max() < 1.0

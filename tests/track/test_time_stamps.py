"""A real clip whose pictures have variable time stamps, or whose pixels are not square: tracked, drawn, made a clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from diffposetalk.media import audio_blocks, probe, read_frames
from diffposetalk.track.overlay import at_even_rate

CLIP = "grid_sbia1a.mpg"
PATCH = (slice(0, 16), slice(0, 16))
"""Corner whose brightness tells the frame's number."""
STEP = 3
"""Brightness of one frame more."""


def copy(clip: Path, out: Path, frames: np.ndarray, squeeze: Fraction = Fraction(1)) -> None:
    """Write some frames of a clip at their own times, with all its sound, and with a number in their corner.

    Args:
        clip: video at 25 frames per second.
        out: where to write.
        frames: numbers of the frames.
        squeeze: sample aspect ratio; the pictures are stored that much narrower.
    """
    sound = np.concatenate(list(audio_blocks(clip)))
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        heard = container.add_stream("aac", rate=16000)
        heard.layout = "mono"
        info = probe(clip)
        assert info.width is not None and info.height is not None
        size = (round(info.width / squeeze) // 2 * 2, info.height)
        stream.width, stream.height = size
        stream.codec_context.sample_aspect_ratio = squeeze
        for number, (_, picture) in enumerate(read_frames(clip)):
            if number not in frames:
                continue
            picture = picture.copy()
            picture[PATCH] = number * STEP
            image = Image.fromarray(picture)
            frame = av.VideoFrame.from_image(image.resize(size))
            frame.pts, frame.time_base = number * 40, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        block = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(heard.encode(block))
        container.mux(heard.encode())


@pytest.fixture(scope="module")
def clip(shared: Path) -> Path:
    pytest.importorskip("mediapipe", reason="needs MediaPipe, which is not installed")
    return shared / "clips" / CLIP


@pytest.fixture(scope="module")
def kept_frames() -> np.ndarray:
    """Two thirds of the frames, and a hole of 0.32 s."""
    kept = np.sort(np.random.default_rng(0).permutation(75)[:52])
    return kept[(kept < 30) | (kept >= 37)]


def test_each_picture_is_shown_until_the_next_is_due() -> None:
    times = (0.0, 0.04, 0.16, 0.17, 0.24)
    pictures = [(time_s, np.full((2, 2, 3), number)) for number, time_s in enumerate(times)]
    shown = [int(picture[0, 0, 0]) for picture in at_even_rate(pictures, 0.0, 25.0)]
    assert shown == [0, 1, 1, 1, 3, 3, 4]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_time_stamps(clip: Path, kept_frames: np.ndarray, tmp_path: Path, suffix: str) -> None:
    """The motion and the overlay follow the time stamps, not the number of pictures."""
    from diffposetalk.track import track
    from diffposetalk.track.overlay import write_overlay

    out = tmp_path / f"variable{suffix}"
    copy(clip, out, kept_frames)
    whole, part = track(clip), track(out)
    n = min(len(whole.motion), len(part.motion))
    assert abs(part.start_s + len(part.motion) / 25 - (kept_frames[-1] + 1) / 25) < 0.05
    first = round(part.start_s * 25)
    near = np.abs(np.arange(n)[:, None] - (kept_frames - first)).min(1) == 0
    ours, theirs = part.motion.channel("jawOpen")[: n - first], whole.motion.channel("jawOpen")[first:n]
    near = near[: n - first]
    correlations = {lag: np.corrcoef(np.roll(ours, -lag)[near], theirs[near])[0, 1] for lag in range(-4, 5)}
    assert correlations[0] > 0.95 and max(correlations, key=correlations.__getitem__) == 0, correlations

    drawn = tmp_path / "drawn.mp4"
    write_overlay(out, part, drawn)
    numbers = [round(float(picture[4:12, 4:12].mean()) / STEP) for _, picture in read_frames(drawn)]
    fps = probe(drawn).fps
    assert fps is not None and len(numbers) == pytest.approx(
        (part.face.times[-1] - part.face.times[0]) * fps + 1, abs=1
    )
    for index, number in enumerate(numbers):
        time_s = part.face.times[0] + index / fps
        assert abs(number - kept_frames[kept_frames <= time_s * 25 + 0.5 * 25 / fps][-1]) <= 1, (index, number)


@pytest.mark.parametrize("kind", ["variable", "squeezed"])
def test_a_data_set_of_such_videos(clip: Path, kept_frames: np.ndarray, tmp_path: Path, kind: str) -> None:
    """The clips that are cut have the same motion as those of the original."""
    from diffposetalk.workshop.footage.cut import cut
    from diffposetalk.workshop.footage.options import CutOptions

    out = tmp_path / "a.mp4"
    if kind == "variable":
        copy(clip, out, kept_frames)
    else:
        copy(clip, out, np.arange(75), Fraction(4, 3))
    options = CutOptions(shortest_s=1.0, correct_lag=False, least_fps=5.0)
    original, copied = cut(clip, options), cut(out, options)
    assert original.clips and len(copied.clips) == len(original.clips), copied.findings
    starts = [
        [finding.start_s for finding in result.findings if finding.kind == "clip"] for result in (original, copied)
    ]
    one, other = original.clips[0].motion, copied.clips[0].motion
    shift = round((starts[1][0] - starts[0][0]) * 25)
    n = min(len(one) - max(shift, 0), len(other))
    one, other = one.slice(max(shift, 0)), other.slice(max(-shift, 0))
    n = min(len(one), len(other))
    assert n > 25
    r = np.corrcoef(one.channel("jawOpen")[:n], other.channel("jawOpen")[:n])[0, 1]
    assert r > 0.9, r
    off = np.abs(one.expression[:n].mean(0) - other.expression[:n].mean(0))
    assert off.max() < 0.08, off.max()
    assert np.rad2deg(np.abs(one.head_pose[:n].mean(0) - other.head_pose[:n].mean(0))).max() < 1.5

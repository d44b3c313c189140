"""Pictures come at their true times, upright, progressive and in square pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.media import probe, read_frames


def disk(width: int, height: int, aspect: float) -> np.ndarray:
    """Return a white disk as a camera stores it whose pixels are `aspect` times as wide as tall."""
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) * aspect) ** 2 + (y - height / 2) ** 2 < (0.3 * min(width * aspect, height)) ** 2
    return (inside[..., None] * np.full(3, 255)).astype(np.uint8)


def write(path: Path, pictures: list[np.ndarray], codec: str = "libx264", aspect: Fraction | None = None,
          times: list[int] | None = None, rotation: int = 0, options: dict[str, str] | None = None) -> Path:  # fmt: skip
    """Write pictures, 25 a second or at multiples of 40 ms."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        if codec == "libx264":
            stream.pix_fmt = "yuv420p"
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if rotation:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot mark a video as turned")
            stream.set_display_rotation(rotation)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times[k] if times else k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def size_of_disk(picture: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(picture[..., 1] > 128)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (256, 144)), (Fraction(16, 15), (205, 144)), (Fraction(10, 11), (192, 158)),
                         (Fraction(1, 1), (192, 144))],
)  # fmt: skip
def test_pixels_are_square(tmp_path: Path, suffix: str, aspect: Fraction, size: tuple[int, int]) -> None:
    path = write(tmp_path / f"a{suffix}", [disk(192, 144, float(aspect))] * 3, aspect=aspect)
    info = probe(path)
    assert (info.width, info.height) == size
    for _, picture in read_frames(path):
        assert picture.shape == (size[1], size[0], 3)
        width, height = size_of_disk(picture)
        assert abs(width - height) <= 2


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_wide_pixels_of_a_turned_video(tmp_path: Path, rotation: int) -> None:
    aspect = Fraction(4, 3)
    path = write(tmp_path / "a.mp4", [disk(192, 144, float(aspect))] * 2, aspect=aspect, rotation=rotation)
    info, (_, picture) = probe(path), next(read_frames(path))
    size = (256, 144) if rotation == 180 else (144, 256)
    assert (info.width, info.height) == size == (picture.shape[1], picture.shape[0])
    width, height = size_of_disk(picture)
    assert abs(width - height) <= 2


def test_a_pixel_that_no_camera_has_is_taken_for_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", [disk(192, 144, 1.0)] * 2, aspect=Fraction(200, 1))
    assert (probe(path).width, next(read_frames(path))[1].shape) == (192, (144, 192, 3))


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9"), ("ts", "libx264")]
)
def test_times_are_true_where_frames_are_missing(tmp_path: Path, suffix: str, codec: str) -> None:
    stamps = [0, 1, 2, 3, 10, 11, 13, 17, 40, 41]
    pictures = [np.full((48, 64, 3), 5 * stamp, np.uint8) for stamp in stamps]
    back = list(read_frames(write(tmp_path / f"a.{suffix}", pictures, codec, times=stamps)))
    assert [time_s for time_s, _ in back] == pytest.approx([stamp / 25 for stamp in stamps], abs=1.1e-3)
    assert [round(float(picture.mean())) for _, picture in back] == pytest.approx(
        [5 * stamp for stamp in stamps], abs=6
    )


def test_interlaced_pictures_have_no_combs(tmp_path: Path) -> None:
    """A bar that moves 8 pixels from one field to the next."""

    def picture(shift: int) -> np.ndarray:
        out = np.full((96, 128, 3), 30, np.uint8)
        out[:, 20 + shift : 50 + shift] = 220
        return out

    woven = []
    for k in range(6):
        frame = picture(16 * k % 64)
        frame[1::2] = picture(16 * k % 64 + 8)[1::2]
        woven.append(frame)
    path = write(tmp_path / "a.mkv", woven, options={"x264-params": "tff=1", "crf": "8"})
    back = list(read_frames(path))
    assert [time_s for time_s, _ in back] == pytest.approx([k / 25 for k in range(6)], abs=1.1e-3)

    def comb(picture: np.ndarray) -> float:
        rows = picture[..., 1].astype(int)
        return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())

    assert np.mean([comb(picture) for _, picture in back]) < 0.35 * np.mean([comb(picture) for picture in woven])

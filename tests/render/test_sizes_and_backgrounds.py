"""Pictures of any size with any background; the duration of rendering is stated."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import outputs, picture
from diffposetalk.errors import UsageError
from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.media import VIDEO_OUTPUTS, probe
from diffposetalk.render import (
    STUDIO,
    TRANSPARENT,
    Background,
    Camera,
    render_frame,
    render_video,
    save_tiles,
)

CAMERA = Camera((0.0, 0.0, 0.0), 1.0)


def plate(width: float = 0.2, height: float = 0.2) -> Mesh:
    """Return a red rectangle that looks at the camera, metres."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * (width / 2, height / 2, 0)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Mesh(corners.astype(np.float32), faces, None, (Material("red", (0.6, 0.02, 0.02)),))


needs_gl = pytest.mark.usefixtures("gl")


def red_box(image: np.ndarray) -> tuple[int, int]:
    """Return width and height of what is red."""
    rows, columns = np.nonzero(image[..., 0].astype(int) - image[..., 1] > 60)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@needs_gl
@pytest.mark.parametrize("size", [(160, 90), (90, 160), (128, 128), (66, 30)])
def test_a_square_stays_square(size: tuple[int, int]) -> None:
    image = render_frame(plate(), size=size, camera=CAMERA)
    assert image.shape == (size[1], size[0], 3)
    width, height = red_box(image)
    assert abs(width - height) <= 1
    assert height == pytest.approx(0.2 / (2 * np.tan(np.deg2rad(12.5))) * size[1], abs=1.5)


@needs_gl
@pytest.mark.parametrize("size", [(128, 128), (256, 144), (90, 160), (60, 200)])
def test_a_portrait_has_the_whole_width_of_the_head(size: tuple[int, int]) -> None:
    image = render_frame(plate(0.2, 0.25), size=size, background=Background.parse("black"))
    width, _ = red_box(image)
    assert 0.2 * size[0] < width < 0.95 * size[0]


@needs_gl
def test_a_transparent_background_has_alpha_and_pure_colours() -> None:
    image = render_frame(plate(), size=96, camera=CAMERA, background=TRANSPARENT)
    opaque = render_frame(plate(), size=96, camera=CAMERA, background=Background.parse("black"))
    assert image.shape == (96, 96, 4)
    assert image[48, 48, 3] == 255 and image[4, 4, 3] == 0
    assert np.abs(image[48, 48, :3].astype(int) - opaque[48, 48]).max() <= 1
    edge = (image[..., 3] > 60) & (image[..., 3] < 200)
    assert edge.any()
    assert np.abs(image[edge][:, :3].astype(int) - image[48, 48, :3]).max() < 40, "colours are not premultiplied"


@needs_gl
@pytest.mark.parametrize(("word", "color"), [("#00b140", (0, 177, 64)), ("white", (255, 255, 255))])
def test_a_colour_is_what_stands_behind(word: str, color: tuple[int, int, int]) -> None:
    image = render_frame(plate(), size=96, camera=CAMERA, background=Background.parse(word))
    assert np.abs(image[:6].astype(int) - color).max() <= 1


def test_words_for_backgrounds() -> None:
    assert Background.parse("studio") is STUDIO and Background.parse("transparent") is TRANSPARENT
    assert Background.parse("#00000080").is_transparent and not Background.parse("red").is_transparent
    with pytest.raises(UsageError, match="background 'reed': give studio, transparent, or a colour"):
        Background.parse("reed")


def test_tiles_may_be_transparent(tmp_path: Path) -> None:
    from PIL import Image

    tiles = [(str(k), np.full((40, 30, 4), 200, np.uint8)) for k in range(3)]
    sheet = np.asarray(Image.open(save_tiles(tiles, tmp_path / "sheet.png", columns=2)))
    assert sheet.shape == (80, 60, 4)
    assert sheet[79, 59, 3] == 0 and sheet[39, 29, 3] == 200


@needs_gl
@pytest.mark.parametrize("ending", VIDEO_OUTPUTS)
def test_videos_of_every_kind(tmp_path: Path, ending: str) -> None:
    mesh, out = plate(), tmp_path / f"a{ending}"
    background = STUDIO if ending == ".mp4" else TRANSPARENT
    render_video(mesh, [np.repeat(mesh.vertices[None], 6, 0)], 25.0, out, size=(96, 54), background=background)
    info = probe(out)
    assert (info.width, info.height) == (96, 54)


def test_what_a_video_cannot_hold_is_refused(tmp_path: Path) -> None:
    mesh = plate()
    with pytest.raises(UsageError, match="width and height must be even, not 96x55"):
        render_video(mesh, [mesh.vertices[None]], 25.0, tmp_path / "x.mp4", size=(96, 55))
    with pytest.raises(UsageError, match=r"cannot be transparent; use \.mov, \.webm, \.gif"):
        render_video(mesh, [mesh.vertices[None]], 25.0, tmp_path / "x.mp4", background=TRANSPARENT)
    assert not list(tmp_path.iterdir())


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    picture.add_arguments(parser)
    return parser.parse_args(words)


def test_sizes_on_the_command_line() -> None:
    assert options().size is None
    assert options("--size", "256").size == (256, 256)
    assert options("--size", "1280x720").size == options("--size", "1280X720").size == (1280, 720)
    for word, message in (
        ("255", "odd"),
        ("640x361", "odd"),
        ("8x64", "between 16 and 4096"),
        ("wide", "whole number"),
    ):
        with pytest.raises(argparse.ArgumentError, match=message):
            options("--size", word)


def test_pictures_are_what_can_be_written() -> None:
    assert set(outputs.PICTURES) == {*VIDEO_OUTPUTS, ".png"}


def test_how_long_a_video_takes_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.1))
    monkeypatch.setattr(picture.time, "monotonic", lambda: float(next(clock)))
    calls: list[float] = []
    with caplog.at_level(logging.INFO, logger="diffposetalk"):
        progress = picture.Estimate(tmp_path / "long.mp4", lambda done, total=None, what=None: calls.append(done))
        for done in range(1, 41):
            progress(done, 6000)
        assert calls == list(range(1, 41))
        assert [record.getMessage() for record in caplog.records] == [
            f"{tmp_path / 'long.mp4'}: 6000 frames at 10 a second: about 10 min"
        ]
        caplog.clear()
        progress = picture.Estimate(tmp_path / "short.mp4", lambda done, total=None, what=None: None)
        for done in range(1, 41):
            progress(done, 60)
        assert not caplog.records

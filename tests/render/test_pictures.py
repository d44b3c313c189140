"""Pictures and video: right place, right colours, same bytes, right files, clear errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.render import (
    Camera,
    Renderer,
    contact_sheet,
    render_frame,
    render_motion,
    render_video,
    save_tiles,
)
from diffposetalk.speech import Speech

SIZE = 96


def _ball(n: int = 24, **changes: object) -> Mesh:
    """A ball of 10 cm with a red upper and a green lower half and a see-through blue belt of two triangles."""
    polar, turn = np.meshgrid(np.linspace(0, np.pi, n), np.linspace(0, 2 * np.pi, 2 * n, endpoint=False), indexing="ij")
    points = 0.1 * np.stack([np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)], -1)
    at = np.arange(n * 2 * n).reshape(n, 2 * n)
    a, b, c, d = at[:-1], at[1:], np.roll(at[1:], -1, 1), np.roll(at[:-1], -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices = points.reshape(-1, 3).astype(np.float32)
    lower = vertices[faces].mean(1)[:, 1] < 0
    fields: dict[str, object] = {
        "vertices": vertices,
        "faces": faces.astype(np.int32),
        "materials": (Material("top", (0.7, 0.05, 0.05)), Material("bottom", (0.05, 0.6, 0.05))),
        "face_material": lower.astype(np.int32),
    }
    return Mesh(**(fields | changes))  # type: ignore[arg-type]


needs_gl = pytest.mark.usefixtures("gl")
CAMERA = Camera((0.0, 0.0, 0.0), 1.0)


@needs_gl
def test_a_ball_is_round_lit_and_coloured() -> None:
    picture = render_frame(_ball(), size=SIZE, camera=CAMERA).astype(int)
    assert picture.shape == (SIZE, SIZE, 3)
    ball = np.abs(picture.max(-1) - picture.min(-1)) > 60  # the backdrop is nearly grey
    rows, columns = np.nonzero(ball)
    radius = np.tan(np.arcsin(0.1)) / np.tan(np.deg2rad(12.5)) * SIZE / 2
    assert abs(np.ptp(rows) / 2 - radius) < 2 and abs(np.ptp(columns) / 2 - radius) < 2
    assert abs(rows.mean() - SIZE / 2) < 2 and abs(columns.mean() - SIZE / 2) < 2
    middle = SIZE // 2
    above, below = picture[middle - 12, middle], picture[middle + 12, middle]
    assert above[0] > 1.5 * above[1] and below[1] > 1.5 * below[0]
    right, left = picture[middle + 5, middle + 20], picture[middle + 5, middle - 20]
    assert right.sum() > left.sum()  # the key light stands to the camera's right


@needs_gl
def test_drawing_twice_gives_the_same_bytes() -> None:
    mesh = _ball()
    with Renderer(mesh, SIZE) as first, Renderer(mesh, SIZE) as second:  # two at work on one thread
        pictures = [first.draw(mesh.vertices), second.draw(mesh.vertices), first.draw(mesh.vertices)]
    assert (pictures[0] == pictures[1]).all() and (pictures[0] == pictures[2]).all()


@needs_gl
def test_vertices_move_the_picture_and_tint_darkens_it() -> None:
    mesh = _ball()
    still = render_frame(mesh, size=SIZE, camera=CAMERA).astype(int)
    moved = render_frame(mesh, mesh.vertices + np.float32([0.05, 0, 0]), size=SIZE, camera=CAMERA).astype(int)
    assert (np.abs(still - moved).max(-1) > 60).mean() > 0.05
    dark = _ball(vertex_color=np.full_like(mesh.vertices, 0.2))
    shaded = render_frame(dark, size=SIZE, camera=CAMERA).astype(int)
    middle = slice(SIZE // 2 - 8, SIZE // 2 + 8)
    assert shaded[middle, middle].mean() < 0.75 * still[middle, middle].mean()


@needs_gl
def test_an_overhang_throws_a_shadow() -> None:
    lid = _ball()
    roof = lid.vertices * np.float32([0.9, 0.05, 0.9]) + np.float32([0.10, 0.12, 0.24])
    both = Mesh(
        np.concatenate([lid.vertices, roof]),
        np.concatenate([lid.faces, lid.faces + len(lid.vertices)]),
        materials=(Material("chalk", (0.5, 0.5, 0.5), specular=0.0),),
    )
    away = np.concatenate([lid.vertices, roof + np.float32([0, 0, -5])])
    lit, shaded = (render_frame(both, v, size=SIZE, camera=CAMERA).astype(int) for v in (away, both.vertices))
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    assert shaded[middle, middle].mean() < 0.8 * lit[middle, middle].mean()


@needs_gl
def test_a_surface_from_behind_is_seen_only_if_it_has_an_inside() -> None:
    square = np.float32([[-0.1, -0.1, 0.1], [0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [-0.1, 0.1, 0.1]])
    away = np.int32([[0, 2, 1], [0, 3, 2]])
    colors = {
        inside: render_frame(
            Mesh(square, away, None, (Material("wall", (0.0, 0.9, 0.0), inside=inside),)), size=SIZE, camera=CAMERA
        )[SIZE // 2, SIZE // 2].astype(int)
        for inside in (None, (0.5, 0.0, 0.0))
    }
    assert np.ptp(colors[None]) < 40, "the grey background"
    assert colors[0.5, 0.0, 0.0].argmax() == 0 and np.ptp(colors[0.5, 0.0, 0.0]) > 80


@needs_gl
def test_texture_is_upright_and_its_fourth_channel_lets_the_rest_through() -> None:
    square = np.float32([[-0.1, -0.1, 0.1], [0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [-0.1, 0.1, 0.1]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    uv = ((square[faces][..., :2] + 0.1) / 0.2).astype(np.float32)
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4] = (255, 0, 0)  # first row on top
    image[4:] = (0, 0, 255)
    plain = Mesh(square, faces, uv, (Material("print", (1, 1, 1), texture=image),))
    picture = render_frame(plain, size=SIZE, camera=CAMERA).astype(int)
    middle = SIZE // 2
    assert picture[middle - 15, middle].argmax() == 0 and picture[middle + 15, middle].argmax() == 2

    veil = np.dstack([image, np.where(np.arange(8)[:, None] < 4, 255, 0) * np.ones(8, int)]).astype(np.uint8)
    backed = Mesh(
        np.concatenate([square, square - np.float32([0, 0, 0.02])]),
        np.concatenate([faces, faces + 4]),
        np.concatenate([uv, uv]),
        (Material("veil", (1, 1, 1), texture=veil), Material("wall", (0.05, 0.6, 0.05))),
        np.int32([0, 0, 1, 1]),
    )
    picture = render_frame(backed, size=SIZE, camera=CAMERA).astype(int)
    assert picture[middle - 15, middle].argmax() == 0 and picture[middle + 15, middle].argmax() == 1


@needs_gl
def test_video_has_size_rate_length_and_sound(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    mesh = _ball()
    turning = np.stack([mesh.vertices + np.float32([0.02 * np.sin(k / 4), 0, 0]) for k in range(60)])
    speech = Speech.from_array(0.1 * np.sin(np.arange(60 * 640) / 8).astype(np.float32), 16000)
    calls: list[tuple[float, float | None]] = []
    path = render_video(
        mesh,
        (turning[:50], turning[50:]),
        25.0,
        tmp_path / "ball.mp4",
        speech,
        SIZE,
        progress=lambda done, total: calls.append((done, total)),
        n_frames=60,
    )
    assert calls[-1] == (60, 60) and len(calls) == 60
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.width, video.height, float(video.average_rate)) == (SIZE, SIZE, 25.0)
        assert audio.codec_context.name == "aac" and audio.codec_context.sample_rate == 16000
        assert abs(float(audio.duration * audio.time_base) - 2.4) < 0.15
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video)]
    assert len(pictures) == 60
    expected = render_frame(mesh, turning[30], size=SIZE).astype(int)
    assert np.abs(pictures[30] - expected).mean() < 6  # half the colour resolution


@needs_gl
def test_a_failure_leaves_no_file_and_comes_out(tmp_path: Path) -> None:
    mesh = _ball()

    def broken():  # type: ignore[no-untyped-def]
        yield mesh.vertices[None]
        raise InputError("no more")

    with pytest.raises(InputError, match="no more"):
        render_video(mesh, broken(), 25.0, tmp_path / "x.mp4", size=SIZE)
    with pytest.raises(DiffPoseTalkError):
        render_video(mesh, [mesh.vertices[None]], 25.0, tmp_path / "missing" / "x.mp4", size=SIZE)
    assert not list(tmp_path.iterdir())


def test_impossible_pictures_are_refused(tmp_path: Path) -> None:
    mesh = _ball()
    with pytest.raises(UsageError, match="even"):
        render_video(mesh, [mesh.vertices[None]], 25.0, tmp_path / "x.mp4", size=95)
    with pytest.raises(UsageError, match="between 16 and"):
        Renderer(mesh, 8)
    with pytest.raises(UsageError, match="distance"):
        Camera((0.0, 0.0, 0.0), 0.0)


def test_without_egl_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    moderngl = pytest.importorskip("moderngl")

    def none(**options: object) -> None:
        raise Exception("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_context", none)
    with pytest.raises(DiffPoseTalkError, match="libegl1 libgl1-mesa-dri") as caught:
        Renderer(_ball(), 32)
    assert "\n" not in str(caught.value) and "libEGL.so not loaded" in str(caught.value)


def test_tiles_are_laid_out_in_rows(tmp_path: Path) -> None:
    from PIL import Image

    tiles = [(f"{k}", np.full((40, 30, 3), 50 * k, np.uint8)) for k in range(5)]
    sheet = np.asarray(Image.open(save_tiles(tiles, tmp_path / "sheet.png", columns=3)))
    assert sheet.shape == (80, 90, 3)
    assert [sheet[39, 29, 0], sheet[39, 89, 0], sheet[79, 59, 0]] == [0, 100, 200]


class TestFreeHead:
    """The bundled head as it comes out of the renderer."""

    @pytest.fixture(scope="class")
    def head(self, gl: None):  # type: ignore[no-untyped-def]
        from diffposetalk.head import load_head

        return load_head("anny")

    def _motion(self, head, n: int = 8, **channels: float):  # type: ignore[no-untyped-def]
        from diffposetalk.motion import Motion

        expression = np.zeros((n, len(head.expression_names)), np.float32)
        for name, value in channels.items():
            expression[:, head.expression_names.index(name)] = value
        return Motion(expression, head.expression_names, np.zeros((n, 3), np.float32), 25.0, head.name)

    def _picture(self, head, **channels: float) -> np.ndarray:  # type: ignore[no-untyped-def]
        vertices = next(iter(head.iter_vertices(self._motion(head, 1, **channels), None)))[0]
        return render_frame(head.mesh(), vertices, size=256).astype(int)

    def test_the_head_stands_in_the_middle_before_the_backdrop(self, head) -> None:  # type: ignore[no-untyped-def]
        picture = self._picture(head)
        warm = picture[..., 0] - picture[..., 2] > 12
        assert 0.15 < warm.mean() < 0.7
        face = np.nonzero(warm[60:190])[1]
        assert abs(face.mean() - 128) < 12
        assert not warm[:8].any() and not warm[:100, :40].any()

    def test_an_open_mouth_is_darker_than_a_closed_one(self, head) -> None:  # type: ignore[no-untyped-def]
        closed, opened = self._picture(head), self._picture(head, jawOpen=0.6)
        change = (closed - opened).mean(-1)
        rows, columns = np.nonzero(change > 60)
        assert len(rows) > 60
        assert abs(columns.mean() - 128) < 8 and 130 < rows.mean() < 215

    def test_lids_cover_the_eyes(self, head) -> None:  # type: ignore[no-untyped-def]
        opened, shut = self._picture(head), self._picture(head, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
        rows, columns = np.nonzero(np.abs(opened - shut).max(-1) > 50)
        assert len(rows) > 60
        assert (np.abs(columns - 128) < 50).all() and np.ptp(rows) < 50

    def test_motion_becomes_video_and_sheet(self, head, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        from PIL import Image

        from diffposetalk.media import probe

        motion = self._motion(head, 10, jawOpen=0.3)
        info = probe(
            render_motion(motion, head, tmp_path / "talk.mp4", Speech.from_array(np.zeros(6400), 16000), size=128)
        )
        assert (info.width, info.height, info.fps, info.audio_codec) == (128, 128, 25.0, "aac")
        sheet = Image.open(contact_sheet(motion, head, tmp_path / "sheet.png", n=6, size=64, columns=3))
        assert sheet.size == (192, 128)

    def test_the_skin_is_as_dark_as_goes_with_the_features(self, head) -> None:  # type: ignore[no-untyped-def]
        light, dark = (head.mesh(head.presets[f"{name}-female"]) for name in ("caucasian", "african"))
        assert max(dark.materials[0].base_color) < 0.6 * min(light.materials[0].base_color)
        theirs = {material.name: material.base_color for material in light.materials}
        same = [each for each in dark.materials[1:] if each.name not in ("brows", "lashes", "bob", "curls")]
        assert len(same) >= 5 and all(material.base_color == theirs[material.name] for material in same)


@needs_gl
def test_opposite_edges_of_a_texture_do_not_mix() -> None:
    square = np.float32([[-0.1, -0.1, 0.1], [0.1, -0.1, 0.1], [0.1, 0.1, 0.1], [-0.1, 0.1, 0.1]])
    faces = np.int32([[0, 1, 2], [0, 2, 3]])
    uv = np.full((2, 3, 2), 0.001, np.float32)  # all of it shows the lower edge
    image = np.full((256, 256, 3), 10, np.uint8)
    image[:128] = 250
    mesh = Mesh(square, faces, uv, (Material("print", (1, 1, 1), specular=0.0, texture=image),))
    assert render_frame(mesh, size=32, camera=CAMERA)[16, 16].max() < 90

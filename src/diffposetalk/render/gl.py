"""Rendering of a mesh with OpenGL, without a window: on a GPU if EGL offers one, else in software by Mesa."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.render.background import STUDIO, Background
from diffposetalk.render.camera import Camera, look_at

KEY_DIRECTION = np.array([0.50, 0.52, 0.69]) / np.linalg.norm([0.50, 0.52, 0.69])
"""Unit vector from the head toward the main light, which is to the right of the camera and above it."""

SHADOW_TEXELS = 256
"""Side of the square shadow map, texels."""

MAX_SIDE = 4096
"""Longest side of a picture, pixels."""


class Renderer:
    """Draws one mesh in many frames; all data that do not change between frames stay on the graphics device.

    Use it in a `with` statement, from one thread.

    Example:
        >>> with Renderer(mesh, size=512) as renderer:
        ...     picture = renderer.draw(vertices)
    """

    def __init__(
        self,
        mesh: Mesh,
        size: int | tuple[int, int] = 512,
        camera: Camera | None = None,
        oversize: float = 1.5,
        background: Background = STUDIO,
    ) -> None:
        """Compile the shaders and upload the data that do not change.

        Args:
            mesh: triangles, materials and rest shape.
            size: side of a square picture, or ``(width, height)``, pixels.
            camera: the camera; default: a portrait of the rest shape from the front.
            oversize: the picture is drawn larger by this factor and reduced, for smooth edges (in software as good as
                multisampling, at half the cost).
            background: background of the picture.

        Raises:
            UsageError: a size that is not between 16 and 4096 pixels.
            DiffPoseTalkError: OpenGL is not available.
        """
        self.width, self.height = (size, size) if isinstance(size, int) else size
        if not (16 <= self.width <= MAX_SIDE and 16 <= self.height <= MAX_SIDE):
            raise UsageError(f"picture size {self.width}x{self.height} must lie between 16 and {MAX_SIDE} pixels")
        self.camera = camera or Camera.portrait(mesh.vertices, aspect=self.width / self.height)
        self._background = background
        self._n_channels = 4 if background.is_transparent else 3
        self._surface = _Surface(mesh)
        self._context = _context()
        with self._context:
            self._upload(mesh, max(1.0, oversize))

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the graphics device's memory; the renderer cannot be used afterwards."""
        self._context.release()  # frees all objects; their own release could act on another context

    @property
    def device(self) -> str:
        """Name of the graphics device, such as `llvmpipe (...)` or a GPU's name."""
        return str(self._context.info["GL_RENDERER"])

    def draw(self, vertices: np.ndarray) -> np.ndarray:
        """Draw the mesh at given vertex positions.

        Args:
            vertices: ``(V, 3)`` metres.

        Returns:
            ``(height, width, 3)`` uint8 sRGB, first row on top; with a transparent background ``(height, width, 4)``, alpha
            not premultiplied.
        """
        with self._context:  # another renderer may have used this thread
            return self._draw(self._surface.interleaved(vertices))

    def _draw(self, points: np.ndarray) -> np.ndarray:
        context, moderngl = self._context, self._moderngl
        self._moving.write(points)
        context.enable(moderngl.DEPTH_TEST)
        context.disable(moderngl.CULL_FACE)
        self._shadow.use()
        self._shadow.clear(1.0, 1.0, depth=1.0)
        for part in self._parts:
            if part["casts"]:
                part["depth"].render(first=part["first"], vertices=part["count"])
        context.disable(moderngl.DEPTH_TEST)
        for target, source, stride in self._blurs:
            target.use()
            source.use(0)
            self._blur.program["stride"].value = stride
            self._blur.render(vertices=3)

        context.enable(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        self._screen.use()
        self._screen.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self._shadow_map.use(0)
        for part in self._parts:
            for name, value in part["look"].items():
                self._program[name].value = value
            if part["texture"] is not None:
                part["texture"].use(1)
            if part["blended"]:
                context.enable(moderngl.BLEND)
            self._screen.depth_mask = not part["blended"]
            if part["hollow"]:
                context.disable(moderngl.CULL_FACE)
            part["array"].render(first=part["first"], vertices=part["count"])
            if part["hollow"]:
                context.enable(moderngl.CULL_FACE)
            if part["blended"]:
                context.disable(moderngl.BLEND)
        self._screen.depth_mask = True
        context.disable(moderngl.DEPTH_TEST)
        self._resolved.use()
        self._drawn.use(0)
        self._finish.render(vertices=3)
        self._resolved.read_into(self._pixels, components=self._n_channels, alignment=1)
        rows = np.frombuffer(self._pixels, np.uint8).reshape(self.height, self.width, self._n_channels)
        return np.ascontiguousarray(rows[::-1])

    def _upload(self, mesh: Mesh, oversize: float) -> None:
        import moderngl

        self._moderngl = moderngl
        context, surface = self._context, self._surface
        context.gc_mode = None
        self._program = program = context.program(_source("surface.vert"), _source("surface.frag"))
        depth = context.program(_source("depth.vert"), _source("depth.frag"))
        self._blur = context.vertex_array(context.program(_source("screen.vert"), _source("blur.frag")), [])
        self._moving = context.buffer(reserve=surface.n_points * 24, dynamic=True)
        still = context.buffer(surface.still.tobytes())
        index = context.buffer(surface.triangles.tobytes())
        per_frame = (self._moving, "3f 3f", "in_position", "in_normal")
        array = context.vertex_array(program, [per_frame, (still, "2f 3f", "in_uv", "in_tint")], index)
        shade = context.vertex_array(depth, [(self._moving, "3f 12x", "in_position")], index)
        self._parts = [self._part(material, first, count, array, shade) for material, first, count in surface.parts]
        self._parts.sort(key=lambda part: part["blended"])
        color = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        context.blend_func = *color, moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA

        large = (round(self.width * oversize), round(self.height * oversize))
        self._drawn = context.texture(large, 4)
        self._drawn.repeat_x = self._drawn.repeat_y = False
        self._screen = context.framebuffer(self._drawn, context.depth_renderbuffer(large))
        self._resolved = context.framebuffer(context.renderbuffer((self.width, self.height), 4))
        finish = context.program(_source("screen.vert"), _source("finish.frag"))
        finish["center_color"].value, finish["edge_color"].value = self._background.center, self._background.edge
        finish["opacity"].value = self._background.opacity
        finish["reach"].value = (0.25 / self.width, 0.25 / self.height)
        self._finish = context.vertex_array(finish, [])
        self._pixels = bytearray(self.width * self.height * self._n_channels)
        # The blurred shadow map is smooth, so it is halved between the passes: a third of the lookups.
        sides = (SHADOW_TEXELS, SHADOW_TEXELS), (SHADOW_TEXELS // 2, SHADOW_TEXELS), (SHADOW_TEXELS // 2,) * 2
        depths, half_way, self._shadow_map = (context.texture(side, 2, dtype="f4") for side in sides)
        for texture in (depths, half_way, self._shadow_map):
            texture.repeat_x = texture.repeat_y = False
        self._shadow = context.framebuffer(depths, context.depth_renderbuffer(sides[0]))
        across, down = (1 / SHADOW_TEXELS, 0.0), (0.0, 1 / SHADOW_TEXELS)
        self._blurs = [
            (context.framebuffer(half_way), depths, across),
            (context.framebuffer(self._shadow_map), half_way, down),
        ]

        lit = _light_projection(mesh.vertices, self.camera)
        view = self.camera.view_projection(self.width / self.height)
        program["view_projection"].write(view.T.astype("f4").tobytes())
        for shader in (program, depth):
            shader["shadow_projection"].write(lit.T.astype("f4").tobytes())
        program["eye_position"].value = tuple(self.camera.position)
        program["key_direction"].value = tuple(KEY_DIRECTION)
        program["shadow_map"].value, program["base_texture"].value = 0, 1

    def _part(self, material: Material, first: int, count: int, array: Any, shade: Any) -> dict[str, Any]:
        texture, blended = None, False
        if material.texture is not None:
            height, width, n_channels = material.texture.shape
            rows = np.ascontiguousarray(material.texture[::-1])
            internal = 0x8C41 if n_channels == 3 else 0x8C43  # GL_SRGB8, GL_SRGB8_ALPHA8
            texture = self._context.texture(
                (width, height), n_channels, rows.tobytes(), alignment=1, internal_format=internal
            )
            texture.build_mipmaps()
            uv = self._surface.still[self._surface.triangles[first : first + count], :2]
            inside = (uv.min(0) >= 0) & (uv.max(0) <= 1)  # then opposite edges must not mix
            texture.repeat_x, texture.repeat_y = (not bool(is_inside) for is_inside in inside)
            texture.filter = self._moderngl.LINEAR_MIPMAP_NEAREST, self._moderngl.LINEAR
            blended = n_channels == 4
        look = {
            "base_color": tuple(material.base_color),
            "roughness": material.roughness,
            "specular": material.specular,
            "subsurface": material.subsurface,
            "textured": texture is not None,
            "inside": tuple(material.inside or (0.0, 0.0, 0.0)),
        }
        return {
            "look": look, "texture": texture, "blended": blended, "casts": not blended, "hollow": material.inside is not None,
            "array": array, "depth": shade, "first": first, "count": count,
        }  # fmt: skip


class _Surface:
    """Vertex data of a mesh for OpenGL; vertices are split at texture seams and between materials."""

    def __init__(self, mesh: Mesh) -> None:
        faces = np.asarray(mesh.faces, np.int64)
        material = np.zeros(len(faces), np.int64) if mesh.face_material is None else np.asarray(mesh.face_material)
        order = np.argsort(material, kind="stable")
        faces, material = faces[order], material[order]
        uv = np.zeros((len(faces), 3, 2), np.float32) if mesh.uv is None else np.asarray(mesh.uv)[order]
        tint = np.ones_like(mesh.vertices) if mesh.vertex_color is None else mesh.vertex_color

        corners = np.column_stack([faces.reshape(-1), np.round(uv.reshape(-1, 2) * 65536)]).astype(np.int64)
        _, corner, inverse = np.unique(corners, axis=0, return_index=True, return_inverse=True)
        self.point_vertex = faces.reshape(-1)[corner]
        self.n_points = len(corner)
        self.triangles = inverse.reshape(-1).astype(np.int32)
        self.still = np.column_stack([uv.reshape(-1, 2)[corner], tint[self.point_vertex]]).astype(np.float32)
        materials = mesh.materials or (Material("surface", (0.6, 0.6, 0.6)),)
        self.parts = []
        for k, one in enumerate(materials):
            first, last = np.searchsorted(material, [k, k + 1])
            if last > first:
                self.parts.append((one, 3 * int(first), 3 * int(last - first)))

        self._faces = faces
        flat = faces.reshape(-1)
        by_vertex = np.argsort(flat, kind="stable")
        self._vertices, self._starts = np.unique(flat[by_vertex], return_index=True)
        self._face_of = by_vertex // 3
        self._normals = np.zeros((len(mesh.vertices), 3), np.float32)

    def interleaved(self, vertices: np.ndarray) -> np.ndarray:
        """Return ``(points, 6)`` float32: position and unit normal (mean over the faces, weighted by area)."""
        vertices = np.asarray(vertices, np.float32)
        a, b, c = (vertices[self._faces[:, k]] for k in range(3))
        across = _cross(b - a, c - a)
        self._normals[self._vertices] = np.add.reduceat(across[self._face_of], self._starts, axis=0)
        lengths = np.sqrt(np.einsum("vi,vi->v", self._normals, self._normals))[:, None]
        normals = self._normals / np.maximum(lengths, 1e-20)
        points = np.empty((self.n_points, 6), np.float32)
        points[:, :3] = vertices[self.point_vertex]
        points[:, 3:] = normals[self.point_vertex]
        return points


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty_like(a)  # several times faster than np.cross
    out[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    out[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
    out[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return out


def _light_projection(vertices: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the ``(4, 4)`` parallel projection along the main light, as wide as the view of the camera."""
    middle = (vertices.min(0) + vertices.max(0)) / 2
    whole = 1.25 * float(np.linalg.norm(vertices - middle, axis=1).max())  # room for the head to move
    visible = max(0.2, 1.5 * camera.distance * np.tan(camera.field_of_view / 2))
    if visible < whole:
        middle, whole = np.asarray(camera.target), visible
    projection = np.diag([1 / whole, 1 / whole, -1 / (2 * whole), 1.0])
    projection[2, 3] = -1.0
    return projection @ look_at(middle + 2 * whole * KEY_DIRECTION, middle)


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _context() -> Any:
    try:
        import moderngl
    except ImportError as error:
        raise DiffPoseTalkError(f"rendering needs the moderngl package, which cannot be loaded: {error}") from None
    failure: Exception | None = None
    tries: tuple[dict[str, Any], ...] = (
        {},
        {"device_index": 1},
        {"libgl": "libGL.so.1", "libegl": "libEGL.so.1"},
    )
    for options in tries:
        try:
            return moderngl.create_context(require=330, standalone=True, **{"backend": "egl", **options})
        except Exception as error:  # moderngl raises bare Exception
            failure = failure or error
    raise DiffPoseTalkError(
        f"cannot draw: no OpenGL through EGL ({failure}); install the packages libegl1 and libgl1-mesa-dri "
        "(Debian, Ubuntu: apt install libegl1 libgl1-mesa-dri)"
    )

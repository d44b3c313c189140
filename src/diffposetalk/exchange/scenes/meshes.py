"""Baked vertices: a folder of numbered OBJ or PLY files, or a PC2 point cache. Frames are computed and written one by one.

The files are large: ten minutes of the free head take 2 GB as PC2, 6 GB as PLY, 14 GB as OBJ. GLB and USD hold the same
motion in a few megabytes.
"""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.exchange.companions import write_sound
from diffposetalk.exchange.scenes.look import Part, has_holes, parts_of, picture_of, srgb_bytes, vertex_colors
from diffposetalk.exchange.scenes.rig import check_fits
from diffposetalk.geometry.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from diffposetalk.exchange.options import Scene
    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion

PC2_MAGIC = b"POINTCACHE2\x00"
"""First bytes of a point cache."""
FRAME = "frame_{:05d}"
"""File names of a sequence; the first number is 1, as in animation programs."""


def write_obj(motion: Motion, path: Path, scene: Scene) -> None:
    """Fill the folder `path` with `frame_00001.obj` and so on, materials, textures, sound and `sequence.json`.

    Raises:
        InputError: no frames, or not enough room on the disk.
        ModelError: the motion does not fit the head.
    """
    baked = _Baked.of(motion, scene)
    before, after = _obj_frame(baked.mesh, "head.mtl")
    _check_room(path, len(motion) * (len(before) + len(_vertex_lines(next(baked.frames()))) + len(after)))
    _write_materials(baked.mesh, path / "head.mtl", path)
    _write_sequence(baked, path, ".obj", lambda vertices: before + _vertex_lines(vertices) + after)


def write_ply(motion: Motion, path: Path, scene: Scene) -> None:
    """Fill the folder `path` with `frame_00001.ply` and so on (binary, coloured vertices), sound and `sequence.json`.

    Raises:
        InputError: no frames, or not enough room on the disk.
        ModelError: the motion does not fit the head.
    """
    baked = _Baked.of(motion, scene)
    mesh = baked.mesh
    n_vertices, n_faces = len(mesh.vertices), len(mesh.faces)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment metres, Y up\n"
        f"element vertex {n_vertices}\nproperty float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {n_faces}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    rows = np.zeros(n_vertices, np.dtype([("place", "<f4", 3), ("color", "u1", 3)]))
    rows["color"] = srgb_bytes(vertex_colors(mesh))
    triangles = np.zeros(n_faces, np.dtype([("n", "u1"), ("corners", "<i4", 3)]))
    triangles["n"], triangles["corners"] = 3, mesh.faces
    tail = triangles.tobytes()
    _check_room(path, len(motion) * (len(header) + rows.nbytes + len(tail)))

    def encoded(vertices: np.ndarray) -> bytes:
        rows["place"] = vertices
        return header + rows.tobytes() + tail

    _write_sequence(baked, path, ".ply", encoded)


def write_pc2(motion: Motion, path: Path, scene: Scene) -> None:
    """Write a point cache, and beside it `NAME_rest.obj`, whose points it moves, with materials, textures and sound.

    Raises:
        InputError: no frames, or not enough room on the disk.
        ModelError: the motion does not fit the head.
    """
    baked = _Baked.of(motion, scene)
    mesh = baked.mesh
    _check_room(path.parent, len(motion) * mesh.vertices.size * 4)
    materials = path.with_name(f"{path.stem}_rest.mtl")
    before, after = _obj_frame(mesh, materials.name)
    rest = before + _vertex_lines(mesh.vertices) + after
    path.with_name(f"{path.stem}_rest.obj").write_bytes(rest)
    _write_materials(mesh, materials, path.with_name(f"{path.stem}_textures"))
    write_sound(scene.speech, path)
    with path.open("wb") as file:
        # version, points, number of the first frame, frames a sample, samples
        file.write(PC2_MAGIC + struct.pack("<iiffi", 1, len(mesh.vertices), 0.0, 1.0, len(motion)))
        for vertices in baked.frames():
            file.write(np.ascontiguousarray(vertices, "<f4").tobytes())


@dataclass(frozen=True)
class _Baked:
    """The drawn vertices of a moving head. Vertices without triangles are left out, because Blender's OBJ importer drops them:
    with them, a point cache would not fit the imported mesh."""

    motion: Motion
    scene: Scene
    head: HeadModel
    mesh: Mesh
    """At rest."""
    drawn: np.ndarray
    """``(V,)`` numbers of its vertices on the head."""

    @staticmethod
    def of(motion: Motion, scene: Scene) -> _Baked:
        """Check that the motion fits the head, and return what is drawn."""
        head = scene.head_of(motion)
        check_fits(head, motion, scene.identity)
        return _Baked(motion, scene, head, *head.mesh(scene.identity).without_loose_vertices())

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the vertices of each frame, ``(V, 3)`` metres."""
        for chunk in self.head.iter_vertices(self.motion, self.scene.identity):
            yield from chunk[:, self.drawn]


def _write_sequence(baked: _Baked, folder: Path, suffix: str, encoded: Callable[[np.ndarray], bytes]) -> None:
    """Write one file for each frame, then `sequence.json`; `encoded` turns vertices ``(V, 3)`` into a file."""
    for number, vertices in enumerate(baked.frames(), 1):
        (folder / f"{FRAME.format(number)}{suffix}").write_bytes(encoded(vertices))
    _write_notes(baked.motion, folder, baked.scene, suffix)


def _check_room(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise InputError(
            f"the sequence takes {n_bytes / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB left; "
            "a .glb or .usdz holds the same motion in a few megabytes"
        )


def _vertex_lines(vertices: np.ndarray) -> bytes:
    """Return vertices ``(V, 3)`` as lines of an OBJ file, rounded to micrometres."""
    return (b"v %.6f %.6f %.6f\n" * len(vertices)) % tuple(np.asarray(vertices, np.float64).reshape(-1).tolist())


def _obj_frame(mesh: Mesh, materials: str) -> tuple[bytes, bytes]:
    """Return the text before and after the vertices in every OBJ file."""
    before = f"# metres, Y up\nmtllib {materials}\no head\n"
    lines: list[str] = []
    if mesh.uv is not None:
        points, place = np.unique(np.round(mesh.uv.reshape(-1, 2), 6), axis=0, return_inverse=True)
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in points.tolist()]
        place = place.reshape(-1, 3) + 1
    for part in parts_of(mesh):
        if part.flipped:
            continue
        lines.append(f"usemtl {part.material.name}")
        corners = part.triangles(mesh) + 1
        if mesh.uv is None:
            lines += [f"f {a} {b} {c}" for a, b, c in corners.tolist()]
        else:
            both = np.stack([corners, place[part.faces]], -1).reshape(-1, 6)
            lines += ["f {}/{} {}/{} {}/{}".format(*row) for row in both.tolist()]
    return before.encode(), ("\n".join(lines) + "\n").encode()


def _write_materials(mesh: Mesh, path: Path, textures: Path) -> None:
    """Write an MTL file and its textures; it names them by relative paths."""
    lines: list[str] = []
    for part in parts_of(mesh):
        if part.flipped:
            continue
        lines += _material_lines(part, path, textures)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _material_lines(part: Part, path: Path, textures: Path) -> list[str]:
    look = part.material
    red, green, blue = look.base_color
    lines = [f"newmtl {look.name}", f"Kd {red:.4f} {green:.4f} {blue:.4f}", "Ks 0.04 0.04 0.04"]
    lines.append(f"Ns {2 / max(look.roughness, 0.05) ** 4 - 2:.1f}")  # Blinn-Phong's exponent of that roughness
    if look.texture is not None:
        data, suffix = picture_of(look.texture)
        textures.mkdir(exist_ok=True)
        picture = textures / f"{look.name}{suffix}"
        picture.write_bytes(data)
        name = picture.relative_to(path.parent).as_posix()
        lines.append(f"map_Kd {name}")
        if has_holes(look):
            lines.append(f"map_d -imfchan m {name}")
    return [*lines, ""]


def _write_notes(motion: Motion, folder: Path, scene: Scene, suffix: str) -> None:
    """Write `sequence.json`: frame rate, number of frames, name of the first file, sound file."""
    sound = write_sound(scene.speech, folder / "head")
    notes = {
        "head": motion.head,
        "fps": motion.fps,
        "frames": len(motion),
        "first": FRAME.format(1) + suffix,
        "sound": sound,
        "unit": "metre",
        "up": "Y",
    }
    (folder / "sequence.json").write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")

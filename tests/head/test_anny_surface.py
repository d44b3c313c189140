"""The free head: its surface, materials and landmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from diffposetalk.head.anny.head import AnnyHead

MM = 1e3
Face = Callable[..., np.ndarray]


def test_mesh_faces_outward(anny: AnnyHead) -> None:
    mesh = anny.mesh()
    assert mesh.face_material is not None and mesh.uv is not None and mesh.vertex_color is not None
    assert mesh.uv.shape == (len(mesh.faces), 3, 2)
    names = [material.name for material in mesh.materials]
    assert {"skin", "eye", "teeth", "tongue", "mouth", "brows", "lashes"} <= set(names)
    for name in ("eye", "teeth"):
        part = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_material == names.index(name)], process=False)
        pieces = part.split(only_watertight=False)
        assert len(pieces) == (2 if name == "eye" else 28)
        assert all(piece.volume > 0 for piece in pieces), f"{name} is inside out"
    skin = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_material == names.index("skin")], process=False)
    skull = skin.triangles_center[:, 1] > 0.03
    outward = ((skin.triangles_center - [0, 0, -0.07]) * skin.face_normals).sum(1)
    assert (outward[skull] > 0).all()
    nose = mesh.vertices[np.argmax(np.where(np.abs(mesh.vertices[:, 0]) < 0.02, mesh.vertices[:, 2], -1))]
    assert abs(nose[0]) < 0.002 and -0.06 < nose[1] < -0.02
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([0.37, 0.36, 0.24], abs=0.03)


def test_iris_and_pupil_are_painted(anny: AnnyHead) -> None:
    mesh = anny.mesh()
    eye = next(material for material in mesh.materials if material.name == "eye")
    assert eye.texture is not None
    size = eye.texture.shape[0]
    row = eye.texture[size // 2].astype(int).sum(1)
    at = {deg: row[int(size * (0.5 + deg / 360))] for deg in (0, 15, 35)}
    assert at[0] < 60 < at[15] < 400 < at[35]


def test_landmarks_lie_where_mediapipe_has_them(anny: AnnyHead, face: Face) -> None:
    import torch

    vertices = anny.vertices(face())
    points = anny.landmarks.of(vertices)
    assert points.shape == (478, 3)
    np.testing.assert_allclose(anny.landmarks.shares.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(anny.landmarks.of(torch.tensor(vertices)).numpy(), points, atol=1e-6)
    assert points[263, 0] > 0.03 > -0.03 > points[33, 0], "outer corners of the left and right eye"
    assert points[291, 0] > 0.015 and points[61, 0] < -0.015, "corners of the mouth"
    assert points[10, 1] > 0.04 > points[1, 1] > points[13, 1] > points[152, 1], "forehead, nose, lips, chin"
    assert MM * np.linalg.norm(points[13] - points[14]) < 3
    np.testing.assert_allclose(points[[468, 473], 2], 0.0154, atol=5e-4)
    opened = anny.landmarks.of(anny.vertices(face(jawOpen=0.5)), np.array([13, 14]))
    assert 15 < MM * (opened[0] - opened[1])[1] < 22

"""Hair of the free head: it fits everybody, is lit from all sides, and has the colour that goes with the features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.geometry.mesh import Mesh
from diffposetalk.head.anny import colour, texture
from diffposetalk.head.anny.files import BUNDLED
from diffposetalk.head.anny.hair import BOB_COLUMNS, BOB_ROWS, CURLS_COLUMNS, CURLS_ROWS
from diffposetalk.head.anny.hairdo import OF_FACES, OF_VERTICES, bald, dressed
from diffposetalk.head.anny.head import MATERIALS, AnnyHead

KINDS = ("bob", "curls")


def triangles(mesh: Mesh, kind: str) -> np.ndarray:
    assert mesh.face_material is not None
    return mesh.faces[mesh.face_material == [m.name for m in MATERIALS].index(kind)]


def cells(rows: tuple[float, ...], columns: tuple[int, ...]) -> int:
    """Return how many triangles the outer surface has; they come first."""
    return 2 * len(columns) * (2 * len(rows) - 1)


def cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def wearers(anny: AnnyHead, kind: str, n: int = 40) -> list[Mesh]:
    people = [anny.draw_identity(seed) for seed in range(300)]
    return [anny.mesh(person) for person in people if anny.hair(person) == kind][:n]


def test_hair_can_be_made_anew_and_nothing_else_changes(anny: AnnyHead) -> None:
    plain = bald(anny.data)
    again = dressed(plain)
    assert set(again) == set(anny.data)
    for name, array in anny.data.items():
        assert again[name].dtype == array.dtype and again[name].shape == array.shape, name
        if array.dtype.kind == "f":
            np.testing.assert_allclose(again[name], array, atol=2e-3 if name == "tint" else 2e-6, err_msg=name)
        elif not name.startswith("texture_"):
            np.testing.assert_array_equal(again[name], array, name)
    n_plain, f_plain = len(plain["vertices"]), len(plain["faces"])
    for name, array in plain.items():
        if name in OF_VERTICES:
            np.testing.assert_array_equal(np.take(again[name], np.arange(n_plain), OF_VERTICES[name]), array, name)
        elif name in OF_FACES:
            np.testing.assert_array_equal(again[name][:f_plain], array, name)
        elif name != "parts":
            np.testing.assert_array_equal(again[name], array, name)
    assert BUNDLED.stat().st_size < 6e6


def test_bob_covers_everybodys_ears(anny: AnnyHead) -> None:
    for mesh in wearers(anny, "bob"):
        outer = mesh.vertices[triangles(mesh, "bob")[: cells(BOB_ROWS, BOB_COLUMNS)]]
        skin = mesh.vertices[anny.regions["skin"]]
        ears = skin[(np.abs(skin[:, 1]) < 0.03) & (skin[:, 2] < -0.04) & (np.abs(skin[:, 0]) > 0.065)]
        assert len(ears) > 50
        for point in ears:
            sideways = outer[np.sign(outer[:, :, 0]).sum(1) == 3 * np.sign(point[0])]
            (a, b, c), at = (sideways[:, k, 1:] for k in range(3)), point[1:]
            area = cross(b - a, c - a)
            shares = np.stack([cross(c - b, at - b), cross(a - c, at - c), cross(b - a, at - a)], 1) / area[:, None]
            hit = (shares >= -1e-6).all(1)
            assert hit.any(), "an ear is uncovered"
            surface = (np.abs(sideways[hit, :, 0]) * shares[hit]).sum(1).max()
            assert surface > abs(point[0]), "an ear sticks out of the hair"


def test_bob_has_an_inside_where_it_hangs(anny: AnnyHead) -> None:
    mesh = wearers(anny, "bob", 1)[0]
    faces = triangles(mesh, "bob")
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    known = {tuple(edge) for edge in edges.tolist()}
    assert len(known) == len(edges), "neighbouring triangles turn the same way round"
    border = np.array([edge for edge in edges.tolist() if (edge[1], edge[0]) not in known])
    middle = mesh.vertices[border].mean(1)
    turn = np.degrees(np.abs(np.arctan2(middle[:, 0], middle[:, 2] - texture.AXIS_Z)))
    assert len(border) and ((turn < 55) | (middle[:, 1] > -0.03)).all(), "the lower edge is closed"
    assert all(material.inside is None for material in mesh.materials if material.name in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_hair_is_smooth_and_faces_outward(anny: AnnyHead, kind: str) -> None:
    for mesh in wearers(anny, kind, 10):
        shape = (BOB_ROWS, BOB_COLUMNS) if kind == "bob" else (CURLS_ROWS, CURLS_COLUMNS)
        faces = triangles(mesh, kind)[: cells(*shape)]
        faces = faces[mesh.vertices[faces].mean(1)[:, 1] > 0.05]
        corners = mesh.vertices[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        outward = corners.mean(1) - [0, 0.03, texture.AXIS_Z]
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        assert (normals * outward).sum(1).min() > 0.15
        of_edge: dict[tuple[int, int], list[int]] = {}
        for number, face in enumerate(faces.tolist()):
            for a, b in zip(face, face[1:] + face[:1], strict=True):
                of_edge.setdefault((min(a, b), max(a, b)), []).append(number)
        pairs = np.array([pair for pair in of_edge.values() if len(pair) == 2])
        bend = np.degrees(np.arccos(np.clip((normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1), -1, 1)))
        assert bend.max() < 80 and bend.mean() < 12, "no spikes"


def test_no_face_channel_moves_hair(anny: AnnyHead) -> None:
    for kind in KINDS:
        index = np.unique(anny.faces[anny.data["face_material"] == [m.name for m in MATERIALS].index(kind)])
        assert not anny.data["expression"][:, index].any()


def test_hair_has_colours_that_go_with_the_features(anny: AnnyHead) -> None:
    people = [anny.draw_identity(seed) for seed in range(200)]
    colours = [anny.hair_colour(person) for person in people]
    assert all(colours.count(name) >= 10 for name in ("black", "dark brown", "brown", "blond"))
    assert colours == [anny.hair_colour(person) for person in people]
    assert anny.hair_colour() == "dark brown"
    for name in ("old-female", "old-male"):
        assert anny.hair_colour(anny.presets[name]) == "grey"
    for name in ("african-female", "african-male", "asian-female", "asian-male"):
        assert anny.hair_colour(anny.presets[name]) in ("black", "dark brown")


def test_brows_and_cropped_hair_have_the_colour_of_the_hair(anny: AnnyHead) -> None:
    pictures = {}
    for name in colour.HAIR:
        pictures[name] = {m.name: m for m in anny._materials(name)}
    plain = pictures["dark brown"]
    np.testing.assert_array_equal(plain["skin"].texture, anny.data["texture_skin"])
    n = len(anny.data["texture_skin"])
    face = np.s_[round(0.4 * n) : round(0.75 * n), round(0.4 * n) : round(0.6 * n)]  # brows to chin, between the eyes
    crown = np.s_[: n // 16]
    brightness = []
    for name, materials in pictures.items():
        skin, brows = materials["skin"].texture, materials["brows"].texture
        assert skin is not None and brows is not None
        np.testing.assert_array_equal(skin[face], anny.data["texture_skin"][face], f"{name} hair leaves the face alone")
        np.testing.assert_array_equal(brows[..., 3], anny.data["texture_brows"][..., 3])
        bob = np.array(materials["bob"].base_color)
        assert (bob >= 0).all() and (bob <= 1).all()
        brightness.append((bob.mean(), skin[crown].mean(), float(brows[0, 0, :3].mean())))
    order = np.argsort([values[0] for values in brightness])
    assert (np.argsort([values[1] for values in brightness]) == order).all()
    assert (np.argsort([values[2] for values in brightness]) == order).all()


def test_people_wear_three_kinds_of_hair(anny: AnnyHead, face: Callable[..., np.ndarray]) -> None:
    people = [anny.draw_identity(seed) for seed in range(200)]
    kinds = [anny.hair(person) for person in people]
    assert all(kinds.count(kind) >= 20 for kind in ("cropped", "bob", "curls"))
    assert anny.hair() == "cropped" and kinds == [anny.hair(person) for person in people]
    for kind in ("bob", "curls"):
        mesh = anny.mesh(people[kinds.index(kind)])
        assert mesh.face_material is not None
        drawn = {mesh.materials[index].name for index in np.unique(mesh.face_material)}
        assert drawn & {"bob", "curls"} == {kind}
        hair = np.unique(mesh.faces[mesh.face_material == [m.name for m in mesh.materials].index(kind)])
        skin = anny.regions["skin"]
        assert mesh.vertices[hair, 1].max() > mesh.vertices[skin, 1].max(), "hair covers the crown"
        assert not ((mesh.vertices[hair, 2] > 0.0) & (mesh.vertices[hair, 1] < 0.03)).any(), "the face is free"
        turned = anny.vertices(face(), np.array([0.0, 0.5, 0.0], np.float32))
        still = anny.vertices(face())
        assert np.linalg.norm(turned[hair] - still[hair], axis=1).max() > 0.01, "hair turns with the head"

"""The free head: who it can be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.anny.parts import MATERIALS

MM = 1e3
Face = Callable[..., np.ndarray]


def test_people_differ_but_look_from_the_same_place(anny: AnnyHead, face: Face) -> None:
    people = np.stack([anny.draw_identity(seed) for seed in range(20)])
    placed = anny.vertices(np.zeros((20, 52), np.float32), identity=people)
    balls = [placed[:, anny.regions[name]] for name in ("left_eye", "right_eye")]
    centres = np.array([(ball.min(1) + ball.max(1)) / 2 for ball in balls])
    np.testing.assert_allclose(centres.mean(0), 0, atol=2e-4)
    skin = anny.regions["skin"]
    spread = MM * placed[:, skin].std(0)[anny.data["vertices"][skin][:, 1] > -0.12]
    assert 0.5 < spread.mean() < 5
    width = np.ptp(placed[..., 0][:, skin[anny.data["vertices"][skin][:, 1] > -0.1]], axis=1)
    assert ((width > 0.12) & (width < 0.24)).all()
    gaps = [MM * anny.lip_gap(anny.vertices(face(jawOpen=0.3, mouthClose=0.3), identity=who), who) for who in people]
    assert np.abs(gaps).max() < 0.5


@pytest.fixture(scope="module")
def crowd(anny: AnnyHead) -> np.ndarray:
    """The faces at rest of 200 seeds, `(200, V, 3)`."""
    people = np.stack([anny.draw_identity(seed) for seed in range(200)])
    return anny.vertices(np.zeros((200, 52), np.float32), identity=people)


def test_a_seed_is_a_person(anny: AnnyHead) -> None:
    assert np.array_equal(anny.draw_identity(3), anny.draw_identity(3))
    people = np.stack([anny.draw_identity(seed) for seed in range(200)])
    assert np.linalg.norm(people[:, None] - people[None], axis=-1)[np.triu_indices(200, 1)].min() > 0.5


def test_lips_of_all_people_are_shut(anny: AnnyHead, crowd: np.ndarray) -> None:
    assert np.abs(MM * anny.lip_gap(crowd)).max() < 0.5
    upper, lower = anny.data["lip_seam"].T
    parted = (crowd[:, upper] - crowd[:, lower]) - (anny.data["vertices"][upper] - anny.data["vertices"][lower])
    assert MM * np.linalg.norm(parted, axis=-1).mean() < 0.2 and MM * np.linalg.norm(parted, axis=-1).max() < 1.2
    worst = 2.5 * np.sign(np.random.default_rng(0).standard_normal((50, anny.identity_dim))).astype(np.float32)
    far = anny.vertices(np.zeros((50, 52), np.float32), identity=worst)
    assert np.abs(MM * anny.lip_gap(far)).max() < 4, "lips stay near one another even far outside the population"


def test_brows_of_all_people_are_calm(anny: AnnyHead, crowd: np.ndarray) -> None:
    brows = np.unique(anny.faces[anny.data["face_material"] == MATERIALS.index("brows")])
    rest = anny.data["vertices"][brows]
    for side in (-1, 1):
        inner = brows[(side * rest[:, 0] > 0) & (np.abs(rest[:, 0]) < 0.02)]
        outer = brows[side * rest[:, 0] > 0.042]
        height = MM * (crowd[:, inner, 1].mean(1) - anny.data["vertices"][inner, 1].mean())
        slant = height - MM * (crowd[:, outer, 1].mean(1) - anny.data["vertices"][outer, 1].mean())
        assert np.abs(height).max() < 3.5 and np.abs(slant).max() < 2


def test_no_face_is_folded_or_flat(anny: AnnyHead, crowd: np.ndarray) -> None:
    skin, rest = anny.regions["skin"], anny.data["vertices"]
    faces = anny.faces[np.isin(anny.faces, skin).all(1)]
    faces = faces[rest[faces, 1].min(1) > -0.12]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    long = np.linalg.norm(rest[edges[:, 0]] - rest[edges[:, 1]], axis=1)
    edges, long = edges[long > 1e-3], long[long > 1e-3]
    stretch = np.linalg.norm(crowd[:, edges[:, 0]] - crowd[:, edges[:, 1]], axis=-1) / long
    assert ((stretch < 0.5) | (stretch > 2)).mean(1).max() < 0.01
    normals, turned = (np.cross(p[..., faces[:, 1], :] - p[..., faces[:, 0], :], p[..., faces[:, 2], :] - p[..., faces[:, 0], :])
                       for p in (rest, crowd))  # fmt: skip
    assert ((normals * turned).sum(-1) < 0).mean(1).max() < 0.01
    points = anny.landmarks.of(crowd)
    nose = MM * (points[:, 1, 2] - points[:, [129, 358], 2].mean(1))
    assert nose.min() > 12 and nose.max() < 27


def test_presets_are_plausible_people(anny: AnnyHead) -> None:
    assert {"female", "male"} <= set(anny.presets)
    for name, identity in anny.presets.items():
        assert identity.shape == (anny.identity_dim,), name
        assert np.abs(identity).max() < 4, name

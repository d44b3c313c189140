"""The free head of FLAME's format: it does what the free head does, by FLAME's means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, ModelError
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.flame.free import FreeFlame
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.motion import Motion

MM = 1e3


def in_place(
    anny: AnnyHead, free_flame: FreeFlame, free_flame_head: FlameHead, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The free head's vertices, and the same with the FLAME-format head's put in their places."""
    said = free_flame.coefficients(Motion(weights, CHANNELS, np.zeros((len(weights), 3)), 25.0))
    own = anny.vertices(weights.astype(np.float32))
    other = own.copy()
    other[:, free_flame_head.model.extras["source_vertices"]] = free_flame_head.mesh_sequence(said).vertices
    return own, other


def face(**channels: float) -> np.ndarray:
    weights = np.zeros((1, len(CHANNELS)), np.float32)
    for name, value in channels.items():
        weights[0, INDEX[name]] = value
    return weights


def test_residuals(free_flame: FreeFlame) -> None:
    assert free_flame.residuals_mm["lips"] < 0.4 and free_flame.residuals_mm["skin"] < 0.2
    assert max(free_flame.residuals_mm[name] for name in ("eyelids", "upper_face", "left_eye", "right_eye")) < 0.02
    again = FreeFlame.load(free_flame.path)
    np.testing.assert_array_equal(again.matrix, free_flame.matrix)
    assert again.residuals_mm == free_flame.residuals_mm


@pytest.mark.parametrize("opening", [0.05, 0.1, 0.2, 0.3, 0.4])
def test_lips_close_and_open_as_the_free_heads(
    anny: AnnyHead, free_flame: FreeFlame, free_flame_head: FlameHead, opening: float
) -> None:
    for weights in (face(jawOpen=opening), face(jawOpen=opening, mouthClose=opening)):
        own, other = (MM * anny.lip_gap(v)[0] for v in in_place(anny, free_flame, free_flame_head, weights))
        assert abs(own - other) < 0.35


def test_a_jaw_turning_is_an_opening_mouth(anny: AnnyHead, free_flame: FreeFlame, free_flame_head: FlameHead) -> None:
    assert 0.2 < free_flame.matrix[INDEX["jawOpen"], 50] < 0.6, "rad, about +X, which is downward"
    opened = free_flame_head.vertices(np.zeros(50, np.float32), None, np.array([0.3, 0, 0], np.float32))
    moved = opened - free_flame_head.model.template
    assert moved[free_flame_head.regions["lower_teeth"], 1].max() < -5 / MM
    assert np.abs(moved[free_flame_head.regions["upper_teeth"]]).max() < 1 / MM


def test_eyes_turn(anny: AnnyHead, free_flame: FreeFlame, free_flame_head: FlameHead) -> None:
    own, other = in_place(
        anny, free_flame, free_flame_head, face(eyeLookInLeft=1.0, eyeLookOutRight=1.0, eyeLookDownLeft=0.5)
    )
    for name in ("left_eye", "right_eye"):
        ball = anny.regions[name]
        assert MM * np.abs(own - anny.vertices(face()))[:, ball].max() > 1
        assert MM * np.abs(own - other)[:, ball].max() < 0.1


def test_identities_are_the_free_heads(anny: AnnyHead, free_flame_head: FlameHead) -> None:
    who = np.random.default_rng(0).standard_normal(anny.identity_dim).astype(np.float32)
    kept = free_flame_head.model.extras["source_vertices"]
    rest = free_flame_head.person(np.pad(who, (0, 300 - len(who))), free_flame_head.model.template)
    np.testing.assert_allclose(rest[0], anny.neutral(kept, who), atol=1e-6)
    eyes = anny.data["joints"][2:] + np.einsum("k,kjc->jc", who, anny.data["joint_identity"][:, 2:])
    np.testing.assert_allclose(rest[1][3:], eyes, atol=0.5 / MM)


def test_landmarks_are_the_free_heads(anny: AnnyHead, free_flame_head: FlameHead) -> None:
    rest, own = free_flame_head.model.template, anny.landmarks.of(anny.data["vertices"])
    np.testing.assert_allclose(free_flame_head.landmarks.of(rest), own, atol=1 / MM)
    points = free_flame_head.landmarks_3d(rest)
    np.testing.assert_allclose(points[[30, 8, 48, 54]], own[[4, 152, 61, 291]], atol=1 / MM)
    np.testing.assert_allclose(free_flame_head.landmarks_2d(rest), points, atol=1e-6)
    turned = free_flame_head.vertices(np.zeros(50, np.float32), np.array([0, 0.6, 0], np.float32))
    seen, still = free_flame_head.landmarks_2d(turned, np.array([0, 0.6, 0])), free_flame_head.landmarks_3d(turned)
    assert (seen[9:17, 0] >= still[9:17, 0] - 1e-6).all() and seen[10:17, 0].mean() > still[10:17, 0].mean() + 5 / MM


def test_coefficients_are_a_motion_of_a_flame_head(anny: AnnyHead, free_flame: FreeFlame, motion: Motion) -> None:
    said = free_flame.coefficients(motion)
    assert said.head == "flame" and said.fps == motion.fps and said.expression.shape == (len(motion), 50)
    assert said.jaw_pose is not None and said.jaw_pose.shape == (len(motion), 3)
    np.testing.assert_array_equal(said.head_pose, motion.head_pose)
    few = replace(motion, expression=motion.expression[:, :5], expression_names=motion.expression_names[:5])
    assert free_flame.coefficients(few).expression.shape == (len(motion), 50)
    with pytest.raises(ModelError, match="exp_00"):
        free_flame.coefficients(said)


def test_other_files_are_no_free_head(flame_path: Path) -> None:
    with pytest.raises(InputError, match="not a free head"):
        FreeFlame.load(flame_path)


def test_it_can_be_rendered(
    gl: None, free_flame: FreeFlame, free_flame_head: FlameHead, motion: Motion, tmp_path: Path
) -> None:
    from diffposetalk.cli import run

    free_flame.coefficients(motion.slice(0, 5)).save(tmp_path / "m.npz")
    out = tmp_path / "m.mp4"
    words = ["render", tmp_path / "m.npz", "--head", free_flame.path, "--size", 64, "-o", out, "--identity", 3]
    assert run([str(word) for word in words]) == 0
    assert out.stat().st_size > 1000

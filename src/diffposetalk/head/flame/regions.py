"""Regions of a FLAME head by name: from the user's masks, else computed from landmarks and joints. This module contains no
vertex numbers, because FLAME's lists are licensed and heads of another topology have other numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head.flame.files import JOINTS, MASK_PREFIX, FlameModel
from diffposetalk.head.flame.landmarks import FlameLandmarks

LIP_REACH, LID_REACH = 6e-3, 7e-3
"""Largest distance of the vertices of the lips and of the eyelids from the line through the landmarks, metres."""
STILL = 0.02
"""A vertex does not belong to the face if expression moves it by less than this share of the largest movement."""
_EYES, _LIPS = slice(19, 31), slice(31, 51)
"""Rows of the eyes and of the lips in the 51 landmarks."""
MEDIAPIPE_LIPS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
MEDIAPIPE_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
"""MediaPipe's points around the outer and inner lips and around the right and left eye."""


def eyeballs(model: FlameModel) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertex indices of left and right eyeball: the vertices that the eye joints move."""
    left, right = (JOINTS.index(name) for name in ("left_eye", "right_eye"))
    return np.flatnonzero(model.weights[:, left] > 0.5), np.flatnonzero(model.weights[:, right] > 0.5)


@dataclass(frozen=True)
class Outlines:
    """Closed lines through landmarks on the resting head."""

    lips: tuple[np.ndarray, ...]
    """Outer and inner line, each ``(n, 3)`` metres."""
    eyes: tuple[np.ndarray, ...]
    """Lines of the right and the left eye, each ``(n, 3)`` metres."""


def outlines_of(
    model: FlameModel, points: FlameLandmarks | None, mediapipe: tuple[Landmarks, np.ndarray] | None
) -> Outlines | None:
    """Return the lines of lips and eyes through FLAME's 68 landmarks, else through MediaPipe's; None without landmarks."""
    if points is not None:
        still = points.static.of(model.template)
        eyes, lips = still[_EYES], still[_LIPS]
        return Outlines((lips[:12], lips[12:]), (eyes[:6], eyes[6:]))
    if mediapipe is None:
        return None
    places = dict(zip(mediapipe[1].tolist(), mediapipe[0].of(model.template)))

    def line(numbers: tuple[int, ...]) -> np.ndarray:
        return np.array([places[n] for n in numbers if n in places]).reshape(-1, 3)

    outlines = Outlines(tuple(map(line, MEDIAPIPE_LIPS)), tuple(map(line, MEDIAPIPE_EYES)))
    return outlines if all(len(line) > 3 for line in (*outlines.lips, *outlines.eyes)) else None


def regions_of(model: FlameModel, masks: dict[str, np.ndarray], outlines: Outlines | None) -> dict[str, np.ndarray]:
    """Return the regions of a head.

    Masks take precedence. Lips are the mask of that name. Eyelids are the vertices of `eye_region` near the outlines of the
    eyes, or all of it without outlines, without the eyeballs. upper_face is `forehead` and `eye_region` without the eyeballs.
    Without masks, lips and eyelids are the vertices within a few millimetres of the landmarks' outlines; upper_face are the
    vertices above the lower lids that expression moves. Without landmarks too, lips are the 5 % of the vertices that
    expression moves most, and eyelids are the moving vertices within 25 mm of an eye's joint.

    Args:
        model: the head.
        masks: vertex indices by FLAME's names; may be empty.
        outlines: outlines of its lips and eyes; None without landmarks.

    Returns:
        Vertex indices by name: lips, eyelids, upper_face, skin, left_eye, right_eye, and every mask by its own name.
    """
    left, right = eyeballs(model)
    balls = np.union1d(left, right)
    regions = {name: index for name, index in masks.items() if len(index)}
    everything = np.arange(len(model.template))
    regions.setdefault("left_eye", left)
    regions.setdefault("right_eye", right)
    regions.setdefault("skin", np.setdiff1d(everything, balls))
    skin = regions["skin"]
    moved = np.sqrt((model.expression_basis.astype(np.float64) ** 2).sum((0, 2)))
    alive = skin[moved[skin] >= STILL * max(float(moved.max()), 1e-12)]
    eye_region = np.setdiff1d(masks.get("eye_region", everything[:0]), balls)

    if "lips" not in regions:
        regions["lips"] = _lips(model, outlines, skin, moved)
    if "eyelids" not in regions:
        near = _lids(model, outlines, np.setdiff1d(alive, regions["lips"]))
        regions["eyelids"] = np.intersect1d(near, eye_region) if len(eye_region) else near
        if not len(regions["eyelids"]):
            regions["eyelids"] = eye_region if len(eye_region) else alive
    if "upper_face" not in regions:
        named = np.union1d(eye_region, masks.get("forehead", everything[:0]))
        regions["upper_face"] = np.setdiff1d(named, balls) if len(named) else _upper(model, outlines, alive)
    return regions


def masks_within(model: FlameModel) -> dict[str, np.ndarray]:
    """Return the masks in an npz model file."""
    return {
        key.removeprefix(MASK_PREFIX): np.asarray(value, np.int64)
        for key, value in model.extras.items()
        if key.startswith(MASK_PREFIX)
    }


def _lips(model: FlameModel, outlines: Outlines | None, skin: np.ndarray, moved: np.ndarray) -> np.ndarray:
    near = skin[_near_outline(model.template[skin], outlines.lips, LIP_REACH)] if outlines else skin[:0]
    if len(near):
        return near
    count = max(1, len(skin) // 20)
    return np.sort(skin[np.argsort(-moved[skin], kind="stable")[:count]])


def _lids(model: FlameModel, outlines: Outlines | None, among: np.ndarray) -> np.ndarray:
    if outlines is not None:
        return among[_near_outline(model.template[among], outlines.eyes, LID_REACH)]
    distance = np.linalg.norm(model.template[among, None] - _eye_joints(model), axis=-1).min(1)
    return among[distance < 25e-3]


def _upper(model: FlameModel, outlines: Outlines | None, alive: np.ndarray) -> np.ndarray:
    if outlines is None:
        floor = float(_eye_joints(model)[:, 1].min()) - 10e-3
    else:
        floor = float(np.concatenate(outlines.eyes)[:, 1].min()) - 3e-3
    above = alive[model.template[alive, 1] >= floor]
    return above if len(above) else alive


def _eye_joints(model: FlameModel) -> np.ndarray:
    return (model.joint_regressor @ model.template)[[JOINTS.index("left_eye"), JOINTS.index("right_eye")]]


def _near_outline(positions: np.ndarray, outlines: tuple[np.ndarray, ...], reach: float) -> np.ndarray:
    """Return whether each position ``(n, 3)`` lies within ``reach`` of closed polygons ``(m, 3)``."""
    near = np.zeros(len(positions), bool)
    for outline in outlines:
        for start, end in zip(outline, np.roll(outline, -1, axis=0)):
            side = end - start
            along = np.clip((positions - start) @ side / max(float(side @ side), 1e-12), 0, 1)
            near |= np.linalg.norm(positions - start - along[:, None] * side, axis=1) < reach
    return near

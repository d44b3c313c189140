"""Parts of a FLAME head by name: from the user's masks, else found on the head itself by landmarks and joints.

No vertex numbers are written down here: FLAME's lists are licensed, and heads of other topology have others.
"""

from __future__ import annotations

import numpy as np

from diffposetalk.head.flame_files import JOINTS, MASK_PREFIX, FlameModel
from diffposetalk.head.flame_landmarks import FlameLandmarks

LIP_REACH, LID_REACH = 6e-3, 7e-3
"""How far from the line through the landmarks a vertex may lie to belong to lips or eyelids, metres."""
STILL = 0.02
"""A vertex whose expression moves less than this part of the largest is not of the face."""
_BROWS, _EYES, _LIPS = slice(0, 10), slice(19, 31), slice(31, 51)
"""Where they lie in the 51 landmarks, of which the mouth is the last 20."""


def eyeballs(model: FlameModel) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertex indices of left and right eyeball: what the eye joints hold."""
    left, right = (JOINTS.index(name) for name in ("left_eye", "right_eye"))
    return np.flatnonzero(model.weights[:, left] > 0.5), np.flatnonzero(model.weights[:, right] > 0.5)


def regions_of(model: FlameModel, masks: dict[str, np.ndarray], points: FlameLandmarks | None) -> dict[str, np.ndarray]:
    """Name the parts of a head.

    Masks win: lips as given; eyelids are `eye_region` without the eyeballs within reach of the lids, or all of it;
    upper_face is `forehead` and `eye_region` without the eyeballs. Without masks, lips and eyelids are what lies within
    a few millimetres of the landmarks' outline; upper_face is what expression moves above the lower lids. Without
    landmarks too, lips are the twentieth of the vertices that expression moves most, eyelids what moves within 25 mm
    of an eye's joint.

    Args:
        model: the head.
        masks: vertex indices by FLAME's names; may be empty.
        points: its 68 landmarks, if known.

    Returns:
        Vertex indices by name: lips, eyelids, upper_face, skin, left_eye, right_eye, and every mask by its own name.
    """
    left, right = eyeballs(model)
    balls = np.union1d(left, right)
    found = {name: index for name, index in masks.items() if len(index)}
    everything = np.arange(len(model.template))
    found.setdefault("left_eye", left)
    found.setdefault("right_eye", right)
    found.setdefault("skin", np.setdiff1d(everything, balls))
    skin = found["skin"]
    moved = np.sqrt((model.expression_basis.astype(np.float64) ** 2).sum((0, 2)))
    alive = skin[moved[skin] >= STILL * max(float(moved.max()), 1e-12)]
    eye_region = np.setdiff1d(masks.get("eye_region", everything[:0]), balls)

    if "lips" not in found:
        found["lips"] = _lips(model, points, skin, moved)
    if "eyelids" not in found:
        near = _lids(model, points, np.setdiff1d(alive, found["lips"]))
        found["eyelids"] = np.intersect1d(near, eye_region) if len(eye_region) else near
        if not len(found["eyelids"]):
            found["eyelids"] = eye_region if len(eye_region) else alive
    if "upper_face" not in found:
        named = np.union1d(eye_region, masks.get("forehead", everything[:0]))
        found["upper_face"] = np.setdiff1d(named, balls) if len(named) else _upper(model, points, alive)
    return found


def masks_within(model: FlameModel) -> dict[str, np.ndarray]:
    """Return the masks that an npz model file brings along."""
    return {
        key.removeprefix(MASK_PREFIX): np.asarray(value, np.int64)
        for key, value in model.extras.items()
        if key.startswith(MASK_PREFIX)
    }


def _lips(model: FlameModel, points: FlameLandmarks | None, skin: np.ndarray, moved: np.ndarray) -> np.ndarray:
    if points is None:
        count = max(1, len(skin) // 20)
        return np.sort(skin[np.argsort(-moved[skin], kind="stable")[:count]])
    outer, inner = points.static.of(model.template)[_LIPS][:12], points.static.of(model.template)[_LIPS][12:]
    near = _near_outline(model.template[skin], [outer, inner], LIP_REACH)
    return np.union1d(skin[near], np.intersect1d(points.static.corners[_LIPS], skin))


def _lids(model: FlameModel, points: FlameLandmarks | None, among: np.ndarray) -> np.ndarray:
    if points is None:
        centres = (model.joint_regressor @ model.template)[[JOINTS.index("left_eye"), JOINTS.index("right_eye")]]
        distance = np.linalg.norm(model.template[among, None] - centres, axis=-1).min(1)
        return among[distance < 25e-3]
    eyes = points.static.of(model.template)[_EYES]
    near = _near_outline(model.template[among], [eyes[:6], eyes[6:]], LID_REACH)
    return np.union1d(among[near], np.intersect1d(points.static.corners[_EYES], among))


def _upper(model: FlameModel, points: FlameLandmarks | None, alive: np.ndarray) -> np.ndarray:
    if points is None:
        centres = (model.joint_regressor @ model.template)[[JOINTS.index("left_eye"), JOINTS.index("right_eye")]]
        floor = float(centres[:, 1].min()) - 10e-3
    else:
        floor = float(points.static.of(model.template)[_EYES][:, 1].min()) - 3e-3
    above = alive[model.template[alive, 1] >= floor]
    return above if len(above) else alive


def _near_outline(positions: np.ndarray, outlines: list[np.ndarray], reach: float) -> np.ndarray:
    """Tell which positions `(n, 3)` lie within reach of closed polygons `(m, 3)`."""
    near = np.zeros(len(positions), bool)
    for outline in outlines:
        for start, end in zip(outline, np.roll(outline, -1, axis=0)):
            side = end - start
            along = np.clip((positions - start) @ side / max(float(side @ side), 1e-12), 0, 1)
            near |= np.linalg.norm(positions - start - along[:, None] * side, axis=1) < reach
    return near

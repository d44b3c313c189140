"""Materials of a FLAME head: skin, lips and eyes, from its regions; or the look stored in an npz model file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffposetalk.geometry.mesh import Material, Mesh
from diffposetalk.head.anny.head import MATERIALS
from diffposetalk.head.flame.files import FlameModel

SKIN = Material("skin", (0.50, 0.30, 0.23), roughness=0.5, specular=0.3, subsurface=0.5, inside=(0.06, 0.015, 0.015))
EYE = Material("eye", (0.85, 0.85, 0.85), roughness=0.1, specular=0.6)
LIP_TINT = (0.88, 0.60, 0.60)
IRIS_TINT, PUPIL_TINT = (0.06, 0.03, 0.014), (0.002, 0.002, 0.002)
IRIS_COS, PUPIL_COS = 0.87, 0.97
"""Cosines of the angles of the rims of iris and pupil from straight ahead, at the centre of the eyeball."""
LOOK_KEYS = ("uv", "face_material", "tint")
"""Names of the arrays of a stored look in an npz model file: texture coordinates, materials and tints of the free head."""


def mesh_of(model: FlameModel, rest: np.ndarray, regions: dict[str, np.ndarray]) -> Mesh:
    """Return the surface with materials.

    Args:
        model: the head.
        rest: ``(V, 3)`` the person's resting vertices, metres.
        regions: its regions; lips, left_eye and right_eye are used.
    """
    rest = np.asarray(rest, np.float32)
    looks = model.extras
    if set(LOOK_KEYS) <= set(looks):
        textures = {m.name: looks.get(f"texture_{m.name}", m.texture) for m in MATERIALS}
        materials = tuple(replace(m, texture=textures[m.name]) for m in MATERIALS)
        return Mesh(rest, model.faces, looks["uv"], materials, looks["face_material"], looks["tint"])
    color = np.ones((len(rest), 3), np.float32)
    color[regions["lips"]] = LIP_TINT
    kind = np.zeros(len(rest), np.int32)
    for name in ("left_eye", "right_eye"):
        ball = regions[name]
        if not len(ball):
            continue
        kind[ball] = 1
        arm = model.template[ball] - model.template[ball].mean(0)
        ahead = arm[:, 2] / np.maximum(np.linalg.norm(arm, axis=1), 1e-9)
        color[ball] = np.where((ahead > IRIS_COS)[:, None], IRIS_TINT, (1.0, 1.0, 1.0))
        color[ball[ahead > PUPIL_COS]] = PUPIL_TINT
    of_face = kind[model.faces].min(1).astype(np.int32) if len(model.faces) else np.zeros(0, np.int32)
    return Mesh(rest, model.faces, None, (SKIN, EYE), of_face, color)

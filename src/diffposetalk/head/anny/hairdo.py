"""Add the hair of `head.anny.hair` to the arrays of a head, or remove it."""

from __future__ import annotations

import numpy as np

from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.head.anny import hair, texture
from diffposetalk.head.anny.colour import STRANDS
from diffposetalk.head.anny.parts import MATERIALS, Part
from diffposetalk.head.anny.shade import openness

OF_VERTICES = {
    "vertices": 0, "tint": 0, "joint_weights": 0, "eye_of_vertex": 0, "base_index": 0, "expression": 1, "identity": 1,
}  # fmt: skip
"""Arrays of the head file with an axis over vertices -> that axis."""
GRAIN = 2.0**-20
"""Step to which displacements of hair by identity are rounded, metres (about a micrometre); it keeps the file small."""
OF_FACES = ("faces", "uv", "face_material")


def bald(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a head file without hair, which is the last part."""
    keep = ~np.isin(arrays["face_material"], [MATERIALS.index(name) for name in hair.KINDS])
    n_vertices = int(arrays["faces"][keep].max()) + 1
    plain = {name: array for name, array in arrays.items() if name.removeprefix("texture_") not in hair.KINDS}
    for name, axis in OF_VERTICES.items():
        plain[name] = np.take(arrays[name], np.arange(n_vertices), axis)
    for name in OF_FACES:
        plain[name] = arrays[name][keep]
    plain["parts"] = arrays["parts"][arrays["parts"][:, 1] <= n_vertices]
    return plain


def dressed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a bald head with all kinds of hair added; other parts are unchanged."""
    first, stop = arrays["parts"][0]
    on_skin = (arrays["faces"] < stop).all(1)
    skin = Part(
        "skin", arrays["vertices"][first:stop], arrays["faces"][on_skin], arrays["uv"][on_skin],
        arrays["face_material"][on_skin], np.full(stop - first, -1), lambda field: field[first:stop],
    )  # fmt: skip
    result = dict(arrays)
    for part in hair.build(skin):
        n_new, start = len(part.rest), len(result["vertices"])
        added = {
            "vertices": part.rest,
            "tint": _shade(skin, part),
            "joint_weights": np.tile([0.0, 1.0], (n_new, 1)),  # the head's joint alone
            "eye_of_vertex": np.full(n_new, -1),
            "base_index": part.base_index,
            "expression": np.zeros((len(arrays["expression"]), n_new, 3)),
            "identity": np.round(np.stack([part.carry(one) for one in arrays["identity"]]) / GRAIN) * GRAIN,
            "faces": part.faces + start,
            "uv": part.uv,
            "face_material": part.face_material,
        }
        for name, array in added.items():
            joined = np.concatenate([result[name], array], OF_VERTICES.get(name, 0))
            result[name] = joined.astype(result[name].dtype)
        result["parts"] = np.concatenate([result["parts"], [[start, start + n_new]]]).astype(arrays["parts"].dtype)
    return result | {"texture_bob": straight(), "texture_curls": curly()}


def _shade(skin: Part, part: Part) -> np.ndarray:
    """Return the ambient occlusion of hair over the skin: ``(n, 3)`` factors."""
    points = np.concatenate([skin.rest, part.rest])
    faces = np.concatenate([skin.faces, part.faces + len(skin.rest)])
    normals = vertex_normals(points, faces)
    open_sky = openness(points, faces, normals)[len(skin.rest) :]
    return np.repeat(np.clip(0.25 + 0.85 * open_sky, 0.25, 1)[:, None], 3, 1)


def straight(seed: int = 13) -> np.ndarray:
    """Paint straight hair: ``(256, 512, 3)`` uint8, with vertical strands."""
    rng = np.random.default_rng(seed)
    shape = (256, 512)
    fine, locks, along = (texture.noise(rng, shape, smooth) for smooth in ((30, 0.8), (45, 5.0), (14, 9)))
    return _grey(1 + 0.13 * fine + 0.13 * locks + 0.05 * along)


def curly(seed: int = 14, size: int = 384, n_curls: int = 3600) -> np.ndarray:
    """Paint curls: ``(size, size, 3)`` uint8, small curved locks in layers; the texture repeats without a seam."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    scale = 2
    picture = Image.new("L", (size * scale, size * scale), round(0.7 * STRANDS))
    draw = ImageDraw.Draw(picture)
    for depth in np.linspace(0, 1, n_curls):
        x, y = rng.uniform(0, size * scale, 2)
        radius, first = rng.uniform(5, 11) * scale, rng.uniform(0, 360)
        span, light = rng.uniform(100, 260), 0.62 + 0.38 * depth + rng.normal(0, 0.05)
        for width, shade in ((5.2, 0.68), (3.6, 0.95), (1.4, 1.3)):
            thick = round(width * scale)
            out = radius + thick / 2
            for left in (x - size * scale, x, x + size * scale):
                for top in (y - size * scale, y, y + size * scale):
                    if -out < left < size * scale + out and -out < top < size * scale + out:
                        box = (left - out, top - out, left + out, top + out)
                        fill = round(float(np.clip(STRANDS * shade * light, 0, 255)))
                        draw.arc(box, first, first + span, fill=fill, width=thick)
    painted = np.asarray(picture.resize((size, size), Image.Resampling.BOX), np.float64) / STRANDS
    return _grey(painted / painted.mean() * (1 + 0.07 * texture.noise(rng, (size, size), (16, 16))))


def _grey(shade: np.ndarray) -> np.ndarray:
    values = np.clip(np.round(STRANDS * shade / 4) * 4, 30, 255)  # coarse steps, which compress better
    return np.repeat(values.astype(np.uint8)[..., None], 3, -1)

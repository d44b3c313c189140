"""Heads of every kind, with what lies beside them."""

from __future__ import annotations

import functools
import json
import pickle
import struct
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np

from .files import helper, npz, written


def anny_head() -> bytes:
    """A free head of few vertices."""
    from diffposetalk.head.anny.files import REGIONS, SHAPES

    sizes = dict.fromkeys("VFIPNLHW", 6)
    rng = np.random.default_rng(6)
    whole = {"faces", "face_material", "eye_of_vertex", "lip_columns", "lip_pairs", "landmark_corners"}
    arrays: dict[str, np.ndarray] = {}
    for name, letters in SHAPES.items():
        shape = tuple(sizes[length] if isinstance(length, str) else length for length in letters)
        arrays[name] = (
            rng.integers(0, 2, shape).astype("i4") if name in whole else rng.uniform(0, 1, shape).astype("f4")
        )
    arrays["faces"] = np.array([[i, (i + 1) % 6, (i + 2) % 6] for i in range(6)], "i4")
    arrays["preset_names"] = np.array([f"person{i}" for i in range(6)])
    return npz(**arrays, **{f"region_{name}": np.array([0, 1], "i4") for name in REGIONS})


@functools.cache
def shapes() -> ModuleType:
    """Tests of heads of named shapes."""
    return helper("head/test_shapes")


def head_npz() -> list[bytes]:
    """A head of named shapes with landmarks and a region."""
    from diffposetalk.geometry.landmarks import Landmarks

    points = Landmarks(np.array([[2, 0, 1], [1, 3, 2]], np.int32), np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7]], "f4"))
    head = shapes().small(mediapipe=(points, np.array([13, 14])), regions={"lips": np.array([0, 1])})
    return [written(head.save, "a.npz")]


def glb() -> list[bytes]:
    """Heads in GLB, with and without sparse accessors."""
    return [
        written(functools.partial(shapes().glb, names=["jawOpen", "smirk"], sparse=sparse), "a.glb")
        for sparse in (False, True)
    ]


def gltf() -> list[bytes]:
    """The same as text with its buffer as a data URI."""
    import base64

    data = glb()[0]
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    blob = base64.b64encode(data[28 + length :]).decode()
    document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{blob}"
    return [json.dumps(document).encode()]


@functools.cache
def flame_folder() -> dict[str, bytes]:
    """A small head of FLAME's format with its companions, by file name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helper("conftest").write_flame(12, 3, folder / "flame.pkl")
        helper("conftest").write_flame(12, 3, folder / "flame.npz")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def flame_masks() -> bytes:
    """Vertex indices by the name of a part."""
    return pickle.dumps({name: np.arange(3) for name in ("lips", "forehead", "face")}, 2)


def flame_mediapipe() -> bytes:
    """MediaPipe's landmarks on FLAME."""
    return npz(lmk_face_idx=np.arange(4), lmk_b_coords=np.full((4, 3), 1 / 3), landmark_indices=np.arange(4) + 10)

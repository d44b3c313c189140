"""GLB, USD and point caches as Blender imports them, without our add-on: its vertices are the head's own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import Scene, export
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.motion import Motion

BLENDER = os.environ.get("DIFFPOSETALK_BPY_PYTHON") or (sys.executable if importlib.util.find_spec("bpy") else None)


@pytest.mark.skipif(
    BLENDER is None, reason="needs bpy from PyPI here, or in the Python that DIFFPOSETALK_BPY_PYTHON names"
)
def test_scenes_in_blender(head: AnnyHead, person: np.ndarray, wild: Motion, tmp_path: Path) -> None:
    from scipy.spatial import cKDTree

    frames = [0, 4, 9]
    drawn = np.unique(head.mesh(person).faces)
    for suffix in ("glb", "usdc", "pc2"):
        export(wild, tmp_path / f"a.{suffix}", scene=Scene(head, person))
    script = Path(__file__).with_name("blender_scenes.py")
    subprocess.run([str(BLENDER), str(script), str(tmp_path), "30", *map(str, frames)], check=True, timeout=250)
    for suffix in ("glb", "usdc", "pc2"):
        read = np.load(tmp_path / f"{suffix}.npz")
        assert {"skin", "eye", "teeth", "lashes", "brows"} <= set(read["materials"])
        if suffix != "pc2":
            assert read["shapes"].tolist() == list(CHANNELS)
            assert read["bones"].tolist() == ["Root", "Neck", "Head", "LeftEye", "RightEye"]
        for frame, points in zip(frames, read["points"], strict=True):
            truth = head.vertices(wild.expression[frame], wild.head_pose[frame], identity=person)
            for ordered in (truth, truth[drawn]):
                assert len(points) != len(ordered) or np.abs(points - ordered).max() < 2e-6
            assert suffix == "glb" or len(points) in (len(truth), len(drawn))
            assert cKDTree(truth).query(points)[0].max() < 2e-6
            assert cKDTree(points).query(truth[drawn])[0].max() < 2e-6

"""What other trackers write is read by name; what does not fit is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from diffposetalk.errors import InputError
from diffposetalk.exchange import load_motion

RNG = np.random.default_rng(0)
T = 12


def curves(width: int) -> np.ndarray:
    return RNG.normal(0, 0.2, (T, width)).astype(np.float32)


HEAD, NECK, JAW, BODY = curves(3), curves(3), curves(3), curves(165)
TURNED = (Rotation.from_rotvec(HEAD) * Rotation.from_rotvec(NECK)).as_rotvec()
IN_BODY = (Rotation.from_rotvec(BODY[:, 36:39]) * Rotation.from_rotvec(BODY[:, 45:48])).as_rotvec()
FILES = {
    "spectre": ({"exp": curves(50), "pose": np.hstack([HEAD, JAW]), "shape": curves(100)}, 50, HEAD, JAW, 25.0),
    "deca": ({"exp": curves(50)[:, None], "pose": np.hstack([HEAD, JAW])[:, None]}, 50, HEAD, JAW, 25.0),
    "smirk": (
        {
            "expression_params": curves(50),
            "pose_params": HEAD,
            "jaw_params": JAW,
            "eyelid_params": curves(2),
            "fps": np.array([30]),
        },
        50,
        HEAD,
        JAW,
        30.0,
    ),
    "vhap": (
        {"expr": curves(100), "rotation": HEAD, "neck_pose": NECK, "jaw_pose": JAW, "shape": np.zeros(300)},
        100,
        TURNED,
        JAW,
        25.0,
    ),
    "beat2": (
        {"expressions": curves(100), "poses": BODY, "betas": np.zeros(300), "mocap_frame_rate": 30},
        100,
        IN_BODY,
        BODY[:, 66:69],
        30.0,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_tracker_s_file_is_read(name: str, tmp_path: Path) -> None:
    arrays, width, head, jaw, fps = FILES[name]
    np.savez(tmp_path / "a.npz", **arrays)
    motion = load_motion(tmp_path / "a.npz")
    assert (motion.head, motion.fps, len(motion)) == ("flame", fps, T)
    assert motion.expression_names[:2] == ("exp_00", "exp_01") and motion.expression.shape == (T, width)
    np.testing.assert_allclose(motion.head_pose, head, atol=1e-5)
    np.testing.assert_allclose(motion.jaw_pose, jaw, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"pose": curves(7)}, r"pose must be \(T, 6\), got \(12, 7\)"),
        ({"exp": np.zeros(50)}, r"exp must be \(T, n\)"),
        ({"exp": np.full((T, 50), np.nan)}, "not finite"),
        ({"pose": curves(6)[:5]}, r"\(12, 3\)"),
        ({"exp": np.array(["a"])}, "not a readable"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, np.ndarray], pattern: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{**FILES["spectre"][0], **change})
    with pytest.raises(InputError, match=pattern) as caught:
        load_motion(tmp_path / "a.npz")
    assert "SPECTRE" in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_other_arrays_are_no_motion(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", something=np.zeros(3))
    with pytest.raises(InputError, match="not a motion file, it lacks"):
        load_motion(tmp_path / "a.npz")

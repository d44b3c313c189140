"""Motion, MotionSpace, Style: what goes in comes out, by name, and nonsense is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.arkit import CHANNELS, MIRROR
from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.style import Style


def make_motion(n_frames: int = 30, fps: float = 25.0, seed: int = 0, **fields: object) -> Motion:
    rng = np.random.default_rng(seed)
    return Motion(
        expression=rng.random((n_frames, len(CHANNELS))),
        expression_names=CHANNELS,
        head_pose=rng.normal(0, 0.2, (n_frames, 3)),
        fps=fps,
        **fields,  # type: ignore[arg-type]
    )


SPACE_CHANNELS = (*CHANNELS, "head_x", "head_y", "head_z")


@pytest.mark.parametrize("with_poses", [False, True])
def test_saved_motion_comes_back(tmp_path: Path, with_poses: bool) -> None:
    rng = np.random.default_rng(1)
    extra = {"jaw_pose": rng.normal(size=(30, 3)), "eye_pose": rng.normal(size=(30, 6))} if with_poses else {}
    motion = make_motion(**extra)
    motion.save(tmp_path / "a.npz")
    again = Motion.load(tmp_path / "a.npz")
    for name in ("expression", "head_pose", "jaw_pose", "eye_pose"):
        mine, theirs = getattr(motion, name), getattr(again, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs)
    assert (again.fps, again.head, again.expression_names) == (motion.fps, motion.head, motion.expression_names)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_npz_follows_the_documented_layout(tmp_path: Path) -> None:
    make_motion().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert file["format_version"] == 1
        assert file["expression"].shape == (30, 52) and file["expression"].dtype == np.float32
        assert list(file["expression_names"]) == list(CHANNELS)
        assert file["head_pose"].shape == (30, 3)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda a: a.pop("head_pose"), "lacks head_pose"),
        (lambda a: a.update(format_version=np.int64(99)), "newer"),
        (lambda a: a.update(head_pose=np.zeros((3, 3))), "head_pose must be"),
        (lambda a: a["expression"].__setitem__((0, 0), np.nan), "not finite"),
        (lambda a: a.update(fps=np.float64(0)), "fps above 0"),
        (lambda a: a.update(fps=np.array("fast")), "not a readable motion file"),
        (lambda a: a.update(fps=np.ones(2)), "fps must be one value"),
        (lambda a: a.update(format_version=np.float64("inf")), "not a readable motion file"),
        (lambda a: a.update(format_version=np.ones((2, 2))), "format_version must be one value"),
        (lambda a: a.update(expression=np.array([["a"]])), "expression must hold real numbers"),
        (lambda a: a.update(expression=a["expression"] * 1j), "expression must hold real numbers"),
        (lambda a: a.update(expression=np.float32(1)), "expression is"),
        (lambda a: a.update(head_pose=np.full((30, 3), 1e300)), "not finite"),
        (lambda a: a.update(expression_names=np.array("jawOpen")), "not a readable motion file"),
        (lambda a: a.update(head=np.array(["anny", "flame"])), "head must be one value"),
    ],
)
def test_broken_motion_files_are_refused(tmp_path: Path, break_it: object, said: str) -> None:
    make_motion().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        arrays = {key: file[key] for key in file.files}
    break_it(arrays)  # type: ignore[operator]
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(InputError, match=said) as caught:
        Motion.load(tmp_path / "b.npz")
    assert "\n" not in str(caught.value) and "b.npz" in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such motion"):
        Motion.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="not a readable motion file"):
        Motion.load(tmp_path / "text.npz")
    with pytest.raises(DiffPoseTalkError, match="could not be written"):
        make_motion().save(tmp_path / "missing" / "a.npz")


def test_resampling_keeps_time_and_interpolates_rotations_as_rotations() -> None:
    turn = np.zeros((26, 3))
    turn[:, 1] = np.linspace(0, 3.0, 26)
    turn[:, 0] = 0.3
    motion = replace(make_motion(26), head_pose=turn)
    double = motion.resampled(50)
    assert len(double) == 52 and double.fps == 50
    np.testing.assert_allclose(double.expression[::2], motion.expression, atol=1e-6)
    between = roma.rotvec_slerp(
        torch.from_numpy(turn[10]).float(), torch.from_numpy(turn[11]).float(), torch.tensor([0.5])
    )[0]
    np.testing.assert_allclose(double.head_pose[21], between, atol=1e-5)
    back = double.resampled(25)
    np.testing.assert_allclose(back.expression, motion.expression, atol=1e-6)


@given(fps=st.floats(1, 240), n_frames=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_resampling_keeps_duration_and_range(fps: float, n_frames: int) -> None:
    motion = make_motion(n_frames)
    other = motion.resampled(fps)
    assert abs(len(other) / fps - motion.duration) <= 0.5 / fps + 1e-9 or len(other) == 1
    assert other.expression.min() >= 0 and other.expression.max() <= 1


def test_slicing_and_joining_are_inverse() -> None:
    motion = make_motion(20)
    joined = Motion.joined([motion.slice(0, 7), motion.slice(7)])
    np.testing.assert_array_equal(joined.expression, motion.expression)
    np.testing.assert_array_equal(joined.head_pose, motion.head_pose)
    with pytest.raises(InputError, match="cannot be joined"):
        Motion.joined([motion, replace(motion, fps=30.0)])


def test_scales_touch_only_what_they_name() -> None:
    motion = make_motion()
    still = motion.scaled(head_scale=0)
    np.testing.assert_array_equal(still.expression, motion.expression)
    assert not still.head_pose.any()
    loud = motion.scaled(expression_scale=3)
    assert loud.expression.max() <= 1
    np.testing.assert_array_equal(loud.head_pose, motion.head_pose)


def test_space_round_trip_and_names() -> None:
    motion = make_motion(200)
    space = MotionSpace.fit([motion.slice(0, 50), motion.slice(50)], SPACE_CHANNELS)
    vector = space.encode(motion)
    np.testing.assert_allclose(vector.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(vector.std(0), 1, atol=1e-4)
    again = space.decode(vector)
    np.testing.assert_allclose(again.expression, motion.expression, atol=1e-5)
    np.testing.assert_allclose(again.head_pose, motion.head_pose, atol=1e-5)
    rebuilt = MotionSpace.from_dict(space.to_dict())
    np.testing.assert_array_equal(rebuilt.encode(motion), vector)
    parts = space.split(torch.from_numpy(vector))
    assert parts["expression"].shape == (200, 52) and parts["head_pose"].shape == (200, 3)


def test_space_reads_columns_by_name() -> None:
    motion = make_motion()
    order = np.random.default_rng(2).permutation(len(CHANNELS))
    shuffled = replace(
        motion, expression=motion.expression[:, order], expression_names=tuple(CHANNELS[i] for i in order)
    )
    space = MotionSpace.fit([motion], SPACE_CHANNELS)
    np.testing.assert_array_equal(space.encode(shuffled), space.encode(motion))


def test_space_takes_the_layout_of_flame_too() -> None:
    names = tuple(f"exp_{i:02d}" for i in range(50))
    rng = np.random.default_rng(3)
    motion = Motion(
        rng.normal(size=(40, 50)), names, rng.normal(size=(40, 3)), 25.0, "flame", jaw_pose=rng.normal(size=(40, 3))
    )
    space = MotionSpace.fit([motion], (*names, "jaw_x", "head_x", "head_y", "head_z"))
    assert space.dim == 54 and set(space.parts) == {"expression", "jaw_pose", "head_pose"}
    again = space.decode(space.encode(motion))
    np.testing.assert_allclose(again.expression, motion.expression, atol=1e-4)
    assert again.jaw_pose is not None and motion.jaw_pose is not None
    np.testing.assert_allclose(again.jaw_pose[:, 0], motion.jaw_pose[:, 0], atol=1e-5)
    assert not again.jaw_pose[:, 1:].any()


def test_space_refuses_what_does_not_fit() -> None:
    motion = make_motion()
    space = MotionSpace.fit([motion], SPACE_CHANNELS)
    with pytest.raises(InputError, match="head 'flame'"):
        space.encode(replace(motion, head="flame"))
    with pytest.raises(InputError, match="jawOpen"):
        names = tuple("other" if name == "jawOpen" else name for name in CHANNELS)
        space.encode(replace(motion, expression_names=names))
    with pytest.raises(ModelError, match="above 0"):
        replace(space, std=space.std * 0)
    with pytest.raises(ModelError, match="missing"):
        MotionSpace.from_dict({"head": "anny"})


def test_style_files(tmp_path: Path) -> None:
    style = Style(np.arange(4.0), "abc", "a test")
    style.save(tmp_path / "a.style.safetensors")
    again = Style.load(tmp_path / "a.style.safetensors")
    np.testing.assert_array_equal(again.vector, style.vector)
    assert (again.encoder, again.source) == ("abc", "a test")
    with pytest.raises(InputError, match="no such style"):
        Style.load(tmp_path / "none")
    (tmp_path / "junk").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="not a readable style file"):
        Style.load(tmp_path / "junk")


def test_damaged_styles_are_refused_in_one_line(tmp_path: Path) -> None:
    """A header of another shape, a vector of another kind, an npy that declares more than it holds."""
    from safetensors.numpy import save_file

    good = {"kind": "diffposetalk.style", "encoder": "abc", "source": "x"}
    for index, (header, vector) in enumerate(
        [
            ("[1, 2]", np.zeros(4, np.float32)),
            ("{", np.zeros(4, np.float32)),
            (json.dumps(good | {"kind": "other"}), np.zeros(4, np.float32)),
            (json.dumps({"kind": "diffposetalk.style"}), np.zeros(4, np.float32)),
            (json.dumps(good), np.zeros((2, 2), np.float32)),
            (json.dumps(good), np.full(4, np.nan, np.float32)),
        ]
    ):
        path = tmp_path / f"{index}.safetensors"
        save_file({"vector": vector}, path, {"diffposetalk": header})
        with pytest.raises(InputError) as caught:
            Style.load(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    np.save(tmp_path / "v.npy", np.zeros(4))
    data = (tmp_path / "v.npy").read_bytes()
    for damaged in (data.replace(b"(4,)", b"(4e8)"), data.replace(b"(4,)", b"(9,)"), data[:70], b""):
        (tmp_path / "v.npy").write_bytes(damaged)
        with pytest.raises(InputError, match=r"v\.npy: not a readable style vector"):
            Style.load_vector(tmp_path / "v.npy")


def test_a_frame_rate_that_asks_for_endless_frames_is_refused() -> None:
    with pytest.raises(InputError, match="too many for memory"):
        make_motion(fps=1e-7).resampled(25)


def test_unknown_channel_is_named() -> None:
    with pytest.raises(UsageError, match="'jawDrop'"):
        make_motion().channel("jawDrop")


def test_mirror_is_an_involution_over_all_channels() -> None:
    assert len(CHANNELS) == len(set(CHANNELS)) == 52
    assert all(MIRROR[MIRROR[name]] == name and MIRROR[name] in CHANNELS for name in CHANNELS)


def test_styles_mix_by_shares() -> None:
    one, two = Style(np.array([3.0, 0, 0]), "e", "a"), Style(np.array([0, 1.0, 0]), "e", "b")
    mixed = Style.blended([one, two], [3, 1])
    assert np.linalg.norm(mixed.vector) == pytest.approx(2.5)
    np.testing.assert_allclose(mixed.vector[0] / mixed.vector[1], 9)
    np.testing.assert_array_equal(Style.blended([one]).vector, one.vector)
    np.testing.assert_allclose(Style.blended([one, two], [1, 0]).vector, one.vector)
    for styles, shares in (([], None), ([one, two], [1]), ([one, two], [0, 0]), ([one, two], [2, -1])):
        with pytest.raises(UsageError, match="shares"):
            Style.blended(styles, shares)
    with pytest.raises(ModelError, match="different encoders"):
        Style.blended([one, Style(np.ones(3), "other", "c")])

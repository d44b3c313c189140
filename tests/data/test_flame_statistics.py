"""Statistics of coefficients: measured right, and wrong files refused by the key's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.data.coefficients import NAMES
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import TfhpReader
from diffposetalk.errors import DiffPoseTalkWarning, InputError


def test_measured_over_all_frames(reader: TfhpReader, tmp_path: Path) -> None:
    parts = [reader.coefficients(video) for video in reader.split("train")]
    statistics = Statistics.of(parts)
    for name in NAMES:
        values = np.concatenate([getattr(part, name) for part in parts]).astype(np.float64)
        for measure in ("mean", "std", "max", "min"):
            np.testing.assert_allclose(
                statistics[f"{name}_{measure}"], getattr(values, measure)(0), rtol=1e-6, atol=1e-7
            )
    statistics.save(tmp_path / "stats.npz")
    back, beside = Statistics.load(tmp_path / "stats.npz"), Statistics.load(reader.path / "stats_train.npz")
    for key, value in statistics.values.items():
        np.testing.assert_array_equal(back[key], value)
        np.testing.assert_array_equal(beside[key], value)


def test_far_from_zero_keeps_its_digits(reader: TfhpReader) -> None:
    parts = [reader.coefficients("Ann/000").map(lambda values: values + np.float32(1000))]
    exact = parts[0].exp.astype(np.float64).std(0)
    np.testing.assert_allclose(Statistics.of(parts)["exp_std"], exact, rtol=1e-6)


def test_what_never_moves_is_0_when_normalised(reader: TfhpReader) -> None:
    part = reader.coefficients("Ann/000")  # one speaker: a constant identity
    statistics = Statistics.of([part])
    assert (statistics["shape_std"] == 1).all()
    assert not statistics.normalise(part).shape.any()
    with pytest.raises(InputError, match="no frames"):
        Statistics.of([])


def test_the_references_file_loads(reference: Path) -> None:
    assert Statistics.load(reference / "stats_train.npz").widths == {"shape": 100, "exp": 50, "pose": 6}


WRONG: list[tuple[Callable[[dict[str, np.ndarray]], object], str]] = [
    (lambda v: v.pop("exp_std"), "lacks exp_std"),
    (lambda v: v.update(exp_std=v["exp_std"][:4]), r"exp_std must be \(10,\) numbers, got float32 \(4,\)"),
    (lambda v: v.update(pose_mean=np.zeros(4)), r"pose_mean must be \(6,\)"),
    (lambda v: v.update(shape_mean=v["shape_mean"] * np.nan), "shape_mean holds numbers that are not finite"),
    (lambda v: v.update(shape_std=-v["shape_std"]), "shape_std must not be negative"),
    (lambda v: v.update(exp_max=np.array(["a"] * 10)), r"exp_max must be \(10,\) numbers"),
    (lambda v: v.update(exp_max=np.array([{}] * 10)), r"not a (readable )?statistics file"),
    (lambda v: v.clear(), "lacks shape_mean, shape_std"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_wrong_files_are_refused(
    reader: TfhpReader, tmp_path: Path, change: Callable[[dict[str, np.ndarray]], object], message: str
) -> None:
    values = dict(Statistics.load(reader.path / "stats_train.npz").values)
    change(values)
    path = tmp_path / "stats.npz"
    np.savez(path, **values)
    with pytest.raises(InputError, match=message) as caught:
        Statistics.load(path)
    assert str(path) in str(caught.value)


def test_a_spread_of_zero_is_said_by_channel_and_keeps_the_mean(reader: TfhpReader, tmp_path: Path) -> None:
    values = dict(Statistics.load(reader.path / "stats_train.npz").values)
    for key, index in (("exp_std", 3), ("pose_std", 1), ("shape_std", 2)):
        values[key] = values[key].copy()
        values[key][index] = 0
    np.savez(tmp_path / "stats.npz", **values)
    with pytest.warns(
        DiffPoseTalkWarning, match=r"standard deviation of 3 coefficients is 0 \(shape 2, exp 3, pose 1\)"
    ):
        statistics = Statistics.load(tmp_path / "stats.npz")
    space = statistics.motion_space()
    column = space.channels.index("exp_03")
    motion = space.decode(np.ones((2, space.dim), np.float32))
    assert motion.expression[:, 3] == pytest.approx(float(values["exp_mean"][3]), abs=1e-6)
    assert np.allclose(space.encode(motion)[:, [c for c in range(space.dim) if c not in (column, 11)]], 1, atol=1e-3)
    assert np.isfinite(space.encode(motion)).all()
    coefficients = reader.coefficients("Ann/000")
    released = (coefficients.exp[:, 3] - values["exp_mean"][3]) / (values["exp_std"][3] + np.float32(1e-9))
    assert np.array_equal(statistics.normalise(coefficients).exp[:, 3], released)


def test_still_jaw_y_and_z_are_no_fault(reader: TfhpReader) -> None:
    values = dict(Statistics.load(reader.path / "stats_train.npz").values)
    values["pose_std"] = np.array([1, 1, 1, 1, 0, 0], np.float32)
    Statistics(values)


def test_other_files_are_refused(reader: TfhpReader, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such statistics file"):
        Statistics.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(InputError, match=r"not a (readable )?statistics file"):
        Statistics.load(tmp_path / "text.npz")
    statistics = Statistics.load(reader.path / "stats_train.npz")
    narrow = reader.coefficients("Ann/000").map(lambda values: values[:, :4] if values.shape[1] == 10 else values)
    with pytest.raises(InputError, match="exp_mean has 10 numbers, the data 4"):
        statistics.normalise(narrow)

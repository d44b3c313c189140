"""Pairs of mesh sequences: one generated, one captured, of the same name in two folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import read_npz

DEFAULT_FPS = 25.0
"""Frame rate of files that do not give one."""


@dataclass(frozen=True)
class MeshPair:
    """One generated sequence, perhaps in several samples, and the captured one."""

    name: str
    """Name of both files, without suffix."""
    predicted: np.ndarray
    """``(S, T, V, 3)`` metres: S samples for one input."""
    truth: np.ndarray
    """``(T, V, 3)`` metres."""
    fps: float
    """Frames per second."""
    rest: np.ndarray | None = None
    """``(V, 3)`` metres, the person's face at rest, where the captured file has it."""
    predicted_head: np.ndarray | None = None
    """``(S, T, 3)`` axis-angle of the generated head, radians, where both files have a head pose."""
    true_head: np.ndarray | None = None
    """``(T, 3)`` of the captured head."""


def pair_names(predicted: Path, truth: Path) -> list[str]:
    """Return the names of the sequences, which must be the same in both folders.

    Raises:
        InputError: a folder is missing or empty, or a file has no counterpart.
    """
    names = []
    for folder in (predicted, truth):
        if not folder.is_dir():
            raise InputError(f"{folder}: is not a folder of .npz files")
        names.append({path.stem for path in folder.glob("*.npz")})
        if not names[-1]:
            raise InputError(f"{folder}: holds no .npz file")
    for name in sorted(names[0] ^ names[1]):
        there, missing = (predicted, truth) if name in names[0] else (truth, predicted)
        raise InputError(f"{there / name}.npz: has no counterpart; {missing / name}.npz is missing")
    return sorted(names[0])


def read_pairs(predicted: Path, truth: Path) -> Iterator[MeshPair]:
    """Read the pairs one after the other.

    Raises:
        InputError: a file is missing, damaged, or does not fit its counterpart or the other files.
    """
    n_vertices = None
    for name in pair_names(predicted, truth):
        pair = read_pair(predicted / f"{name}.npz", truth / f"{name}.npz")
        if n_vertices not in (None, pair.truth.shape[1]):
            raise InputError(
                f"{truth / name}.npz: has {pair.truth.shape[1]} vertices, the files before it have {n_vertices}"
            )
        n_vertices = pair.truth.shape[1]
        yield pair


def read_pair(predicted: Path, truth: Path) -> MeshPair:
    """Read one pair and check that both files fit each other.

    Raises:
        InputError: an array is missing, misshapen or not finite, or length, topology or frame rate differ.
    """
    ours, theirs = read_npz(predicted, "file of vertices"), read_npz(truth, "file of vertices")
    true_vertices = _numbers(theirs, "vertices", truth, (None, None, 3))
    samples = _numbers(ours, "vertices", predicted, (None, None, 3), samples=True)
    if samples.shape[2:] != true_vertices.shape[1:]:
        raise InputError(
            f"{predicted}: has {samples.shape[2]} vertices, {truth} has {true_vertices.shape[1]}; "
            "both need the same topology"
        )
    if samples.shape[1] != len(true_vertices):
        raise InputError(
            f"{predicted}: has {samples.shape[1]} frames, {truth} has {len(true_vertices)}; both need the same length"
        )
    n_frames, n_vertices = true_vertices.shape[:2]
    rates = [_rate(arrays, path) for arrays, path in ((ours, predicted), (theirs, truth)) if "fps" in arrays]
    if len(set(rates)) > 1:
        raise InputError(f"{predicted}: has {rates[0]:g} frames per second, {truth} has {rates[1]:g}")
    both_turn = "head_pose" in ours and "head_pose" in theirs
    predicted_head = _numbers(ours, "head_pose", predicted, (n_frames, 3), samples=True) if both_turn else None
    if predicted_head is not None and len(predicted_head) != len(samples):
        raise InputError(f"{predicted}: has {len(samples)} samples of vertices, {len(predicted_head)} of head_pose")
    return MeshPair(
        truth.stem,
        samples,
        true_vertices,
        rates[0] if rates else DEFAULT_FPS,
        _numbers(theirs, "rest", truth, (n_vertices, 3)) if "rest" in theirs else None,
        predicted_head,
        _numbers(theirs, "head_pose", truth, (n_frames, 3)) if both_turn else None,
    )


def _rate(arrays: dict[str, np.ndarray], path: Path) -> float:
    rate = _numbers(arrays, "fps", path, ())
    if not rate > 0:
        raise InputError(f"{path}: fps must be above 0, got {rate}")
    return float(rate)


def _numbers(
    arrays: dict[str, np.ndarray], name: str, path: Path, shape: tuple[int | None, ...], samples: bool = False
) -> np.ndarray:
    """Return an array as float64 after checking it.

    Args:
        arrays: of the file.
        name: of the array.
        path: the file, for errors.
        shape: the expected shape; None for any length above 0.
        samples: whether the array may have one more dimension in front, for several samples; the result has it.
    """
    if name not in arrays:
        raise InputError(f"{path}: lacks the array {name!r}")
    array = arrays[name]
    words = ", ".join("TV"[axis] if length is None else str(length) for axis, length in enumerate(shape))
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} does not hold numbers ({array.dtype})")
    stacked = array[None] if samples and array.ndim == len(shape) else array
    inner = stacked.shape[1:] if samples else stacked.shape
    fits = len(inner) == len(shape) and all(n == length or length is None for n, length in zip(inner, shape))
    if not fits or stacked.size == 0:
        several = f", or with samples in front (S, {words})" if samples else ""
        raise InputError(f"{path}: {name} has the shape {array.shape}, expected ({words}){several}, not empty")
    if not np.isfinite(stacked).all():
        frame = np.argwhere(~np.isfinite(stacked))[0]
        raise InputError(f"{path}: {name} holds NaN or infinity, first at index {tuple(int(i) for i in frame)}")
    return stacked.astype(np.float64)

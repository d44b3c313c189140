"""Identity coefficients (shape codes) from files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.limits import JSON_FACTOR, read_bytes
from diffposetalk.files.npz import read_npy, read_npz
from diffposetalk.files.parsing import parsing

SUFFIXES = (".npy", ".npz", ".json")
NPZ_NAMES = ("shape", "identity", "betas", "shape_params", "shapecode")
"""Names of the array in an ``.npz``, the first that is there; the authors' demo reads ``shape``."""
MOST = 10_000
"""Coefficients of one person; no head has as many."""


def read_identity_file(path: str | Path) -> np.ndarray:
    """Read the identity coefficients of one person.

    Args:
        path: ``.npy`` or ``.json``: numbers ``(I,)``, or ``(n, I)`` as shape codes of a sequence are kept, of which the
            first row counts; ``.npz``: such an array by one of `NPZ_NAMES`, or the only array of the file.

    Returns:
        ``(I,)`` float32.

    Raises:
        UsageError: another kind of file.
        InputError: the file is missing, damaged or holds something else.
    """
    path, what = Path(path), "identity file"
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: identity coefficients are read from {', '.join(SUFFIXES)} files")
    with parsing(path, what):
        if suffix == ".npy":
            numbers = read_npy(path, what)
        elif suffix == ".npz":
            numbers = _array_of(read_npz(path, what), path)
        else:
            numbers = np.asarray(json.loads(read_bytes(path, what, JSON_FACTOR)))
        if numbers.dtype.kind not in "fiu":
            raise InputError(f"{path}: an identity is a list of numbers, not of {numbers.dtype}")
        identity = numbers[0] if numbers.ndim == 2 and len(numbers) else numbers
        if identity.ndim != 1 or not 0 < len(identity) <= MOST:
            raise InputError(f"{path}: an identity is a plain list of numbers, (I,) or (n, I), not {numbers.shape}")
        with np.errstate(over="ignore"):
            identity = identity.astype(np.float32)
        if not np.isfinite(identity).all():
            raise InputError(f"{path}: an identity is a plain list of finite numbers, and this one has others")
    return identity


def _array_of(arrays: dict[str, np.ndarray], path: Path) -> np.ndarray:
    name = next((name for name in NPZ_NAMES if name in arrays), None)
    if name is None and len(arrays) == 1:
        name = next(iter(arrays))
    if name is None:
        names = ", ".join(sorted(arrays)[:8]) or "nothing"
        raise InputError(f"{path}: has none of the arrays {', '.join(NPZ_NAMES)} (it has {names})")
    return arrays[name]

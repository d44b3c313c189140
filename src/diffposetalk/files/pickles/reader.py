"""Pickles read without running anything in them: an allow-list of names, each bound to a stand-in of ours.

A pickle is a small program whose instructions import functions and call them. Here no name in it reaches the module
it asks for: arrays, matrices and tensors are put together by this file from the plain numbers beside them, after
checking that shapes and sizes agree, and every other name is refused. Neither chumpy, scipy nor torch need be installed.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import parse_npy, read_npy_header
from diffposetalk.files.parsing import first_line, parsing
from diffposetalk.files.pickles.arrays import CHUMPY, PLAIN, SCIPY, Call, Done, Unread, resolved, unknown_chumpy
from diffposetalk.files.pickles.tensors import NAMES as TENSORS
from diffposetalk.files.pickles.unpickler import Budget, PlainUnpickler, short

KINDS = ("scipy", "chumpy", "torch")
"""What can be understood beside plain Python values and numpy."""
SPARE_VALUES, VALUES_PER_BYTE = 10**6, 10
"""Values that a pickle may hold, each counted as often as it is reached: so many, and so many for each of its bytes.

A pickle of 200 bytes can hold a list of two lists which are one and the same list of two lists, and so on: whoever
writes it out or compares it never ends.
"""
_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    **{f"scipy.sparse._{kind}": f"scipy.sparse.{kind}" for kind in ("csc", "csr", "coo")},
}
"""Other homes of the same name, by Python and library version."""


def unpickle(data: bytes, where: str, kinds: Collection[str] = ()) -> Any:
    """Read a pickle of any protocol without running anything in it.

    Args:
        data: the pickle; a Python 2 pickle's byte strings come out as latin-1 text.
        where: what to call it in errors, such as the file name.
        kinds: what may occur beside Python's plain values and numpy arrays: any of `KINDS`. Sparse matrices, chumpy
            arrays and tensors come out as dense numpy arrays, values of other chumpy classes as `Unread`.

    Returns:
        Dictionaries, lists, texts, numbers and numpy arrays.

    Raises:
        InputError: the pickle asks for something else, named in the message, or it is damaged.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"kinds are of {KINDS}, not {sorted(unknown)}")
    try:
        budget = Budget(len(data))
        value = resolved(_Reader(data, where, kinds, budget).load(), Done(budget))
        if _count_values(value, {}) > SPARE_VALUES + VALUES_PER_BYTE * len(data):
            raise ValueError("its values hold one another again and again")
        if isinstance(value, Unread):
            raise InputError(f"{where}: is {value.what}, which is not understood")
        return value
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where}: is not a whole pickle that can be read ({first_line(error)})") from None


def unpickle_npy(data: bytes, where: str, kinds: Collection[str] = ()) -> Any:
    """Read a numpy `.npy` file of numbers, or of objects by `unpickle`.

    Args:
        data: the file's content.
        where: what to call it in errors.
        kinds: see `unpickle`.

    Returns:
        The array; of a file that holds one object, that object.

    Raises:
        InputError: it is no such file, or its pickle is refused.
    """
    with parsing(where, "numpy file"):
        file = io.BytesIO(data)
        _, dtype = read_npy_header(file)
        if not dtype.hasobject:
            return parse_npy(data, where, "numpy file")
        value = unpickle(data[file.tell() :], where, kinds)
        return value.item() if isinstance(value, np.ndarray) and value.shape == () else value


class _Reader(PlainUnpickler):
    """The unpickler with every name that it meets bound to a stand-in."""

    def __init__(self, data: bytes, where: str, kinds: Collection[str], budget: Budget) -> None:
        super().__init__(io.BytesIO(data))
        self._where, self._chumpy = where, "chumpy" in kinds
        names: dict[str, Any] = dict(PLAIN)
        if "scipy" in kinds:
            names |= SCIPY
        if "chumpy" in kinds:
            names |= CHUMPY
        if "torch" in kinds:
            names |= {name: Call(function) for name, function in TENSORS.items()}
        self._names = {
            name: Call(value.function, budget) if isinstance(value, Call) else value for name, value in names.items()
        }

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the stand-in for a name."""
        full = f"{_MODULES.get(module, module)}.{name}"
        if self._chumpy and full.startswith("chumpy.") and full not in self._names:
            self._names[full] = unknown_chumpy(full[:80])
        try:
            return self._names[full]
        except KeyError:
            raise InputError(
                f"{self._where}: the pickle asks for {module[:80]}.{name[:80]}, which is refused; "
                "nothing in it was run: get the file from its source again"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to data outside the pickle."""
        raise InputError(f"{self._where}: the pickle refers to data outside itself ({short(pid)})")


def _count_values(value: Any, counts: dict[int, int]) -> int:
    """Return how many values there are in a value, each counted as often as it is reached.

    Args:
        value: plain values and arrays.
        counts: of the values that were counted before, by id.

    Raises:
        ValueError: a value holds itself.
    """
    if isinstance(value, dict):
        items = value.values()
    elif isinstance(value, (list, tuple)):
        items = value  # type: ignore[assignment]
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        items = value.reshape(-1)  # type: ignore[assignment]
    else:
        return 1
    if id(value) not in counts:
        counts[id(value)] = -1
        counts[id(value)] = 1 + sum(_count_values(item, counts) for item in items)
    elif counts[id(value)] < 0:
        raise ValueError("a value that holds itself")
    return counts[id(value)]

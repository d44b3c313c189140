"""Read pickles without running any code in them: an allow-list of names, each bound to a stand-in of ours.

A pickle is a small program whose instructions import functions and call them. Here no name imports a module. Arrays,
matrices and tensors are built from the plain numbers in the pickle, after a check that shapes and sizes agree. Every
other name is refused. Neither chumpy, scipy nor torch needs to be installed.
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
"""Kinds of values that can be read besides plain Python values and numpy arrays."""
SPARE_VALUES = 10**6
"""Values that any pickle may hold. A shared value counts each time it is reached.

A pickle of 200 bytes can hold a list of two lists that are the same list of two lists, and so on. Printing or comparing
it would never end.
"""
VALUES_PER_BYTE = 10
"""Further values that a pickle may hold for each of its bytes."""
_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
    **{f"scipy.sparse._{kind}": f"scipy.sparse.{kind}" for kind in ("csc", "csr", "coo")},
}
"""Modules that have moved: name in other versions of Python or of the library -> name used here."""


def unpickle(data: bytes, where: str, kinds: Collection[str] = ()) -> Any:
    """Read a pickle of any protocol without running any code in it.

    Args:
        data: the pickle. Byte strings of Python 2 become latin-1 text.
        where: name for errors, such as the file name.
        kinds: any of `KINDS`, accepted besides plain Python values and numpy arrays. Sparse matrices, chumpy arrays and
            tensors become dense numpy arrays; values of other chumpy classes become `Unread`.

    Returns:
        Dictionaries, lists, text, numbers and numpy arrays.

    Raises:
        InputError: the pickle is damaged, or asks for any other name; the message gives that name.
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
    """Read a `.npy` file. An array of Python objects is read by `unpickle`.

    Args:
        data: the file's content.
        where: name for errors.
        kinds: see `unpickle`.

    Returns:
        The array, or the one object that the file holds.

    Raises:
        InputError: it is not a .npy file, or its pickle is refused.
    """
    with parsing(where, "numpy file"):
        file = io.BytesIO(data)
        _, dtype = read_npy_header(file)
        if not dtype.hasobject:
            return parse_npy(data, where, "numpy file")
        value = unpickle(data[file.tell() :], where, kinds)
        return value.item() if isinstance(value, np.ndarray) and value.shape == () else value


class _Reader(PlainUnpickler):
    """Unpickler that binds every name to a stand-in."""

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
    """Count the values inside a value; a shared value counts each time it is reached.

    Args:
        value: plain values and arrays.
        counts: counts so far, by id of the value.

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

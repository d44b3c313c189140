"""Stand-ins for the numpy, scipy and chumpy classes in a pickle. Sizes are checked before arrays are built."""

from __future__ import annotations

import collections
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffposetalk.files.pickles.unpickler import MAX_DIMENSIONS, Budget, checked_items, checked_pairs, short

MAX_DENSE = 2**24
"""Largest number of entries of a sparse matrix that is made dense."""
_DTYPE = re.compile(r"[|<>=]?(\?|b1|[iuf][1248]|c8|c16|[biufBHILQhlqefd]|[SUV]\d+|O8?)")
"""Accepted dtype codes: numbers, text, bytes, padding and objects."""


class Done(dict[int, Any]):
    """Results of `resolve` by the id of the stand-in, with the remaining memory budget."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget


class Call:
    """A function that a pickle may call. Unlike a plain function it has no attributes that a pickle could overwrite."""

    __slots__ = ("_budget", "function")

    def __init__(self, function: Callable[..., Any], budget: Budget | None = None) -> None:
        self.function = function
        self._budget = budget

    def __call__(self, *args: Any) -> Any:
        value = self.function(*args)
        if self._budget is not None:
            self._budget.take(value.nbytes if isinstance(value, np.ndarray) else sys.getsizeof(value))
        return value

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a name is not an object with a state")


class _StandIn:
    """An object whose state follows later in the pickle; `resolve` turns it into an array."""

    __slots__ = ("_state",)
    __hash__ = None  # type: ignore[assignment]

    def __new__(cls, *args: Any) -> _StandIn:
        stand_in = super().__new__(cls)
        stand_in._state = None
        return stand_in

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def resolve(self, done: Done) -> Any:
        """Return the value of the object."""
        raise NotImplementedError

    def fields(self, done: Done) -> dict[str, Any]:
        """Return the state, a dictionary, with all values resolved."""
        if not isinstance(self._state, dict):
            raise ValueError(f"a {type(self).__name__.strip('_')} without its values")
        return resolved(self._state, done)


class _Marker(_StandIn):
    """A class that the pickle refers to but does not call, such as `ndarray`."""

    def resolve(self, done: Done) -> Any:
        """Refuse the class as a value."""
        raise ValueError("a class in the place of a value")


class _DType(_StandIn):
    """`numpy.dtype`: the number format. The state gives the byte order; its flags are ignored."""

    __slots__ = ("_code",)

    def __init__(self, code: Any = None, *args: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"an array of the kind {short(code)}")
        self._code = code.lstrip("|<>=")

    @property
    def dtype(self) -> np.dtype:
        """The numpy dtype."""
        state = self._state
        order = "="
        if state is not None:
            if not isinstance(state, tuple) or len(state) < 6 or state[1] not in ("<", ">", "|", "="):
                raise ValueError("a number format that is not numpy's")
            if state[2] is not None or state[3] or state[4]:
                raise ValueError("an array of records")
            order = state[1]
        if self._code[0] in "SUV" and state is not None and isinstance(state[5], int) and state[5] > 0:
            size = state[5] // (4 if self._code[0] == "U" else 1)
            return np.dtype(f"{order}{self._code[0]}{size}")
        return np.dtype(f"{order}{self._code}")

    def resolve(self, done: Done) -> np.dtype:
        """Return the dtype itself."""
        return self.dtype


class _Array(_StandIn):
    """`numpy.ndarray`: shape, dtype and bytes."""

    def resolve(self, done: Done) -> np.ndarray:
        """Return the array after checking its size."""
        state = self._state
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _DType):
            raise ValueError("an array without its values")
        _, shape, kind, fortran, data = state
        if kind.dtype.hasobject:
            if not isinstance(data, list) or len(data) != _count(shape):
                raise ValueError("an array of objects whose shape is not that of its list")
            done.budget.take(8 * len(data))
            flat = np.empty(len(data), object)
            done[id(self)] = array = flat.reshape(shape, order="F" if fortran else "C")
            for index, value in enumerate(data):
                flat[index] = resolved(value, done)
            return array
        array = _from_bytes(data, kind.dtype, shape, "F" if fortran else "C")
        done.budget.take(array.nbytes)
        return array


class _Sparse(_StandIn):
    """A matrix of `scipy.sparse`, made dense; compressed columns."""

    axis = 1

    def resolve(self, done: Done) -> np.ndarray:
        """Return the dense matrix ``(rows, columns)``."""
        fields = self.fields(done)
        n_rows, n_columns = shape = tuple(int(n) for n in _numbers(fields.get("_shape", fields.get("shape", ()))))
        if min(shape) < 0 or n_rows * n_columns > MAX_DENSE:
            raise ValueError(f"a sparse matrix of {n_rows} x {n_columns}")
        data = _numbers(fields["data"])
        done.budget.take(n_rows * n_columns * data.itemsize)
        rows, columns = self.positions(fields)
        if not len(rows) == len(columns) == len(data):
            raise ValueError("a sparse matrix whose parts differ in length")
        dense = np.zeros(shape, data.dtype)
        if len(data) and (min(rows.min(), columns.min()) < 0 or rows.max() >= n_rows or columns.max() >= n_columns):
            raise ValueError("a sparse matrix with entries outside itself")
        np.add.at(dense, (rows, columns), data)
        return dense

    def positions(self, fields: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each entry."""
        counts, minor = np.diff(_numbers(fields["indptr"])), _numbers(fields["indices"])
        if (counts < 0).any() or counts.sum() != len(minor):
            raise ValueError("a sparse matrix whose parts differ in length")
        major = np.repeat(np.arange(len(counts)), counts)
        return (minor, major) if self.axis == 1 else (major, minor)


class _SparseRows(_Sparse):
    """A sparse matrix of compressed rows."""

    axis = 0


class _SparseTriples(_Sparse):
    """A sparse matrix of rows, columns and values."""

    def positions(self, fields: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each entry."""
        if "coords" in fields:
            rows, columns = fields["coords"]
        else:
            rows, columns = fields["row"], fields["col"]
        return _numbers(rows), _numbers(columns)


@dataclass(frozen=True)
class Unread:
    """Placeholder for a chumpy value that cannot be read; harmless if its key is not used."""

    what: str
    """Description, for errors."""


class _Chumpy(_StandIn):
    """`chumpy.ch.Ch`: a differentiable array; the numbers are the field `x`."""

    def resolve(self, done: Done) -> np.ndarray | Unread:
        """Return the numbers."""
        fields = self.fields(done)
        if "x" not in fields:
            names = ", ".join(map(str, fields))[:80] or "nothing"
            return Unread(f"a chumpy array without values (it has {names})")
        return _numbers(fields["x"])


def unknown_chumpy(name: str) -> type:
    """Return the stand-in for an unknown class of chumpy, such as an expression.

    Args:
        name: its module and name.
    """

    class Unknown(_StandIn):
        __slots__ = ()

        def resolve(self, done: Done) -> Unread:
            return Unread(name)

    return Unknown


class _ChumpySelect(_StandIn):
    """`chumpy.reordering.Select`: entries of another array by index, reshaped."""

    def resolve(self, done: Done) -> np.ndarray:
        """Return the entries."""
        fields = self.fields(done)
        source, picked = _numbers(fields["a"]).reshape(-1), _numbers(fields["idxs"]).reshape(-1)
        shape = fields.get("preferred_shape")
        done.budget.take(len(picked) * source.itemsize)
        values = source[picked]
        return values if shape is None else values.reshape(tuple(int(n) for n in np.atleast_1d(_numbers(shape))))


def _numbers(value: Any) -> np.ndarray:
    """Convert a value to an array of numbers.

    Raises:
        ValueError: it holds anything but numbers.
    """
    if isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple, dict, np.ndarray)) for item in value):
        raise ValueError("rows of rows in the place of an array")
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" and array.size:
        raise ValueError(f"an array of {array.dtype.name[:40]} in the place of numbers")
    return array


def resolved(value: Any, done: Done) -> Any:
    """Replace all stand-ins by arrays, recursively; shared values stay shared."""
    if not isinstance(value, (_StandIn, dict, list, tuple)):
        if isinstance(value, Call):
            raise ValueError("a function in the place of a value")
        return value
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _StandIn):
        done[id(value)] = result = value.resolve(done)
        return result
    if isinstance(value, tuple):
        done[id(value)] = items_done = tuple(resolved(item, done) for item in value)
        return items_done
    done[id(value)] = value
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, item in items:
        value[key] = resolved(item, done)
    return value


def _count(shape: Any) -> int:
    if not (
        isinstance(shape, tuple) and len(shape) <= MAX_DIMENSIONS and all(isinstance(n, int) and n >= 0 for n in shape)
    ):
        raise ValueError(f"an array of shape {short(shape)}")
    count = 1
    for n in shape:
        count *= n
    return count


def _from_bytes(data: Any, dtype: np.dtype, shape: Any, order: Any) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data))
    if dtype.hasobject or len(raw) != _count(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {short(shape)} whose {len(raw)} bytes do not fill it")
    if not len(raw):
        if not dtype.itemsize and _count(shape):
            raise ValueError("an array of numbers without size")
        return np.zeros(shape, dtype.newbyteorder("="))
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if order == "F" else "C")
    return array.astype(dtype.newbyteorder("="), order="C")


def _reconstruct(kind: Any, shape: Any = (0,), code: Any = b"b") -> _Array:
    if kind is not _NDARRAY:
        raise ValueError("an array of a foreign class")
    return _Array()


def _scalar(kind: Any, data: Any = None) -> Any:
    if not isinstance(kind, _DType) or data is None:
        raise ValueError("a number without its value")
    return _from_bytes(data, kind.dtype, (), "C")[()]


def _frombuffer(data: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray:
    if not isinstance(kind, _DType):
        raise ValueError("an array of an unknown kind")
    return _from_bytes(data, kind.dtype, shape, order)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or not isinstance(encoding, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text as bytes in {short(encoding)}")
    return text.encode("latin1")


def _bytes(content: Any = b"", encoding: Any = "latin1") -> bytes:
    if isinstance(content, (bytes, bytearray)):
        return bytes(content)
    if isinstance(content, (list, tuple)):
        return bytes(content)
    return _encode(content, encoding)


def _new(kind: Any, base: Any = None, state: Any = None) -> _StandIn:
    if not (isinstance(kind, type) and issubclass(kind, _StandIn)) or base is not _OBJECT or state is not None:
        raise ValueError("an object of a foreign class")
    return kind()


_NDARRAY = _Marker()
"""Stand-in for the class `numpy.ndarray`."""
_OBJECT = _Marker()
"""Stand-in for the class `object`."""
PLAIN: dict[str, Any] = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _DType,
    "numpy.core.multiarray._reconstruct": Call(_reconstruct),
    "numpy.core.multiarray.scalar": Call(_scalar),
    "numpy.core.numeric._frombuffer": Call(_frombuffer),
    "_codecs.encode": Call(_encode),
    "builtins.bytes": Call(_bytes),
    "builtins.bytearray": Call(lambda *args: bytearray(_bytes(*args))),
    "builtins.set": Call(lambda items=(): set(checked_items(items))),
    "builtins.frozenset": Call(lambda items=(): frozenset(checked_items(items))),
    "builtins.complex": Call(lambda real, imaginary=0.0: complex(real, imaginary)),
    "builtins.object": _OBJECT,
    "copyreg._reconstructor": Call(_new),
    "collections.OrderedDict": Call(lambda items=(): collections.OrderedDict(checked_pairs(items))),
}
"""Name -> stand-in, for plain Python values and numpy."""
SCIPY: dict[str, Any] = {
    f"scipy.sparse.{kind}.{kind}_{form}": stand_in
    for kind, stand_in in (("csc", _Sparse), ("csr", _SparseRows), ("coo", _SparseTriples))
    for form in ("matrix", "array")
}
"""Name -> stand-in, for sparse matrices of scipy."""
CHUMPY: dict[str, Any] = {"chumpy.ch.Ch": _Chumpy, "chumpy.reordering.Select": _ChumpySelect}
"""Name -> stand-in, for arrays of chumpy."""

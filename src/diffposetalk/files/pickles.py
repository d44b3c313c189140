"""Pickles read without running anything in them: an allow-list of names, each bound to a stand-in of ours.

A pickle is a small program whose instructions import functions and call them. Here no name in it reaches the module
it asks for: arrays, matrices and tensors are put together by this file from the plain numbers beside them, after
checking that shapes and sizes agree, and every other name is refused. Neither chumpy, scipy nor torch need be installed.
"""

from __future__ import annotations

import collections
import io
import pickle
import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files import pickled_tensors

KINDS = ("scipy", "chumpy", "torch")
"""What can be understood beside plain Python values and numpy."""
MAX_DENSE = 2**27
"""Largest number of entries to which a sparse matrix is spread out."""
_DTYPE = re.compile(r"[|<>=]?(\?|b1|[iuf][1248]|c8|c16|[biufBHILQhlqefd]|[SUV]\d+|O8?)")
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
            arrays and tensors come out as dense numpy arrays.

    Returns:
        Dictionaries, lists, texts, numbers and numpy arrays.

    Raises:
        InputError: the pickle asks for something else, named in the message, or it is damaged.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"kinds are of {KINDS}, not {sorted(unknown)}")
    try:
        return _resolved(_Reader(data, where, kinds).load(), {})
    except InputError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{where}: is not a whole pickle that can be read ({reason})") from None


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
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(file)
        if not dtype.hasobject:
            return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{where}: is not a numpy file that can be read ({error})") from None
    value = unpickle(data[file.tell() :], where, kinds)
    return value.item() if isinstance(value, np.ndarray) and value.shape == () else value


class _Reader(pickle.Unpickler):
    """Python's unpickler with every name it meets bound to a stand-in."""

    def __init__(self, data: bytes, where: str, kinds: Collection[str]) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._where = where
        self._names = dict(_PLAIN)
        if "scipy" in kinds:
            self._names |= _SCIPY
        if "chumpy" in kinds:
            self._names |= _CHUMPY
        if "torch" in kinds:
            self._names |= {name: _Call(function) for name, function in pickled_tensors.NAMES.items()}

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the stand-in for a name."""
        try:
            return self._names[f"{_MODULES.get(module, module)}.{name}"]
        except KeyError:
            raise InputError(
                f"{self._where}: the pickle asks for {module}.{name}, which is refused; "
                "nothing in it was run: get the file from its source again"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to data outside the pickle."""
        raise InputError(f"{self._where}: the pickle refers to data outside itself ({pid!r:.60})")


class _Call:
    """A function that a pickle may call; unlike a plain function it has nothing that a pickle could overwrite."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a name is not an object with a state")


class _StandIn:
    """An object whose state the pickle gives after making it; becomes an array by `resolve`."""

    __slots__ = ("_state",)
    __hash__ = None  # type: ignore[assignment]

    def __new__(cls, *args: Any) -> _StandIn:
        made = super().__new__(cls)
        made._state = None
        return made

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def resolve(self, done: dict[int, Any]) -> Any:
        """Return what the object stands for."""
        raise NotImplementedError

    def fields(self, done: dict[int, Any]) -> dict[str, Any]:
        """Return the state, which must be a dictionary by name, with plain values."""
        if not isinstance(self._state, dict):
            raise ValueError(f"a {type(self).__name__.strip('_')} without its values")
        return {str(key): value for key, value in _resolved(self._state, done).items()}


class _Marker(_StandIn):
    """A class that is only named, as `ndarray` is when an array is put together."""

    def resolve(self, done: dict[int, Any]) -> Any:
        """Say that the class itself is no value."""
        raise ValueError("a class in the place of a value")


class _DType(_StandIn):
    """`numpy.dtype`: the kind of number; its byte order comes with the state, whose flags are not looked at."""

    __slots__ = ("_code",)

    def __init__(self, code: Any = None, *args: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"an array of the kind {code!r:.40}")
        self._code = code.lstrip("|<>=")

    @property
    def dtype(self) -> np.dtype:
        """The real thing, made anew."""
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

    def resolve(self, done: dict[int, Any]) -> np.dtype:
        """Return the dtype itself."""
        return self.dtype


class _Array(_StandIn):
    """`numpy.ndarray`: shape, kind and bytes."""

    def resolve(self, done: dict[int, Any]) -> np.ndarray:
        """Return the array, its size checked."""
        state = self._state
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _DType):
            raise ValueError("an array without its values")
        _, shape, kind, fortran, data = state
        if kind.dtype.hasobject:
            if not isinstance(data, list) or len(data) != _count(shape):
                raise ValueError("an array of objects whose shape is not that of its list")
            flat = np.empty(len(data), object)
            done[id(self)] = array = flat.reshape(shape, order="F" if fortran else "C")
            for index, value in enumerate(data):
                flat[index] = _resolved(value, done)
            return array
        return _from_bytes(data, kind.dtype, shape, "F" if fortran else "C")


class _Sparse(_StandIn):
    """A matrix of `scipy.sparse`, spread out."""

    axis = 1

    def resolve(self, done: dict[int, Any]) -> np.ndarray:
        """Return the matrix `(rows, columns)`."""
        fields = self.fields(done)
        n_rows, n_columns = shape = tuple(int(n) for n in fields.get("_shape", fields.get("shape", ())))
        if min(shape) < 0 or n_rows * n_columns > MAX_DENSE:
            raise ValueError(f"a sparse matrix of {n_rows} x {n_columns}")
        data = np.asarray(fields["data"])
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
        counts = np.diff(fields["indptr"])
        if (counts < 0).any() or counts.sum() != len(fields["indices"]):
            raise ValueError("a sparse matrix whose parts differ in length")
        major, minor = np.repeat(np.arange(len(counts)), counts), np.asarray(fields["indices"])
        return (minor, major) if self.axis == 1 else (major, minor)


class _SparseRows(_Sparse):
    """The same with rows one after another."""

    axis = 0


class _SparseTriples(_Sparse):
    """The same as rows, columns and values."""

    def positions(self, fields: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each entry."""
        if "coords" in fields:
            rows, columns = fields["coords"]
        else:
            rows, columns = fields["row"], fields["col"]
        return np.asarray(rows), np.asarray(columns)


class _Chumpy(_StandIn):
    """`chumpy.ch.Ch`: an array that could be differentiated; the numbers lie under `x`."""

    def resolve(self, done: dict[int, Any]) -> np.ndarray:
        """Return the numbers."""
        fields = self.fields(done)
        if "x" not in fields:
            raise ValueError(f"a chumpy array without values (it has {', '.join(sorted(fields)) or 'nothing'})")
        return np.asarray(fields["x"])


class _ChumpySelect(_StandIn):
    """`chumpy.reordering.Select`: entries of another array by number, in a shape."""

    def resolve(self, done: dict[int, Any]) -> np.ndarray:
        """Return the entries."""
        fields = self.fields(done)
        source, picked = np.asarray(fields["a"]).reshape(-1), np.asarray(fields["idxs"]).reshape(-1)
        shape = fields.get("preferred_shape")
        values = source[picked]
        return values if shape is None else values.reshape(tuple(int(n) for n in np.atleast_1d(shape)))


def _resolved(value: Any, done: dict[int, Any]) -> Any:
    """Put arrays in the place of their stand-ins, all the way down; a shared value stays shared."""
    if not isinstance(value, (_StandIn, dict, list, tuple)):
        if isinstance(value, _Call):
            raise ValueError("a function in the place of a value")
        return value
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _StandIn):
        done[id(value)] = made = value.resolve(done)
        return made
    if isinstance(value, tuple):
        done[id(value)] = made = tuple(_resolved(item, done) for item in value)
        return made
    done[id(value)] = value
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, item in items:
        value[key] = _resolved(item, done)
    return value


def _count(shape: Any) -> int:
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"an array of shape {shape!r:.60}")
    count = 1
    for n in shape:
        count *= n
    return count


def _from_bytes(data: Any, dtype: np.dtype, shape: Any, order: Any) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data))
    if dtype.hasobject or len(raw) != _count(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {shape} whose {len(raw)} bytes do not fill it")
    if not len(raw):
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
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text as bytes in {encoding!r:.40}")
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


_NDARRAY, _OBJECT = _Marker(), _Marker()
_PLAIN: dict[str, Any] = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _DType,
    "numpy.core.multiarray._reconstruct": _Call(_reconstruct),
    "numpy.core.multiarray.scalar": _Call(_scalar),
    "numpy.core.numeric._frombuffer": _Call(_frombuffer),
    "_codecs.encode": _Call(_encode),
    "builtins.bytes": _Call(_bytes),
    "builtins.bytearray": _Call(lambda *args: bytearray(_bytes(*args))),
    "builtins.set": _Call(lambda items=(): set(items)),
    "builtins.frozenset": _Call(lambda items=(): frozenset(items)),
    "builtins.complex": _Call(lambda real, imaginary=0.0: complex(real, imaginary)),
    "builtins.object": _OBJECT,
    "copyreg._reconstructor": _Call(_new),
    "collections.OrderedDict": _Call(lambda items=(): collections.OrderedDict(items)),
}
_SCIPY: dict[str, Any] = {
    f"scipy.sparse.{kind}.{kind}_{form}": stand_in
    for kind, stand_in in (("csc", _Sparse), ("csr", _SparseRows), ("coo", _SparseTriples))
    for form in ("matrix", "array")
}
_CHUMPY: dict[str, Any] = {"chumpy.ch.Ch": _Chumpy, "chumpy.reordering.Select": _ChumpySelect}

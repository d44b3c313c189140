"""Python's unpickler, safe against hostile files: memory is limited by the file's size, and keys are checked."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, ClassVar

MAX_DIMENSIONS = 32
"""Largest number of dimensions of an array, and of values in a tuple used as a key."""
SPARE_BYTES = 2**27
"""Memory in bytes that the values of any pickle may take."""
BYTES_PER_BYTE = 8
"""Further memory that they may take for each byte of the pickle."""


class Budget:
    """Remaining memory for the values of one pickle."""

    def __init__(self, n_bytes: int) -> None:
        self._left = SPARE_BYTES + BYTES_PER_BYTE * n_bytes

    def take(self, n_bytes: int) -> None:
        """Subtract bytes that are allocated.

        Raises:
            ValueError: a pickle of this size may not take so much.
        """
        self._left -= n_bytes
        if self._left < 0:
            raise ValueError("it asks for far more memory than its size")


_Unpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]


class PlainUnpickler(_Unpickler):
    """Python's unpickler; subclasses provide `find_class` and `persistent_load`.

    It is the version written in Python. The C version allocates as many memo entries as a five-byte instruction asks
    for, and hashes keys before they can be checked.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        """Read from a file in memory; byte strings of Python 2 are read as latin-1."""
        super().__init__(file, encoding="latin1")
        self._size = len(file.getbuffer())

    def load(self) -> Any:
        """Return the value.

        Raises:
            Exception: of any type, where the pickle is damaged.
        """
        try:
            return super().load()
        except KeyError as error:
            raise ValueError(f"it has no instruction {error}") from None

    def _set_item(self) -> None:
        check_key(self.stack[-2])
        super().load_setitem()

    def _set_items(self) -> None:
        checked_items(self.stack[::2])
        super().load_setitems()

    def _add_items(self) -> None:
        checked_items(self.stack)
        super().load_additems()

    def _frozen_set(self) -> None:
        checked_items(self.stack)
        super().load_frozenset()

    def _dict(self) -> None:
        checked_items(self.stack[::2])
        super().load_dict()

    def _bytearray(self) -> None:
        (n,) = struct.unpack("<Q", self.read(8))
        if n > self._size:
            raise ValueError("bytes that reach beyond its end")
        self.append(bytearray(self.read(n)))

    dispatch |= {
        pickle.SETITEM[0]: _set_item, pickle.SETITEMS[0]: _set_items, pickle.ADDITEMS[0]: _add_items,
        pickle.FROZENSET[0]: _frozen_set, pickle.DICT[0]: _dict, pickle.BYTEARRAY8[0]: _bytearray,
    }  # fmt: skip


def check_key(key: Any) -> None:
    """Refuse a key that would be slow to hash or has its own hash function.

    Raises:
        ValueError: it is neither a plain value nor a tuple of plain values.
    """
    plain = (str, bytes, int, float, complex, type(None))
    if not isinstance(key, plain) and not (
        isinstance(key, tuple) and len(key) <= MAX_DIMENSIONS and all(isinstance(item, plain) for item in key)
    ):
        raise ValueError(f"a {type(key).__name__.strip('_')} as a key")


def checked_items(items: Any) -> Any:
    """Return the keys or items of a set after `check_key`."""
    for item in items:
        check_key(item)
    return items


def checked_pairs(items: Any) -> Any:
    """Return the pairs of a dictionary after `check_key` of the keys."""
    for item in items:
        check_key(item[0] if isinstance(item, (tuple, list)) and item else item)
    return items


def short(value: Any) -> str:
    """Describe a value for a message, without its contents."""
    if isinstance(value, (str, bytes)):
        return repr(value[:40])
    if isinstance(value, (bool, float, type(None))) or (isinstance(value, int) and abs(value) < 10**40):
        return repr(value)
    if (
        isinstance(value, tuple)
        and len(value) <= 6
        and not any(isinstance(item, (tuple, list, dict)) for item in value)
    ):
        return f"({', '.join(map(short, value))})"
    return f"a {type(value).__name__.strip('_')}"

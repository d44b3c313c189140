"""Read torch tensors inside ordinary pickles as numpy arrays, without torch and without running any code.

A pickled tensor refers to its storage, offset and strides. The storage is a block of bytes. It starts with five small
pickles: a magic number, a version, the number sizes of the machine, a description of the storage, and the keys of the
storages that follow. Then follow, for each key, the count of the numbers and the numbers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from diffposetalk.files.pickles.unpickler import MAX_DIMENSIONS, PlainUnpickler, short

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a storage's bytes."""
_KINDS = {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "BFloat16": "<u2", "Long": "<i8", "Int": "<i4", "Short": "<i2",
    "Char": "<i1", "Byte": "<u1", "Bool": "|b1",
}  # fmt: skip
"""Torch storage class -> numpy dtype. A bfloat16 is the upper half of a float32."""


@dataclass(frozen=True)
class Storage:
    """The numbers of one or several tensors."""

    numbers: np.ndarray
    """``(n,)``."""


class _StorageClass:
    """A storage class that the pickle refers to."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a storage class with a state")


class _Part(PlainUnpickler):
    """Unpickler of the small pickles in a storage; it knows only the storage classes."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the storage class of that name."""
        kind = name.removesuffix("Storage")
        if module != "torch" or kind == name or kind not in _KINDS:
            raise ValueError(f"a tensor's storage asks for {module}.{name}")
        return _StorageClass(kind)

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:
        """Return kind, key and count of a storage."""
        match pid:
            case ("storage", _StorageClass() as storage_class, str(key), str(), int(count), None):
                return storage_class.kind, key, count
        raise ValueError("a tensor whose storage is not described as expected")


def storage_from_bytes(data: Any) -> Storage:
    """Read the bytes of a storage.

    Raises:
        ValueError: they are not exactly one complete storage.
    """
    file = io.BytesIO(data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data)))
    magic, _, system, which, keys = (_Part(file).load() for _ in range(5))
    if not isinstance(magic, int):
        magic = 0
    match which, keys:
        case (str(kind), str(key), int(count)), [str(other)] if magic == MAGIC and key == other and kind in _KINDS:
            pass
        case _:
            raise ValueError("a tensor's storage that is not torch's")
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ValueError("a tensor written on a big-endian machine")
    written = int.from_bytes(file.read(8), "little")
    raw = file.read()
    dtype = np.dtype(_KINDS[kind])
    if written != count or len(raw) != count * dtype.itemsize:
        raise ValueError(f"a tensor's storage of {len(raw)} bytes that should hold {count} numbers")
    numbers = np.frombuffer(raw, dtype)
    if kind == "BFloat16":
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    return Storage(numbers)


def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> np.ndarray:
    """Cut a tensor out of its storage.

    Raises:
        ValueError: the tensor would reach outside its storage.
    """
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without its numbers")
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor without its shape")
    sizes = (*shape, *strides, offset)
    if not len(shape) == len(strides) <= MAX_DIMENSIONS or not all(isinstance(n, int) and n >= 0 for n in sizes):
        raise ValueError(f"a tensor of shape {short(shape)}")
    numbers = storage.numbers
    if 0 in shape:
        return np.zeros(shape, numbers.dtype)
    reach = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
    if reach >= len(numbers) or np.prod([float(n) for n in shape]) > max(len(numbers), 1):
        raise ValueError("a tensor that reaches outside its storage")
    step = numbers.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, [stride * step for stride in strides])
    return np.array(view)


NAMES: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_parameter": lambda data, *_rest: data,
    "torch.storage._load_from_bytes": storage_from_bytes,
    "torch.Size": lambda sizes=(): tuple(sizes),
}
"""Name in a pickle with tensors -> our function for it."""

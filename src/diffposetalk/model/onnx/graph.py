"""A writer of ONNX graphs: nodes are added one by one; the result is the bytes of an ``.onnx`` file.

ONNX files are protocol buffers. The few messages that are needed are written here by hand, so that a model runs without the
package `onnx`. Source of the field numbers: ``onnx/onnx.proto`` (ONNX 1.15, IR version 9).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from diffposetalk.errors import ModelError

OPSET = 20
"""Version of the operators: the first with `Gelu`."""
IR_VERSION = 9
"""Version of the file format that belongs to it."""
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7

Attribute: TypeAlias = int | float | str | Sequence[int]
Shape: TypeAlias = Sequence[int | str]
"""Sizes; a name stands for a size that is known when the graph runs."""


class StoredWeights:
    """A network that keeps its weights as they stand in a model file."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    def state_dict(self) -> Mapping[str, np.ndarray]:
        """Return the weights by name, as in a model file."""
        return self._arrays


class Weights:
    """The weights of one network, taken one by one; each must have the expected shape."""

    def __init__(self, arrays: Mapping[str, np.ndarray], where: object) -> None:
        self._arrays, self._where, self._taken = arrays, where, set[str]()

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Return a weight.

        Raises:
            ModelError: it is missing or has another shape.
        """
        if name not in self._arrays:
            raise ModelError(f"{self._where}: the weight {name!r} is missing")
        array = self._arrays[name]
        if array.shape != shape:
            raise ModelError(f"{self._where}: the weight {name!r} is {array.shape}, expected {shape}")
        self._taken.add(name)
        return array

    def linear(self, name: str, n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
        """Return matrix ``(n_in, n_out)`` and bias ``(n_out,)`` of a linear layer."""
        return self.take(f"{name}.weight", n_out, n_in).T, self.take(f"{name}.bias", n_out)

    def check_all_taken(self) -> None:
        """Raise a `ModelError` if a weight was not needed."""
        for name in sorted(set(self._arrays) - self._taken):
            raise ModelError(f"{self._where}: the weight {name!r} is not of this network")


class Graph:
    """A graph that is being written. Values are named by the strings that the methods return."""

    def __init__(self, name: str) -> None:
        self._name, self._n = name, 0
        self._nodes: list[bytes] = []
        self._initializers: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, *shape: int | str) -> str:
        """Add a float input."""
        self._inputs.append(_value_info(name, shape))
        return name

    def output(self, value: str, name: str, *shape: int | str) -> None:
        """Make a value an output."""
        self._nodes.append(_node("Identity", [value], [name], {}))
        self._outputs.append(_value_info(name, shape))

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        """Add a constant."""
        array: np.ndarray = np.ascontiguousarray(values, dtype)
        name = self._new("c")
        dims = b"".join(_varint_field(1, size) for size in array.shape)
        head = dims + _varint_field(2, _TYPES[array.dtype]) + _bytes_field(8, name.encode())
        self._initializers.append(head + _bytes_field(9, array.astype(array.dtype.newbyteorder("<")).tobytes()))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant list of integers, such as a shape."""
        return self.constant(np.array(values), np.int64)

    def node(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operation with one result."""
        return self.nodes(kind, *inputs, n_outputs=1, **attributes)[0]

    def nodes(self, kind: str, *inputs: str, n_outputs: int, **attributes: Attribute) -> list[str]:
        """Add an operation with several results."""
        outputs = [self._new("v") for _ in range(n_outputs)]
        self._nodes.append(_node(kind, inputs, outputs, attributes))
        return outputs

    # ----------------------------------------------------------------------------------------------
    # What the networks are made of

    def add(self, *values: str) -> str:
        """Add values up."""
        total = values[0]
        for value in values[1:]:
            total = self.node("Add", total, value)
        return total

    def linear(self, x: str, layer: tuple[np.ndarray, np.ndarray | None]) -> str:
        """Apply ``x @ matrix + bias``; without a bias where it is None."""
        product = self.node("MatMul", x, self.constant(layer[0]))
        return product if layer[1] is None else self.node("Add", product, self.constant(layer[1]))

    def layer_norm(self, x: str, scale: np.ndarray, shift: np.ndarray) -> str:
        """Normalise the last axis."""
        return self.node("LayerNormalization", x, self.constant(scale), self.constant(shift), axis=-1, epsilon=1e-5)

    def concat(self, *values: str, axis: int) -> str:
        """Join values along an axis; a single value is returned as it is."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=axis)

    def slice(self, x: str, axis: int, start: int, stop: int = 2**62) -> str:
        """Return part of an axis."""
        return self.node("Slice", x, *(self.integers(number) for number in (start, stop, axis)))

    def split(self, x: str, *sizes: int, axis: int = -1) -> list[str]:
        """Cut an axis into pieces."""
        return self.nodes("Split", x, self.integers(*sizes), n_outputs=len(sizes), axis=axis)

    def reshape(self, x: str, *shape: int) -> str:
        """Change the shape: 0 keeps a size, -1 is what is left."""
        return self.node("Reshape", x, self.integers(*shape))

    def attention(
        self, queries: str, keys: str, values: str, n_heads: int, dim: int, blocked: str | None = None
    ) -> str:
        """Attend: all ``(B, T, dim)``, queries scaled already; ``blocked`` is added to the scores ``(B, heads, T, S)``."""

        def heads(x: str, *order: int) -> str:
            return self.node("Transpose", self.reshape(x, 0, 0, n_heads, dim // n_heads), perm=order)

        scores = self.node("MatMul", heads(queries, 0, 2, 1, 3), heads(keys, 0, 2, 3, 1))
        if blocked is not None:
            scores = self.node("Add", scores, blocked)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), heads(values, 0, 2, 1, 3))
        return self.reshape(self.node("Transpose", mixed, perm=(0, 2, 1, 3)), 0, 0, dim)

    def to_bytes(self) -> bytes:
        """Return the file."""
        graph = b"".join(_bytes_field(1, node) for node in self._nodes) + _bytes_field(2, self._name.encode())
        graph += b"".join(_bytes_field(5, each) for each in self._initializers)
        graph += b"".join(_bytes_field(11, each) for each in self._inputs)
        graph += b"".join(_bytes_field(12, each) for each in self._outputs)
        opset = _bytes_field(8, _bytes_field(1, b"") + _varint_field(2, OPSET))
        return _varint_field(1, IR_VERSION) + _bytes_field(2, b"diffposetalk") + _bytes_field(7, graph) + opset

    def _new(self, letter: str) -> str:
        self._n += 1
        return f"{letter}{self._n}"


# --------------------------------------------------------------------------------------------------
# Protocol buffers: a field is its number and wire type, then a varint (type 0), bytes (2) or four bytes (5)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers as two's complement of 64 bits
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _varint_field(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes_field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Attribute]) -> bytes:
    node = b"".join(_bytes_field(1, name.encode()) for name in inputs)
    node += b"".join(_bytes_field(2, name.encode()) for name in outputs)
    node += _bytes_field(3, outputs[0].encode()) + _bytes_field(4, kind.encode())
    return node + b"".join(_bytes_field(5, _attribute(name, value)) for name, value in attributes.items())


def _attribute(name: str, value: Attribute) -> bytes:
    head = _bytes_field(1, name.encode())
    if isinstance(value, str):
        return head + _bytes_field(4, value.encode()) + _varint_field(20, _STRING)
    if isinstance(value, float):
        return head + _varint(2 << 3 | 5) + struct.pack("<f", value) + _varint_field(20, _FLOAT)
    if isinstance(value, int):
        return head + _varint_field(3, value) + _varint_field(20, _INT)
    return head + b"".join(_varint_field(8, number) for number in value) + _varint_field(20, _INTS)


def _value_info(name: str, shape: Shape) -> bytes:
    def dim(size: int | str) -> bytes:
        return _bytes_field(2, size.encode()) if isinstance(size, str) else _varint_field(1, size)

    sizes = _bytes_field(2, b"".join(_bytes_field(1, dim(size)) for size in shape))
    tensor = _varint_field(1, _TYPES[np.dtype(np.float32)]) + sizes
    return _bytes_field(1, name.encode()) + _bytes_field(2, _bytes_field(1, tensor))

"""OSC messages in bundles that fit into datagrams.

A frame has some seventy messages, which differ from those of the frame before only in their numbers. So the beginning of each
message is encoded once by python-osc, and the numbers are put behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from pythonosc.osc_message_builder import OscMessageBuilder

LARGEST = 1400
"""Bytes of a bundle; more would be cut into several packets by a network."""
_HEADER = b"#bundle\x00" + struct.pack(">Q", 1)  # 1: at once

Message = tuple[str, tuple[str | int | bool, ...], tuple[float, ...]]
"""Address, first values, and then float32 values."""


def bundles(messages: Iterable[Message]) -> list[bytes]:
    """Return messages as bundles in their order."""
    result: list[bytes] = []
    parts, size = [_HEADER], len(_HEADER)
    for address, first, floats in messages:
        data = _beginning(address, first, len(floats)) + struct.pack(f">{len(floats)}f", *floats)
        if size + 4 + len(data) > LARGEST and len(parts) > 1:
            result.append(b"".join(parts))
            parts, size = [_HEADER], len(_HEADER)
        parts += [struct.pack(">i", len(data)), data]
        size += 4 + len(data)
    return [*result, b"".join(parts)] if len(parts) > 1 else result


@lru_cache(maxsize=1024)
def _beginning(address: str, first: tuple[str | int | bool, ...], n_floats: int) -> bytes:
    """Return a message without the bytes of its floats."""
    builder = OscMessageBuilder(address)
    for value in (*first, *([0.0] * n_floats)):
        builder.add_arg(value)
    message = bytes(builder.build().dgram)
    return message[: len(message) - 4 * n_floats]

"""Damage of bytes without regard to what they mean, and of the fields of a WAV header."""

from __future__ import annotations

import struct
from random import Random


def by_bytes(data: bytes, rng: Random) -> bytes:
    """Flip, cut, splice, double, insert."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not out:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(8)))
        at = rng.randrange(len(out))
        act = rng.random()
        if act < 0.35:
            out[at] ^= 1 << rng.randrange(8)
        elif act < 0.55:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif act < 0.63:
            width = rng.choice((2, 4, 8))
            value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, rng.getrandbits(64))) % (1 << (8 * width))
            out[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
        elif act < 0.75:
            del out[at:]
        elif act < 0.83:
            del out[at : at + rng.randrange(1, 64)]
        elif act < 0.91:
            start = rng.randrange(len(out))
            out[at:at] = out[start : start + rng.randrange(1, 256)]
        else:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8)))
    return bytes(out)


def of_wav(data: bytes, rng: Random) -> bytes:
    """Change fields of a WAV header."""
    if data[:4] != b"RIFF":
        return by_bytes(data, rng)
    out = bytearray(data)
    fields = ((4, "<I"), (16, "<I"), (20, "<H"), (22, "<H"), (24, "<I"), (28, "<I"), (32, "<H"), (34, "<H"), (40, "<I"))
    for at, form in rng.sample(fields, rng.choice((1, 1, 2))):
        top = 256 ** struct.calcsize(form) - 1
        struct.pack_into(form, out, at, min(top, rng.choice((0, 1, 2, 7, 999, 16000, 48000, 2 * 10**9, top, top // 2))))
    return bytes(out[: rng.choice((len(out), 44, 46, 60))])

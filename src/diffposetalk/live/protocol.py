"""The messages of the server, version 1 (docs/live-protocol.md): text is JSON, sound and motion are binary.

The server and the Python client both use this module. It needs numpy and nothing else.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import struct
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.live.synced import SyncedChunk

PROTOCOL = 1
"""Version of the protocol. A client names the version that it speaks; the server refuses others."""
PATH = "/live"
"""Path of the WebSocket."""
Encoding: TypeAlias = Literal["pcm16", "float32", "opus"]
ENCODINGS: tuple[str, ...] = get_args(Encoding)
"""How sound may come in."""
SOUND_BACK = ("pcm16", "float32", "none")
"""How sound may go out."""
REPLIES = ("binary", "json")
"""How chunks may go out."""
SLOW_RULES = ("pause", "drop")
"""What happens if the client reads more slowly than motion is made: the session waits, or the oldest chunks are dropped."""
LOWEST_RATE, HIGHEST_RATE = 8_000, 96_000
"""Sample rates that are accepted, Hz."""
OPUS_RATE = 48_000
"""The clock of an Opus session, Hz."""
MOST_CHANNELS = 2
"""Largest number of channels; they are averaged."""

MAGIC = b"DPT\x01"
"""First bytes of a chunk; the last of them is the version of its layout."""
_HEADER = struct.Struct("<4sBBHIIQIIf")
"""Magic; sound (index in `SOUND_BACK`); flags; values per frame; number; frames; position; samples; rate; fps."""
RESTING, GAP, LAST = 1, 2, 4
"""Flags: the way to rest after an interruption; chunks before this one were dropped; the last chunk of an utterance."""
MOST_SAMPLES = 2**24
"""More samples than a chunk ever has."""
N_VALUES = 55
"""Values of a frame: 52 weights, then the head's rotation."""

CLOSED = {
    "bad-message": 4400, "bad-token": 4401, "unknown-session": 4404, "idle": 4408, "taken-over": 4409,
    "too-many-messages": 4429, "failed": 4500, "full": 4503,
}  # fmt: skip
"""Code of an error -> code with which the WebSocket is closed. Other errors leave it open."""


class ProtocolError(InputError):
    """A message cannot be used. `code` names the error for programs; see docs/live-protocol.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Sent:
    """A chunk with its place among the messages of a session."""

    chunk: SyncedChunk
    number: int
    """Number of the message: 0, 1, 2, ... over all messages of a session that carry one."""
    gap: bool = False
    """Whether chunks right before this one were dropped, because the client reads slowly."""
    last: bool = False
    """Whether the utterance ends with this chunk."""


def encoded(sent: Sent, sound: str = "pcm16", reply: str = "binary") -> bytes | str:
    """Return a chunk as one message.

    Args:
        sent: the chunk.
        sound: one of `SOUND_BACK`.
        reply: one of `REPLIES`.
    """
    chunk = sent.chunk
    samples = b"" if sound == "none" else as_pcm16(chunk.sound) if sound == "pcm16" else _le(chunk.sound, "<f4")
    if reply == "json":
        return json.dumps({
            "type": "chunk", "number": sent.number, "position": chunk.position, "samples": len(chunk.sound),
            "rate": chunk.rate, "fps": chunk.fps, "resting": chunk.resting, "gap": sent.gap, "last": sent.last,
            "sound": base64.b64encode(samples).decode(),
            "frames": [
                {"time": round(float(time), 4), "weights": weights, "head": head}
                for time, weights, head in zip(
                    chunk.times, chunk.weights.astype(float).round(5).tolist(), chunk.head.astype(float).round(6).tolist()
                )
            ],
        })  # fmt: skip
    flags = RESTING * chunk.resting | GAP * sent.gap | LAST * sent.last
    header = _HEADER.pack(
        MAGIC, SOUND_BACK.index(sound), flags, N_VALUES, sent.number, len(chunk.weights), chunk.position,
        len(chunk.sound), chunk.rate, chunk.fps,
    )  # fmt: skip
    values = np.concatenate([chunk.weights, chunk.head], 1)
    return b"".join([header, samples, bytes(-len(samples) % 4), _le(values, "<f4")])


def decoded(message: bytes | str) -> Sent:
    """Return the chunk of a message that `encoded` made. Sound that was not sent back is silence.

    Raises:
        ProtocolError: the message is not a chunk, or it is damaged.
    """
    try:
        return _from_json(json.loads(message)) if isinstance(message, str) else _from_bytes(message)
    except ProtocolError:
        raise
    except (struct.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ProtocolError("bad-message", f"a chunk is damaged: {error}") from None


def _from_bytes(message: bytes) -> Sent:
    magic, kind, flags, n_values, number, n_frames, position, n_samples, rate, fps = _HEADER.unpack_from(message)
    if magic != MAGIC or n_values != N_VALUES:
        raise ProtocolError("bad-message", "a chunk has another layout than this client reads")
    check_length(n_samples)
    width = {"pcm16": 2, "float32": 4, "none": 0}[SOUND_BACK[kind]]
    size = n_samples * width
    start = _HEADER.size + size + -size % 4
    if len(message) != start + 4 * n_values * n_frames:
        raise ProtocolError("bad-message", f"a chunk has {len(message)} bytes, not as many as its header states")
    samples = message[_HEADER.size : _HEADER.size + size]
    values = np.frombuffer(message, "<f4", n_values * n_frames, start).reshape(n_frames, n_values).astype(np.float32)
    sound = np.zeros(n_samples, np.float32) if width == 0 else samples_of_bytes(samples, SOUND_BACK[kind])
    chunk = SyncedChunk(
        round(position * fps / rate), position, rate, fps, sound, values[:, :-3], values[:, -3:], bool(flags & RESTING)
    )
    return Sent(chunk, number, bool(flags & GAP), bool(flags & LAST))


def _from_json(message: dict[str, Any]) -> Sent:
    frames, position, rate, fps = (message[name] for name in ("frames", "position", "rate", "fps"))
    check_length(message["samples"])
    sound = base64.b64decode(message["sound"])
    width = len(sound) // max(1, message["samples"])
    samples = samples_of_bytes(sound, {2: "pcm16", 4: "float32"}[width]) if width else None
    weights = np.array([frame["weights"] for frame in frames], np.float32).reshape(len(frames), -1)
    head = np.array([frame["head"] for frame in frames], np.float32).reshape(len(frames), -1)
    if weights.shape[1:] != (N_VALUES - 3,) or head.shape[1:] != (3,):
        raise ProtocolError("bad-message", f"a chunk has frames of {weights.shape[1]} weights, not of {N_VALUES - 3}")
    silence = np.zeros(message["samples"], np.float32)
    chunk = SyncedChunk(
        round(position * fps / rate), position, rate, fps, silence if samples is None else samples, weights, head,
        bool(message["resting"]),
    )  # fmt: skip
    return Sent(chunk, message["number"], bool(message["gap"]), bool(message["last"]))


def check_length(n_samples: int) -> None:
    """Check the number of samples that a chunk states.

    Raises:
        ProtocolError: it is negative, or more than chunks have.
    """
    if not 0 <= n_samples <= MOST_SAMPLES:
        raise ProtocolError("bad-message", f"a chunk states {n_samples} samples (possible: 0 to {MOST_SAMPLES})")


def as_pcm16(sound: np.ndarray) -> bytes:
    """Return ``(n,)`` float32 as 16-bit samples; sound that came in as 16 bits goes out unchanged."""
    return _le(np.clip(np.rint(sound * 32768.0), -32768, 32767), "<i2")


def samples_of_bytes(data: bytes, encoding: str) -> np.ndarray:
    """Return the samples of ``pcm16`` or ``float32`` bytes (little-endian) as float32.

    Raises:
        ProtocolError: the bytes are not whole samples, or not finite numbers in [-16, 16].
    """
    width = 2 if encoding == "pcm16" else 4
    if len(data) % width:
        raise ProtocolError("bad-sound", f"{len(data)} bytes are not whole samples of {encoding} ({width} bytes each)")
    if encoding == "pcm16":
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    samples = np.frombuffer(data, "<f4").astype(np.float32)
    if len(samples) and not (samples.min() >= -16 and samples.max() <= 16):  # false for NaN
        raise ProtocolError("bad-sound", "float32 sound must be finite and lie in [-1, 1]")
    return samples


def _le(values: np.ndarray, dtype: str) -> bytes:
    return np.ascontiguousarray(values, dtype).tobytes()


def control(text: str) -> dict[str, Any]:
    """Return a text message of a client: an object with a ``type``.

    Raises:
        ProtocolError: it is not.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError("bad-message", 'a text message must be JSON, such as {"type": "finish"}') from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("bad-message", 'a text message must be an object with a type, such as {"type": "finish"}')
    return message


def choice(message: dict[str, Any], name: str, among: tuple[str, ...], default: str) -> str:
    """Return a field whose value is one of several words."""
    value = message.get(name, default)
    if value not in among:
        raise ProtocolError("bad-message", f"{name} must be one of {', '.join(among)}, not {str(value)[:40]!r}")
    return str(value)


def whole(message: dict[str, Any], name: str, low: int, high: int, default: int | None) -> int | None:
    """Return a field that is a whole number from ``low`` to ``high``."""
    value = message.get(name, default)
    if value is None:
        return None
    number = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if not number or value != int(value) or not low <= value <= high:
        raise ProtocolError(
            "bad-message", f"{name} must be a whole number from {low} to {high}, not {str(value)[:40]!r}"
        )
    return int(value)


def is_loopback(host: str) -> bool:
    """Whether an address is reached by this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

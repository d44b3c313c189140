"""Faces as JSON to a WebSocket server of your own, one text message a frame.

    {"time": 1.28, "weights": {"jawOpen": 0.31, ...}, "head": [0.02, -0.1, 0.0],
     "headAngles": {"pitch": 0.02, "yaw": -0.1, "roll": 0.0}, "eyes": {"left": [pitch, yaw, roll], "right": [...]}}

``time`` is the time of the sound in seconds. ``head`` is axis-angle in radians, right-handed, y up, face toward +z; angles are
in radians: pitch above 0 nods down, yaw above 0 turns to the subject's left, roll above 0 tilts to the subject's right.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.latest import Latest
from diffposetalk.live.receivers.table import Address

OPEN_S = 5.0
"""Seconds in which a connection must open."""


def message(face: Face) -> str:
    """Return one face as JSON."""
    pitch, yaw, roll = face.angles.round(5).tolist()
    left, right = face.gaze.round(5).tolist()
    return json.dumps({
        "time": round(face.time_s, 4),
        "weights": {name: round(value, 4) for name, value in face.named.items()},
        "head": face.head.astype(float).round(5).tolist(),
        "headAngles": {"pitch": pitch, "yaw": yaw, "roll": roll},
        "eyes": {"left": left, "right": right},
    })  # fmt: skip


class _Json:
    def __init__(self, url: str) -> None:
        from websockets.sync.client import connect

        self._socket: Any = connect(url, open_timeout=OPEN_S, close_timeout=1, max_size=1 << 16)

    def send(self, face: Face) -> None:
        self._socket.send(message(face))

    def close(self) -> None:
        self._socket.close()


def open_receiver(address: Address, notify: Callable[[str], object]) -> Latest:
    """Begin to send."""
    return Latest(address.url, lambda: _Json(address.url), notify)

"""Live Link Face over UDP, which Unreal Engine and Blender add-ons receive.

A datagram, big-endian except the version:

    uint32 little-endian 6 | "$" and 36 letters of an id | int32 length, name in UTF-8 | int32 frame, float32 part of a frame |
    int32, int32 frame rate as a fraction | uint8 61 | 61 float32

The 61 values are the 52 channels in the order of Unreal's ``EARFaceBlendShape``, which is ours, and yaw, pitch, roll of the
head, the left and the right eye, with the signs of the app's files (`exchange.curves.livelink`).
Source: the sender and the receiver in Unreal Engine's AppleARKitFaceSupport, by way of PyLiveLinkFace (JimWest).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.exchange.curves.livelink import SIGNS, UNITS
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import Address
from diffposetalk.live.receivers.udp import Datagrams

VERSION = 6
"""Version of the datagram's layout."""
NAME = "DPT"
"""Default name of the subject. One of the Blender add-ons cuts datagrams off after 3 letters."""
LONGEST_NAME = 200
"""Longest name, bytes; a datagram then still fits into one packet of a network."""
RATE = 60
"""Frame rate of the frame numbers; frames are sent at any rate, with parts of a frame."""
DAY_FRAMES = 24 * 3600 * RATE
"""Frame numbers begin again after a day, as the app's do."""


def packet(face: Face, name: str, device: str, head_unit: str = "rad") -> bytes:
    """Return one face as a datagram.

    Args:
        face: the face.
        name: name of the subject.
        device: 36 letters that tell senders from each other.
        head_unit: unit of the head's angles: rad, deg or norm180 (half turns). Eyes are in radians.
    """
    head = face.angles[[1, 0, 2]] * SIGNS * UNITS[head_unit]
    eyes = face.gaze[:, [1, 0, 2]] * SIGNS
    values = np.concatenate([face.weights, head, eyes.ravel()]) + 0.0  # no -0
    label = name.encode()
    frame, part = divmod(max(0.0, face.time_s) * RATE, 1)
    return b"".join([
        struct.pack("<I", VERSION), f"${device}".encode(), struct.pack(">i", len(label)), label,
        struct.pack(">if", int(frame) % DAY_FRAMES, part), struct.pack(">ii", RATE, 1), struct.pack(">B", len(values)),
        struct.pack(f">{len(values)}f", *values),
    ])  # fmt: skip


def open_receiver(address: Address, notify: Callable[[str], object]) -> Datagrams:
    """Begin to send faces as one subject.

    Raises:
        UsageError: the name or the id cannot be sent.
    """
    name, device = address.options.get("name", NAME), address.options.get("id", str(uuid.uuid4()).upper())
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise UsageError(f"--to {address}: the name must have 1 to {LONGEST_NAME} bytes")
    if len(device) != 36 or not device.isascii():
        raise UsageError(f"--to {address}: the id must have 36 letters, such as {uuid.uuid4()}")
    return Datagrams(address, lambda face: [packet(face, name, device, address.options["head"])])

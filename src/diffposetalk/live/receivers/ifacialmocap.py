"""iFacialMocap over UDP: one line of text a frame, which many programs for avatars receive.

    eyeBlink_L-37|...|tongueOut-0|=head#pitch,yaw,roll,x,y,z|rightEye#pitch,yaw,roll|leftEye#pitch,yaw,roll|

Weights are whole numbers from 0 to 100, in version 2 after ``&`` instead of ``-``. Angles are degrees about ARKit's axes of a
face, which are ours: x to the subject's left, y up, z out of the face. In a recorded frame both eyes look down by 6 degrees
with ``eyeLookDown`` at 17, and the left eye, which looks toward the nose, has a negative yaw. Positions are metres.

Real apps wait until the program asks for frames. We send at once, as some of them can, so nothing must be asked.
Source: https://www.ifacialmocap.com/for-developer/
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import Address
from diffposetalk.live.receivers.udp import Datagrams

POSITION = (0.0, 0.0, -0.4)
"""Place of the head before the camera, metres: 40 cm away, as an app would report it."""
DITHER_M = 1e-4
"""Added to the position in every other frame: some programs take equal frames for a lost face."""


def app_name(channel: str) -> str:
    """Return `eyeBlink_L` for `eyeBlinkLeft`; `mouthLeft` and `jawLeft` keep their names, as in the app."""
    if channel in ("mouthLeft", "mouthRight", "jawLeft", "jawRight"):
        return channel
    for side in ("Left", "Right"):
        if channel.endswith(side):
            return f"{channel.removesuffix(side)}_{side[0]}"
    return channel


NAMES = tuple(map(app_name, CHANNELS))
"""Names of the 52 channels."""


def line(face: Face, number: int = 0, version: int = 1) -> str:
    """Return one face as a line of text.

    Args:
        face: the face.
        number: number of the frame, which moves the position by `DITHER_M` in odd frames.
        version: 1, or 2 for ``&`` after names.
    """
    sign = "-" if version == 1 else "&"
    percent = np.clip(np.rint(face.weights * 100), 0, 100).astype(int).tolist()
    x, y, z = POSITION
    position = (x + DITHER_M * (number % 2), y, z)
    left, right = np.rad2deg(face.gaze)
    parts = {"head": (*np.rad2deg(face.angles), *position), "rightEye": right, "leftEye": left}
    turns = "".join(f"{name}#{','.join(f'{value + 0.0:.6g}' for value in values)}|" for name, values in parts.items())
    return "".join(f"{name}{sign}{value}|" for name, value in zip(NAMES, percent)) + f"={turns}"


def open_receiver(address: Address, notify: Callable[[str], object]) -> Datagrams:
    """Begin to send, as the app does."""
    numbers, version = count(), int(address.options["version"])
    return Datagrams(address, lambda face: [line(face, next(numbers), version).encode("ascii")])

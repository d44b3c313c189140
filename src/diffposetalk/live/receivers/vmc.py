"""VMC: the protocol of Virtual Motion Capture, OSC over UDP.

Bones are turned in Unity's axes: left-handed, y up, an avatar that faces +z has its right side at +x. Ours are right-handed
with the left side at +x, so a quaternion (x, y, z, w) becomes (x, -y, -z, w).
Source: https://protocol.vmc.info/english (VirtualMotionCaptureProtocol, sh-akira).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffposetalk.exchange.angles import rotation_of
from diffposetalk.exchange.names import pascal
from diffposetalk.exchange.scenes.vrm import MOUTHS, NECK_SHARE
from diffposetalk.geometry.rotations import quaternions_of
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.osc_bundles import Message, bundles
from diffposetalk.live.receivers.table import Address
from diffposetalk.live.receivers.udp import Datagrams

VRM = {"A": "aa", "I": "ih", "U": "ou", "E": "ee", "O": "oh"}
"""Mouth presets of VRM 0, which all receivers know -> those of VRM 1, in which `MOUTHS` is written."""
UNITY = np.array([1.0, -1.0, -1.0, 1.0])
"""Factors from our quaternions to Unity's."""


def messages(face: Face, names: str = "both") -> Iterator[Message]:
    """Yield the messages of one face.

    Args:
        face: the face.
        names: which blend shapes: ``arkit`` (Perfect Sync, `JawOpen` ...), ``vrm`` (presets `A`, `Blink_L` ...), or both.
    """
    yield "/VMC/Ext/OK", (1,), ()
    yield "/VMC/Ext/T", (), (face.time_s,)
    yield "/VMC/Ext/Root/Pos", ("root",), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    turns = {"Neck": face.head_quaternion(NECK_SHARE), "Head": face.head_quaternion(1 - NECK_SHARE)}
    turns |= dict(zip(("LeftEye", "RightEye"), quaternions_of(rotation_of(face.gaze))))
    for bone, quaternion in turns.items():
        yield "/VMC/Ext/Bone/Pos", (bone,), (0.0, 0.0, 0.0, *(quaternion * UNITY + 0.0).tolist())
    shapes: dict[str, float] = {}
    if names in ("both", "arkit"):
        shapes |= {pascal(name): value for name, value in face.named.items()}
    if names in ("both", "vrm"):
        mouth = dict(zip(MOUTHS, face.mouths.tolist()))
        shapes |= {preset: mouth[name] for preset, name in VRM.items()}
        shapes |= {"Blink_L": face.weight("eyeBlinkLeft"), "Blink_R": face.weight("eyeBlinkRight")}
    for name, value in shapes.items():
        yield "/VMC/Ext/Blend/Val", (name,), (value,)
    yield "/VMC/Ext/Blend/Apply", (), ()


def open_receiver(address: Address, notify: Callable[[str], object]) -> Datagrams:
    """Begin to send to a Marionette."""
    return Datagrams(address, lambda face: bundles(messages(face, address.options["names"])))

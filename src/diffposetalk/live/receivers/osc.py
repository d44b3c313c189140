"""OSC by name: the face tracking parameters of VRChat avatars, or one address for each ARKit channel.

``names=vrchat`` sends the parameters ``v2/...`` of VRCFaceTracking (Unified Expressions), which avatars with face tracking
have, to ``/avatar/parameters/v2/JawOpen`` and so on. X is positive toward the subject's right, Y upward. ``EyeLid`` is 0
closed, 0.75 open and 1 wide. ``names=arkit`` sends ``/jawOpen`` and so on, and ``/head`` (pitch, yaw, roll in radians).
Source: https://docs.vrcft.io/docs/tutorial-avatars/tutorial-avatars-extras/parameters
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from diffposetalk.exchange.angles import GAZE_RAD
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.osc_bundles import Message, bundles
from diffposetalk.live.receivers.table import Address
from diffposetalk.live.receivers.udp import Datagrams

AVATAR = "/avatar/parameters"
"""Beginning of the addresses of avatar parameters."""
OPEN_LID = 0.75
"""Value of an open lid that is not wide."""
SIDED: dict[str, str] = {
    "MouthDimple": "mouthDimple", "MouthStretch": "mouthStretch", "MouthPress": "mouthPress",
    "MouthLowerDown": "mouthLowerDown", "MouthUpperUp": "mouthUpperUp", "MouthFrown": "mouthFrown",
    "MouthCornerPull": "mouthSmile", "NoseSneer": "noseSneer", "CheekSquint": "cheekSquint", "EyeSquint": "eyeSquint",
    "EyeWide": "eyeWide", "BrowLowerer": "browDown", "BrowPinch": "browDown", "BrowDown": "browDown",
    "BrowOuterUp": "browOuterUp",
}  # fmt: skip
"""Parameter -> ARKit channel, both without their side."""
BOTH: dict[str, str] = {
    "JawOpen": "jawOpen", "JawForward": "jawForward", "MouthClosed": "mouthClose", "LipFunnel": "mouthFunnel",
    "LipPucker": "mouthPucker", "LipSuckLower": "mouthRollLower", "LipSuckUpper": "mouthRollUpper",
    "MouthRaiserLower": "mouthShrugLower", "MouthRaiserUpper": "mouthShrugUpper", "TongueOut": "tongueOut",
    "BrowInnerUp": "browInnerUp", "BrowInnerUpLeft": "browInnerUp", "BrowInnerUpRight": "browInnerUp",
    "CheekPuffSuck": "cheekPuff", "CheekPuffSuckLeft": "cheekPuff", "CheekPuffSuckRight": "cheekPuff",
}  # fmt: skip
"""Parameter -> ARKit channel."""


COMBINED = ("SmileFrown", "SmileSad", "BrowUp", "BrowExpression", "EyeLid")
"""Further parameters with sides. All parameters with sides are also sent without one, as the mean of both."""


def parameters(face: Face) -> dict[str, float]:
    """Return the parameters of VRCFaceTracking, without ``v2/``."""
    weight = face.weight
    values = {name: weight(channel) for name, channel in BOTH.items()}
    values["JawX"] = weight("jawRight") - weight("jawLeft")
    values["JawZ"] = weight("jawForward")
    values["MouthX"] = weight("mouthRight") - weight("mouthLeft")
    for side, eye in zip(("Left", "Right"), face.gaze):
        values |= {f"{name}{side}": weight(f"{channel}{side}") for name, channel in SIDED.items()}
        smile, frown = weight(f"mouthSmile{side}"), weight(f"mouthFrown{side}")
        values[f"SmileFrown{side}"] = smile - frown
        values[f"SmileSad{side}"] = smile - max(frown, weight(f"mouthStretch{side}"))
        up = (weight("browInnerUp") + weight(f"browOuterUp{side}")) / 2
        values |= {f"BrowUp{side}": up, f"BrowExpression{side}": up - weight(f"browDown{side}")}
        lid = OPEN_LID + (1 - OPEN_LID) * weight(f"eyeWide{side}")
        values[f"EyeLid{side}"] = lid * (1 - weight(f"eyeBlink{side}"))
        values[f"Eye{side}X"] = float(np.clip(-eye[1] / GAZE_RAD["Out"], -1, 1))
        values[f"Eye{side}Y"] = float(np.clip(-eye[0] / GAZE_RAD["Up"], -1, 1))
    for name in (*SIDED, *COMBINED):
        values.setdefault(name, (values[f"{name}Left"] + values[f"{name}Right"]) / 2)
    values["EyeX"] = (values["EyeLeftX"] + values["EyeRightX"]) / 2
    values["EyeY"] = (values["EyeLeftY"] + values["EyeRightY"]) / 2
    return values


def messages(face: Face, names: str = "vrchat", prefix: str | None = None) -> Iterator[Message]:
    """Yield the messages of one face.

    Args:
        face: the face.
        names: ``vrchat`` or ``arkit``.
        prefix: put before the names. Default: `AVATAR` for VRChat, nothing for ARKit.
    """
    before = (AVATAR if names == "vrchat" else "") if prefix is None else "/" + prefix.strip("/") if prefix else ""
    if names == "vrchat":
        for flag in ("EyeTrackingActive", "ExpressionTrackingActive", "LipTrackingActive"):
            yield f"{before}/{flag}", (True,), ()
        for name, value in parameters(face).items():
            yield f"{before}/v2/{name}", (), (value,)
    else:
        for name, value in face.named.items():
            yield f"{before}/{name}", (), (value,)
        yield f"{before}/head", (), tuple(face.angles.tolist())


def open_receiver(address: Address, notify: Callable[[str], object]) -> Datagrams:
    """Begin to send."""
    names, prefix = address.options["names"], address.options.get("prefix")
    return Datagrams(address, lambda face: bundles(messages(face, names, prefix)))

"""The 52 face channels of ARKit: names and order.

Other software uses three orders: that of Unreal, that of the Live Link Face CSV, and the alphabetical one. This project
uses the order of Unreal's ``EARFaceBlendShape``. Exchange with other software always uses names, not positions. "Left"
and "Right" are the subject's own.
"""

CHANNELS: tuple[str, ...] = (
    *(
        f"eye{movement}{side}"
        for side in ("Left", "Right")
        for movement in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
    ),
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""Channel names in the order of the columns of a motion."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(CHANNELS)}
"""Channel name -> position in `CHANNELS`."""


def _other_side(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


MIRROR: dict[str, str] = {name: _other_side(name) for name in CHANNELS}
"""Channel -> its mirror image: the same channel of the other side, or itself if it has no side."""

"""The reliable part of tracked motion, as a reference for a style.

If a face is turned away or visible only for a moment, its left-right differences and its resting head pose cannot be
separated from effects of the view. For example, the mouth of a face that is turned away seems to be displaced sideways, and a
style with this error would displace the mouth in all generated motion. So the mean of such quantities is reduced; the less
reliable the track is, the more it is reduced. Motion about the mean is kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffposetalk.arkit import CHANNELS, MIRROR
from diffposetalk.geometry.rotations import matrices_of, nearest_rotation, vectors_of
from diffposetalk.motion import Motion
from diffposetalk.track.quality import Quality

SURE_DEG, UNSURE_DEG = 12.0, 30.0
"""Angle between face and camera up to which a track is fully reliable, and from which it is fully unreliable."""
SURE_S, UNSURE_S = 4.0, 2.0
"""Length in seconds from which a track is fully reliable, and length up to which it is fully unreliable."""
MOST_SIDEWAYS = 0.1
"""Largest mean weight of mouth or jaw to one side of any reference."""
MOST_RESTING_DEG = 10.0
"""Largest angle of the mean head pose from straight ahead of any reference."""
MOST_SWING_DEG = 6.0
"""Largest root-mean-square angle of the head about its mean of a fully unreliable reference."""
HALF_SURE_DEG = 6.0
"""Yaw at which half of a tracked left-right difference of the mouth is an error due to the view. Measured on one filmed
speaker: between -3 and 9 degrees, the differences of left and right in smile and lips follow the angle with r .7 to
.8, by .003 to .006 a degree, while they differ by about .03 between people."""
LIPS = ("cheek", "mouth", "nose")
"""Beginnings of the names of these channels. Differences of the brows do not depend on the angle."""
SIDEWAYS = (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"))
"""Pairs of channels that move the same part to either side."""


def reference_motion(motion: Motion, quality: Quality) -> Motion:
    """Return tracked motion without its unreliable parts.

    Args:
        motion: tracked motion on any head.
        quality: quality of the track.

    Returns:
        The same motion if the track is long and frontal. Otherwise the mean head pose, the mean difference of left and right
        channels, and the mean of sideways motion are reduced, down to 0, and so is wide motion of the head. The difference of
        left and right channels of the lips is reduced in every frame, and more so at a larger yaw of the head.
    """
    doubt = doubt_of(quality)
    uneven = (1 - doubt) * sureness_of_sides(motion)
    expression = motion.expression.astype(np.float64)
    index = {name: column for column, name in enumerate(motion.expression_names)}
    if set(CHANNELS) <= set(index):
        sideways = {name for pair in SIDEWAYS for name in pair}
        for left, right in SIDEWAYS:
            a, b = index[left], index[right]
            net = expression[:, a] - expression[:, b]
            mean = net.mean()
            net = net - mean + float(np.clip(uneven * mean, -MOST_SIDEWAYS, MOST_SIDEWAYS))
            expression[:, a], expression[:, b] = np.maximum(net, 0), np.maximum(-net, 0)
        for left, right in MIRROR.items():
            if left >= right or left in sideways:
                continue
            a, b = index[left], index[right]
            difference = expression[:, a] - expression[:, b]
            shift = (1 - uneven) * difference / 2 if left.startswith(LIPS) else doubt * difference.mean() / 2
            expression[:, a], expression[:, b] = expression[:, a] - shift, expression[:, b] + shift
        expression = np.clip(expression, 0, 1)
    return replace(motion, expression=expression.astype(np.float32), head_pose=_about_rest(motion.head_pose, doubt))


def doubt_of(quality: Quality) -> float:
    """Return the unreliability of the means of a track: 0 (reliable) to 1 (unreliable)."""
    turned = (quality.turned_deg - SURE_DEG) / (UNSURE_DEG - SURE_DEG)
    short = (SURE_S - quality.seconds) / (SURE_S - UNSURE_S)
    return float(np.clip(max(turned, short), 0, 1))


def sureness_of_sides(motion: Motion) -> float:
    """Return the reliable share of left-right differences of the mouth, from the median yaw of the head: 0 to 1."""
    turned = float(np.rad2deg(np.median(np.abs(motion.head_pose[:, 1]))))
    return 1 / (1 + (turned / HALF_SURE_DEG) ** 2)


def _about_rest(head_pose: np.ndarray, doubt: float) -> np.ndarray:
    """Reduce the mean of axis-angle rotations ``(T, 3)`` (radians), and wide motion about the mean."""
    rotations = matrices_of(head_pose)
    mean = vectors_of(nearest_rotation(rotations.mean(0)))
    swings = vectors_of(matrices_of(-mean) @ rotations)
    angle, spread = float(np.linalg.norm(mean)), float(np.sqrt((swings**2).sum(1).mean()))
    mean_scale = min(1 - doubt, np.deg2rad(MOST_RESTING_DEG) / max(angle, 1e-9))
    motion_scale = 1 - doubt * (1 - min(1.0, np.deg2rad(MOST_SWING_DEG) / max(spread, 1e-9)))
    return vectors_of(matrices_of(mean_scale * mean) @ matrices_of(motion_scale * swings)).astype(np.float32)

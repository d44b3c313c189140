"""What tracked motion may say about a manner of speaking.

Seen from the side or for a moment only, the two halves of a face and the resting pose of a head cannot be told from the
view: a head turned away drags the mouth sideways, and a style read from it would do so for a whole take. Here the steady
part of such things is taken out, as far as the tracker is unsure; what moves about it stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diffposetalk.arkit import CHANNELS, MIRROR
from diffposetalk.geometry.rotations import matrices_of, nearest_rotation, vectors_of
from diffposetalk.motion import Motion
from diffposetalk.track.quality import Quality

SURE_DEG, UNSURE_DEG = 12.0, 30.0
"""Turned from the camera by up to the first angle a face is trusted, from the second on not at all."""
SURE_S, UNSURE_S = 4.0, 2.0
"""A clip of the first length is trusted, one of the second not at all."""
MOST_SIDEWAYS = 0.1
"""Mean weight of mouth or jaw to one side that any reference may show."""
MOST_RESTING_DEG = 10.0
"""Mean angle of the head from straight ahead that any reference may show."""
MOST_SWING_DEG = 6.0
"""Root-mean-square angle of the head about its mean that a reference may show which is not trusted at all."""
HALF_SURE_DEG = 6.0
"""Turned sideways by this angle, half of what the tracker shows of an uneven mouth is an error of the view. Measured on one
filmed talker: between -3 and 9 degrees, the differences of left and right in smile and lips follow the angle with r .7 to
.8, by .003 to .006 a degree, while they differ by about .03 between people."""
LIPS = ("cheek", "mouth", "nose")
"""Beginnings of the channels that this concerns; brows do not follow the angle."""
SIDEWAYS = (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"))
"""Channels that move one thing to either side."""


def reference_motion(motion: Motion, quality: Quality) -> Motion:
    """Return tracked motion without what the tracker cannot be sure of.

    Args:
        motion: tracked, on any head.
        quality: of that track.

    Returns:
        The same motion where it is long and seen from the front. Otherwise the mean pose of the head, the mean difference
        between left and right channels, and the mean of sideways motion are reduced, down to nothing, and wide swings of
        the head are brought in. The lips' left and right channels approach their mean the more, the further the head is
        turned sideways.
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
    """Return how little a track may say of what is steady in it: 0 (all) to 1 (nothing)."""
    turned = (quality.turned_deg - SURE_DEG) / (UNSURE_DEG - SURE_DEG)
    short = (SURE_S - quality.seconds) / (SURE_S - UNSURE_S)
    return float(np.clip(max(turned, short), 0, 1))


def sureness_of_sides(motion: Motion) -> float:
    """Return how much of an uneven mouth is true, by the angle to which the head is usually turned sideways: 0 to 1."""
    turned = float(np.rad2deg(np.median(np.abs(motion.head_pose[:, 1]))))
    return 1 / (1 + (turned / HALF_SURE_DEG) ** 2)


def _about_rest(head_pose: np.ndarray, doubt: float) -> np.ndarray:
    """Bring axis-angle rotations ``(T, 3)`` (radians) nearer to straight ahead, and wide swings about their mean in."""
    rotations = matrices_of(head_pose)
    mean = vectors_of(nearest_rotation(rotations.mean(0)))
    swings = vectors_of(matrices_of(-mean) @ rotations)
    angle, spread = float(np.linalg.norm(mean)), float(np.sqrt((swings**2).sum(1).mean()))
    kept = min(1 - doubt, np.deg2rad(MOST_RESTING_DEG) / max(angle, 1e-9))
    calm = 1 - doubt * (1 - min(1.0, np.deg2rad(MOST_SWING_DEG) / max(spread, 1e-9)))
    return vectors_of(matrices_of(kept * mean) @ matrices_of(calm * swings)).astype(np.float32)

"""Lids of the free head: a complete blink brings them together, whoever the person is, and does not cross them.

The source's blink channels draw the upper lid far over the lower one; lids met at about two thirds of the channel.
`meeting` mends that in the arrays of the head file. `Lids` closes eyes that are more or less open than the neutral
person's: a blink goes farther by what identity parts the margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.geometry import skinning
from diffposetalk.geometry.skinning import Array

UPPER = (13365, 13363, 13364, 13369, 13371, 13359, 13352, 13353, 13358, 13357, 13356, 13355, 13354, 13377)
"""Vertices of the base mesh in the middle of the left upper lid's margin, from the inner corner to the outer one."""
LOWER = (
    13365, 13360, 13361, 13362, 13378, 13367, 13368, 13370, 13372, 13373, 13374, 13366, 13379, 13375, 13376, 13377,
)  # fmt: skip
"""The same of the left lower lid."""
OVERLAP = np.array([0.0, -0.0006, 0.0005])
"""Where the upper margin rests, from the lower one: a little below and in front, so that no gap is seen; metres."""
TUCKED = 0.7
"""Share of the length that lower lashes lose in a complete blink; longer ones would stick out of the upper lid."""
LOWERED = np.radians(48)
"""Angle by which a complete blink turns the upper lashes down."""
LASH_ROOT = np.array([0.0, 0.0005, 0.0020])
"""Way from the inner rim of the upper margin, where its lashes are rooted, to its front edge, where they show; metres."""
LOWER_LASHES, UPPER_LASHES = {"Left": 9, "Right": 11}, {"Left": 10, "Right": 12}
"""Rows of the array `parts`: the strips of lashes."""
SIDES = (("Left", 1.0), ("Right", -1.0))
"""Endings of the channels, and the sign of x on that side."""


@dataclass(frozen=True)
class Margins:
    """The margins of one eye's lids, point by point."""

    upper: np.ndarray
    """``(m,)`` vertices of the upper margin, from the inner corner to the outer one."""
    lower: np.ndarray
    """``(m, 2)`` vertices of the lower margin on either side of the place below each."""
    share: np.ndarray
    """``(m,)`` weight of the second of them."""
    places: np.ndarray
    """``(m,)`` distance of the upper margin's points from the middle of the face, metres."""

    @staticmethod
    def of(arrays: dict[str, np.ndarray], sign: float) -> Margins:
        """Find the margins of the left eye (`sign` 1) or of the right one (-1) in the arrays of a head file."""
        place = {int(base): vertex for vertex, base in enumerate(arrays["base_index"]) if base >= 0}
        skin = arrays["vertices"][slice(*arrays["parts"][0])].astype(np.float64)
        rows = []
        for names in (UPPER, LOWER):
            points = skin[[place[name] for name in names]] * [sign, 1, 1]
            rows.append(np.linalg.norm(skin - points[:, None], axis=-1).argmin(1))
        upper, lower = rows
        at, below = sign * skin[upper, 0], sign * skin[lower, 0]
        after = np.clip(np.searchsorted(below, at), 1, len(below) - 1)
        share = np.clip((at - below[after - 1]) / (below[after] - below[after - 1]), 0, 1)
        return Margins(upper, np.stack([lower[after - 1], lower[after]], 1), share, at)

    def middle(self, places: np.ndarray) -> np.ndarray:
        """Return 1 in the middle of the eye, falling to 0 at its corners, ``(n, 1)``, at places ``(n,)``."""
        along = (places - self.places[0]) / (self.places[-1] - self.places[0])
        return np.sin(np.pi * along.clip(0, 1))[:, None]

    def gap(self, field: Array, share: Array) -> Array:
        """Return the lower margin minus the upper one, ``(..., m, 3)``, of positions or displacements ``(..., V, 3)``.

        Args:
            field: of all vertices.
            share: `Margins.share` as ``(m, 1)``, of the kind of `field`.
        """
        first, second = field[..., self.lower[:, 0], :], field[..., self.lower[:, 1], :]
        return first + share * (second - first) - field[..., self.upper, :]


def meeting(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of a head file with blinks that bring the lids together; all else stays as it is.

    Each blink channel is scaled along the lid by what brings the margins together there. Then the upper margin is put
    exactly where it belongs, and what moves with it follows. What is done twice changes nothing more.
    """
    expression, places = arrays["expression"].astype(np.float64), arrays["vertices"].astype(np.float64)
    for side, sign in SIDES:
        channel, eye = expression[INDEX[f"eyeBlink{side}"]], Margins.of(arrays, sign)
        share, across = eye.share[:, None], sign * places[:, 0]
        closing = eye.gap(places, share) + eye.middle(eye.places) * OVERLAP
        inner = slice(1, -2)  # at the corners nothing parts the lids
        scale = closing[inner, 1] / -eye.gap(channel, share)[inner, 1]
        channel *= np.interp(across, eye.places[inner], scale)[:, None]
        for _ in range(20):  # the lower margin moves a little, too
            short = closing + eye.gap(channel, share)
            short[[0, -2, -1]] = 0
            channel += _following(channel, across, eye) @ short
        strip = slice(*arrays["parts"][LOWER_LASHES[side]])
        channel[strip] = TUCKED * (_roots(arrays, strip) - places[strip])
        strip = slice(*arrays["parts"][UPPER_LASHES[side]])
        roots = _roots(arrays, strip)
        lash, middle = places[strip] - roots, eye.middle(sign * roots[:, 0])
        turn = LOWERED * (0.4 + 0.6 * middle[:, 0])
        lid = np.stack([np.interp(sign * roots[:, 0], eye.places, channel[eye.upper, k]) for k in range(3)], -1)
        lowered = np.cos(turn) * lash[:, 1] - np.sin(turn) * lash[:, 2]
        ahead = np.sin(turn) * lash[:, 1] + np.cos(turn) * lash[:, 2]
        channel[strip] = lid + middle**0.4 * LASH_ROOT + np.stack([lash[:, 0], lowered, ahead], -1) - lash
    return arrays | {"expression": expression.astype(arrays["expression"].dtype)}


@dataclass(frozen=True)
class Lids:
    """How much farther the lids of a person go in a blink than those of the neutral person."""

    arrays: dict[str, np.ndarray]
    """Of the head file."""

    def closed(self, moved: Array, shape: Array, expression: Array) -> Array:
        """Close eyes that are more open than the neutral person's, and spare lids that have less far to go.

        Args:
            moved: ``(..., V, 3)`` metres, with the expression.
            shape: ``(V, 3)`` or ``(..., V, 3)``, the person at rest.
            expression: ``(..., 52)``.

        Returns:
            ``(..., V, 3)``.
        """
        for side, _ in SIDES:
            vertices, farther = self._farther(side, shape)
            lids = moved[..., vertices, :] + expression[..., INDEX[f"eyeBlink{side}"], None, None] * farther
            if skinning.is_tensor(moved):
                import torch

                moved = moved.index_copy(-2, torch.as_tensor(vertices, device=moved.device), lids)
            else:
                moved[..., vertices, :] = lids
        return moved

    def shapes(self, shape: np.ndarray | None) -> np.ndarray:
        """Return the displacements of all channels of a person, ``(52, V, 3)``.

        Args:
            shape: ``(V, 3)`` metres, the person at rest; None for the neutral person.
        """
        if shape is None:
            return np.asarray(self.arrays["expression"], np.float32)
        shapes = np.array(self.arrays["expression"], np.float32)
        for side, _ in SIDES:
            vertices, farther = self._farther(side, shape)
            shapes[INDEX[f"eyeBlink{side}"], vertices] += farther
        return shapes

    def _farther(self, side: str, shape: Array) -> tuple[np.ndarray, Array]:
        """Return which vertices a blink moves, ``(n,)``, and how much farther than the neutral person's, metres."""
        eye, vertices, following, neutral = self._sides[side]
        share, following, neutral = (skinning.like(a, shape) for a in (eye.share[:, None], following, neutral))
        return vertices, following @ (eye.gap(shape, share) - neutral)

    @cached_property
    def _sides(self) -> dict[str, tuple[Margins, np.ndarray, np.ndarray, np.ndarray]]:
        sides = {}
        for side, sign in SIDES:
            eye = Margins.of(self.arrays, sign)
            channel = self.arrays["expression"][INDEX[f"eyeBlink{side}"]].astype(np.float64)
            following = _following(channel, sign * self.arrays["vertices"][:, 0].astype(np.float64), eye)
            following[slice(*self.arrays["parts"][LOWER_LASHES[side]])] = 0
            vertices = np.flatnonzero(following.any(1))
            neutral = eye.gap(self.arrays["vertices"], eye.share[:, None])
            sides[side] = eye, vertices, following[vertices], neutral
        return sides


def _following(channel: np.ndarray, across: np.ndarray, eye: Margins) -> np.ndarray:
    """Return how far each vertex follows each point of the upper margin in a blink: ``(V, m)``, at most 1 in sum.

    Args:
        channel: ``(V, 3)`` displacements of a blink.
        across: ``(V,)`` distance from the middle of the face.
        eye: the margins.
    """
    way = np.linalg.norm(channel, axis=1)
    beside = np.stack([np.interp(across, eye.places, row) for row in np.eye(len(eye.places))], 1)
    return np.clip(way / np.maximum(beside @ way[eye.upper], 1e-6), 0, 1)[:, None] * beside


def _roots(arrays: dict[str, np.ndarray], strip: slice) -> np.ndarray:
    """Return the root of the lash that each vertex of a strip belongs to, ``(n, 3)``; texture `u` runs along the lid."""
    n = strip.stop - strip.start
    uv = np.zeros((n, 2))
    own = (arrays["faces"] >= strip.start).all(1) & (arrays["faces"] < strip.stop).all(1)
    uv[arrays["faces"][own].ravel() - strip.start] = arrays["uv"][own].reshape(-1, 2)
    first = np.flatnonzero(uv[:, 1] < uv[:, 1].min() + 1e-3)
    nearest = first[np.abs(uv[:, None, 0] - uv[first, 0]).argmin(1)]
    return arrays["vertices"][strip][nearest].astype(np.float64)

"""Names of ARKit channels as other software spells them, and weights by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.head.shapes.names import spelling
from diffposetalk.motion import Motion

ROWS = 2048
"""Rows of weights that are filled at a time."""


def pascal(name: str) -> str:
    """Return `EyeBlinkLeft` for `eyeBlinkLeft`."""
    return name[:1].upper() + name[1:]


def channel_of(name: str) -> str | None:
    """Return the ARKit channel that a name means, in any spelling that heads use, or None."""
    channel = spelling(name)
    return None if channel.half or channel.channel not in INDEX else channel.channel


def arkit_columns(names: Sequence[str], where: object) -> dict[str, int]:
    """Return the column number of each ARKit channel.

    Args:
        names: names of the columns.
        where: the file, for messages.

    Raises:
        InputError: no name is an ARKit channel, or two names mean the same one.
    """
    columns: dict[str, int] = {}
    for column, name in enumerate(names):
        channel = channel_of(name)
        if channel in columns:
            raise InputError(f"{where}: the channel {channel} occurs twice ({names[columns[channel]]} and {name})")
        if channel is not None:
            columns[channel] = column
    if not columns:
        shown = ", ".join(list(names)[:4])
        raise InputError(f"{where}: none of its channels ({shown}, ...) is one of ARKit's, such as jawOpen")
    return columns


def warn_of_unknown(names: Iterable[str], where: object) -> None:
    """Warn of columns that are left out because they are not ARKit channels."""
    unknown = [name for name in names if channel_of(name) is None]
    if unknown:
        shown = ", ".join(unknown[:4]) + (", ..." if len(unknown) > 4 else "")
        warnings.warn(f"{where}: {len(unknown)} channel(s) that are not ARKit's were left out: {shown}",
                      DiffPoseTalkWarning, stacklevel=2)  # fmt: skip


def all_channels(values: np.ndarray, columns: dict[str, int]) -> np.ndarray:
    """Return all 52 channels in our order, ``(T, 52)`` float32, from ``(T, n)`` columns; missing channels are 0."""
    weights = np.empty((len(values), len(CHANNELS)), np.float32)
    for start in range(0, len(values), ROWS):  # a few rows at a time stay in the cache
        rows = weights[start : start + ROWS]
        rows[:] = 0
        for channel, column in columns.items():
            rows[:, INDEX[channel]] = values[start : start + ROWS, column]
    return weights


def arkit_weights(motion: Motion, names: tuple[str, ...] = CHANNELS) -> np.ndarray:
    """Return the named ARKit channels, ``(T, n)`` float32; missing channels are 0.

    Raises:
        InputError: the motion has no ARKit channel at all, so that every weight would be 0.
    """
    if INDEX.keys().isdisjoint(motion.expression_names):
        raise InputError(
            f"the motion is for the head {motion.head} and has none of ARKit's channels, such as jawOpen; "
            "make one that has them first: diffposetalk retarget MOTION --head anny -o OUT.npz"
        )
    weights = np.zeros((len(motion), len(names)), np.float32)
    for column, name in enumerate(names):
        if name in motion.expression_names:
            weights[:, column] = motion.channel(name)
    return weights

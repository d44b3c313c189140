"""Limits on the quality of a track: for warnings of tracking, and for clips of a data set.

One table for warnings (`quality`), for data sets (`workshop.footage.verdict`) and for the defaults of the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """A limit on one number of a track."""

    value: str
    """Name of the number, as in `Quality`; also ``sharpness`` and ``lip_spread``."""
    kind: str
    """Reason in a manifest, such as "small"."""
    sentence: str
    """What is wrong; ``{value}`` is the number, ``{limit}`` the limit."""
    warning: float | None
    """Limit for a warning of tracking; None for no warning."""
    clip: float | None = None
    """Limit for a clip of a data set; None: clips are not checked. Limits for clips are weaker than for warnings, because
    a style depends on one video, a data set on many."""
    is_minimum: bool = False
    """Whether values below the limit are bad; otherwise those above it."""
    advice: str = ""
    """Rest of the sentence in a warning."""
    refusal: str = ""
    """Rest of the sentence in a manifest."""
    scale: float = 1.0
    """Factor from the number to the one that is printed: 100 for percent."""

    def exceeded(self, value: float, limit: float) -> bool:
        """Return whether a value is on the bad side of a limit; NaN is not."""
        return value < limit if self.is_minimum else value > limit

    def text(self, value: float, limit: float, rest: str = "") -> str:
        """Return the sentence about a value."""
        return (self.sentence + rest).format(value=value * self.scale, limit=limit)


LIMITS = (
    Limit(
        "seconds",
        "too short",
        "only {value:.1f} s long",
        warning=3.0,
        is_minimum=True,
        advice="; a style needs 4 s or more",
    ),
    Limit(
        "fps",
        "few frames",
        "{value:.3g} frames per second are too few (at least {limit:g})",
        warning=20.0,
        clip=20.0,
        is_minimum=True,
        advice="; blinks and lip closures may be missed",
    ),
    Limit(
        "coverage",
        "coverage",
        "the face was detected in only {value:.0f} % of the frames",
        warning=0.9,
        clip=0.9,
        is_minimum=True,
        scale=100,
    ),
    Limit(
        "turned_deg",
        "profile",
        "the face is turned {value:.0f} degrees from the camera",
        warning=25.0,
        clip=35.0,
        advice="; left-right differences and the resting head pose cannot be measured, so a style does not use them",
    ),
    Limit(
        "leaning_deg",
        "leaning",
        "the head is tilted by {value:.0f} degrees",
        warning=60.0,
        advice="; if the video lies on its side, rotate it first",
    ),
    Limit(
        "eye_distance_px",
        "small",
        "the face is small ({value:.0f} pixels between the eyes)",
        warning=30.0,
        clip=25.0,
        is_minimum=True,
    ),
    Limit(
        "sharpness",
        "blurred",
        "the face is blurred (sharpness {value:.2f}, at least {limit:g} is needed)",
        warning=0.35,
        clip=0.35,
        is_minimum=True,
    ),
    Limit(
        "error_percent",
        "bad fit",
        "the head fits badly ({value:.1f} % of the inter-ocular distance)",
        warning=4.0,
        clip=5.0,
    ),
    Limit(
        "jitter_percent",
        "jitter",
        "the landmarks jitter ({value:.1f} % of the inter-ocular distance)",
        warning=4.0,
    ),
    Limit(
        "lip_spread",
        "still lips",
        "the lips hardly move",
        warning=0.008,
        clip=0.008,
        is_minimum=True,
        advice="; perhaps nobody speaks",
        refusal=" while there is a voice; somebody else speaks",
    ),
)
"""All limits, in the order in which clips are checked. ``lip_spread`` is the standard deviation of the lip gap over the
face's height; ``leaning_deg`` here is its absolute value."""


def limit_on(value: str) -> Limit:
    """Return the limit on a number by its name."""
    return next(limit for limit in LIMITS if limit.value == value)


def clip_limit(value: str) -> float:
    """Return the default limit of clips on a number by its name."""
    limit = limit_on(value).clip
    if limit is None:
        raise KeyError(value)
    return limit


def warnings_of(numbers: Mapping[str, float]) -> Iterator[str]:
    """Yield a warning for each number that exceeds its limit; numbers that are absent are not checked."""
    for limit in LIMITS:
        value = numbers.get(limit.value)
        if value is not None and limit.warning is not None and limit.exceeded(value, limit.warning):
            yield limit.text(value, limit.warning, limit.advice)

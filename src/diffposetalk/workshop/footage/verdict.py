"""Whether a stretch of a video is good enough for a clip."""

from __future__ import annotations

import numpy as np

from diffposetalk.speech import Speech
from diffposetalk.track.fit import Fit
from diffposetalk.track.landmarks import FaceLandmarks, lip_aperture
from diffposetalk.track.quality import BLURRED, STILL_LIPS, judge
from diffposetalk.workshop.footage.manifest import Finding, rejected
from diffposetalk.workshop.footage.options import CutOptions
from diffposetalk.workshop.footage.stretches import Span
from diffposetalk.workshop.footage.voice import MUSIC_LIMIT, Heard, listen

SILENT_DB = -60.0
"""Below this a sound track is empty."""


def judged(
    face: FaceLandmarks, fit: Fit, sharpness: np.ndarray, speech: Speech, span: Span, options: CutOptions
) -> Finding:
    """Measure a stretch and hold it against the limits.

    Args:
        face: landmarks of its frames, NaN where lost.
        fit: what was fitted to them.
        sharpness: `(T,)` of the face's picture, NaN where lost.
        speech: the sound at these times.
        span: where in the picture it lies, seconds.
        options: the limits.

    Returns:
        A clip that is used, or a stretch that is rejected for the first limit that it breaks.
    """
    if not face.seen.any():
        return rejected("stretch", "no face", "no face is seen", *span)
    quality, heard = judge(face, fit), listen(speech)
    numbers = {
        "error_percent": quality.error_percent,
        "coverage": quality.coverage,
        "turned_deg": quality.turned_deg,
        "eye_distance_px": quality.eye_distance_px,
        "jitter_percent": quality.jitter_percent,
        "sharpness": float(np.nanmedian(sharpness)),
        "speech_share": heard.speech_share,
        "music_share": heard.music_share,
        "level_db": heard.level_db,
    }
    lips = float(lip_aperture(face.points[face.seen][..., :2]).std())
    limits = (
        (heard.objection() is not None, *unheard(heard)),
        (
            quality.fps < options.least_fps,
            "few frames",
            f"{quality.fps:.3g} frames per second are too few (at least {options.least_fps:g})",
        ),
        (
            quality.coverage < options.least_coverage,
            "coverage",
            f"the face was found in {100 * quality.coverage:.0f} % of the frames only",
        ),
        (
            quality.turned_deg > options.most_turned_deg,
            "profile",
            f"the face is turned {quality.turned_deg:.0f} degrees from the camera",
        ),
        (
            quality.eye_distance_px < options.smallest_px,
            "small",
            f"the face is small ({quality.eye_distance_px:.0f} pixels between the eyes)",
        ),
        (numbers["sharpness"] < BLURRED, "blurred", "the face is blurred"),
        (
            quality.error_percent > options.most_error_percent,
            "bad fit",
            f"the head fits badly ({quality.error_percent:.1f} % of the inter-ocular distance)",
        ),
        (lips < STILL_LIPS, "still lips", "a voice is heard but the lips hardly move; somebody else speaks"),
    )
    for broken, reason, why in limits:
        if broken:
            return rejected("stretch", reason, why, *span, **numbers)
    return Finding("clip", "used", *span, numbers=numbers)


def unheard(heard: Heard) -> tuple[str, str]:
    """Return the reason for which a sound is left out if it is, and its words."""
    why = heard.objection() or ""
    if heard.music_share > MUSIC_LIMIT:
        return (
            "music",
            why if heard.spans else f"music sounds {100 * heard.music_share:.0f} % of the time, nobody speaks",
        )
    if not heard.spans:
        return "silence", "the sound track is silent" if heard.level_db < SILENT_DB else "nobody speaks"
    return "noise", why

"""Whether a stretch of a video is good enough for a clip."""

from __future__ import annotations

import numpy as np

from diffposetalk.speech import Speech
from diffposetalk.track.fit import Fit
from diffposetalk.track.landmarks import FaceLandmarks
from diffposetalk.track.limits import LIMITS
from diffposetalk.track.quality import judge, lip_spread
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
        sharpness: ``(T,)`` of the face's picture, NaN where lost.
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
    if heard.objection() is not None:
        reason, why = unheard(heard)
        return rejected("stretch", reason, why, *span, **numbers)
    values = numbers | {"fps": quality.fps, "lip_spread": lip_spread(face)}
    bounds = options.limits()
    for limit in LIMITS:
        if limit.value in bounds and limit.exceeded(values[limit.value], bounds[limit.value]):
            why = limit.text(values[limit.value], bounds[limit.value], limit.refusal)
            return rejected("stretch", limit.kind, why, *span, **numbers)
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

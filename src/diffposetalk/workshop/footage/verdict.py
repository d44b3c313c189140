"""Whether a stretch of a video is good enough for a clip."""

from __future__ import annotations

import numpy as np

from diffposetalk.speech import Speech
from diffposetalk.track.fit import Fit
from diffposetalk.track.landmarks import FaceLandmarks
from diffposetalk.track.limits import LIMITS
from diffposetalk.track.quality import lip_spread, measure_quality
from diffposetalk.workshop.footage.manifest import Finding, rejected
from diffposetalk.workshop.footage.options import CutOptions
from diffposetalk.workshop.footage.stretches import Span
from diffposetalk.workshop.footage.voice import MUSIC_LIMIT, SoundQuality, measure_sound

SILENT_DB = -60.0
"""Level below which a sound track counts as silent, decibels relative to full scale."""


def assess_stretch(
    face: FaceLandmarks, fit: Fit, sharpness: np.ndarray, speech: Speech, span: Span, options: CutOptions
) -> Finding:
    """Measure a stretch and compare it with the limits.

    Args:
        face: landmarks of its frames, NaN where lost.
        fit: head fitted to them.
        sharpness: ``(T,)`` of the face's picture, NaN where lost.
        speech: the sound at these times.
        span: its start and end in picture time, seconds.
        options: the limits.

    Returns:
        The finding of a used clip, or of a rejected stretch with the first limit that it breaks.
    """
    if not face.detected.any():
        return rejected("stretch", "no face", "no face is seen", *span)
    quality, sound = measure_quality(face, fit), measure_sound(speech)
    numbers = {
        "error_percent": quality.error_percent,
        "coverage": quality.coverage,
        "turned_deg": quality.turned_deg,
        "eye_distance_px": quality.eye_distance_px,
        "jitter_percent": quality.jitter_percent,
        "sharpness": float(np.nanmedian(sharpness)),
        "speech_share": sound.speech_share,
        "music_share": sound.music_share,
        "level_db": sound.level_db,
    }
    if sound.problem() is not None:
        reason, why = sound_rejection(sound)
        return rejected("stretch", reason, why, *span, **numbers)
    values = numbers | {"fps": quality.fps, "lip_spread": lip_spread(face)}
    bounds = options.limits()
    for limit in LIMITS:
        if limit.value in bounds and limit.exceeded(values[limit.value], bounds[limit.value]):
            why = limit.text(values[limit.value], bounds[limit.value], limit.refusal)
            return rejected("stretch", limit.kind, why, *span, **numbers)
    return Finding("clip", "used", *span, numbers=numbers)


def sound_rejection(sound: SoundQuality) -> tuple[str, str]:
    """Return the reason for which a sound with a `problem` is rejected, and a sentence."""
    why = sound.problem() or ""
    if sound.music_share > MUSIC_LIMIT:
        return (
            "music",
            why if sound.spans else f"music sounds {100 * sound.music_share:.0f} % of the time, nobody speaks",
        )
    if not sound.spans:
        return "silence", "the sound track is silent" if sound.level_db < SILENT_DB else "nobody speaks"
    return "noise", why

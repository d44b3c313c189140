"""Phones -> articulatory tracks: jaw, lip opening, rounding, spread, closure, tuck, tongue, at 100 values per second.

Each phone pulls each track toward its target with a dominance that decays exponentially with the distance from the
phone; the track is the dominance-weighted mean of the targets (Cohen and Massaro, "Modeling coarticulation in
synthetic visual speech", 1993). Jaw and lips are tracks of their own, so that a manner can shift the work from one
to the other (Edwards et al., "JALI", 2016). Lip closures are not left to the mean: p b m have a target beyond contact
(Loefqvist and Gracco, 1997, found lips commanded into each other), imposed after smoothing for the middle of the
phone and never for less than one video frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.speech.transcript.phones import FEATURES, Phone, PhoneFeatures
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, Prosody

LEAD_S = -0.03
"""Lead of the mouth on the sound that all manners share; a manner's `anticipation` is added."""
CLOSURE_LEAD_S = (-0.01, 0.02)
"""Least and largest lead of closures and tucks: every speaker's lips are shut where the sound is."""
SHORTEST_CLOSURE_S = 0.052
"""A closure or tuck holds at least this long, so that frames 40 ms apart cannot miss it."""
LONG_PAUSE_S = 0.6
"""Shortest silence inside a clip in which the lips close, seconds: in shorter ones people keep them parted."""
CLOSING_S = {"inner": (0.0, 0.2), "end": (-0.06, 0.14)}
"""Seconds after the start of a silence between which the lips close, inside a clip and at its end."""
OPENING_S = {"inner": (0.28, 0.03), "start": (0.42, 0.06)}
"""Seconds before the end of a silence between which the lips part for the next phrase."""
BREATH = {"gap": 0.28, "jaw": 0.22}
"""Opening at least reached just before a phrase, also one that begins with shut lips: people breathe in."""
BREATHING_S = 0.4
"""Shortest silence with a breath at its end, seconds."""
EDGE_PAUSE_S = 0.15
"""Shortest silence at the start or end of a clip in which the lips close, seconds."""
SILENCE_TARGETS = (0.28, 0.2, 0.05, 0.05, 0.0)
"""Targets of a short pause for the tracks of `_NAMES`: the lips stay parted."""
DOMINANCE = {
    "lips": (0.9, 0.7),
    "sibilant": (0.55, 1.45),
    "round": (0.9, 0.6),
    "back": (0.15, 0.15),
    "tongue": (0.3, 0.4),
}
"""How much consonants insist on their lip gap and on their jaw, by kind; a vowel's are about 1."""
LOUDNESS_SWELLS = 0.22
"""Change of lip gap and jaw by loudness, for an `energy_coupling` of 1."""
EFFORT_BY_LOUDNESS = 0.45
"""Change of a vowel's target by its loudness, for an `energy_coupling` of 1."""
EFFORT_BY_STRESS = {0: -0.04, 1: 0.04, 2: 0.0}
"""Change of a vowel's target by its stress, for an `energy_coupling` of 1."""
_VISIBLE = {"round": -0.2, "spread": 0.12, "open": -0.11, "cor": 0.15}
"""Added to a vowel's or sibilant's openness: tracked faces part the lips more over teeth that nearly meet, and less
around a rounded opening, than jaw height alone says."""
DECAY = {"gap": (20, 18), "jaw": (14, 13), "round": (11, 16), "spread": (13, 13), "tongue": (30, 30)}
"""How fast a phone's dominance falls before and after it, by track, per second."""
_REACH_S = 0.35
"""Seconds to both sides within which a phone acts on the tracks."""
_NAMES = ("gap", "jaw", "round", "spread", "tongue")
"""Tracks that are blended from the targets of phones."""


@dataclass(frozen=True)
class MouthTracks:
    """Articulatory curves, each ``(N,)`` at ``RATE_HZ``, 0 to about 1 unless noted otherwise."""

    gap: np.ndarray
    """Lip aperture asked for; 1 as in a loud "father"."""
    jaw: np.ndarray
    """Jaw opening, same scale."""
    round: np.ndarray
    """Lips rounded and protruded."""
    spread: np.ndarray
    """Lip corners drawn apart."""
    tongue: np.ndarray
    """Tongue tip shown between the teeth."""
    seal: np.ndarray
    """1 where the lips must be shut."""
    press: np.ndarray
    """Lips pressed together within closures (the target beyond contact)."""
    tuck: np.ndarray
    """1 where the lower lip must meet the upper teeth."""
    rest: np.ndarray
    """1 in long pauses."""


@dataclass(frozen=True)
class _Segment:
    """A stretch of one target: a phone, or a half of a diphthong."""

    features: PhoneFeatures
    start: float
    end: float
    effort: float
    phone_duration: float


def mouth_tracks(phones: Sequence[Phone], prosody: Prosody, manner: Manner) -> MouthTracks:
    """Compute the articulatory curves of a stretch of speech.

    Args:
        phones: covering the speech without gaps.
        prosody: of the same speech.
        manner: of the speaker.

    Returns:
        Curves as long as ``prosody.loudness``, already ahead of the sound by the manner's lead.
    """
    n = len(prosody.loudness)
    lead = LEAD_S + manner.anticipation
    closure_lead = float(np.clip(lead, *CLOSURE_LEAD_S))
    segments = _segments(phones, prosody, manner)
    blended = _blend(segments, n, lead, manner)
    gap = _smooth(blended["gap"], 0.024)
    jaw = _smooth(blended["jaw"], 0.032)
    loud = _ahead(_smooth(prosody.loudness, 0.03), lead)
    swell = 1 + LOUDNESS_SWELLS * manner.energy_coupling * (np.clip(loud, 0.4, 1.1) - 0.85)
    gap, jaw = gap * swell, jaw * swell
    rest, breath, seal, press, tuck = (np.zeros(n) for _ in range(5))
    for phone in phones:
        features = phone.features
        if phone.symbol == "sil":
            length = phone.duration
            first, last = phone.start <= 1e-3, phone.end >= prosody.duration - 1e-3
            if length >= LONG_PAUSE_S or ((first or last) and length > EDGE_PAUSE_S):
                np.maximum(rest, _resting(n, phone, first, last), out=rest)
                if not last and length >= BREATHING_S:
                    np.maximum(breath, _bump(n, phone.end - 0.12, 0.06, 0.24 if first else 0.13, 0.09), out=breath)
        elif features.bilabial:
            hold = max(SHORTEST_CLOSURE_S, 0.65 * phone.duration)
            middle = phone.start + (0.45 if features.stop else 0.5) * phone.duration - closure_lead
            bump = _bump(n, middle, hold, 0.04, 0.05)
            np.maximum(seal, bump, out=seal)
            np.maximum(press, bump * {"p": 1.0, "b": 0.8}.get(phone.symbol, 0.6), out=press)
        elif features.labiodental:
            hold = max(SHORTEST_CLOSURE_S, 0.55 * phone.duration)
            middle = phone.start + 0.5 * phone.duration - closure_lead
            np.maximum(tuck, _bump(n, middle, hold, 0.07, 0.07), out=tuck)
    rest = rest * (1 - breath)
    calm = 1 - rest
    gap, jaw = np.maximum(gap * calm, BREATH["gap"] * breath), np.maximum(jaw * calm, BREATH["jaw"] * breath)
    return MouthTracks(
        gap=np.clip(gap, 0, 1.6),
        jaw=np.clip(jaw * (1 - 0.35 * seal), 0, 1.5),
        round=np.clip(_smooth(blended["round"], 0.03) * calm, 0, 1.3),
        spread=np.clip(_smooth(blended["spread"], 0.03) * calm, 0, 1.3),
        tongue=np.clip(_smooth(blended["tongue"], 0.015) * calm, 0, 1),
        seal=np.maximum(seal, rest),
        press=press * calm,
        tuck=tuck * calm,
        rest=rest,
    )


def _resting(n: int, silence: Phone, first: bool, last: bool) -> np.ndarray:
    """1 where the lips rest in a silence: ``(n,)``; a clip begins and ends with shut lips."""
    begins, shut = CLOSING_S["end" if last else "inner"]
    parts, parted = (min(time, 0.7 * silence.duration) for time in OPENING_S["start" if first else "inner"])
    closing = np.ones(n) if first else _ramp(n, silence.start + begins, silence.start + shut)
    opening = np.zeros(n) if last else _ramp(n, silence.end - parts, silence.end - parted)
    return closing * (1 - opening)


def _segments(phones: Sequence[Phone], prosody: Prosody, manner: Manner) -> list[_Segment]:
    segments = []
    for phone in phones:
        features = phone.features
        effort = 1.0
        if features.vowel:
            span = prosody.loudness[int(phone.start * RATE_HZ) : int(phone.end * RATE_HZ) + 1]
            loud = float(np.clip(span.mean() if len(span) else 0.8, 0.3, 1.1))
            stress = EFFORT_BY_STRESS.get(phone.stress, 0.0)
            effort = 1 + manner.energy_coupling * (EFFORT_BY_LOUDNESS * (loud - 0.85) + stress)
            # a quick vowel falls short of its target (undershoot), the more the less precise the speaker
            reach = 1 - np.exp(-(phone.duration + 0.03) / (0.07 - 0.035 * manner.precision))
            effort = float(np.clip(effort * (0.15 + 0.85 * reach), 0.2, 1.5))
        if features.glide is not None:
            middle = phone.start + 0.5 * phone.duration
            segments.append(_Segment(features, phone.start, middle, effort, phone.duration))
            segments.append(_Segment(FEATURES[features.glide], middle, phone.end, 0.9 * effort, phone.duration))
        else:
            segments.append(_Segment(features, phone.start, phone.end, effort, phone.duration))
    return segments


def _targets(segment: _Segment, manner: Manner) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Targets and dominances of a segment for the tracks of `_NAMES`."""
    f = segment.features
    firm = 0.6 + 0.8 * manner.precision  # how much consonants insist
    if f.symbol == "sil":
        strength = 1.0 if segment.phone_duration >= 0.12 else 0.3
        return SILENCE_TARGETS, (strength, strength, 0.15, 0.15, 1.0)
    openness = f.openness + _VISIBLE.get(f.visual, 0.0) * (f.vowel or f.sibilant)
    if f.vowel:
        targets = (openness * segment.effort, f.jaw * segment.effort, f.rounded, f.spread, 0.0)
        return targets, (1.0, 0.9, 0.35 + 0.8 * f.rounded, 0.35 + 0.6 * f.spread, 0.6)
    targets = (openness, f.jaw, f.rounded, f.spread, 1.0 if f.dental else 0.12 * f.tongue_tip)
    rounding, spread = 0.14 + 0.9 * f.rounded, 0.08 + 0.3 * f.spread
    if f.bilabial or f.labiodental:
        kind, spread = "lips", 0.05
    elif f.sibilant:
        kind = "sibilant"
    elif f.visual in ("round", "back"):
        kind = f.visual
    else:
        kind = "tongue"
    lips, jaw = DOMINANCE[kind]
    return targets, (lips * firm, jaw * firm, rounding, spread, 1.0)


def _blend(segments: list[_Segment], n: int, lead: float, manner: Manner) -> dict[str, np.ndarray]:
    """Blend the segments' targets by dominance: one ``(n,)`` curve per name in `_NAMES`."""
    width = int(_REACH_S * RATE_HZ)
    pairs = [_targets(segment, manner) for segment in segments]
    targets = np.array([pair[0] for pair in pairs])
    strengths = np.array([pair[1] for pair in pairs])
    start = np.array([segment.start for segment in segments]) - lead
    end = np.array([segment.end for segment in segments]) - lead
    middle, half = 0.5 * (start + end), 0.5 * (end - start)
    first = np.floor(start * RATE_HZ).astype(int) - width
    longest = int(np.ceil((2 * half).max() * RATE_HZ)) + 2 * width + 2
    # very long segments (pauses) need no long reach of their own: they are laid down separately below
    rows = first[:, None] + np.arange(min(longest, 8 * width))
    away = np.abs(rows / RATE_HZ - middle[:, None]) - 0.5 * half[:, None]
    after = rows / RATE_HZ > middle[:, None]
    away = np.maximum(away, 0)
    inside = (rows >= 0) & (rows < n)
    index = rows[inside]
    sharp = 0.8 + 0.4 * manner.precision
    curves = {}
    for k, name in enumerate(_NAMES):
        before_rate, after_rate = DECAY[name]
        weight = strengths[:, k : k + 1] * np.exp(-sharp * np.where(after, after_rate, before_rate) * away)
        weight = weight[inside]
        total = np.bincount(index, weight, n) + 1e-5
        curves[name] = (
            np.bincount(index, weight * np.broadcast_to(targets[:, k : k + 1], rows.shape)[inside], n) / total
        )
    return curves


def _smooth(values: np.ndarray, sigma_s: float) -> np.ndarray:
    radius = int(np.ceil(3 * sigma_s * RATE_HZ))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (sigma_s * RATE_HZ)) ** 2)
    return np.convolve(np.pad(values, radius, mode="edge"), kernel / kernel.sum(), "valid")


def _ahead(values: np.ndarray, lead: float) -> np.ndarray:
    shift = round(lead * RATE_HZ)
    return np.roll(np.pad(values, abs(shift), mode="edge"), -shift)[abs(shift) : abs(shift) + len(values)]


def _ramp(n: int, start: float, end: float) -> np.ndarray:
    """Minimum-jerk step from 0 at ``start`` to 1 at ``end``, seconds."""
    share = np.clip((np.arange(n) / RATE_HZ - start) / max(end - start, 1e-3), 0, 1)
    return share**3 * (10 - 15 * share + 6 * share**2)


def _bump(n: int, middle: float, hold: float, attack: float, release: float) -> np.ndarray:
    """1 for ``hold`` seconds around ``middle``, with minimum-jerk flanks."""
    low = max(0, int((middle - hold / 2 - attack) * RATE_HZ) - 1)
    high = min(n, int((middle + hold / 2 + release) * RATE_HZ) + 2)
    bump = np.zeros(n)
    if high > low:
        time = np.arange(low, high) / RATE_HZ
        up = np.clip((time - (middle - hold / 2 - attack)) / attack, 0, 1)
        down = np.clip(((middle + hold / 2 + release) - time) / release, 0, 1)
        share = np.minimum(up, down)
        bump[low:high] = share**3 * (10 - 15 * share + 6 * share**2)
    return bump

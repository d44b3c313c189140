"""Music in a sound, alone or under a voice, told by partials that hold their pitch.

A voice glides: its harmonics seldom stay within 8 Hz for half a second, and between words they are gone. Notes stay. So
music is where several partials hold out for half a second, or for a fifth of a second in a pause of the voice; and a
voice between two pauses with music is over music. Drums have no partials; how loud pauses are tells of those.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from diffposetalk.speech import SAMPLE_RATE

WINDOW, HOP = 2048, 512
"""Samples at 16 kHz of a spectrum and from one to the next: 128 and 32 ms, bins of 7.8 Hz."""
BAND = (400.0, 4000.0)
"""Hz looked at; below lie mains hum and the slowest harmonics of low voices."""
PROMINENCE_DB, AROUND = 6.0, 11
"""How far a partial stands above the mean level of so many bins around it."""
HELD, FLOOR_DB = 16, 50.0
"""Frames for which a note is held under a voice, and how far below the sound's loud moments it may lie."""
HELD_IN_PAUSE, PAUSE_FLOOR_DB = 6, 35.0
"""The same in pauses of the voice."""
PARTIALS = 2
"""Bins that hold at once."""
SHORTEST_PAUSE = 6
"""Frames of a pause that is looked at."""
_BLOCK = 1000


def musical(samples: np.ndarray, spans: Iterable[tuple[float, float]]) -> np.ndarray:
    """Tell when music sounds.

    Args:
        samples: ``(n,)`` in [-1, 1] at 16 kHz.
        spans: of voice activity, seconds.

    Returns:
        ``(ceil(n / HOP),)`` bool, True where music sounds; entry i is of the time around ``i * HOP`` samples.

    Source: held partials as evidence of music after Seyerlehner, Pohle, Schedl, Widmer, "Automatic music detection in
    television productions" (DAFx 2007), who count how often a bin is active within blocks; here it must be without a break.
    """
    prominent, level, loudest = _spectra(samples)
    loud = float(np.percentile(loudest, 95))
    pause = np.ones(len(level), bool)
    for start, stop in spans:
        reach = 0.1 * SAMPLE_RATE + WINDOW // 4
        first, last = (start * SAMPLE_RATE - reach) / HOP, (stop * SAMPLE_RATE + reach) / HOP
        pause[max(0, int(np.ceil(first))) : max(0, int(np.floor(last)) + 1)] = False
    notes = _held(prominent & (level > loud - FLOOR_DB), HELD)
    in_pause = _held(prominent & (level > loud - PAUSE_FLOOR_DB) & pause[:, None], HELD_IN_PAUSE)
    music = notes | in_pause
    pauses = [(a, b) for a, b in _stretches(pause) if b - a >= SHORTEST_PAUSE]
    filled = [in_pause[a:b].mean() >= 0.5 for a, b in pauses]
    for k, (a, b) in enumerate(pauses):
        if filled[k]:
            music[a:b] = True
            before, after = (pauses[k - 1][1] if k else 0), (pauses[k + 1][0] if k + 1 < len(pauses) else len(music))
            if k == 0 or filled[k - 1]:
                music[before:a] = True
            if k + 1 == len(pauses):
                music[b:after] = True
    return music


def _spectra(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look at the bins of `BAND`, some frames at a time, so that hours of sound fit into memory.

    Returns:
        ``(T, bins)`` bool, which stand above those around them; ``(T, bins)`` float16 decibels below a full-scale sine, at least
        -140, so that digital silence has no peaks; ``(T,)`` the loudest bin of each frame.
    """
    padded = np.pad(np.asarray(samples, np.float32), (WINDOW // 2, WINDOW // 2 + HOP))
    n_frames = -(-len(samples) // HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:n_frames]
    taper = np.hanning(WINDOW).astype(np.float32)
    low, high = (round(hertz * WINDOW / SAMPLE_RATE) for hertz in BAND)
    parts = []
    for k in range(0, n_frames, _BLOCK):
        spectrum = np.abs(np.fft.rfft(frames[k : k + _BLOCK] * taper, axis=1)) * (4 / WINDOW)
        level = (20 * np.log10(spectrum + 1e-7)).astype(np.float32)
        stands = level - _running_mean(level, AROUND) > PROMINENCE_DB
        parts.append((stands[:, low:high], level[:, low:high].astype(np.float16), level.max(1)))
    prominent, levels, loudest = (np.concatenate(each) for each in zip(*parts))
    return prominent, levels, loudest


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Return the mean over ``width`` neighbours along the last axis, ends repeated."""
    padded = np.pad(values, ((0, 0), (width // 2 + 1, width // 2)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    return ((sums[:, width:] - sums[:, :-width]) / width).astype(np.float32)


def _held(active: np.ndarray, n_frames: int) -> np.ndarray:
    """Tell in which frames at least `PARTIALS` bins are within runs of at least ``n_frames``; ``(T, bins)`` to ``(T,)``."""
    n_starts = len(active) - n_frames + 1
    if n_starts < 1:
        return np.zeros(len(active), bool)
    lasts = active[:n_starts].copy()  # from here on for n_frames
    for shift in range(1, n_frames):
        lasts &= active[shift : shift + n_starts]
    held = np.zeros_like(active)
    for shift in range(n_frames):
        held[shift : shift + n_starts] |= lasts
    return held.sum(1) >= PARTIALS


def _stretches(marked: np.ndarray) -> list[tuple[int, int]]:
    """Return first and last (exclusive) index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]

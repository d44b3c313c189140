"""Blinks, gaze with the lids that follow it, and brows, timed by the prosody."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import Prosody

SIDES = ("Left", "Right")
"""Endings of the names of paired channels; the subject's own sides."""
NEXT_BLINK_S = 0.45
"""Shortest time from one blink to the next, seconds."""


def upper_face(
    prosody: Prosody, manner: Manner, rng: np.random.Generator, n_frames: int, fps: float
) -> dict[str, np.ndarray]:
    """Move eyes, lids and brows.

    Args:
        prosody: of the speech.
        manner: of the speaker.
        rng: source of randomness.
        n_frames: length of the result.
        fps: frames per second.

    Returns:
        ARKit channel name -> ``(n_frames,)`` weights (not yet clipped to [0, 1]).
    """
    face = {
        f"eye{movement}{side}": np.zeros(n_frames)
        for side in SIDES
        for movement in ("Blink", "Squint", "Wide", "LookUp", "LookDown", "LookIn", "LookOut")
    }
    yaw, pitch, shifts = gaze(prosody, manner, rng, n_frames, fps)
    _write_gaze(face, yaw, pitch)
    blink = blinks(prosody, manner, rng, n_frames, fps, shifts)
    lids = smooth_noise(rng, n_frames, fps, 0.8) * 0.02
    lag = rng.uniform(0.94, 1.0, 2)
    for k, side in enumerate(SIDES):
        posture = manner.eye_openness
        lowered = 0.24 * np.clip(pitch, 0, 1) + 0.22 * max(-posture, 0) + 0.03 + lids
        face[f"eyeBlink{side}"] = np.maximum(np.clip(lowered, 0, 0.5), 0) * (1 - blink) + blink * lag[k]
        face[f"eyeSquint{side}"] = 0.05 + 0.3 * max(-posture, 0) + 0.25 * manner.smile + 0.15 * blink
        face[f"eyeWide{side}"] = (0.35 * max(posture, 0) + 0.4 * np.clip(-pitch, 0, 1)) * (1 - blink)
    face.update(brows(prosody, manner, rng, n_frames, fps))
    raised = face["browOuterUpLeft"]
    for side in SIDES:
        face[f"eyeWide{side}"] = face[f"eyeWide{side}"] + 0.2 * np.clip(raised - 0.15, 0, 1) * (1 - blink)
    return face


def blinks(
    prosody: Prosody, manner: Manner, rng: np.random.Generator, n_frames: int, fps: float, shifts: list[float]
) -> np.ndarray:
    """Draw blinks: log-normal intervals, drawn toward phrase ends and large gaze shifts, quick down and slow up.

    Args:
        prosody: of the speech.
        manner: `blink_rate` sets how many.
        rng: source of randomness.
        n_frames: length of the result.
        fps: frames per second.
        shifts: times of large gaze shifts, seconds.

    Returns:
        ``(n_frames,)`` closure, 0 open, 1 shut.

    Source: intervals and profile as measured by VanderWerf et al. 2003 (down in less than 0.1 s, up about twice that,
    quick at first) and Bentivoglio et al. 1997 (rates while talking). A blink is more than half shut for about 0.12 s.
    """
    duration = n_frames / fps
    mean = 60 / manner.blink_rate
    spread = 0.55
    anchors = np.array([phrase.end + 0.08 for phrase in prosody.phrases] + shifts)
    times: list[float] = []
    clock = rng.uniform(0, 1.3) * mean
    while clock < duration:
        if len(anchors):
            nearest = anchors[np.abs(anchors - clock).argmin()]
            if abs(nearest - clock) < 0.35 * mean and rng.random() < 0.6:
                clock = float(nearest + rng.normal(0, 0.05))
        if not times or clock - times[-1] > NEXT_BLINK_S:
            times.append(clock)
        clock = max(times[-1], clock) + max(NEXT_BLINK_S + 0.05, mean * rng.lognormal(-(spread**2) / 2, spread))
    frame_time = np.arange(n_frames) / fps
    closure = np.zeros(n_frames)
    for time in times:
        depth = 1.0 if rng.random() < 0.85 else rng.uniform(0.65, 0.9)
        down, hold, up = rng.uniform(0.065, 0.09), rng.uniform(0.01, 0.03), rng.uniform(0.12, 0.16)
        fall = _ease(np.clip((frame_time - time + down) / down, 0, 1))
        rise = _ease(np.clip((time + hold + up - frame_time) / up, 0, 1)) ** 1.7
        np.maximum(closure, depth * np.minimum(fall, rise), out=closure)
    return closure


def gaze(
    prosody: Prosody, manner: Manner, rng: np.random.Generator, n_frames: int, fps: float
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Draw saccades and fixations around the listener's face.

    Returns:
        Yaw and pitch ``(n_frames,)`` in units of full ARKit look (about 30 degrees), above 0 to the subject's left and
        down, and the times of large shifts in seconds.
    """
    duration = n_frames / fps
    level = manner.gaze_activity
    steps, shifts = [(0.0, 0.0, 0.0)], []
    clock = rng.uniform(0.1, 0.8)
    away = False
    while clock < duration:
        if not away and rng.random() < 0.22 * level:
            away = True  # look aside to think, mostly downward or level
            yaw, pitch = rng.normal(0, 0.32) * level, rng.normal(0.08, 0.2) * level
            shifts.append(clock)
            fixation = rng.uniform(0.4, 1.3)
        else:
            away = False
            yaw, pitch = rng.normal(0, 0.05) * (0.4 + level), rng.normal(0, 0.035) * (0.4 + level)
            fixation = rng.lognormal(np.log(0.9 / (0.5 + 0.6 * level)), 0.5)
        steps.append((clock, float(np.clip(yaw, -0.7, 0.7)), float(np.clip(pitch, -0.4, 0.5))))
        clock += max(0.18, fixation)
    frame_time = np.arange(n_frames) / fps
    yaw_curve, pitch_curve = np.zeros(n_frames), np.zeros(n_frames)
    for (_, old_yaw, old_pitch), (time, yaw, pitch) in pairwise(steps):
        size = np.hypot(yaw - old_yaw, pitch - old_pitch)
        move = _ease(np.clip((frame_time - time) / (0.03 + 0.07 * size), 0, 1))
        yaw_curve += (yaw - old_yaw) * move
        pitch_curve += (pitch - old_pitch) * move
    drift = 0.006 * (1 + level)
    yaw_curve += drift * smooth_noise(rng, n_frames, fps, 0.15)
    pitch_curve += drift * smooth_noise(rng, n_frames, fps, 0.15)
    return yaw_curve, pitch_curve, shifts


def brows(
    prosody: Prosody, manner: Manner, rng: np.random.Generator, n_frames: int, fps: float
) -> dict[str, np.ndarray]:
    """Raise or knit the brows on accents and rising phrase ends, around the manner's posture."""
    frame_time = np.arange(n_frames) / fps
    inner, outer, down = np.zeros(n_frames), np.zeros(n_frames), np.zeros(n_frames)
    level = manner.brow_activity
    for accent in prosody.accents:
        if rng.random() > 0.25 + 0.45 * min(level, 1.2):
            continue
        size = level * accent.strength * rng.uniform(0.25, 0.7)
        pulse = _pulse(
            frame_time, accent.time - 0.05, rng.uniform(0.12, 0.2), rng.uniform(0.05, 0.3), rng.uniform(0.25, 0.5)
        )
        if rng.random() < 0.78 + 0.3 * manner.brow_raise:
            inner += size * rng.uniform(0.7, 1) * pulse
            outer += size * rng.uniform(0.5, 1) * pulse
        else:
            down += 0.8 * size * pulse
    for phrase in prosody.phrases:
        if phrase.rising:
            pulse = _pulse(frame_time, phrase.end - 0.15, 0.3, 0.15, 0.5)
            inner += 0.5 * level * pulse
            outer += 0.6 * level * pulse
        if rng.random() < 0.5:  # a phrase often has a posture of its own
            length = max(0.1, phrase.end - phrase.start)
            pulse = _pulse(frame_time, phrase.start + 0.2, 0.3, max(0.1, length - 0.6), 0.5)
            inner += 0.25 * level * rng.uniform(-0.3, 1) * pulse
            outer += 0.2 * level * rng.uniform(-0.3, 1) * pulse
    up, low = max(manner.brow_raise, 0), max(-manner.brow_raise, 0)
    noise = [smooth_noise(rng, n_frames, fps, 0.5) * (0.012 + 0.025 * level) for _ in range(3)]
    inner += 0.02 + 0.75 * up + noise[0]
    outer += 0.02 + 0.7 * up + noise[1]
    down += 0.02 + 1.1 * low + noise[2]
    down = down - 0.5 * np.clip(outer - 0.7 * up, 0, 1)  # raising undoes knitting
    skew = 0.25 * manner.asymmetry
    return {
        "browInnerUp": inner,
        "browOuterUpLeft": outer * (1 + skew),
        "browOuterUpRight": outer * (1 - skew),
        "browDownLeft": down * (1 + 0.5 * skew),
        "browDownRight": down * (1 - 0.5 * skew),
    }


def smooth_noise(rng: np.random.Generator, n: int, fps: float, time_s: float) -> np.ndarray:
    """Return Gaussian noise of unit spread that forgets itself over about ``time_s`` seconds: ``(n,)``."""
    sigma = max(time_s * fps / 2, 0.5)
    radius = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    size = n + 2 * radius
    return np.convolve(rng.standard_normal(size), kernel, "valid")[:n]


def _write_gaze(face: dict[str, np.ndarray], yaw: np.ndarray, pitch: np.ndarray) -> None:
    left, right = np.clip(yaw, 0, 1), np.clip(-yaw, 0, 1)
    face["eyeLookOutLeft"] = face["eyeLookInRight"] = left
    face["eyeLookInLeft"] = face["eyeLookOutRight"] = right
    for side in SIDES:
        face[f"eyeLookDown{side}"] = np.clip(pitch, 0, 1)
        face[f"eyeLookUp{side}"] = np.clip(-pitch, 0, 1)


def _ease(share: np.ndarray) -> np.ndarray:
    """Minimum-jerk step over [0, 1]."""
    return share**3 * (10 - 15 * share + 6 * share**2)


def _pulse(time: np.ndarray, start: float, rise: float, hold: float, fall: float) -> np.ndarray:
    up = _ease(np.clip((time - start) / rise, 0, 1))
    return up * _ease(np.clip((start + rise + hold + fall - time) / fall, 0, 1))

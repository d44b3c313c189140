"""Speech with phone times -> ARKit weights and head motion in a manner of speaking: `articulate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.corpus.language.phones import Phone, check_phones, fill_silence
from diffposetalk.workshop.corpus.motion.head_motion import head_motion
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.mouth import MouthTracks, mouth_tracks
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, analyse
from diffposetalk.workshop.corpus.motion.upper_face import SIDES, smooth_noise, upper_face

# Lip gap on the free head at the middle of the mouth, millimetres per unit weight (both sides together).
GAP_MM = {
    "jawOpen": 32.0,
    "mouthClose": -32.7,
    "mouthFunnel": 9.3,
    "mouthUpperUp": 5.1,
    "mouthLowerDown": 4.1,
    "mouthShrugUpper": 3.3,
    "mouthPucker": -2.8,
    "mouthSmile": -2.5,
    "mouthPress": -1.9,
    "mouthRollUpper": -1.7,
    "mouthRollLower": -2.7,
    "mouthShrugLower": -4.4,
}
GAP_FULL_MM = 22.0
"""Lip gap that an aperture of 1 asks for, by a speaker whose `mouth_opening` is 1."""
BEYOND_CONTACT_MM = 2.5
"""How far into each other the lips are commanded in a firm closure; press and roll take up the rest."""
JAW_FULL = 0.78
"""jawOpen that a jaw opening of 1 asks for, with `mouth_opening` 1 and an even balance of jaw and lips."""
FASTEST_MOUTH = 9.0
"""Largest change of a mouth weight per second."""


def articulate(
    speech: Speech, phones: Sequence[Phone], manner: Manner, rng: np.random.Generator, fps: float = 25.0
) -> Motion:
    """Give speech a face and a moving head.

    Args:
        speech: the sound, any sample rate.
        phones: its phones in time order; gaps count as silence.
        manner: how the speaker moves.
        rng: source of all randomness: same state, same motion.
        fps: frames per second of the result.

    Returns:
        Motion of the 52 ARKit channels, ``round(duration * fps)`` frames (at least 1); frame ``i`` belongs to the
        time ``i / fps``.

    Raises:
        InputError: unknown or overlapping phones.
    """
    check_phones(phones)
    duration = len(speech.samples) / speech.sample_rate
    n_frames = max(1, round(duration * fps))
    phones = fill_silence(phones, duration)
    prosody = analyse(speech, phones)
    tracks = mouth_tracks(phones, prosody, manner)
    weights = _mouth_weights(_sampled(tracks, n_frames, fps), manner, rng, fps)
    weights.update(upper_face(prosody, manner, rng, n_frames, fps))
    _couple_cheeks(weights, manner)
    expression = np.zeros((n_frames, len(CHANNELS)))
    for name, curve in weights.items():
        expression[:, INDEX[name]] = curve
    expression = np.clip(expression, 0, 1)
    mouth = [INDEX[name] for name in CHANNELS if name.startswith(("jaw", "mouth", "tongue"))]
    expression[:, mouth] = _speed_limited(expression[:, mouth], FASTEST_MOUTH / fps)
    return Motion(
        expression=expression.astype(np.float32),
        expression_names=CHANNELS,
        head_pose=head_motion(prosody, manner, rng, n_frames, fps),
        fps=float(fps),
        head="anny",
    )


def _sampled(tracks: MouthTracks, n_frames: int, fps: float) -> MouthTracks:
    position = np.arange(n_frames) / fps * RATE_HZ
    grid = np.arange(len(tracks.gap))
    return MouthTracks(**{name: np.interp(position, grid, curve) for name, curve in vars(tracks).items()})


def _mouth_weights(tracks: MouthTracks, manner: Manner, rng: np.random.Generator, fps: float) -> dict[str, np.ndarray]:
    """Turn articulatory tracks into jaw, lip and tongue weights that make the asked lip gap on the head."""
    n = len(tracks.gap)
    speaking = 1 - tracks.rest

    def noise(size: float, time_s: float = 0.35) -> np.ndarray:
        return size * smooth_noise(rng, n, fps, time_s)

    open_free = (1 - tracks.seal) * (1 - 0.8 * tracks.tuck)
    gap_mm = GAP_FULL_MM * manner.mouth_opening * tracks.gap * (1 + noise(0.05))
    gap_mm = gap_mm * (1 - 0.35 * np.clip(tracks.round, 0, 1)) * open_free
    jaw = JAW_FULL * manner.mouth_opening * (0.55 + 0.9 * manner.jaw_lip_balance) * tracks.jaw * (1 + noise(0.04))
    jaw = np.clip(jaw * (1 - 0.3 * tracks.tuck), 0, 0.95)
    beyond = tracks.press * (0.25 + 0.75 * manner.lip_press)
    resting = tracks.rest * manner.lip_press
    rounding = np.clip(tracks.round, 0, 1.2) * manner.rounding
    spread = np.clip(tracks.spread, 0, 1.2) * manner.spread * (1 - 0.5 * tracks.rest)
    smile = manner.smile * (0.8 + 0.2 * speaking) * (1 - 0.45 * np.clip(rounding, 0, 1)) * (1 + noise(0.12, 1.5))
    frown = manner.frown * (1 + noise(0.12, 1.5))
    shaped = {
        "mouthPucker": 0.75 * rounding * (1 - 0.35 * tracks.gap),
        "mouthFunnel": rounding * (0.18 + 0.45 * np.clip(tracks.gap, 0, 1)) * (1 - tracks.seal),
        "mouthRollLower": 0.18 * beyond + 0.55 * tracks.tuck + 0.15 * resting + 0.01,
        "mouthRollUpper": 0.22 * beyond + 0.1 * resting + 0.01,
        "mouthShrugLower": 0.06 * beyond + 0.1 * resting + 0.02 + noise(0.01),
        "mouthShrugUpper": 0.05 * beyond + 0.05 * manner.frown,
    }
    pressed = 0.5 * beyond + 0.6 * resting
    smiling = smile + 0.14 * spread
    upper_base = 0.3 * tracks.tuck + 0.1 * manner.smile * tracks.gap
    lower_base = 0.12 * spread * open_free * tracks.gap
    # what the mouth opens by so far, and what is left for lips to open or for mouthClose to shut
    so_far = GAP_MM["jawOpen"] * jaw + sum(GAP_MM[name] * np.clip(curve, 0, 1) for name, curve in shaped.items())
    so_far = so_far + GAP_MM["mouthSmile"] * smiling + GAP_MM["mouthPress"] * pressed
    so_far = so_far + GAP_MM["mouthUpperUp"] * upper_base + GAP_MM["mouthLowerDown"] * lower_base
    wanted = gap_mm - BEYOND_CONTACT_MM * np.maximum(tracks.press, 0.3 * tracks.rest)
    lips_mm = np.clip(wanted - so_far, 0, 2) + 0.08 * np.maximum(wanted, 0)
    shut = np.maximum(so_far + lips_mm - wanted, 0) / -GAP_MM["mouthClose"]
    upper_share = 0.15 + 0.7 * manner.upper_lip
    lower = lower_base + (1 - upper_share) * lips_mm / GAP_MM["mouthLowerDown"]
    upper = upper_base + upper_share * lips_mm / GAP_MM["mouthUpperUp"]
    left, right = 1 + 0.3 * manner.asymmetry, 1 - 0.3 * manner.asymmetry
    weights = {
        "jawOpen": jaw,
        "mouthClose": shut,
        **shaped,
        "tongueOut": 0.22 * np.clip(tracks.tongue - 0.35, 0, 1) * open_free,
        "jawForward": 0.06 * rounding,
        "jawLeft": np.clip(noise(0.012) + 0.02 * manner.asymmetry * jaw, 0, 1),
        "jawRight": np.clip(noise(0.012) - 0.02 * manner.asymmetry * jaw, 0, 1),
        "mouthLeft": np.clip(0.04 * manner.asymmetry * speaking + noise(0.012), 0, 1),
        "mouthRight": np.clip(-0.04 * manner.asymmetry * speaking + noise(0.012), 0, 1),
    }
    for side, share in zip(SIDES, (left, right)):
        weights[f"mouthLowerDown{side}"] = lower * (0.5 + 0.5 * share)
        weights[f"mouthUpperUp{side}"] = upper * (0.5 + 0.5 * share)
        weights[f"mouthSmile{side}"] = smiling * share
        weights[f"mouthFrown{side}"] = frown * share
        weights[f"mouthStretch{side}"] = 0.32 * spread * (1 - 0.5 * rounding) * share
        weights[f"mouthDimple{side}"] = (0.06 * spread + 0.1 * smile + 0.08 * resting) * share
        weights[f"mouthPress{side}"] = pressed * share
    return weights


def _couple_cheeks(weights: dict[str, np.ndarray], manner: Manner) -> None:
    for side in SIDES:
        smile = np.clip(weights[f"mouthSmile{side}"], 0, 1)
        weights[f"cheekSquint{side}"] = 0.45 * np.clip(smile - 0.1, 0, 1)
        weights[f"eyeSquint{side}"] = weights[f"eyeSquint{side}"] + 0.25 * np.clip(smile - 0.15, 0, 1)
        weights[f"noseSneer{side}"] = 0.02 + 0.1 * np.clip(weights[f"mouthUpperUp{side}"], 0, 1)


def _speed_limited(curves: np.ndarray, limit: float) -> np.ndarray:
    """Return ``(T, K)`` curves whose frames differ by at most ``limit``: lower ones pull higher ones down in time.

    Openings give way to closures, never the other way round.
    """
    limited = curves.copy()
    for frame in range(1, len(limited)):
        np.minimum(limited[frame], limited[frame - 1] + limit, out=limited[frame])
    for frame in range(len(limited) - 2, -1, -1):
        np.minimum(limited[frame], limited[frame + 1] + limit, out=limited[frame])
    return limited

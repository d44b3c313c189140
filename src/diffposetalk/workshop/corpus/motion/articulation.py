"""Speech with phone times -> ARKit weights and head motion in a manner of speaking: `articulate`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import Phone, check_phones, fill_silence
from diffposetalk.workshop.corpus.motion import lip_table as table
from diffposetalk.workshop.corpus.motion.head_motion import head_motion
from diffposetalk.workshop.corpus.motion.lip_table import GAP_MM
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.mouth import MouthTracks, mouth_tracks
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, analyse
from diffposetalk.workshop.corpus.motion.upper_face import SIDES, smooth_noise, upper_face

HEARD_HZ = 50
"""Values a second of the lip gap that a teacher hears."""


def articulate(
    speech: Speech,
    phones: Sequence[Phone],
    manner: Manner,
    rng: np.random.Generator,
    fps: float = 25.0,
    gap: np.ndarray | None = None,
) -> Motion:
    """Give speech a face and a moving head.

    Args:
        speech: the sound, any sample rate.
        phones: its phones in time order; gaps count as silence.
        manner: how the speaker moves.
        rng: source of all randomness: same state, same motion.
        fps: frames per second of the result.
        gap: ``(N,)`` lip gap that a teacher hears, 50 a second, on the scale of `MouthTracks.gap`; NaN where it has
            none. It is mixed with the gap of the phones; closures stay those of the phones. None for the phones alone.

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
    tracks = _sampled(tracks, n_frames, fps)
    heard = None if gap is None else _heard_gap(gap, n_frames, fps)
    weights = _mouth_weights(tracks, heard, manner, rng, fps)
    weights.update(upper_face(prosody, manner, rng, n_frames, fps))
    _couple_cheeks(weights)
    expression = np.zeros((n_frames, len(CHANNELS)))
    for name, curve in weights.items():
        expression[:, INDEX[name]] = curve
    expression = np.clip(expression, 0, 1)
    mouth = [INDEX[name] for name in CHANNELS if name.startswith(("jaw", "mouth", "tongue"))]
    expression[:, mouth] = _speed_limited(expression[:, mouth], table.FASTEST_MOUTH / fps)
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


def _heard_gap(gap: np.ndarray, n_frames: int, fps: float) -> np.ndarray:
    """Return the gap that a teacher hears at the motion's frames ``(n_frames,)``, NaN where it has none."""
    position = np.arange(n_frames) / fps * HEARD_HZ - 0.5
    return np.interp(position, np.arange(len(gap)), gap)


def _mouth_weights(
    tracks: MouthTracks, heard: np.ndarray | None, manner: Manner, rng: np.random.Generator, fps: float
) -> dict[str, np.ndarray]:
    """Turn articulatory tracks into weights of jaw, lips and tongue that give the lip gap that the tracks ask for.

    The order of the calls of ``noise`` decides the result.
    """
    n = len(tracks.gap)
    speaking = 1 - tracks.rest

    def noise(size: float, time_s: float = table.NOISE_S) -> np.ndarray:
        return size * smooth_noise(rng, n, fps, time_s)

    def posture_noise() -> np.ndarray:
        return noise(table.POSTURE_NOISE, table.POSTURE_NOISE_S)

    open_free = (1 - tracks.seal) * (1 - table.TUCK_SHUTS * tracks.tuck)
    gap = tracks.gap * (1 - table.ROUNDING_NARROWS * np.clip(tracks.round, 0, 1))
    more = np.zeros(n) if heard is None else table.HEARD_SHARE * np.nan_to_num(np.clip(heard, 0, 1.6) - gap)
    more = more * speaking
    gap_mm = table.GAP_FULL_MM * manner.mouth_opening * (gap + more) * (1 + noise(table.GAP_NOISE)) * open_free
    jaw_share = table.JAW_SHARE + table.JAW_SHARE_BY_BALANCE * manner.jaw_lip_balance
    jaw = np.maximum(tracks.jaw + table.HEARD_JAW * more, 0)
    jaw = table.JAW_FULL * manner.mouth_opening * jaw_share * jaw * (1 + noise(table.JAW_NOISE))
    jaw = jaw * (1 - table.ROUNDING_LIFTS_JAW * np.clip(tracks.round, 0, 1))
    jaw = np.clip(jaw * (1 - table.TUCK_LIFTS_JAW * tracks.tuck), 0, table.JAW_LIMIT)
    rounding = np.clip(tracks.round, 0, table.GESTURE_LIMIT) * manner.rounding
    spread = np.clip(tracks.spread, 0, table.GESTURE_LIMIT) * manner.spread * (1 - table.REST_RELAXES * tracks.rest)
    smile = (
        manner.smile
        * (table.SMILE_AT_REST + table.SMILE_BY_SPEAKING * speaking)
        * (1 - table.ROUNDING_ENDS_SMILE * np.clip(rounding, 0, 1))
        * (1 + posture_noise())
    )
    frown = manner.frown * (1 + posture_noise())
    gestures = {
        "press": tracks.press * (table.PRESS + table.PRESS_BY_MANNER * manner.lip_press),
        "rest": tracks.rest * manner.lip_press,
        "tuck": tracks.tuck,
        "spread": spread,
        "smile": smile,
        "frown": np.full(n, manner.frown),
        "always": np.ones(n),
    }

    def gain(channel: str) -> np.ndarray:
        first, *others = (value * gestures[gesture] for gesture, value in table.GAINS[channel].items())
        return sum(others, first)

    shaped = {
        "mouthPucker": table.PUCKER * rounding**table.PUCKER_GROWS * (1 - table.GAP_ENDS_PUCKER * tracks.gap),
        "mouthFunnel": rounding * (table.FUNNEL + table.FUNNEL_BY_GAP * np.clip(tracks.gap, 0, 1)) * (1 - tracks.seal),
        "mouthRollLower": gain("mouthRollLower"),
        "mouthRollUpper": gain("mouthRollUpper"),
        "mouthShrugLower": gain("mouthShrugLower") + noise(table.SHRUG_NOISE),
        "mouthShrugUpper": gain("mouthShrugUpper"),
    }
    pressed, smiling = gain("mouthPress"), gain("mouthSmile")
    upper_base = table.TUCK_RAISES_LIP * tracks.tuck + table.SMILE_RAISES_LIP * manner.smile * tracks.gap
    lower_base = table.SPREAD_LOWERS_LIP * spread * open_free * tracks.gap
    # the lip gap of all channels so far; the rest is left to the lips, or to mouthClose if the gap is too wide
    so_far = GAP_MM["jawOpen"] * jaw + sum(GAP_MM[name] * np.clip(curve, 0, 1) for name, curve in shaped.items())
    so_far = so_far + GAP_MM["mouthSmile"] * smiling + GAP_MM["mouthPress"] * pressed
    so_far = so_far + GAP_MM["mouthUpperUp"] * upper_base + GAP_MM["mouthLowerDown"] * lower_base
    target = gap_mm - table.BEYOND_CONTACT_MM * np.maximum(tracks.press, table.REST_PRESSES * tracks.rest)
    lips_mm = np.clip(target - so_far, 0, table.LIPS_OPEN_MM) + table.LIPS_OPEN_SHARE * np.maximum(target, 0)
    shut = np.maximum(so_far + lips_mm - target, 0) / -GAP_MM["mouthClose"]
    upper_share = table.UPPER_LIP_SHARE + table.UPPER_LIP_BY_MANNER * manner.upper_lip
    lower = lower_base + (1 - upper_share) * lips_mm / GAP_MM["mouthLowerDown"]
    upper = upper_base + upper_share * lips_mm / GAP_MM["mouthUpperUp"]
    weights = {
        "jawOpen": jaw,
        "mouthClose": shut,
        **shaped,
        "tongueOut": table.TONGUE_OUT * np.clip(tracks.tongue - table.TONGUE_SHOWS, 0, 1) * open_free,
        "jawForward": table.ROUNDING_PUSHES_JAW * rounding,
        "jawLeft": np.clip(noise(table.SIDE_NOISE) + table.JAW_SIDE * manner.asymmetry * jaw, 0, 1),
        "jawRight": np.clip(noise(table.SIDE_NOISE) - table.JAW_SIDE * manner.asymmetry * jaw, 0, 1),
        "mouthLeft": np.clip(table.MOUTH_SIDE * manner.asymmetry * speaking + noise(table.SIDE_NOISE), 0, 1),
        "mouthRight": np.clip(-table.MOUTH_SIDE * manner.asymmetry * speaking + noise(table.SIDE_NOISE), 0, 1),
    }
    stretch = table.STRETCH * spread * (1 - table.ROUNDING_ENDS_STRETCH * rounding)
    dimple = gain("mouthDimple")
    for side, sign in zip(SIDES, (1, -1)):
        share = 1 + sign * table.ASYMMETRY * manner.asymmetry
        weights[f"mouthLowerDown{side}"] = lower * (0.5 + 0.5 * share)
        weights[f"mouthUpperUp{side}"] = upper * (0.5 + 0.5 * share)
        weights[f"mouthSmile{side}"] = smiling * share
        weights[f"mouthFrown{side}"] = frown * share
        weights[f"mouthStretch{side}"] = stretch * share
        weights[f"mouthDimple{side}"] = dimple * share
        weights[f"mouthPress{side}"] = pressed * share
    return weights


def _couple_cheeks(weights: dict[str, np.ndarray]) -> None:
    """Add what a smile does to cheeks and eyes, and a raised lip to the nose."""
    for side in SIDES:
        smile = np.clip(weights[f"mouthSmile{side}"], 0, 1)
        lip = np.clip(weights[f"mouthUpperUp{side}"], 0, 1)
        eye = weights[f"eyeSquint{side}"]
        weights[f"cheekSquint{side}"] = table.CHEEK * np.clip(smile - table.CHEEK_FROM, 0, 1)
        weights[f"eyeSquint{side}"] = eye + table.SQUINT * np.clip(smile - table.SQUINT_FROM, 0, 1)
        weights[f"noseSneer{side}"] = table.SNEER_AT_REST + table.SNEER * lip


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

"""Log-mels and their running mean by numpy: the arithmetic of `SpeechEncoder.log_mels` and `SpeechEncoder.normalise`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from diffposetalk.model.frames import HOP, LEAST_WEIGHT, MEL_FLOOR, MEL_WINDOW, MELS_PER_FRAME, mel_filters


@dataclass(frozen=True)
class MelState:
    """State of the running normalisation: weighted sums, decayed."""

    total: np.ndarray
    """``(n_mels,)`` decayed sum of weight times log-mel."""
    weight: float
    """Decayed sum of weights."""

    @staticmethod
    def start(prior: np.ndarray) -> MelState:
        """Return the state before any speech, with a prior ``(n_mels,)`` of little weight."""
        return MelState(prior * np.float32(1e-3), 1e-3)


def log_mels(samples: np.ndarray, before: np.ndarray, n_mels: int) -> np.ndarray:
    """Return log-mel energies ``(n / HOP, n_mels)``; frame k sees hop k and the samples before it.

    Args:
        samples: ``(n,)`` at 16 kHz, n a multiple of `HOP`.
        before: ``(OVERLAP,)`` the samples before them.
        n_mels: bands.
    """
    whole = np.concatenate([before, samples]).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(whole, MEL_WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _window(), n=512)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mels: np.ndarray = np.log(power @ _filters(n_mels) + np.float32(MEL_FLOOR))
    return mels


@cache
def _window() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)).astype(np.float32)


@cache
def _filters(n_mels: int) -> np.ndarray:
    return mel_filters(n_mels)


def normalised(mels: np.ndarray, state: MelState, memory_s: float) -> tuple[np.ndarray, MelState]:
    """Subtract the running mean of each band, weighted by power and known up to each motion frame's end.

    Args:
        mels: ``(4 T, n_mels)`` log-mels.
        state: from the call before, or `MelState.start`.
        memory_s: time constant of the mean, seconds.

    Returns:
        The normalised log-mels, clamped to [-8, 8] and scaled to about unit range, and the state at the end.
    """
    loudness = np.maximum(np.exp(mels).mean(1, keepdims=True) - np.float32(MEL_FLOOR), 0)
    weight = loudness.reshape(-1, MELS_PER_FRAME).sum(1)
    total = (mels * loudness).reshape(-1, MELS_PER_FRAME, mels.shape[1]).sum(1)
    decay = math.exp(-1 / (25 * memory_s))
    means = np.empty_like(total)
    sums, sum_of_weights = state.total.astype(np.float64), float(state.weight)
    for frame in range(len(total)):
        sums, sum_of_weights = decay * sums + total[frame], decay * sum_of_weights + float(weight[frame])
        if sum_of_weights < LEAST_WEIGHT:  # the mean itself stays
            sums, sum_of_weights = sums * (LEAST_WEIGHT / sum_of_weights), LEAST_WEIGHT
        means[frame] = sums / sum_of_weights
    centred = np.clip(mels - np.repeat(means, MELS_PER_FRAME, 0), -8, 8) / np.float32(3)
    return centred, MelState(sums.astype(np.float32), sum_of_weights)

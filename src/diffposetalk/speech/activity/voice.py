"""How likely a voice is, 31 times a second: the network of Silero VAD (MIT), computed with numpy alone.

`tools/voice_activity.py` took the weights for 16 kHz from the package silero-vad (1.2 MB). A step sees 36 ms: a
spectrum, four convolutions and an LSTM. It is written out here so that neither torch nor that package is needed; a test
compares it with the package.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16000
"""Hz that the network hears."""
STEP = 512
"""Samples from one probability to the next, 32 ms."""
CONTEXT = 64
"""Samples before a step that it also sees."""
WEIGHTS = Path(__file__).parents[2] / "assets" / "voice_activity.safetensors"
ON, OFF = 0.5, 0.35
"""Probabilities at which a stretch of voice begins, and below which it may end."""
_STFT, _STRIDE, _BINS = 256, 128, 129
_PAD = 64
_STEPS_AT_ONCE = 2048
"""Steps whose convolutions are computed together, which bounds memory."""


class VoiceDetector:
    """Takes sound piece after piece, and returns how likely a voice is in each complete step of 32 ms.

    Costs about 0.002 s of one core for each second of sound.
    """

    def __init__(self) -> None:
        """Begin a new sound."""
        self._weights = _weights()
        self._kept = np.zeros(CONTEXT, np.float32)  # context, then samples not yet used
        self._state = np.zeros((2, self._weights["lstm.weight_hh"].shape[1]), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples.

        Args:
            samples: ``(n,)`` floats in [-1, 1] at 16 kHz.

        Returns:
            ``(N,)`` float32 in [0, 1], of the steps that are complete now.
        """
        samples_left = np.concatenate([self._kept, np.asarray(samples, np.float32)])
        parts: list[np.ndarray] = []
        while n_steps := min((len(samples_left) - CONTEXT) // STEP, _STEPS_AT_ONCE):
            steps = np.lib.stride_tricks.sliding_window_view(samples_left[: CONTEXT + n_steps * STEP], CONTEXT + STEP)[
                ::STEP
            ]
            probabilities, self._state = _recurrence(_encoded(steps, self._weights), self._state, self._weights)
            parts.append(probabilities)
            samples_left = samples_left[n_steps * STEP :]
        self._kept = samples_left
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        """Return the last step, filled up with silence, ``(1,)``; ``(0,)`` where all samples were used."""
        missing = -(len(self._kept) - CONTEXT) % STEP
        return self.push(np.zeros(missing, np.float32))


def voice_probabilities(samples: np.ndarray) -> np.ndarray:
    """Return how likely a voice is in each step of 32 ms.

    Args:
        samples: ``(n,)`` floats in [-1, 1] at 16 kHz.

    Returns:
        ``(ceil(n / 512),)`` float32 in [0, 1].
    """
    detector = VoiceDetector()
    return np.concatenate([detector.push(samples), detector.finish()])


@cache
def _weights() -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(WEIGHTS)


def _encoded(steps: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Spectrum and convolutions: ``(N, 576)`` to ``(N, 128)``."""
    padded = np.pad(steps, ((0, 0), (0, _PAD)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _STFT, axis=1)[:, ::_STRIDE]  # (N, 4, 256)
    parts = frames @ weights["spectrum"][:, 0].T
    hidden = np.hypot(parts[..., :_BINS], parts[..., _BINS:])
    for layer, stride in enumerate((1, 2, 2, 1)):
        hidden = _convolved(
            hidden, weights[f"convolution_{layer}.weight"], weights[f"convolution_{layer}.bias"], stride
        )
    return hidden[:, 0]


def _convolved(values: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Convolve ``(N, T, C)`` along T with a kernel ``(O, C, 3)``, one zero at either end, and rectify."""
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]  # (N, T', C, 3)
    n, t = windows.shape[:2]
    flat = np.ascontiguousarray(windows).reshape(n * t, -1)
    return np.maximum(flat @ kernel.reshape(len(kernel), -1).T + bias, 0).reshape(n, t, -1)


def _recurrence(inputs: np.ndarray, state: np.ndarray, weights: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Run the LSTM over steps ``(N, 128)``; return their probabilities ``(N,)`` and the last state ``(2, 128)``."""
    hidden, cell = state
    size = len(hidden)
    bias = weights["lstm.bias_ih"] + weights["lstm.bias_hh"]
    driven = inputs @ weights["lstm.weight_ih"].T + bias
    recurrent = np.ascontiguousarray(weights["lstm.weight_hh"].T)
    outputs = np.empty((len(inputs), size), np.float32)
    for step, gates in enumerate(driven):
        gates = gates + hidden @ recurrent
        entry, forget, exit_ = (_sigmoid(gates[k * size : (k + 1) * size]) for k in (0, 1, 3))
        cell = forget * cell + entry * np.tanh(gates[2 * size : 3 * size])
        hidden = exit_ * np.tanh(cell)
        outputs[step] = hidden
    logits = np.maximum(outputs, 0) @ weights["output.weight"][0, :, 0] + weights["output.bias"][0]
    return _sigmoid(logits), np.stack([hidden, cell])


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return (1 / (1 + np.exp(-np.clip(values, -80, 80)))).astype(np.float32)


def voice_spans(
    probabilities: np.ndarray, shortest_voice_s: float = 0.25, shortest_pause_s: float = 0.3, around_s: float = 0.03
) -> list[tuple[float, float]]:
    """Return beginning and end of each stretch of voice, seconds, in order.

    A stretch begins where the probability reaches 0.5 and ends before a pause, in which it stays below 0.35.

    Args:
        probabilities: ``(N,)``, see `voice_probabilities`.
        shortest_voice_s: shorter stretches are dropped, seconds.
        shortest_pause_s: shorter pauses are part of a stretch, seconds.
        around_s: what a stretch keeps on either side, seconds.

    Source: the rule of the package silero-vad (`get_speech_timestamps`).
    """
    step_s = STEP / SAMPLE_RATE
    spans: list[list[float]] = []
    speaking, pause_from = False, None
    for index, probability in enumerate(probabilities.tolist()):
        now = index * step_s
        if probability >= ON:
            pause_from = None
            if not speaking:
                speaking = True
                spans.append([now, now])
        elif speaking and probability < OFF:
            pause_from = now if pause_from is None else pause_from
            if now - pause_from >= shortest_pause_s:
                spans[-1][1] = pause_from
                speaking, pause_from = False, None
    end = len(probabilities) * step_s
    if speaking:
        spans[-1][1] = end if pause_from is None else pause_from
    long_enough = [(a, b) for a, b in spans if b - a > shortest_voice_s]
    return [(max(0.0, a - around_s), min(end, b + around_s)) for a, b in long_enough]

"""Phones from the teacher's features: a classifier, and the most probable times of a known or an unknown phone string."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.speech.transcript.phones import SILENCE, SYMBOL_INDEX, SYMBOLS, Phone
from diffposetalk.speech.whisper import FEATURE_HZ

CONTEXT = (-2, -1, 0, 1, 2)
"""Steps around a feature that the classifier sees."""
SWITCH = -4.0
"""Log-probability of passing to another phone in an unknown string: without it, single steps would flicker."""
PAUSE = -2.0
"""Log-probability of a pause between two phones of a known string."""
UNLIKELY = -30.0
"""Log-probability that stands for impossible."""


@dataclass(frozen=True)
class PhoneClassifier:
    """A network of one hidden layer that tells the phone at each step."""

    hidden_weight: np.ndarray
    """``(5 K, H)`` float32."""
    hidden_bias: np.ndarray
    """``(H,)``."""
    weight: np.ndarray
    """``(H, P)``."""
    bias: np.ndarray
    """``(P,)``."""

    def log_probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return log-probabilities ``(N, P)`` of the phones of `SYMBOLS` for features ``(N, K)``."""
        hidden = in_context(features, CONTEXT) @ self.hidden_weight + self.hidden_bias
        scores = np.maximum(hidden, 0) @ self.weight + self.bias
        scores = scores - scores.max(1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def in_context(features: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Return features ``(N, K)`` side by side with those some steps away ``(N, len(steps) K)``; the ends repeat."""
    index = np.arange(len(features))
    return np.concatenate([features[np.clip(index + step, 0, len(features) - 1)] for step in steps], axis=1)


def decoded(log_probabilities: np.ndarray) -> list[Phone]:
    """Return the most probable phones of speech whose words are unknown (Viterbi 1967)."""
    n, n_phones = log_probabilities.shape
    came_from = np.zeros((n, n_phones), np.int16)
    best = log_probabilities[0].copy()
    stay = np.arange(n_phones)
    for step in range(1, n):
        winner = int(best.argmax())
        switch = best[winner] + SWITCH > best
        came_from[step] = np.where(switch, winner, stay)
        best = np.where(switch, best[winner] + SWITCH, best) + log_probabilities[step]
    path = np.empty(n, int)
    path[-1] = int(best.argmax())
    for step in range(n - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return _runs(path, np.flatnonzero(np.diff(path)) + 1)


def aligned(log_probabilities: np.ndarray, symbols: Sequence[str]) -> tuple[list[Phone], float] | None:
    """Find the times of a known string of phones, with pauses where they are heard.

    Args:
        log_probabilities: ``(N, P)``.
        symbols: names of the phones without pauses.

    Returns:
        The phones with pauses, and how well they fit: the mean over all steps of their log-probability below that of the
        best phone, at most 0. None if the speech is too short for them.
    """
    spoken = [symbol for symbol in symbols if symbol != "sil"]
    if not spoken or len(log_probabilities) < len(spoken):
        return None
    states = np.full(2 * len(spoken) + 1, SILENCE)  # pause, phone, pause, phone, ... pause
    states[1::2] = [SYMBOL_INDEX[symbol] for symbol in spoken]
    scores = log_probabilities[:, states]
    n, n_states = scores.shape
    came_by = np.zeros((n, n_states), np.int8)  # how many states back
    best = np.full(n_states, UNLIKELY * n)
    best[0], best[1] = scores[0, 0], scores[0, 1]
    is_phone = np.arange(n_states) % 2 == 1
    into_pause = np.where(is_phone, 0.0, PAUSE)
    for step in range(1, n):
        one = np.concatenate([[UNLIKELY * n], best[:-1]]) + into_pause
        two = np.where(is_phone, np.concatenate([[UNLIKELY * n] * 2, best[:-2]]), UNLIKELY * n)
        choices = np.stack([best, one, two])
        came_by[step] = choices.argmax(0)
        best = choices.max(0) + scores[step]
    position = n_states - 1 if best[-1] >= best[-2] else n_states - 2
    path = np.empty(n, int)
    for step in range(n - 1, -1, -1):
        path[step] = position
        position -= int(came_by[step, position])
    fit = float((scores[np.arange(n), path] - log_probabilities.max(1)).mean())
    return _runs(states[path], np.flatnonzero(np.diff(path)) + 1), fit


def _runs(numbers: np.ndarray, cuts: np.ndarray) -> list[Phone]:
    """Return a phone for each run of steps ``(N,)`` between cuts."""
    starts, ends = [0, *cuts.tolist()], [*cuts.tolist(), len(numbers)]
    return [
        Phone(SYMBOLS[int(numbers[start])], start / FEATURE_HZ, end / FEATURE_HZ) for start, end in zip(starts, ends)
    ]

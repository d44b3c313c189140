"""Windows of training clips: which frames, which context, which style reference, as batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from diffposetalk.errors import InputError
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.lite.views import Disturbance, Variation, there_and_back, varied
from diffposetalk.workshop.train.shares import Shares


@dataclass(frozen=True)
class EncodedClip:
    """A clip as the motion stages learn from it: normalised motion and, per augmented copy, speech features."""

    motion: np.ndarray
    """``(T, D)`` float32, normalised."""
    features: np.ndarray
    """``(K, T, F)`` features of K versions of the same speech; K 0 for stages that need none."""
    speaker: int
    """Number of the speaker."""
    manner: np.ndarray
    """``(M,)`` float32 parameters of the manner of speaking in [0, 1], empty where unknown."""


@dataclass(frozen=True)
class WindowBatch:
    """Windows for the denoiser."""

    motion: Tensor
    """``(B, L, D)``; 0 after the end of truncated windows."""
    features: Tensor
    """``(B, L, F)``; 0 after the end."""
    previous_motion: Tensor
    """``(B, P, D)`` frames before the window."""
    previous_features: Tensor
    """``(B, P, F)``."""
    continues: Tensor
    """``(B,)`` True where the context is given, False where the learned start takes its place."""
    valid: Tensor
    """``(B, L)`` True where the frame is real."""
    reference: Tensor
    """``(B, L, D)`` another window of the same speaker, for the style."""
    speaker: Tensor
    """``(B,)`` number of the speaker, as in `EncodedClip`."""

    def to(self, device: torch.device) -> WindowBatch:
        """Return the batch on a device."""
        return WindowBatch(**{name: value.to(device) for name, value in self.__dict__.items()})


@dataclass(frozen=True)
class WindowConfig(Shares):
    """How windows are cut from clips."""

    SHARES: ClassVar = ("own_reference",)
    window: int = 100
    """Frames L."""
    context: int = 10
    """Frames P before them."""
    start_share: float = 0.4
    """Share of windows that begin without context."""
    truncated_share: float = 0.2
    """Share of windows that end early, as a speech's last window does."""
    context_noise: float = 0.1
    """Largest standard deviation of noise on the context's motion (normalised units), against drift."""
    variation: Variation = field(default_factory=Variation)
    """Changes of manner, the same for a window, its context and its reference."""
    disturbance: Disturbance = field(default_factory=Disturbance)
    """What else happens to style references."""
    own_reference: float = 0.0
    """Share of windows that are their own style reference."""


SHORTEST = 50
"""Frames of a clip below which it is left out."""


class Windows:
    """Draws batches from clips; a clip shorter than context and window is one truncated window without context."""

    def __init__(self, clips: Sequence[EncodedClip], config: WindowConfig, space: MotionSpace) -> None:
        self.config, self.space = config, space
        self.clips = [clip for clip in clips if len(clip.motion) >= min(SHORTEST, config.window)]
        if not self.clips:
            raise InputError(f"no clip is long enough to train on ({SHORTEST} frames); make longer clips")
        lengths = np.array([len(clip.motion) for clip in self.clips], np.float64)
        self._share = lengths / lengths.sum()
        self._of_speaker: dict[int, list[int]] = {}
        for index, clip in enumerate(self.clips):
            self._of_speaker.setdefault(clip.speaker, []).append(index)

    def draw(self, rng: np.random.Generator, n: int) -> WindowBatch:
        """Draw ``n`` windows with context and, for each, a style reference of the same speaker."""
        config = self.config
        motions, features, before_motion, before_features, references = [], [], [], [], []
        chosen = rng.choice(len(self.clips), n, p=self._share)
        lengths = np.array([len(self.clips[index].motion) for index in chosen])
        long_enough = lengths >= config.context + config.window
        for index, is_long in zip(chosen, long_enough):
            clip = self.clips[index]
            start = int(rng.integers(config.context, len(clip.motion) - config.window + 1)) if is_long else 0
            copy = clip.features[rng.integers(len(clip.features))]
            motions.append(_filled(clip.motion[start : start + config.window], config.window))
            features.append(_filled(copy[start : start + config.window], config.window))
            before_motion.append(_filled(clip.motion[start - config.context : start], config.context))
            before_features.append(_filled(copy[start - config.context : start], config.context))
            own = rng.random() < config.own_reference
            references.append(motions[-1] if own else self._window(rng, clip.speaker))
        factors = config.variation.draw(rng, n, self.space)
        motion, before, reference = (
            varied(_stack(windows), factors, self.space) for windows in (motions, before_motion, references)
        )
        feature = _stack(features)
        ends = np.where(
            rng.random(n) < config.truncated_share, rng.integers(config.window // 5, config.window, n), config.window
        )
        ends = np.minimum(ends, lengths)
        valid = torch.from_numpy(np.arange(config.window)[None] < ends[:, None])
        noise = rng.standard_normal((n, config.context, motion.shape[-1]), np.float32)
        noise *= (config.context_noise * rng.random((n, 1, 1))).astype(np.float32)
        return WindowBatch(
            motion * valid[..., None],
            feature * valid[..., None],
            before + torch.from_numpy(noise),
            _stack(before_features),
            torch.from_numpy((rng.random(n) >= config.start_share) & long_enough),
            valid,
            config.disturbance(reference, rng),
            torch.tensor([self.clips[index].speaker for index in chosen]),
        )

    def draw_pairs(self, rng: np.random.Generator, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw two windows each of ``n`` different speakers (as far as there are so many), undisturbed.

        Returns:
            First and second windows ``(n, L, D)``, speakers ``(n,)`` and their manners ``(n, M)``.
        """
        speakers = np.array(sorted(self._of_speaker))
        chosen = rng.choice(speakers, n, replace=len(speakers) < n)
        factors = self.config.variation.draw(rng, n, self.space)
        first, second = (
            varied(_stack([self._window(rng, speaker) for speaker in chosen]), factors, self.space) for _ in range(2)
        )
        manners = _stack([self.clips[self._of_speaker[speaker][0]].manner for speaker in chosen])
        return first, second, torch.from_numpy(chosen), manners

    def _window(self, rng: np.random.Generator, speaker: int) -> np.ndarray:
        clip = self.clips[rng.choice(self._of_speaker[int(speaker)])]
        start = int(rng.integers(0, max(0, len(clip.motion) - self.config.window) + 1))
        return _filled(clip.motion[start : start + self.config.window], self.config.window)


def _filled(values: np.ndarray, n_frames: int) -> np.ndarray:
    """Go to and fro in values ``(T, ...)`` until there are ``n_frames``; nothing is filled with 0."""
    if len(values) == n_frames:
        return values
    if not len(values):
        return np.zeros((n_frames, *values.shape[1:]), values.dtype)
    return values[there_and_back(len(values), n_frames)]


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32, copy=False))

"""Stage 1: the compact speech encoder learns phones, the mouth of a neutral speaker and what a teacher hears.

Some crops come with their phones, as speech with a transcript does, so that the encoder learns to use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import InputError, UsageError
from diffposetalk.model.configs import SpeechEncoderConfig
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.workshop.train.loop import LoopConfig, Losses, Turn, train
from diffposetalk.workshop.train.run import StageRun


@dataclass(frozen=True)
class SpeechClip:
    """Speech with what is asked of the encoder."""

    versions: tuple[np.ndarray, ...]
    """Each ``(n,)`` int16 at 16 kHz: the speech itself, then augmented copies."""
    phones: np.ndarray
    """``(2 T,)`` int64 phone numbers, 50 a second."""
    curves: np.ndarray
    """``(T, C)`` float32 normalised curves, 25 a second."""
    heard: np.ndarray
    """``(2 T, K)`` float16 what the teacher hears, 50 a second, NaN where nothing; K 0 without a teacher."""


@dataclass(frozen=True)
class SpeechStage:
    """Configuration of the speech encoder's training."""

    encoder: SpeechEncoderConfig
    loop: LoopConfig
    crop_frames: int = 150
    """Motion frames of a training crop."""
    weights: dict[str, float] = field(default_factory=lambda: {"phones": 1.0, "curves": 1.0})
    """Factor of each loss term; with ``heard``, the encoder also learns what the teacher hears."""
    scripted: float = 0.0
    """Share of crops that come with their phones; needs ``encoder.n_phones``."""
    mel_masked: float = 0.5
    """Share of crops in which a band and a stretch of log-mels are hidden."""

    def __post_init__(self) -> None:
        if self.scripted and not self.encoder.n_phones:
            raise UsageError("recipe: speech.scripted needs speech.encoder.n_phones")


class SpeechLearner(nn.Module):
    """The speech encoder with the heads that training alone needs: phones and what is heard (50 a second), curves (25)."""

    def __init__(self, config: SpeechEncoderConfig, n_phones: int, n_curves: int, n_heard: int = 0) -> None:
        super().__init__()
        self.encoder = SpeechEncoder(config)
        self.phones = nn.Linear(config.width, n_phones)
        self.curves = nn.Linear(config.dim, n_curves)
        self.heard = nn.Linear(config.dim, 2 * n_heard) if n_heard else None

    def forward(self, mels: Tensor, phones: Tensor | None = None, scripted: Tensor | None = None) -> Guesses:
        """Guess from log-mels.

        Args:
            mels: ``(B, n_mels, 4 T)``.
            phones: ``(B, 2 T)`` phone numbers for crops that come with them; None for speech alone.
            scripted: ``(B,)`` which crops those are.
        """
        hidden = self.encoder.hidden(self.encoder.surround(mels))
        logits = self.phones(functional.gelu(hidden[..., 1:-1]).mT)
        features = self.encoder.features(hidden)
        if phones is not None and scripted is not None:
            features = features + self.encoder.scripted(phones) * scripted[:, None, None]
        heard = None if self.heard is None else self.heard(features).unflatten(-1, (2, -1)).flatten(1, 2)
        return Guesses(logits, self.curves(features), heard)


@dataclass(frozen=True)
class Guesses:
    """What a `SpeechLearner` guesses."""

    phones: Tensor
    """``(B, 2 T, P)`` logits."""
    curves: Tensor
    """``(B, T, C)``."""
    heard: Tensor | None
    """``(B, 2 T, K)``; None without a teacher."""


def train_speech(
    stage: SpeechStage,
    training: Sequence[SpeechClip],
    validation: Sequence[SpeechClip],
    run: StageRun,
) -> SpeechLearner:
    """Train the speech encoder with cross-entropy on phones and squared error on curves."""
    torch.manual_seed(stage.loop.seed)
    n_phones = 1 + max(int(clip.phones.max()) for clip in training)
    n_heard = training[0].heard.shape[1] if "heard" in stage.weights else 0
    if "heard" in stage.weights and not n_heard:
        raise InputError("the recipe's speech.weights name heard, but no teacher listened to the corpus (--teacher)")
    n_phones = max(n_phones, stage.encoder.n_phones)
    learner = SpeechLearner(stage.encoder, n_phones, training[0].curves.shape[1], n_heard).to(run.device)

    def losses(clips: Sequence[SpeechClip], augmented: bool) -> Losses:
        long_enough = [clip for clip in clips if len(clip.curves) >= stage.crop_frames]
        if not long_enough:
            raise InputError(f"no clip lasts {stage.crop_frames} frames; make longer clips or shorten crop_frames")

        def terms(network: nn.Module, turn: Turn) -> dict[str, Tensor]:
            assert isinstance(network, SpeechLearner)
            crops = _crops(long_enough, stage.crop_frames, turn.rng, turn.n, augmented)
            samples, phones, curves, heard = (each.to(run.device) for each in crops)
            mels, _ = network.encoder.normalise(network.encoder.log_mels(samples))
            if augmented:
                mels = _masked(mels, stage.mel_masked, turn.rng)
            scripted = torch.from_numpy(turn.rng.random(turn.n) < stage.scripted).to(run.device)
            guesses = network(mels, phones if stage.scripted else None, scripted)
            losses = {
                "phones": functional.cross_entropy(guesses.phones.float().flatten(0, 1), phones.flatten()),
                "curves": (guesses.curves.float() - curves).square().mean(),
            }
            if guesses.heard is not None:
                known = heard.isfinite()
                error = (guesses.heard.float() - heard.nan_to_num()).square() * known
                losses["heard"] = error.sum() / known.sum().clamp(min=1)
            return losses

        return terms

    train(learner, losses(training, True), losses(validation, False), stage.weights, stage.loop, run)
    return learner


def phone_accuracy(learner: SpeechLearner, clips: Sequence[SpeechClip]) -> float:
    """Return the share of 20 ms steps whose phone is named right, on clean speech."""
    right = total = 0
    for clip in clips:
        samples = torch.from_numpy(clip.versions[0][: len(clip.curves) * FRAME_SAMPLES].astype(np.float32) / 32768)
        with torch.no_grad():
            mels, _ = learner.encoder.normalise(learner.encoder.log_mels(samples[None]))
            logits = learner(mels).phones
        right += int((logits[0].argmax(-1) == torch.from_numpy(clip.phones)).sum())
        total += len(clip.phones)
    return right / max(1, total)


def _crops(
    clips: Sequence[SpeechClip], n_frames: int, rng: np.random.Generator, n: int, augmented: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut samples ``(n, 640 T)``, phones ``(n, 2 T)``, curves ``(n, T, C)`` and what is heard ``(n, 2 T, K)``."""
    samples, phones, curves, heard = [], [], [], []
    for index in rng.integers(len(clips), size=n):
        clip = clips[index]
        start = int(rng.integers(0, len(clip.curves) - n_frames + 1))
        end = start + n_frames
        version = clip.versions[rng.integers(len(clip.versions)) if augmented else 0]
        samples.append(version[start * FRAME_SAMPLES : end * FRAME_SAMPLES].astype(np.float32) / 32768)
        phones.append(clip.phones[2 * start : 2 * end])
        curves.append(clip.curves[start:end])
        heard.append(clip.heard[2 * start : 2 * end].astype(np.float32))
    wave = np.stack(samples)
    if augmented:
        wave *= 10 ** rng.uniform(-1, 0.3, (n, 1)).astype(np.float32)
        wave = wave.clip(-1, 1)
    whole = [torch.from_numpy(np.stack(each)) for each in (phones, curves, heard)]
    return torch.from_numpy(wave), whole[0], whole[1], whole[2]


def _masked(mels: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Hide up to 12 bands and up to 120 ms of some crops of ``(B, n_mels, T)``."""
    mels = mels.clone()
    for row in np.flatnonzero(rng.random(len(mels)) < share):
        band, step = int(rng.integers(0, mels.shape[1] - 12)), int(rng.integers(0, mels.shape[2] - 12))
        mels[row, band : band + int(rng.integers(1, 13))] = 0
        mels[row, :, step : step + int(rng.integers(1, 13))] = 0
    return mels

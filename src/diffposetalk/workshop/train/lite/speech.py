"""Stage 1: the compact speech encoder learns phones and the mouth of a neutral speaker from speech alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import InputError
from diffposetalk.model.speech_encoder import FRAME_SAMPLES, SpeechEncoder, SpeechEncoderConfig
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


@dataclass(frozen=True)
class SpeechStage:
    """Configuration of the speech encoder's training."""

    encoder: SpeechEncoderConfig
    loop: LoopConfig
    crop_frames: int = 150
    """Motion frames of a training crop."""
    weights: dict[str, float] = field(default_factory=lambda: {"phones": 1.0, "curves": 1.0})
    """Factor of each loss term."""
    mel_masked: float = 0.5
    """Share of crops in which a band and a stretch of log-mels are hidden."""


class SpeechLearner(nn.Module):
    """The speech encoder with the heads that training alone needs: phones (50 a second) and curves (25 a second)."""

    def __init__(self, config: SpeechEncoderConfig, n_phones: int, n_curves: int) -> None:
        super().__init__()
        self.encoder = SpeechEncoder(config)
        self.phones = nn.Linear(config.width, n_phones)
        self.curves = nn.Linear(config.dim, n_curves)

    def forward(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Return phone logits ``(B, 2 T, P)`` and curves ``(B, T, C)`` of log-mels ``(B, n_mels, 4 T)``."""
        hidden = self.encoder.hidden(self.encoder.surround(mels))
        phones = self.phones(functional.gelu(hidden[..., 1:-1]).mT)
        return phones, self.curves(self.encoder.features(hidden))


def train_speech(
    stage: SpeechStage,
    training: Sequence[SpeechClip],
    validation: Sequence[SpeechClip],
    run: StageRun,
) -> SpeechLearner:
    """Train the speech encoder with cross-entropy on phones and squared error on curves."""
    torch.manual_seed(stage.loop.seed)
    n_phones = 1 + max(int(clip.phones.max()) for clip in training)
    learner = SpeechLearner(stage.encoder, n_phones, training[0].curves.shape[1]).to(run.device)

    def losses(clips: Sequence[SpeechClip], augmented: bool) -> Losses:
        long_enough = [clip for clip in clips if len(clip.curves) >= stage.crop_frames]
        if not long_enough:
            raise InputError(f"no clip lasts {stage.crop_frames} frames; make longer clips or shorten crop_frames")

        def terms(network: nn.Module, turn: Turn) -> dict[str, Tensor]:
            assert isinstance(network, SpeechLearner)
            samples, phones, curves = _crops(long_enough, stage.crop_frames, turn.rng, turn.n, augmented)
            mels, _ = network.encoder.normalise(network.encoder.log_mels(samples.to(run.device)))
            if augmented:
                mels = _masked(mels, stage.mel_masked, turn.rng)
            logits, guess = network(mels)
            return {
                "phones": functional.cross_entropy(logits.float().flatten(0, 1), phones.to(run.device).flatten()),
                "curves": (guess.float() - curves.to(run.device)).square().mean(),
            }

        return terms

    train(
        learner,
        losses(training, True),
        losses(validation, False),
        stage.weights,
        stage.loop,
        run.folder,
        run.header,
        run.progress,
    )
    return learner


def phone_accuracy(learner: SpeechLearner, clips: Sequence[SpeechClip]) -> float:
    """Return the share of 20 ms steps whose phone is named right, on clean speech."""
    right = total = 0
    for clip in clips:
        samples = torch.from_numpy(clip.versions[0][: len(clip.curves) * FRAME_SAMPLES].astype(np.float32) / 32768)
        with torch.no_grad():
            mels, _ = learner.encoder.normalise(learner.encoder.log_mels(samples[None]))
            logits, _ = learner(mels)
        right += int((logits[0].argmax(-1) == torch.from_numpy(clip.phones)).sum())
        total += len(clip.phones)
    return right / max(1, total)


def _crops(
    clips: Sequence[SpeechClip], n_frames: int, rng: np.random.Generator, n: int, augmented: bool
) -> tuple[Tensor, Tensor, Tensor]:
    samples, phones, curves = [], [], []
    for index in rng.integers(len(clips), size=n):
        clip = clips[index]
        start = int(rng.integers(0, len(clip.curves) - n_frames + 1))
        version = clip.versions[rng.integers(len(clip.versions)) if augmented else 0]
        samples.append(version[start * FRAME_SAMPLES : (start + n_frames) * FRAME_SAMPLES].astype(np.float32) / 32768)
        phones.append(clip.phones[2 * start : 2 * (start + n_frames)])
        curves.append(clip.curves[start : start + n_frames])
    wave = np.stack(samples)
    if augmented:
        wave *= 10 ** rng.uniform(-1, 0.3, (n, 1)).astype(np.float32)
        wave = wave.clip(-1, 1)
    return torch.from_numpy(wave), torch.from_numpy(np.stack(phones)), torch.from_numpy(np.stack(curves))


def _masked(mels: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Hide up to 12 bands and up to 120 ms of some crops of ``(B, n_mels, T)``."""
    mels = mels.clone()
    for row in np.flatnonzero(rng.random(len(mels)) < share):
        band, step = int(rng.integers(0, mels.shape[1] - 12)), int(rng.integers(0, mels.shape[2] - 12))
        mels[row, band : band + int(rng.integers(1, 13))] = 0
        mels[row, :, step : step + int(rng.integers(1, 13))] = 0
    return mels

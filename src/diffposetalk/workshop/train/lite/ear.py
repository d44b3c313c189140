"""Stage 1 of the model `base`: the network on top of Whisper learns phones and the mouth of a neutral speaker.

It learns from what the teacher heard in the corpus, so no sound is read and Whisper itself is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import InputError, UsageError
from diffposetalk.model.configs import WhisperSpeechConfig
from diffposetalk.model.whisper_speech import WhisperSpeechEncoder
from diffposetalk.workshop.corpus.teacher.teacher import Teacher
from diffposetalk.workshop.train.lite.speech import SpeechClip
from diffposetalk.workshop.train.loop import LoopConfig, Losses, Turn, train
from diffposetalk.workshop.train.run import StageRun


@dataclass(frozen=True)
class EarStage:
    """Configuration of the training of a network on top of Whisper."""

    teacher: Path
    """File of the teacher that listened to the corpus: it knows the components of the Whisper features."""
    loop: LoopConfig
    encoder: WhisperSpeechConfig = field(default_factory=WhisperSpeechConfig)
    crop_frames: int = 100
    """Motion frames of a training crop."""
    noise: float = 0.1
    """Largest standard deviation of noise on the components, as a share of theirs."""
    scripted: float = 0.25
    """Share of crops that come with their phones; needs ``encoder.n_phones``."""
    weights: dict[str, float] = field(default_factory=lambda: {"phones": 1.0, "curves": 1.0})
    """Factor of each loss term."""

    def __post_init__(self) -> None:
        if self.scripted and not self.encoder.n_phones:
            raise UsageError("recipe: ear.scripted needs ear.encoder.n_phones")


class EarLearner(nn.Module):
    """The network with the heads that training alone needs."""

    def __init__(self, config: WhisperSpeechConfig, n_phones: int, n_curves: int) -> None:
        super().__init__()
        self.encoder = WhisperSpeechEncoder(config)
        self.phones = nn.Linear(config.width, n_phones)
        self.curves = nn.Linear(config.dim, n_curves)

    def forward(self, components: Tensor, phones: Tensor, scripted: Tensor) -> tuple[Tensor, Tensor]:
        """Return phone logits ``(B, 2 T, P)`` and curves ``(B, T, C)``.

        Args:
            components: ``(B, 2 T, K)`` what the teacher heard.
            phones: ``(B, 2 T)`` phone numbers.
            scripted: ``(B,)`` which crops come with their phones.
        """
        hidden = self.encoder.hidden(components)
        features = self.encoder.features(hidden)
        if self.encoder.script is not None:
            features = features + self.encoder.scripted(phones) * scripted[:, None, None]
        return self.phones(hidden.mT), self.curves(features)


def components_of(clip: SpeechClip) -> np.ndarray:
    """Return what the teacher heard in a clip, ``(2 T, K)`` float32; pauses that were put in hold the value before.

    Raises:
        InputError: no teacher listened to it.
    """
    heard = clip.heard.astype(np.float32)
    known = np.flatnonzero(np.isfinite(heard).all(1)) if heard.shape[1] else np.zeros(0, int)
    if not len(known):
        raise InputError("no teacher listened to this corpus; make it with `diffposetalk corpus --teacher`")
    before = np.searchsorted(known, np.arange(len(heard)), side="right") - 1
    return heard[known[np.maximum(before, 0)]]


def train_ear(
    stage: EarStage, training: Sequence[SpeechClip], validation: Sequence[SpeechClip], run: StageRun
) -> WhisperSpeechEncoder:
    """Train the network with cross-entropy on phones and squared error on curves."""
    torch.manual_seed(stage.loop.seed)
    teacher = Teacher.load(stage.teacher)
    if teacher.projection.shape != (stage.encoder.n_features, stage.encoder.components):
        raise UsageError(
            f"recipe: the teacher reads {teacher.projection.shape[1]} components of {len(teacher.mean)} features; "
            "ear.encoder must say the same"
        )
    n_phones = max(stage.encoder.n_phones, 1 + max(int(clip.phones.max()) for clip in training))
    learner = EarLearner(stage.encoder, n_phones, training[0].curves.shape[1])
    learner.encoder.mean.copy_(torch.from_numpy(teacher.mean))
    learner.encoder.scale.copy_(torch.from_numpy(teacher.scale))
    learner.encoder.projection.copy_(torch.from_numpy(teacher.projection))
    learner = learner.to(run.device)

    def losses(clips: Sequence[SpeechClip], disturbed: bool) -> Losses:
        long_enough = [(clip, components_of(clip)) for clip in clips if len(clip.curves) >= stage.crop_frames]
        if not long_enough:
            raise InputError(f"no clip lasts {stage.crop_frames} frames; make longer clips or shorten crop_frames")
        spread = float(np.concatenate([heard for _, heard in long_enough[:100]]).std())

        def terms(network: nn.Module, turn: Turn) -> dict[str, Tensor]:
            components, phones, curves = [], [], []
            for index in turn.rng.integers(len(long_enough), size=turn.n):
                clip, heard = long_enough[index]
                start = int(turn.rng.integers(0, len(clip.curves) - stage.crop_frames + 1))
                end = start + stage.crop_frames
                components.append(heard[2 * start : 2 * end])
                phones.append(clip.phones[2 * start : 2 * end])
                curves.append(clip.curves[start:end])
            inputs = torch.from_numpy(np.stack(components))
            if disturbed:
                size = stage.noise * spread * turn.rng.random((turn.n, 1, 1)).astype(np.float32)
                inputs = inputs + torch.randn_like(inputs) * torch.from_numpy(size)
            scripted = torch.from_numpy(turn.rng.random(turn.n) < stage.scripted)
            targets = torch.from_numpy(np.stack(phones)).to(run.device)
            logits, guess = network(inputs.to(run.device), targets, scripted.to(run.device))
            true_curves = torch.from_numpy(np.stack(curves)).to(run.device)
            return {
                "phones": functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten()),
                "curves": (guess.float() - true_curves).square().mean(),
            }

        return terms

    train(learner, losses(training, True), losses(validation, False), stage.weights, stage.loop, run)
    return learner.encoder.cpu()

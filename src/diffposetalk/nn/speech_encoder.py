"""The compact speech encoder of the bundled model: samples -> features at the motion's frame rate, made to stream.

Nothing in it sees the whole recording: normalisation is a running mean, convolutions look a fixed `LOOKAHEAD` ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import UsageError
from diffposetalk.speech import SAMPLE_RATE

HOP = 160
"""Samples from one mel frame to the next (10 ms)."""
_WINDOW = 400
OVERLAP = _WINDOW - HOP
"""Samples before a hop that its mel frame also sees."""
MELS_PER_FRAME = 4
"""Mel frames in one motion frame (25 a second)."""
FRAME_SAMPLES = HOP * MELS_PER_FRAME
"""Samples of one motion frame."""
LOOKAHEAD = 6
"""Motion frames of speech, after a frame's own, that its feature depends on."""
MEMORY = 26
"""Motion frames of the past that the convolutions see (running mean aside)."""
SILENCE = -8 / 3
"""Normalised log-mel of silence, which is taken to surround a recording."""
_FLOOR = 1e-5
"""Added to mel energies; about the level of noise at -55 dB below full scale."""
_BLOCKS = ((1, 2), (2, 4), (4, 4), (8, 0))
"""(dilation, look-ahead) of each block in steps of 20 ms; entry and exit add one step each: 12 steps, 6 frames."""


@dataclass(frozen=True)
class SpeechEncoderConfig:
    """Sizes of the compact speech encoder."""

    n_mels: int = 80
    """Mel bands from 50 Hz to 7.6 kHz."""
    width: int = 192
    """Channels of the convolutions."""
    dim: int = 128
    """Width of a feature."""
    memory_s: float = 4.0
    """Time constant of the running mean, seconds."""
    dropout: float = 0.1
    """Dropout while training."""

    def __post_init__(self) -> None:
        if self.memory_s <= 0:
            raise UsageError(f"speech encoder: memory_s must be above 0, got {self.memory_s}")


@dataclass(frozen=True)
class RunningMean:
    """State of the running normalisation after some frames: weighted sums, decayed."""

    total: Tensor
    """``(B, n_mels)`` decayed sum of weight times log-mel."""
    weight: Tensor
    """``(B, 1)`` decayed sum of weights."""


class _Block(nn.Module):
    """Residual dilated convolution of 5 taps with a chosen share of look-ahead."""

    def __init__(self, width: int, dilation: int, ahead: int, dropout: float) -> None:
        super().__init__()
        self.behind, self.ahead = 4 * dilation - ahead, ahead
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, 5, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x.mT).mT
        y = functional.gelu(self.convolution(y))
        return x[..., self.behind : x.shape[-1] - self.ahead] + self.dropout(self.mix(y))


class SpeechEncoder(nn.Module):
    """Log-mels, running mean, dilated convolutions at 100, 50 and 25 frames a second; about 1 M parameters."""

    filters: Tensor
    window: Tensor

    def __init__(self, config: SpeechEncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.register_buffer("filters", mel_filters(config.n_mels), persistent=False)
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        self.prior = nn.Parameter(torch.full((config.n_mels,), -5.0), requires_grad=False)
        self.entry = nn.Conv1d(config.n_mels, width, 5, stride=2)
        self.blocks = nn.ModuleList(_Block(width, dilation, ahead, config.dropout) for dilation, ahead in _BLOCKS)
        self.exit = nn.Conv1d(width, config.dim, 4, stride=2)

    def log_mels(self, samples: Tensor, before: Tensor | None = None) -> Tensor:
        """Return log-mel energies ``(B, n_mels, n // HOP)``; frame k sees hop k and the `OVERLAP` samples before it.

        Args:
            samples: ``(B, n)`` at 16 kHz, n a multiple of `HOP`.
            before: ``(B, OVERLAP)`` the samples before them; None for silence.
        """
        if before is None:
            before = samples.new_zeros(len(samples), OVERLAP)
        frames = torch.cat([before, samples], -1).float().unfold(-1, _WINDOW, HOP) * self.window
        power = torch.fft.rfft(frames, n=512).abs().square()
        return torch.log(power @ self.filters + _FLOOR).mT

    def normalise(self, mels: Tensor, state: RunningMean | None = None) -> tuple[Tensor, RunningMean]:
        """Subtract the running mean of each band, weighted by power and known up to each motion frame's end.

        Silence has no weight, so it keeps looking like silence however long it lasts.

        Args:
            mels: ``(B, n_mels, 4 T)`` log-mels.
            state: from the call before; None at the start, where a fixed prior of little weight stands in.

        Returns:
            The normalised log-mels, clamped to [-8, 8] and scaled to about unit range, and the state at the end.
        """
        n_frames = mels.shape[-1] // MELS_PER_FRAME
        if state is None:
            state = self.initial_state(len(mels))
        loudness = (mels.exp().mean(1, keepdim=True) - _FLOOR).clamp(min=0)
        weight = loudness.unflatten(-1, (n_frames, MELS_PER_FRAME)).sum(-1)
        total = (mels * loudness).unflatten(-1, (n_frames, MELS_PER_FRAME)).sum(-1)
        decay = math.exp(-1 / (25 * self.config.memory_s))
        frame = torch.arange(n_frames, device=mels.device)
        past = decay ** (frame[None, :] - frame[:, None]).clamp(min=0) * (frame[:, None] <= frame[None, :])
        start = decay ** (frame + 1.0)
        totals = total @ past.to(mels.dtype) + state.total[..., None] * start
        weights = weight @ past.to(mels.dtype) + state.weight[..., None] * start
        mean = (totals / weights).repeat_interleave(MELS_PER_FRAME, dim=-1)
        normalised = (mels - mean).clamp(-8, 8) / 3
        return normalised, RunningMean(totals[..., -1], weights[..., -1])

    def initial_state(self, n_batch: int) -> RunningMean:
        """Return the running mean before any speech."""
        weight = self.prior.new_full((n_batch, 1), 1e-3)
        return RunningMean(self.prior * weight, weight)

    @staticmethod
    def surround(normalised: Tensor) -> Tensor:
        """Put silence before and after normalised log-mels: `MEMORY` and `LOOKAHEAD` frames."""
        ends = (MEMORY * MELS_PER_FRAME, LOOKAHEAD * MELS_PER_FRAME)
        return functional.pad(normalised, ends, value=SILENCE)

    def hidden(self, surrounded: Tensor) -> Tensor:
        """Return the hidden layer, 50 a second, of normalised log-mels with their surroundings.

        Args:
            surrounded: ``(B, n_mels, 4 (MEMORY + T + LOOKAHEAD))``, real past and future or silence.

        Returns:
            ``(B, width, 2 T + 2)``: one step more at either end than the T frames have.
        """
        x = functional.gelu(self.entry(surrounded[..., :-1]))
        for block in self.blocks:
            x = block(x)
        return x

    def features(self, hidden: Tensor) -> Tensor:
        """Return the features ``(B, T, dim)`` of the hidden layer ``(B, width, 2 T + 2)``."""
        return self.exit(functional.gelu(hidden)).mT

    def forward(self, samples: Tensor) -> Tensor:
        """Return the features ``(B, n // 640, dim)`` of ``samples (B, n)`` at 16 kHz, n a multiple of 640.

        Frame t belongs to samples ``640 t ... 640 (t + 1)`` and depends on no sample after frame ``t + LOOKAHEAD``.
        """
        normalised, _ = self.normalise(self.log_mels(samples))
        return self.features(self.hidden(self.surround(normalised)))


def mel_filters(n_mels: int, low_hz: float = 50.0, high_hz: float = 7600.0) -> Tensor:
    """Return triangular mel filters ``(257, n_mels)`` over a 512-point spectrum (HTK mel scale, unit peak)."""

    def to_mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    points = 700 * (10 ** (torch.linspace(to_mel(low_hz), to_mel(high_hz), n_mels + 2, dtype=torch.float64) / 2595) - 1)
    hz = torch.linspace(0, SAMPLE_RATE / 2, 257, dtype=torch.float64)[:, None]
    rise = (hz - points[:-2]) / (points[1:-1] - points[:-2])
    fall = (points[2:] - hz) / (points[2:] - points[1:-1])
    return torch.minimum(rise, fall).clamp(min=0).float()

"""The compact speech encoder of the bundled model: samples -> features at the motion's frame rate, made to stream.

Nothing in it sees the whole recording: normalisation is a running mean, convolutions look a fixed `LOOKAHEAD` ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
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
SILENCE = -8 / 3
"""Normalised log-mel of silence, which is taken to surround a recording."""
_FLOOR = 1e-5
"""Added to mel energies; about the level of noise at -55 dB below full scale."""
_BLOCKS_AHEAD = 2 * LOOKAHEAD - 2
"""Look-ahead of all blocks together in steps of 20 ms; entry and exit add one step each."""


@dataclass(frozen=True, kw_only=True)
class ScriptedConfig:
    """What is set for every encoder that can take a transcript beside the speech."""

    dim: int = 128
    """Width of a feature."""
    dropout: float = 0.1
    """Dropout while training."""
    n_phones: int = 0
    """Phones of a transcript that the encoder can take; 0 for speech alone."""

    def __post_init__(self) -> None:
        if self.n_phones < 0:
            raise UsageError(f"speech encoder: n_phones must not be negative, got {self.n_phones}")


@dataclass(frozen=True, kw_only=True)
class SpeechEncoderConfig(ScriptedConfig):
    """Sizes of the compact speech encoder."""

    n_mels: int = 80
    """Mel bands from 50 Hz to 7.6 kHz."""
    width: int = 192
    """Channels of the convolutions."""
    memory_s: float = 4.0
    """Time constant of the running mean, seconds."""
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    """Dilation of each block in steps of 20 ms. The first blocks share the look-ahead."""
    kind: Literal["compact"] = "compact"
    """Tells it from the configurations of the other encoders."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory_s <= 0:
            raise UsageError(f"speech encoder: memory_s must be above 0, got {self.memory_s}")
        if min(self.dilations, default=0) < 1 or 2 * sum(self.dilations) < _BLOCKS_AHEAD:
            raise UsageError(f"speech encoder: dilations must be at least 1 and {_BLOCKS_AHEAD // 2} together")

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Return dilation and look-ahead of each block, in steps of 20 ms."""
        left, blocks = _BLOCKS_AHEAD, []
        for dilation in self.dilations:
            ahead = min(2 * dilation, left)
            blocks.append((dilation, ahead))
            left -= ahead
        return tuple(blocks)

    @property
    def memory(self) -> int:
        """Motion frames of the past that the convolutions see (running mean aside)."""
        return 2 * sum(self.dilations) + 2 - LOOKAHEAD


@dataclass(frozen=True)
class RunningMean:
    """State of the running normalisation after some frames: weighted sums, decayed."""

    total: Tensor
    """``(B, n_mels)`` decayed sum of weight times log-mel."""
    weight: Tensor
    """``(B, 1)`` decayed sum of weights."""


@dataclass(frozen=True)
class _StreamState:
    """What is kept between two pieces of speech."""

    before: Tensor
    """``(1, OVERLAP)`` the last samples."""
    mean: RunningMean | None
    """The running normalisation; None at the start."""
    known: Tensor
    """``(1, n_mels, 4 t)`` normalised log-mels from `memory` frames before the first feature not yet given out."""


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


class ScriptEncoder(nn.Module):
    """What known phones add to the features of speech: each phone and its neighbours, 0 before training."""

    def __init__(self, n_phones: int, dim: int) -> None:
        super().__init__()
        self.n_phones = n_phones
        self.entry = nn.Conv1d(n_phones, dim, 7, padding=3)
        self.exit = nn.Conv1d(dim, dim, 8, stride=2, padding=3)
        for parameter in self.exit.parameters():
            nn.init.zeros_(parameter)

    def forward(self, phones: Tensor) -> Tensor:
        """Return ``(B, T, dim)`` for phone numbers ``(B, 2 T)``, 50 a second."""
        known = functional.one_hot(phones, self.n_phones).to(self.exit.weight.dtype).mT
        return self.exit(functional.gelu(self.entry(known))).mT


class ScriptedEncoder(nn.Module):
    """A small speech encoder of ours that may take the phones of a transcript beside the speech."""

    def __init__(self, n_phones: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        """Width of a feature."""
        self.script = ScriptEncoder(n_phones, dim) if n_phones else None

    def scripted(self, phones: Tensor) -> Tensor:
        """Return what the phones of a transcript ``(B, 2 F)`` add to the features ``(B, F, dim)``.

        Raises:
            UsageError: the encoder was not trained with phones.
        """
        if self.script is None:
            raise UsageError("the model's speech encoder takes no transcript; use a model that was trained with phones")
        return self.script(phones)

    def freeze(self) -> None:
        """Switch off no learning: the whole encoder is small enough to learn on."""

    @staticmethod
    def standardise(samples: Tensor) -> Tensor:
        """Return samples ``(..., n)`` as they are: the encoder takes care of the level itself."""
        return samples


class SpeechEncoder(ScriptedEncoder):
    """Log-mels, running mean, dilated convolutions at 100, 50 and 25 frames a second; about 1 M parameters."""

    filters: Tensor
    window: Tensor

    def __init__(self, config: SpeechEncoderConfig) -> None:
        super().__init__(config.n_phones, config.dim)
        self.config = config
        width = config.width
        self.register_buffer("filters", mel_filters(config.n_mels), persistent=False)
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        self.prior = nn.Parameter(torch.full((config.n_mels,), -5.0), requires_grad=False)
        self.entry = nn.Conv1d(config.n_mels, width, 5, stride=2)
        self.blocks = nn.ModuleList(_Block(width, dilation, ahead, config.dropout) for dilation, ahead in config.blocks)
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

    def surround(self, normalised: Tensor) -> Tensor:
        """Put silence before and after normalised log-mels: `memory` and `LOOKAHEAD` frames."""
        ends = (self.config.memory * MELS_PER_FRAME, LOOKAHEAD * MELS_PER_FRAME)
        return functional.pad(normalised, ends, value=SILENCE)

    def hidden(self, surrounded: Tensor) -> Tensor:
        """Return the hidden layer, 50 a second, of normalised log-mels with their surroundings.

        Args:
            surrounded: ``(B, n_mels, 4 (memory + T + LOOKAHEAD))``, real past and future or silence.

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

    def forward(self, samples: Tensor, n_frames: int | None = None, phones: Tensor | None = None) -> Tensor:
        """Return the features of speech.

        Frame t belongs to samples ``640 t ... 640 (t + 1)`` and depends on no sample after frame ``t + LOOKAHEAD``.

        Args:
            samples: ``(B, n)`` at 16 kHz.
            n_frames: motion frames F wanted: the speech is cut or filled with zeros to ``640 F`` samples; None for
                one for every begun 40 ms.
            phones: ``(B, 2 F)`` phones of a transcript, 50 a second; None without one.

        Returns:
            ``(B, F, dim)``.

        Raises:
            UsageError: phones are given to an encoder that was not trained with them.
        """
        samples = in_frames(samples, n_frames)
        normalised, _ = self.normalise(self.log_mels(samples))
        features = self.features(self.hidden(self.surround(normalised)))
        return features if phones is None else features + self.scripted(phones)

    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[Tensor]:
        """Encode speech of any length piece by piece; equal to encoding it whole.

        Args:
            blocks: ``(n,)`` float32 samples at 16 kHz, of any lengths.
            multiple: the speech is filled up to so many motion frames or a multiple of them.
            replicate: fill up with the last sample, not with zeros.

        Yields:
            ``(t, dim)`` features, together one for every 40 ms of speech. The speech is taken to be surrounded by
            silence.
        """
        blocks = filled_up(blocks, multiple * FRAME_SAMPLES, replicate)
        rest = np.zeros(0, np.float32)
        state = _StreamState(
            self.prior.new_zeros(1, OVERLAP),
            None,
            self.prior.new_full((1, self.config.n_mels, self.config.memory * MELS_PER_FRAME), SILENCE),
        )
        for block in blocks:
            rest = np.concatenate([rest, block])
            n = len(rest) // FRAME_SAMPLES * FRAME_SAMPLES
            if n:
                features, state = self._advance(rest[:n], state)
                rest = rest[n:]
                yield from features
        end = state.known.new_full((1, self.config.n_mels, LOOKAHEAD * MELS_PER_FRAME), SILENCE)
        yield from self._ready(replace(state, known=torch.cat([state.known, end], -1)))[0]

    @torch.inference_mode()
    def _advance(self, samples: np.ndarray, state: _StreamState) -> tuple[list[Tensor], _StreamState]:
        wave = torch.from_numpy(samples).to(self.prior.device)[None]
        mels, mean = self.normalise(self.log_mels(wave, state.before), state.mean)
        before = torch.cat([state.before, wave], -1)[:, -OVERLAP:]
        return self._ready(_StreamState(before, mean, torch.cat([state.known, mels], -1)))

    @torch.inference_mode()
    def _ready(self, state: _StreamState) -> tuple[list[Tensor], _StreamState]:
        """Return the features that nothing to come can change, if any, and what is left."""
        n_frames = state.known.shape[-1] // MELS_PER_FRAME - self.config.memory - LOOKAHEAD
        if n_frames < 1:
            return [], state
        features = self.features(self.hidden(state.known))[0]
        return [features], replace(state, known=state.known[..., n_frames * MELS_PER_FRAME :])


def in_frames(samples: Tensor, n_frames: int | None = None) -> Tensor:
    """Cut or fill with zeros: ``(..., n) -> (..., 640 F)``; without ``n_frames`` every begun frame counts."""
    n_frames = math.ceil(samples.shape[-1] / FRAME_SAMPLES) if n_frames is None else n_frames
    length = n_frames * FRAME_SAMPLES
    return functional.pad(samples[..., :length], (0, max(0, length - samples.shape[-1])))


def filled_up(blocks: Iterable[np.ndarray], multiple: int, replicate: bool = False) -> Iterator[np.ndarray]:
    """Yield blocks of samples and, at the end, what is missing to a multiple: zeros, or the last sample repeated."""
    n_samples, last = 0, np.float32(0)
    for block in blocks:
        n_samples += len(block)
        last = block[-1] if len(block) else last
        yield block
    if n_samples % multiple:
        yield np.full(multiple - n_samples % multiple, last if replicate else 0, np.float32)


def mel_filters(n_mels: int, low_hz: float = 50.0, high_hz: float = 7600.0) -> Tensor:
    """Return triangular mel filters ``(257, n_mels)`` over a 512-point spectrum (HTK mel scale, unit peak)."""

    def to_mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    points = 700 * (10 ** (torch.linspace(to_mel(low_hz), to_mel(high_hz), n_mels + 2, dtype=torch.float64) / 2595) - 1)
    hz = torch.linspace(0, SAMPLE_RATE / 2, 257, dtype=torch.float64)[:, None]
    rise = (hz - points[:-2]) / (points[1:-1] - points[:-2])
    fall = (points[2:] - hz) / (points[2:] - points[1:-1])
    return torch.minimum(rise, fall).clamp(min=0).float()

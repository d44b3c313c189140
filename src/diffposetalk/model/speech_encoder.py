"""The compact speech encoder of the bundled model: samples -> features at the motion's frame rate, made to stream.

Nothing in it sees the whole recording: normalisation is a running mean, convolutions look a fixed `LOOKAHEAD` ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import SpeechEncoderConfig
from diffposetalk.model.frames import (
    FRAME_SAMPLES,
    HOP,
    LEAST_WEIGHT,
    LOOKAHEAD,
    MEL_FLOOR,
    MEL_WINDOW,
    MELS_PER_FRAME,
    OVERLAP,
    SILENCE,
    filled_up,
    mel_filters,
)


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

    @property
    def takes_phones(self) -> bool:
        """Whether the encoder was trained with the phones of transcripts."""
        return self.script is not None

    @torch.inference_mode()
    def added_by_phones(self, phones: np.ndarray) -> np.ndarray:
        """Return what phones ``(2 F,)`` add to the features ``(F, dim)``."""
        device = next(self.parameters()).device
        return self.scripted(torch.from_numpy(phones)[None].to(device))[0].cpu().numpy()

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
        self.register_buffer("filters", torch.from_numpy(mel_filters(config.n_mels)), persistent=False)
        self.register_buffer("window", torch.hann_window(MEL_WINDOW), persistent=False)
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
        frames = torch.cat([before, samples], -1).float().unfold(-1, MEL_WINDOW, HOP) * self.window
        power = torch.fft.rfft(frames, n=512).abs().square()
        return torch.log(power @ self.filters + MEL_FLOOR).mT

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
        loudness = (mels.exp().mean(1, keepdim=True) - MEL_FLOOR).clamp(min=0)
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
        lift = (LEAST_WEIGHT / weights[..., -1]).clamp(min=1)  # the mean itself stays
        return normalised, RunningMean(totals[..., -1] * lift, weights[..., -1] * lift)

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

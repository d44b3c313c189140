"""The speech encoder of the model `base`: a small network of ours on the features of a Whisper model that the user has.

The Whisper model itself is not part of the model file. It hears the whole recording in pieces, so this encoder does not
stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.model.configs import WhisperSpeechConfig
from diffposetalk.model.frames import chunks
from diffposetalk.model.speech_encoder import ScriptedEncoder, in_frames
from diffposetalk.speech.whisper import (
    CHUNK_FRAMES,
    LARGEST_FEATURE,
    OVERLAP_FRAMES,
    WhisperEncoder,
    features_of_width,
    whisper_folder,
)


class WhisperSpeechEncoder(ScriptedEncoder):
    """Standardised Whisper features, their leading components, and convolutions at 50 and 25 frames a second."""

    mean: Tensor
    scale: Tensor
    projection: Tensor

    def __init__(self, config: WhisperSpeechConfig) -> None:
        super().__init__(config.n_phones, config.dim)
        self.config = config
        width = config.width
        self.register_buffer("mean", torch.zeros(config.n_features))
        self.register_buffer("scale", torch.ones(config.n_features))
        self.register_buffer("projection", torch.zeros(config.n_features, config.components))
        self.entry = nn.Conv1d(config.components, width, 5, padding=2)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(2))
        self.dropout = nn.Dropout(config.dropout)
        self.exit = nn.Conv1d(width, config.dim, 4, stride=2, padding=1)
        self._whisper: WhisperEncoder | None = None

    def load_whisper(self, folder: str | Path | None = None) -> None:
        """Load the Whisper model.

        Args:
            folder: its files for faster-whisper; None for those of the installed packages.

        Raises:
            DiffPoseTalkError: it is not there, or faster-whisper is not installed.
            InputError: the folder holds no Whisper model.
        """
        self._whisper = WhisperEncoder(whisper_folder(folder))

    def components(self, samples: np.ndarray) -> Tensor:
        """Listen to speech ``(n,)`` at 16 kHz; return components ``(N, K)``, 50 a second.

        Raises:
            UsageError: the Whisper model has features of another width.
        """
        if self._whisper is None:
            self.load_whisper()
        assert self._whisper is not None
        heard = torch.from_numpy(features_of_width(self._whisper, samples, self.config.n_features)).to(self.mean.device)
        return ((heard - self.mean) / self.scale).clamp(-LARGEST_FEATURE, LARGEST_FEATURE) @ self.projection

    def hidden(self, components: Tensor) -> Tensor:
        """Return the hidden layer ``(B, width, 2 T)`` of components ``(B, 2 T, K)``."""
        x = functional.gelu(self.entry(components.mT))
        for block in self.blocks:
            x = x + self.dropout(functional.gelu(block(x)))
        return x

    def features(self, hidden: Tensor) -> Tensor:
        """Return the features ``(B, T, dim)`` of the hidden layer ``(B, width, 2 T)``."""
        return self.exit(hidden).mT

    def forward(self, samples: Tensor, n_frames: int | None = None, phones: Tensor | None = None) -> Tensor:
        """Return the features of speech; arguments and result as for `SpeechEncoder.forward`."""
        samples = in_frames(samples, n_frames)
        features = torch.stack([torch.cat(list(self.stream([wave.cpu().numpy()]))) for wave in samples])
        return features if phones is None else features + self.scripted(phones)

    @torch.inference_mode()
    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[Tensor]:
        """Encode speech of any length in chunks of `CHUNK_FRAMES` that see `OVERLAP_FRAMES` on either side.

        Arguments and result are those of `SpeechEncoder.stream`.
        """
        for chunk in chunks(blocks, CHUNK_FRAMES, OVERLAP_FRAMES, multiple):
            yield self._encoded(chunk.filled(replicate), chunk.n_frames)[chunk.counted]

    def _encoded(self, samples: np.ndarray, n_frames: int) -> Tensor:
        """Return ``(n_frames, dim)`` features of ``640 n_frames`` samples."""
        components = self.components(samples)
        missing = 2 * n_frames - len(components)
        components = torch.cat([components, components[-1:].expand(max(0, missing), -1)])[: 2 * n_frames]
        return self.features(self.hidden(components[None]))[0]

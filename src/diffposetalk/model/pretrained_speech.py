"""HuBERT, wav2vec 2.0 and WavLM as speech encoders, through transformers: 50 features a second -> one a motion frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from diffposetalk.errors import DiffPoseTalkError, ModelError, UsageError
from diffposetalk.model.configs import PretrainedSpeechConfig
from diffposetalk.model.frames import FRAME_SAMPLES, chunks
from diffposetalk.model.speech_encoder import in_frames

HOP = 320
"""Samples from one feature of the convolutions to the next (20 ms)."""
CHUNK_FRAMES = 500
"""Motion frames of long speech encoded at a time (20 s)."""
OVERLAP_FRAMES = 50
"""Motion frames on either side of a chunk that its encoding also sees (2 s)."""


class PretrainedSpeechEncoder(nn.Module):
    """A network of the HuBERT family, its features at twice the frame rate averaged to motion frames and mapped.

    No attention maps are kept, so memory grows with the square of a chunk's length only inside one layer (and not even
    there where torch has a fused attention).

    Raises:
        DiffPoseTalkError: transformers is not installed.

    Source: DiffPoseTalk, section 3.1, and its released code.
    """

    def __init__(self, config: PretrainedSpeechConfig) -> None:
        super().__init__()
        transformers = _transformers()
        self.config = config
        try:
            architecture = transformers.AutoConfig.for_model(**config.architecture)
            if math.prod(architecture.conv_stride) != HOP:
                raise UsageError(
                    f"speech encoder: conv_stride {list(architecture.conv_stride)} does not make 50 features a second"
                )
            self.base: Any = transformers.AutoModel.from_config(architecture)
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"speech encoder: transformers refuses the architecture ({error})") from None
        self.projection = nn.Linear(architecture.hidden_size, config.dim)

    @staticmethod
    def from_source(config: PretrainedSpeechConfig) -> PretrainedSpeechEncoder:
        """Build the encoder and fill it with the weights that ``config.source`` names.

        Args:
            config: its ``architecture`` is replaced by that of the weights.

        Raises:
            ModelError: they cannot be loaded, or are of another family.
            DiffPoseTalkError: transformers is not installed.
        """
        transformers = _transformers()
        try:
            base = transformers.AutoModel.from_pretrained(config.source)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"speech encoder {config.source!r} cannot be loaded ({reason}); give a name on the hub while online, "
                "or a folder with config.json and model.safetensors"
            ) from None
        architecture = {k: v for k, v in base.config.to_diff_dict().items() if not k.startswith("_")}
        architecture = {
            k: v for k, v in architecture.items() if k not in ("architectures", "transformers_version", "dtype")
        }
        family = {"model_type": base.config.model_type}
        try:
            known = PretrainedSpeechConfig(
                config.dim,
                {**architecture, **family},
                source=config.source,
                frozen=config.frozen,
                masked=config.masked,
            )
        except UsageError as error:
            raise ModelError(f"{config.source}: {error}") from None
        encoder = PretrainedSpeechEncoder(known)
        encoder.base.load_state_dict(base.state_dict())
        return encoder

    @property
    def dim(self) -> int:
        """Width of a feature."""
        return self.config.dim

    def freeze(self) -> None:
        """Switch off learning in the parts that the configuration names."""
        for name, parameter in self.base.named_parameters():
            parameter.requires_grad_(not self._is_frozen(name))

    def train(self, mode: bool = True) -> PretrainedSpeechEncoder:
        """Switch to training; frozen parts stay in evaluation mode, without dropout."""
        super().train(mode)
        for name, module in self.base.named_modules():
            if name and self._is_frozen(name):
                module.train(False)
        return self

    def _is_frozen(self, name: str) -> bool:
        return any(name == part or name.startswith(f"{part}.") for part in self.config.frozen_parts)

    @staticmethod
    def standardise(samples: Tensor) -> Tensor:
        """Bring samples ``(..., n)`` to mean 0 and spread 1 over the whole given length, as the weights were trained."""
        return (samples - samples.mean(-1, keepdim=True)) / (samples.std(-1, keepdim=True) + 1e-5)

    def forward(self, samples: Tensor, n_frames: int | None = None) -> Tensor:
        """Return the features of standardised speech.

        Args:
            samples: ``(B, n)`` at 16 kHz, standardised.
            n_frames: motion frames F wanted: the speech is cut or filled with zeros to ``640 F`` samples; None for
                one for every begun 40 ms.

        Returns:
            ``(B, F, dim)``.
        """
        samples = in_frames(samples, n_frames)
        hidden = self.contextual(self.convolved(pad_to_frames(samples)))
        return self.framed(hidden, samples.shape[-1] // FRAME_SAMPLES)

    def convolved(self, samples: Tensor) -> Tensor:
        """Return the features of the convolutions ``(B, T, C)``, 50 a second, of ``samples (B, n)``."""
        extractor = self.base.feature_extractor
        if self._is_frozen("feature_extractor"):
            with torch.no_grad():
                return extractor(samples).transpose(1, 2)
        return extractor(samples).transpose(1, 2)

    def contextual(self, convolved: Tensor) -> Tensor:
        """Run the transformer over convolved features: ``(B, T, C) -> (B, T, hidden)``, its last layer."""
        projected = self.base.feature_projection(convolved)
        hidden = projected[0] if isinstance(projected, tuple) else projected
        if self.training and self.config.masked:
            hidden = self._masked(hidden)
        return self.base.encoder(hidden).last_hidden_state

    def _masked(self, hidden: Tensor) -> Tensor:
        """Mask stretches of ``hidden (B, T, C)`` as transformers does, which draws from numpy's global generator.

        That generator is seeded from torch's for the call and then put back, so that a training step's draws follow
        from its seed.
        """
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(int(torch.randint(2**31, ())))  # noqa: NPY002
        try:
            masked: Tensor = self.base._mask_hidden_states(hidden)
            return masked
        finally:
            np.random.set_state(state)  # noqa: NPY002

    def framed(self, hidden: Tensor, n_frames: int) -> Tensor:
        """Resample the last layer to motion frames and map it: ``(B, 2 F, hidden) -> (B, F, dim)``."""
        return self.projection(resample_linear(hidden, n_frames))

    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[Tensor]:
        """Encode speech of any length in chunks of `CHUNK_FRAMES` that see `OVERLAP_FRAMES` on either side.

        Each piece is standardised by itself, as a training crop is. Speech of up to a chunk and an overlap is encoded
        whole.

        Args:
            blocks: ``(n,)`` float32 samples at 16 kHz, of any lengths.
            multiple: the speech is filled up, after standardisation, to so many motion frames or a multiple of them.
            replicate: fill up with the last sample, not with zeros.

        Yields:
            ``(t, dim)`` features, together one for every 40 ms of speech.
        """
        device = self.projection.weight.device
        for chunk in chunks(blocks, CHUNK_FRAMES, OVERLAP_FRAMES, multiple):
            yield self._encoded(chunk.samples, device, chunk.n_frames * FRAME_SAMPLES, replicate)[chunk.counted]

    @torch.inference_mode()
    def _encoded(self, piece: np.ndarray, device: torch.device, length: int = 0, replicate: bool = False) -> Tensor:
        samples = self.standardise(torch.from_numpy(np.ascontiguousarray(piece, np.float32)).to(device)[None])
        missing = max(0, length - len(piece))
        fill = samples[:, -1:].expand(-1, missing) if replicate else samples.new_zeros(1, missing)
        return self(torch.cat([samples, fill], -1))[0]


def pad_to_frames(samples: Tensor) -> Tensor:
    """Pad speech at both ends so that ``320 n`` samples give exactly ``n`` features of the convolutions.

    The convolutions see 400 samples each 320, so 80 are missing: they are mirrored at the ends in two rounds (and one
    sample is repeated on each side where the number is odd), as in the released code.

    Args:
        samples: ``(B, n)``.

    Returns:
        ``(B, n + m)``; unchanged where there are 80 samples or more beyond the last whole 320.
    """
    missing = math.ceil((HOP * (samples.shape[-1] // HOP) + 80 - samples.shape[-1]) / 2)
    if missing < 0:
        return samples
    half = missing // 2
    for _ in range(2):
        samples = functional.pad(samples, (half, half), mode="reflect")
    return functional.pad(samples, (1, 1), mode="replicate") if missing % 2 else samples


def resample_linear(features: Tensor, n: int) -> Tensor:
    """Resample features along time linearly, ends not aligned: ``(B, T, C) -> (B, n, C)``."""
    if features.shape[1] == n:
        return features
    return functional.interpolate(features.transpose(1, 2), size=n, mode="linear", align_corners=False).transpose(1, 2)


def _transformers() -> Any:
    """Return the package, or say how to get it."""
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise DiffPoseTalkError(
            f"this model hears by a network of the HuBERT family, which needs {error.name}: "
            "pip install 'diffposetalk[research]'"
        ) from error
    return transformers

"""Settings of the networks and of whole models; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from diffposetalk.diffusion.guidance import GUIDANCE_MODES, GuidanceMode, check_mode
from diffposetalk.diffusion.noise import ScheduleKind, Target, check_steps, check_target
from diffposetalk.errors import UsageError
from diffposetalk.model.frames import LOOKAHEAD

_BLOCKS_AHEAD = 2 * LOOKAHEAD - 2
"""Look-ahead of all blocks together in steps of 20 ms; entry and exit add one step each."""
FAMILIES = ("hubert", "wav2vec2", "wavlm")
"""The ``model_type`` of transformers' configurations that are understood."""
PAPER_FROZEN = {
    "hubert": ("feature_extractor", "feature_projection", "encoder.layers.0", "encoder.layers.1"),
    "wav2vec2": ("feature_extractor",),
    "wavlm": ("feature_extractor", "feature_projection", "encoder.layers.0", "encoder.layers.1"),
}
"""Parts that stay as they are in training: as in the released code; WavLM, which it does not know, like HuBERT."""
Padding = Literal["features", "zero", "replicate"]
"""How a window that the speech does not fill is filled: zeros in place of features, or zero samples, or the last sample
repeated, encoded together with the speech."""


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


@dataclass(frozen=True, kw_only=True)
class WhisperSpeechConfig(ScriptedConfig):
    """Sizes of the network on top of Whisper."""

    n_features: int = 512
    """Width of the Whisper model's features: 384 tiny, 512 base, 768 small, 1024 medium."""
    components: int = 96
    """Components of the features that are read."""
    width: int = 192
    """Channels of the convolutions."""
    kind: Literal["whisper"] = "whisper"
    """Tells it from the configurations of the other encoders."""


@dataclass(frozen=True)
class PretrainedSpeechConfig:
    """Which network of transformers hears, and how its features are mapped."""

    dim: int
    """Width of a feature after the learned map."""
    architecture: dict[str, Any] = field(default_factory=lambda: {"model_type": "hubert"})
    """Configuration of transformers: ``model_type`` (hubert, wav2vec2, wavlm) and what differs from its base size."""
    kind: Literal["pretrained"] = "pretrained"
    """Tells it from the compact encoder's configuration."""
    source: str = ""
    """Name on the hub or folder from which a training starts; empty: from untrained weights."""
    frozen: tuple[str, ...] | None = None
    """Parts of the network that stay as they are in training, by the beginning of their names; left out: the paper's."""
    masked: bool = True
    """Whether stretches of the features are masked in training (SpecAugment, with the architecture's own shares), as the
    released code does."""

    def __post_init__(self) -> None:
        family = self.architecture.get("model_type")
        if family not in FAMILIES:
            raise UsageError(f"speech encoder: model_type {family!r} is not understood; one of {', '.join(FAMILIES)}")
        if self.dim < 1:
            raise UsageError(f"speech encoder: dim must be at least 1, got {self.dim}")

    @property
    def frozen_parts(self) -> tuple[str, ...]:
        """The parts that stay as they are."""
        return PAPER_FROZEN[self.architecture["model_type"]] if self.frozen is None else self.frozen


AnySpeechConfig: TypeAlias = SpeechEncoderConfig | PretrainedSpeechConfig | WhisperSpeechConfig
"""Configuration of a speech encoder; its ``kind`` tells which."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Sizes of a transformer over the frames of a window of motion."""

    motion_dim: int
    """Width D of the motion vector."""
    dim: int
    """Width of a token, even."""
    n_layers: int
    """Number of blocks."""
    n_heads: int
    """Attention heads; ``dim`` is a multiple of it."""
    feed_forward_factor: int = 4
    """Hidden width of the feed-forward layers over ``dim``."""
    dropout: float = 0.1
    """Dropout while training."""
    window: int = 100
    """Frames L of a window."""

    def __post_init__(self) -> None:
        check_heads(type(self).__name__.removesuffix("Config"), self.dim, self.n_heads)


def check_heads(name: str, dim: int, n_heads: int) -> None:
    """Check that a token can be divided among attention heads and has a positional code.

    Args:
        name: of the network, for the error.
        dim: width of a token.
        n_heads: attention heads.

    Raises:
        UsageError: the width is not even or no multiple of the number of heads.
    """
    if n_heads < 1 or dim < 1 or dim % n_heads or dim % 2:
        raise UsageError(f"{name}: dim {dim} must be even and a multiple of n_heads {n_heads}")


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig(TransformerConfig):
    """Sizes of the denoiser; the defaults are the paper's."""

    dim: int = 512
    n_layers: int = 8
    n_heads: int = 8
    speech_dim: int
    """Width of the speech encoder's features; where it is ``dim``, they go in as they are."""
    style_dim: int = 128
    """Width of the style vector; 0 for a model without styles."""
    identity_dim: int = 0
    """Width of the identity condition; 0 where motion does not depend on the person's shape."""
    context: int = 10
    """Frames P of past motion and speech that the window attends to."""
    align_width: int = 1
    """Alignment mask: a motion frame sees speech frames closer than this; 0 for all."""
    valid_indicator: bool = True
    """Whether a channel marks real frames (1) against padding and context (0)."""
    pre_norm: bool = False
    """Normalise before each sub-layer instead of after the sum as in the paper."""
    out_hidden: int = 0
    """Width of a hidden layer (GELU) before the motion vector, 0: no hidden layer. The released
    network uses ``dim / 2``."""
    droppable: tuple[Literal["speech", "style"], ...] = ("speech", "style")
    """Conditions that have a learned null, so that guidance can go without them."""
    noisy_scales: tuple[float, ...] = ()
    """Not in the paper: standard deviations, frames, of Gaussian running means of the noisy window. Each motion token gets
    these means as further inputs. The means and the noisy window are also added to the output, with a learned weight for
    each channel and noise step. This is a Wiener filter: the network only learns what the filter leaves. Empty: no filter."""

    modulated: bool = False
    """Not in the paper: style and noise step also scale and shift frames before the last layer, and weigh the filter of
    ``noisy_scales`` (feature-wise modulation, Perez et al. 2018). One token that is only attended to says too little to a
    small model of how far a head strays or how often eyes blink."""

    folded_speech: float = 0.0
    """Not in the paper: guidance is folded into one pass (Meng et al. 2023, "On distillation of guided diffusion models"):
    the scales are inputs. Largest scale of speech that was learned; 0: guidance is not folded."""
    folded_style: float = 0.0
    """Largest scale of style that was learned."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if "style" in self.droppable and not self.style_dim:
            object.__setattr__(self, "droppable", tuple(name for name in self.droppable if name != "style"))
        if any(width <= 0 for width in self.noisy_scales):
            raise UsageError(f"denoiser: noisy_scales must be above 0, got {self.noisy_scales}")
        if min(self.folded_speech, self.folded_style) < 0 or (self.folded_style and not self.folded_speech):
            raise UsageError("denoiser: folded_speech and folded_style are scales: 0 or more, and both 0 or neither")


@dataclass(frozen=True, kw_only=True)
class StyleEncoderConfig(TransformerConfig):
    """Sizes of the style encoder; the defaults are the paper's."""

    dim: int = 128
    """Width of a token and of the style vector, even."""
    n_layers: int = 4
    n_heads: int = 4
    position_dropout: float = 0.0
    """Dropout after the positions are added, while training; 0.1 in the released code."""
    pre_norm: bool = True
    """Normalise before each sub-layer; off: after the sum, as in the paper."""
    pooling: Literal["statistics", "mean"] = "statistics"
    """What becomes of the frames: "mean" is their mean, as in the paper; "statistics" also looks at how far tokens stray
    and at the `summary` of the motion itself, and maps all to the length ``sqrt(dim)``. The mean alone contains little of what
    swings about rest, such as the head."""
    positions: Literal["frames", "length"] = "frames"
    """Which code is added to a frame: that of its own position, or of the number of frames, the same for all, as the
    released weights were trained (they are blind to order)."""


@dataclass(frozen=True)
class SamplingDefaults:
    """Sampling settings that suit this model best; options of a call override them."""

    speech_scale: float = 1.15
    """Guidance weight of speech."""
    style_scale: float = 1.5
    """Guidance weight of style."""
    steps: int = 10
    """Network evaluations a window, times the guidance passes."""
    guidance: GuidanceMode = "incremental"
    """How both scales combine (see `diffusion.guidance`): as conditions were dropped in training."""
    initial_noise: dict[str, float] = field(default_factory=dict)
    """Standard deviation of the noise a window starts from, by the beginning of channel names; 1 for the others. A
    small model underestimates how often rare events happen and how far slow ones go; wider noise makes up for it."""
    continue_motion: bool = True
    """Whether each prediction of a window is moved so that it goes on where the motion before it ended (see
    `generate.window.continued`); a model that was trained to join its windows needs no such help."""

    def __post_init__(self) -> None:
        check_mode(self.guidance, GUIDANCE_MODES)
        for name, value in self.initial_noise.items():
            if not 0 <= value < 10:
                raise UsageError(f"sampling: initial_noise of {name} must lie in 0 to 10, got {value}")


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild the networks of a model."""

    name: str
    """What `info` shows."""
    speech_encoder: AnySpeechConfig
    denoiser: DenoiserConfig
    style_encoder: StyleEncoderConfig | None = None
    """None for a model that comes without: it takes style vectors that were read elsewhere, or none at all."""
    schedule: ScheduleKind = "cosine"
    """Noise schedule it was trained on."""
    noise_steps: int = 500
    """Steps N of that schedule."""
    target: Target = "sample"
    """What the denoiser predicts: the clean window or the noise in it."""
    padding: Padding = "features"
    """What fills the last window after the speech's end, as in training."""
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)

    def __post_init__(self) -> None:
        check_target(self.target)
        check_steps(self.noise_steps)
        if self.padding not in get_args(Padding):
            raise UsageError(f"model: unknown padding {self.padding!r}; choose from {', '.join(get_args(Padding))}")
        speech, style, denoiser = self.speech_encoder, self.style_encoder, self.denoiser
        if denoiser.speech_dim != speech.dim:
            raise UsageError(
                f"model: the denoiser hears {denoiser.speech_dim} features, its encoder makes {speech.dim}"
            )
        if style is None:
            return
        if denoiser.style_dim not in (0, style.dim):
            raise UsageError(f"model: the denoiser takes styles of {denoiser.style_dim}, its encoder makes {style.dim}")
        if denoiser.style_dim and denoiser.motion_dim != style.motion_dim:
            raise UsageError("model: denoiser and style encoder disagree on motion_dim")

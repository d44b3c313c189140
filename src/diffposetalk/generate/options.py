"""Sampling options, shared by the Python API, the command line and the integrations.

A scale of None has two meanings. A caller who gives None asks for the model's own value; `Talker.completed_options`
fills it in. A scale that is still None after that means that the model cannot be guided by this condition: every
evaluation of the denoiser receives it. The mode "independent-released" is accepted for `guidance` too. It reproduces the
released code and is not offered to users (see `diffusion.guidance.guidance_entries`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from diffposetalk.diffusion.guidance import (
    GUIDANCE_MODES,
    RELEASED_INDEPENDENT,
    GuidanceMode,
    Threshold,
    check_mode,
    check_threshold,
    is_number,
)
from diffposetalk.diffusion.samplers import SAMPLERS, Sampler
from diffposetalk.errors import UsageError

NonSpeech: TypeAlias = Literal["rest", "move"]
NON_SPEECH: tuple[str, ...] = get_args(NonSpeech)
"""Choices of `SamplingOptions.non_speech`."""
LARGEST_SEED = 2**63 - 1
"""Largest seed."""


@dataclass(frozen=True)
class SamplingOptions:
    """How motion is sampled from the model.

    Raises:
        UsageError: a value is out of range or of the wrong type.
    """

    sampler: Sampler | str = "dpmpp"
    """Sampling algorithm: dpmpp (DPM-Solver++ 2M, best with few steps), ddim, or ddpm (every step of the schedule)."""
    steps: int | None = None
    """Denoising steps per window (default: the model's own for dpmpp, 25 for ddim, the whole schedule for ddpm)."""
    seed: int = 0
    """Seed of all random draws; the same seed gives the same motion."""
    speech_scale: float | None = None
    """How strongly the speech drives the face: 1: as trained, above 1: exaggerated, 0: the speech is ignored (default: the
    model's own value)."""
    style_scale: float | None = None
    """How strongly the style shows: 1: as trained, above 1: exaggerated, 0: the style is ignored (default: the model's own
    value)."""
    guidance: GuidanceMode | str | None = None
    """How the two scales combine: incremental (style relative to speech alone) or independent (each relative to neither speech
    nor style) (default: as the model was trained)."""
    threshold: Threshold | None = None
    """Dynamic thresholding of the normalised motion: ratio, low and high, such as 0.99,1,4 (default: off)."""
    head_scale: float = 1.0
    """Amplitude of the head's motion; 0 keeps the head still."""
    expression_scale: float = 1.0
    """Amplitude of the facial expression."""
    non_speech: NonSpeech | str = "move"
    """What the mouth does in sound that is not speech, such as music, noise or animals: move (with one warning), or
    rest; with rest, whispers and songs are often silenced too."""

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise UsageError(f"unknown sampler {self.sampler!r}: choose from {', '.join(SAMPLERS)}")
        if self.steps is not None:
            _check_whole_number("steps", self.steps, 1, 100_000)
        _check_whole_number("seed", self.seed, 0, LARGEST_SEED)
        for name in ("speech_scale", "style_scale", "head_scale", "expression_scale"):
            value = getattr(self, name)
            if value is None and name in ("speech_scale", "style_scale"):
                continue
            if not is_number(value) or not 0 <= value < math.inf:
                raise UsageError(f"{name} must be a finite number of at least 0, not {value!r}")
        if self.guidance is not None:
            check_mode(self.guidance, (*GUIDANCE_MODES, RELEASED_INDEPENDENT))
        if self.non_speech not in NON_SPEECH:
            raise UsageError(f"unknown non_speech {self.non_speech!r}: choose from {', '.join(NON_SPEECH)}")
        if self.threshold is not None:
            check_threshold(self.threshold)


def _check_whole_number(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} must be a whole number from {low} to {high}, not {value!r}")

"""Sample one window of motion; used by `Talker` and by the reproduction of the authors' demo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from diffposetalk.diffusion.guidance import GuidanceEntry, guidance_entries, guided, with_same_evaluations
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.diffusion.samplers import sample
from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.sides import evened, uneven_part
from diffposetalk.model.checkpoint import Model, Padding
from diffposetalk.model.denoiser import WindowInput
from diffposetalk.model.encoders import AnySpeechEncoder
from diffposetalk.model.speech_encoder import FRAME_SAMPLES

if TYPE_CHECKING:
    from diffposetalk.diffusion.samplers import Generators, OnStep


@dataclass(frozen=True)
class ReleasedQuirks:
    """Where the released code differs; used only for comparison with its results."""

    threshold_each: bool = False
    """Threshold each prediction over all its frames, before guidance. Default: the guided result, over valid frames."""
    flexibility: float = 0.0
    """Flexibility of the noise that ddpm adds (see `diffusion.samplers.sample_ddpm`)."""
    noises: Iterable[Tensor] | None = None
    """The noise of every step, ``(B, L, D)`` arrays in the order of use; None to draw it."""


@torch.inference_mode()
def sample_window(
    model: Model,
    schedule: NoiseSchedule,
    options: SamplingOptions,
    x_T: Tensor,
    inputs: WindowInput,
    *,
    generator: Generators | None = None,
    adjust: Callable[[Tensor], Tensor] | None = None,
    quirks: ReleasedQuirks | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Sample one window for a batch of samples.

    Args:
        model: the model with its denoiser.
        schedule: noise schedule of the model.
        options: sampler, steps, guidance and threshold. If a scale is None, its condition is not guided: every
            evaluation receives it.
        x_T: ``(B, L, D)`` initial noise.
        inputs: the conditions of the window.
        generator: random generators of the noise that ddpm adds; unused if ``quirks`` holds that noise.
        adjust: applied to every guided prediction.
        quirks: differences of the released code to reproduce. Default: none.
        on_step: called after each step.

    Returns:
        ``(B, L, D)`` normalised motion.

    Raises:
        UsageError: the model or the sampler does not support the options.
    """
    quirks = quirks or ReleasedQuirks()
    denoiser, n = model.denoiser, len(x_T)
    mode = options.guidance or model.config.sampling.guidance
    entries = guidance_entries(options.speech_scale, options.style_scale, mode)
    exaggerated = options.style_scale is not None and options.style_scale > 1
    uneven, entries_at_one = uneven_part(model.space) if exaggerated else None, entries
    if uneven is not None:
        entries, entries_at_one = with_same_evaluations(entries, guidance_entries(options.speech_scale, 1.0, mode))
    k = len(entries)
    if options.threshold is not None and model.config.target == "noise" and not quirks.threshold_each:
        raise UsageError("dynamic thresholding is for models that predict motion; this one predicts noise")

    def dropped_rows(given: Sequence[bool]) -> Tensor | None:
        """Return ``(K B,)`` True where an entry goes without the condition; None if all have it."""
        return None if all(given) else ~torch.tensor(given, device=x_T.device).repeat_interleave(n)

    conditions = denoiser.prepare(
        inputs.repeated(k),
        dropped_rows([entry.speech for entry in entries]),
        dropped_rows([entry.style for entry in entries]),
    )
    valid = None if quirks.threshold_each else inputs.valid

    def denoise(x_n: Tensor, noise_step: int) -> Tensor:
        step = torch.full((n,), noise_step, device=x_n.device)
        predictions = denoiser.predict_window(x_n, step, conditions)

        def combined(by: Sequence[GuidanceEntry]) -> Tensor:
            return guided(
                predictions, by, threshold=options.threshold, threshold_each=quirks.threshold_each, valid=valid
            )

        result = combined(entries)
        if uneven is not None:
            result = evened(result, combined(entries_at_one), uneven)
        return result if adjust is None else adjust(result)

    return sample(
        options.sampler,
        denoise,
        x_T,
        schedule,
        options.steps,
        generator=generator,
        noises=quirks.noises,
        flexibility=quirks.flexibility,
        target=model.config.target,
        on_step=on_step,
    )


def continued(window: Tensor, previous: Tensor, fade: Tensor) -> Tensor:
    """Shift the start of a predicted window so that it continues the previous motion.

    This is applied to every prediction of the sampler, so the network completes a window that already continues. Context
    frames alone leave small jumps of the head.

    Args:
        window: ``(B, L, D)`` prediction of the clean window.
        previous: ``(B, P, D)`` the frames before it.
        fade: ``(L, D)`` share of the shift in each frame; 1 in the first frame.
    """
    expected = previous[:, -1] + 0.9 * (previous[:, -1] - previous[:, -2])
    return window + (expected - window[:, 0])[:, None] * fade


def fading(n_frames: int, fade_frames: int, device: torch.device | None = None) -> Tensor:
    """Return a minimum-jerk curve from 1 to 0 over ``fade_frames``, then zeros: ``(n_frames,)``."""
    share = (torch.arange(n_frames, device=device) / fade_frames).clamp(max=1)
    return 1 - share**3 * (10 - 15 * share + 6 * share**2)


def windows_of_features(
    encoder: AnySpeechEncoder,
    blocks: Iterable[np.ndarray],
    window: int,
    padding: Padding = "features",
    script: Tensor | None = None,
) -> Iterator[tuple[Tensor, int]]:
    """Encode speech and group the features into windows; the last window is padded.

    Args:
        encoder: the speech encoder.
        blocks: blocks of ``(n,)`` float32 samples, of any lengths.
        window: frames L of a window.
        padding: how the last window is padded.
        script: ``(F, dim)`` what a transcript adds to the features; None without one.

    Yields:
        ``(L, dim)`` features, and the number of valid frames among them.
    """
    n_samples = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal n_samples
        for block in blocks:
            n_samples += len(block)
            yield block

    waiting: list[Tensor] = []
    n_yielded = n_encoded = 0
    multiple = 1 if padding == "features" else window
    for features in encoder.stream(counted(), multiple, padding == "replicate"):
        if script is not None:
            added = script[n_encoded : n_encoded + len(features)]
            features = torch.cat([features[: len(added)] + added, features[len(added) :]])
        n_encoded += len(features)
        waiting.append(features)
        while sum(map(len, waiting)) >= window:
            joined = torch.cat(waiting)
            yield joined[:window], min(window, -(-n_samples // FRAME_SAMPLES) - n_yielded)
            waiting = [joined[window:]]
            n_yielded += window
    rest = torch.cat(waiting) if waiting else torch.empty(0)
    if len(rest):
        yield torch.cat([rest, rest.new_zeros(window - len(rest), rest.shape[1])]), len(rest)

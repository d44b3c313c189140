"""Long speech as the authors' demo treats it, faults included, for comparison with what they published.

What differs from `generate.talker.Talker`: the whole speech is standardised and encoded at once (memory grows with its length);
speech that goes beyond the window grid by less than a frame squeezes all features in time and loses its last frame; every
window starts from the same noise; independent guidance takes its second step from the already guided result;
thresholding comes before guidance; the jaw's y and z come back as the data's mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from diffposetalk.diffusion.guidance import RELEASED_INDEPENDENT
from diffposetalk.diffusion.samplers import endless_noise, generators_of
from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.speech_of import SpeechSource, speech_of
from diffposetalk.generate.style_of import StyleSource
from diffposetalk.generate.talker import Talker, reported
from diffposetalk.generate.window import History, ReleasedQuirks, sample_window
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.networks import WindowInput, to_numpy
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder, pad_to_frames, resample_linear
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.style import Style

if TYPE_CHECKING:
    from diffposetalk.progress import Progress


def demo(
    talker: Talker,
    speech: SpeechSource,
    n_samples: int = 1,
    style: StyleSource | None = None,
    options: SamplingOptions | None = None,
    identity: np.ndarray | None = None,
    *,
    context_features: bool = True,
    progress: Progress | None = None,
) -> Iterator[list[Motion]]:
    """Generate window after window as the authors' demo does: each item holds the next frames of every sample.

    Args:
        talker: with converted weights.
        speech: as for `Talker.generate`; all of it is read at once.
        n_samples: number of samples.
        style: as for `Talker.style`.
        options: how to sample; None for the demo's sampler, ddpm, with the model's scales.
        identity: ``(I,)`` shape coefficients.
        context_features: encode the whole speech at once; else each window's alone.
        progress: called after each window with seconds done and seconds in all.

    Raises:
        UsageError: the model was not converted from released weights.
    """
    stream = speech_of(speech, SAMPLE_RATE)
    resolved = talker.style(style)
    options = talker.completed_options(options or SamplingOptions(sampler="ddpm"), resolved is not None)
    generators = generators_of(options.seed, n_samples)
    shape = (n_samples, talker.model.config.denoiser.window, talker.model.space.dim)
    draws = endless_noise(shape, generators)

    def windows() -> Iterator[list[Motion]]:
        samples = np.concatenate(list(stream.blocks()))
        for window in demo_windows(
            talker, samples, resolved, options, identity, draws, context_features=context_features
        ):
            motions = (released_motion(talker, sample) for sample in window)
            yield [motion.scaled(options.expression_scale, options.head_scale) for motion in motions]

    return reported(windows(), getattr(stream, "duration", None), progress)


def demo_windows(
    talker: Talker,
    samples: np.ndarray,
    style: Style | None,
    options: SamplingOptions,
    identity: np.ndarray | None,
    noises: Iterable[np.ndarray],
    *,
    context_features: bool = True,
) -> Iterator[np.ndarray]:
    """Yield window after window as the authors' demo does.

    Args:
        talker: with converted weights.
        samples: ``(n,)`` at 16 kHz, all of the speech.
        style: of the model; None for the learned null style.
        options: with both scales filled in (`Talker.completed_options`); "independent" guidance is done the released way.
        identity: ``(I,)`` shape coefficients; None for the mean person.
        noises: ``(B, L, D)`` standard normal draws in the order of use: the start, shared by all windows, then each
            window's noise for the steps N .. 2. Sample b of the batch uses draw b.
        context_features: encode the whole speech at once; else each window's alone.

    Yields:
        ``(B, t, D)`` normalised motion; ``t`` is L but in the last window, which ends with the speech.
    """
    model, config = talker.model, talker.model.config.denoiser
    if (options.guidance or model.config.sampling.guidance) == "independent":
        options = replace(options, guidance=RELEASED_INDEPENDENT)
    features, n_padded = demo_features(talker, samples, context_features)
    draws = iter(noises)
    array = model.denoiser.array
    x_T = next(draws)
    n = len(x_T)
    person = talker.identity(identity)
    history = None

    def batched(value: np.ndarray | None) -> np.ndarray | None:
        return None if value is None else np.broadcast_to(value, (n, *value.shape))

    for index, tensor in enumerate(features):
        window = to_numpy(tensor)
        n_valid = config.window - (n_padded if index == len(features) - 1 else 0)
        inputs = WindowInput(
            np.broadcast_to(window, (n, *window.shape)),
            batched(None if style is None else style.vector),
            batched(person),
            None if history is None else history.motion,
            batched(None if history is None else history.speech),
            batched(np.arange(config.window) < n_valid),
        )
        motion = to_numpy(
            sample_window(
                model,
                talker.schedule,
                options,
                array(x_T),
                inputs.mapped(array),
                quirks=ReleasedQuirks(threshold_each=True, noises=map(array, draws)),
            )
        )
        history = History(motion[:, -config.context :], window[-config.context :])
        yield motion[:, :n_valid]


def demo_features(talker: Talker, samples: np.ndarray, context_features: bool = True) -> tuple[Sequence[Tensor], int]:
    """Return the features of each window, ``(L, dim)``, and the number of padded frames in the last one.

    Raises:
        UsageError: the model does not hear by a network of the HuBERT family.
    """
    encoder, window = talker.model.speech_encoder, talker.model.config.denoiser.window
    if not isinstance(encoder, PretrainedSpeechEncoder):
        raise UsageError("released behaviour is for models converted from the authors' checkpoints")
    fps = talker.model.space.fps
    clip_frames = int(len(samples) / SAMPLE_RATE * fps)  # off by one for some lengths, as released
    n_windows = 1 if clip_frames <= window else math.ceil(clip_frames / window)
    audio = encoder.standardise(
        torch.from_numpy(np.asarray(samples, np.float32)).to(encoder.projection.weight.device)[None]
    )
    missing = max(0, n_windows * window * FRAME_SAMPLES - audio.shape[-1])
    replicate = talker.model.config.padding == "replicate"
    fill = audio[:, -1:].expand(-1, missing) if replicate else audio.new_zeros(1, missing)
    audio = torch.cat([audio, fill], -1)
    size = window * FRAME_SAMPLES
    with torch.inference_mode():
        if context_features:
            whole = released_features(encoder, audio, n_windows * window)[0]
            windows = list(whole.split(window))
        else:
            parts = [audio[:, k * size : (k + 1) * size] for k in range(n_windows)]
            windows = [released_features(encoder, part, window)[0] for part in parts]
    return windows, math.ceil(missing / FRAME_SAMPLES)


def released_features(encoder: PretrainedSpeechEncoder, audio: Tensor, n_frames: int) -> Tensor:
    """Return features ``(B, F, dim)`` of standardised audio ``(B, n)`` as released: a surplus is squeezed in, not cut."""
    convolved = encoder.convolved(pad_to_frames(audio))[:, : 4 * n_frames]
    return encoder.framed(encoder.contextual(resample_linear(convolved, 2 * n_frames)), n_frames)


def released_motion(talker: Talker, vectors: np.ndarray) -> Motion:
    """Return the motion of normalised ``(T, D)`` vectors, the jaw's y and z at the data's mean as released."""
    space = talker.model.space
    motion = space.decode(vectors)
    if motion.jaw_pose is None:
        return motion
    jaw = motion.jaw_pose.copy()
    jaw[:, 1:] = space.jaw_rest
    return replace(motion, jaw_pose=jaw)

"""Sample one window of motion; used by `Talker` and by the reproduction of the authors' demo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from diffposetalk.diffusion.guidance import GuidanceEntry, guidance_entries, guided, with_same_evaluations
from diffposetalk.diffusion.noise import Array, NoiseSchedule
from diffposetalk.diffusion.samplers import OnStep, endless_noise, sample, standard_normal
from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.sides import evened, uneven_part
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.configs import DenoiserConfig, Padding
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.networks import SpeechNetwork, WindowInput, to_numpy
from diffposetalk.motion import MotionSpace

JOIN_FRAMES = {"head_pose": 30}
"""Frames over which the shift at the start of a window fades out (see `continued`), by part of the motion."""
JOIN_FACE = 5
"""The same for all other parts."""


@dataclass(frozen=True)
class ReleasedQuirks:
    """Where the released code differs; used only for comparison with its results."""

    threshold_each: bool = False
    """Threshold each prediction over all its frames, before guidance. Default: the guided result, over valid frames."""
    flexibility: float = 0.0
    """Flexibility of the noise that ddpm adds (see `diffusion.samplers.sample_ddpm`)."""
    noises: Iterable[Array] | None = None
    """The noise of every step, ``(B, L, D)`` arrays in the order of use; None to draw it."""


def sample_window(
    model: Model,
    schedule: NoiseSchedule,
    options: SamplingOptions,
    x_T: Array,
    inputs: WindowInput,
    *,
    noises: Iterable[Array] | None = None,
    adjust: Callable[[Array], Array] | None = None,
    quirks: ReleasedQuirks | None = None,
    on_step: OnStep | None = None,
) -> Array:
    """Sample one window for a batch of samples.

    Args:
        model: the model with its denoiser.
        schedule: noise schedule of the model.
        options: sampler, steps, guidance and threshold. If a scale is None, its condition is not guided: every
            evaluation receives it.
        x_T: ``(B, L, D)`` initial noise, an array of the kind that the denoiser takes, as all others here.
        inputs: the conditions of the window.
        noises: the noise that ddpm adds, ``(B, L, D)`` for each step; unused if ``quirks`` holds that noise.
        adjust: applied to every guided prediction.
        quirks: differences of the released code to reproduce. Default: none.
        on_step: called after each step.

    Returns:
        ``(B, L, D)`` normalised motion.

    Raises:
        UsageError: the model or the sampler does not support the options.
    """
    quirks = quirks or ReleasedQuirks()
    denoiser = model.denoiser
    mode = options.guidance or model.config.sampling.guidance
    folded = folded_scales(model.config.denoiser, options, mode)
    entries: tuple[GuidanceEntry, ...] = (GuidanceEntry(True, True, 1.0),)
    uneven, entries_at_one = None, entries
    if folded is not None:
        scales = denoiser.array(np.tile(np.array(folded, np.float32), (len(x_T), 1)))
        inputs = replace(inputs, scales=scales)
    else:
        entries = entries_at_one = guidance_entries(options.speech_scale, options.style_scale, mode)
        if options.style_scale is not None and options.style_scale > 1:
            uneven = uneven_part(model.space)
    if uneven is not None:
        entries, entries_at_one = with_same_evaluations(entries, guidance_entries(options.speech_scale, 1.0, mode))
    if options.threshold is not None and model.config.target == "noise" and not quirks.threshold_each:
        raise UsageError("dynamic thresholding is for models that predict motion; this one predicts noise")
    conditions = denoiser.prepare_sets(inputs, [(entry.speech, entry.style) for entry in entries])
    valid = None if quirks.threshold_each else inputs.valid
    sides = None if uneven is None else denoiser.array(uneven)

    def denoise(x_n: Array, noise_step: int) -> Array:
        predictions = denoiser.predict_sets(x_n, noise_step, conditions)

        def combined(by: Sequence[GuidanceEntry]) -> Array:
            return guided(
                predictions, by, threshold=options.threshold, threshold_each=quirks.threshold_each, valid=valid
            )

        result = combined(entries)
        if sides is not None:
            result = evened(result, combined(entries_at_one), sides)
        return result if adjust is None else adjust(result)

    return sample(
        options.sampler,
        denoise,
        x_T,
        schedule,
        options.steps,
        noises=noises if quirks.noises is None else quirks.noises,
        flexibility=quirks.flexibility,
        target=model.config.target,
        on_step=on_step,
    )


@dataclass(frozen=True)
class History:
    """What a window continues."""

    motion: np.ndarray
    """``(B, P, D)`` normalised motion of the frames before the window."""
    speech: np.ndarray
    """``(P, dim)`` their speech features."""


@dataclass(frozen=True)
class WindowSampler:
    """Samples one window after another: model, style, person and options stay the same. It holds no state."""

    model: Model
    schedule: NoiseSchedule
    options: SamplingOptions
    """Completed by `Talker.completed_options`."""
    style: np.ndarray | None
    """``(S,)``; None for the learned null style."""
    person: np.ndarray | None
    """``(I,)`` normalised identity; None for a model that does not use it."""
    initial_noise: np.ndarray
    """``(D,)`` standard deviation of the noise that a window starts from."""
    fade: np.ndarray
    """``(L, D)`` share of the shift by which a window continues the motion before it (see `continued`)."""

    def sample(
        self,
        features: np.ndarray,
        n_valid: int,
        history: History | None,
        generators: Sequence[np.random.Generator],
        *,
        continues: bool = True,
    ) -> np.ndarray:
        """Sample one window of B samples.

        Args:
            features: ``(L, dim)`` speech features of the window; those after ``n_valid`` are padding.
            n_valid: frames that are real.
            history: what the window continues; None at the start.
            generators: of the noise, one for each of the B samples; they advance.
            continues: whether predictions are shifted to continue the history; a model that was trained to join its
                windows is left alone in any case.

        Returns:
            ``(B, L, D)`` normalised motion.
        """
        network, config = self.model.denoiser, self.model.config
        n = len(generators)
        shape = (n, config.denoiser.window, config.denoiser.motion_dim)

        def batched(value: np.ndarray | None) -> np.ndarray | None:
            return None if value is None else np.broadcast_to(value, (n, *value.shape))

        valid = np.arange(config.denoiser.window) < n_valid
        motion, speech = (None, None) if history is None else (history.motion, history.speech)
        arrays = (batched(features), batched(self.style), batched(self.person), motion, batched(speech), batched(valid))
        inputs = WindowInput(*arrays).mapped(network.array)
        adjust: Callable[[Array], Array] | None = None
        if history is not None and config.sampling.continue_motion and continues:
            fade = network.array(self.fade)
            adjust = lambda window: continued(window, inputs.previous_motion, fade)  # noqa: E731
        x_T = network.array(standard_normal(shape, generators) * self.initial_noise)
        noises = map(network.array, endless_noise(shape, generators))
        return to_numpy(
            sample_window(self.model, self.schedule, self.options, x_T, inputs, noises=noises, adjust=adjust)
        )

    def history(self, window: np.ndarray, features: np.ndarray) -> History:
        """Return what the next window continues: the end of a window ``(B, L, D)`` and of its features ``(L, dim)``."""
        n = self.model.config.denoiser.context
        return History(window[:, len(features) - n :], features[len(features) - n :])


def folded_scales(config: DenoiserConfig, options: SamplingOptions, mode: str) -> tuple[float, float] | None:
    """Return the scales that a denoiser takes as inputs; None where guidance is not folded into it, or not so far.

    Args:
        config: of the denoiser.
        options: completed; a scale of None counts as 1.
        mode: of guidance.
    """
    speech, style = (1.0 if scale is None else scale for scale in (options.speech_scale, options.style_scale))
    learned = mode == "incremental" and speech <= config.folded_speech and style <= config.folded_style
    return (speech, style) if config.folded_speech and learned else None


def continued(window: Array, previous: Array, fade: Array) -> Array:
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


def join_fades(space: MotionSpace, n_frames: int) -> np.ndarray:
    """Return the share of the shift in each frame after a join, for `continued`: ``(n_frames, D)``."""
    fades = np.zeros((n_frames, space.dim), np.float32)
    for part, columns in space.parts.items():
        fades[:, columns] = fading(n_frames, JOIN_FRAMES.get(part, JOIN_FACE))[:, None]
    return fades


def fading(n_frames: int, fade_frames: int) -> np.ndarray:
    """Return a minimum-jerk curve from 1 to 0 over ``fade_frames``, then zeros: ``(n_frames,)``."""
    share = np.minimum(np.arange(n_frames, dtype=np.float32) / fade_frames, 1)
    return 1 - share**3 * (10 - 15 * share + 6 * share**2)


def windows_of_features(
    encoder: SpeechNetwork,
    blocks: Iterable[np.ndarray],
    window: int,
    padding: Padding = "features",
    script: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, int]]:
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

    waiting: list[np.ndarray] = []
    n_yielded = n_encoded = 0
    multiple = 1 if padding == "features" else window
    for piece in encoder.stream(counted(), multiple, padding == "replicate"):
        features = to_numpy(piece)
        if script is not None:
            added = script[n_encoded : n_encoded + len(features)]
            features = np.concatenate([features[: len(added)] + added, features[len(added) :]])
        n_encoded += len(features)
        waiting.append(features)
        while sum(map(len, waiting)) >= window:
            joined = np.concatenate(waiting)
            yield joined[:window], min(window, -(-n_samples // FRAME_SAMPLES) - n_yielded)
            waiting = [joined[window:]]
            n_yielded += window
    if sum(map(len, waiting)):
        rest = np.concatenate(waiting)
        yield np.pad(rest, ((0, window - len(rest)), (0, 0))), len(rest)

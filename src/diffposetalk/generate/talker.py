"""Speech and style -> motion, window after window, at constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.diffusion.samplers import standard_normal
from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.window import continued, fading, sample_window, windows_of_features
from diffposetalk.model.checkpoint import Model, load_model
from diffposetalk.model.packed import packed
from diffposetalk.model.speech_encoder import FRAME_SAMPLES
from diffposetalk.model.style_reader import StyleModel
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.style import Style

ASSETS = Path(__file__).parents[1] / "assets"
BUNDLED = ("lite",)
"""Models that come with the package."""
DEFAULT_STYLE = "neutral"
JOIN_FRAMES = {"head_pose": 30}
"""Frames over which a window gives up what it was moved by to continue the one before; other parts: `JOIN_FACE`."""
JOIN_FACE = 5


class SpeechSource(Protocol):
    """What `Speech` and `SpeechFile` have in common."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        """Yield ``(n,)`` float32 samples, block after block."""


class Talker:
    """A model ready to animate: give it speech and a style, get motion.

    Networks run on the device of the model; results are the same for the same seed.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.schedule = NoiseSchedule.make(model.config.schedule, model.config.noise_steps)
        self.device = next(model.denoiser.parameters()).device
        self._reader = StyleModel(model.style_encoder, model.space) if model.style_encoder else None
        self._encoder = self._reader.fingerprint if self._reader else ""
        noise = [
            next((std for start, std in model.config.sampling.initial_noise.items() if name.startswith(start)), 1.0)
            for name in model.space.channels
        ]
        join = torch.zeros(model.config.denoiser.window, model.space.dim, device=self.device)
        for part, where in model.space.parts.items():
            join[:, where] = fading(len(join), JOIN_FRAMES.get(part, JOIN_FACE), self.device)[:, None]
        self._join = join
        self._initial_noise = torch.tensor(noise, device=self.device)

    def __repr__(self) -> str:
        presets = f"styles {', '.join(self.presets)}" if self.presets else "no preset styles"
        return f"Talker({self.model.config.name!r} on {self.device}, head {self.space.head!r}, {presets})"

    @staticmethod
    def from_pretrained(name: str | Path = "lite", device: str = "cpu") -> Talker:
        """Load a bundled model by name, or a model file.

        Args:
            name: a bundled model's name, or a file.
            device: where its networks run: "cpu", "cuda", "cuda:1", "mps".

        Raises:
            UsageError: no bundled model and no file is called so, or this machine has no such device.
            ModelError: the file is no model of ours.
        """
        path = model_path(name)
        where = usable_device(device)
        model = load_model(path)
        for network in model.networks.values():
            network.to(where)
        return Talker(model)

    @cached_property
    def _sampling(self) -> Model:
        """The model as windows are sampled from it."""
        return replace(self.model, denoiser=packed(self.model.denoiser))

    @property
    def space(self) -> MotionSpace:
        """The motion space that the model speaks."""
        return self.model.space

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the styles that came with the model."""
        return tuple(self.model.presets)

    def style(self, style: str | Path | Style | Motion | None) -> Style | None:
        """Turn a preset's name, a file, or a motion into a style.

        A file is a ``.style.safetensors``, a motion ``.npz``, or a bare vector ``.npy`` as the released code writes it
        (which cannot tell what encoder made it). None is the neutral preset, or no style where a model has none.

        Raises:
            UsageError: no preset and no file is called so, or the model knows no styles.
            ModelError: the style was made by another encoder.
        """
        if style is None and DEFAULT_STYLE not in self.model.presets:
            return None
        if not self.model.config.denoiser.style_dim:
            raise UsageError(f"the model {self.model.config.name!r} knows no styles; leave the style out")
        if isinstance(style, Motion):
            return Style.from_motion(style, self)
        if not isinstance(style, Style):
            name = DEFAULT_STYLE if style is None else str(style)
            if name in self.model.presets:
                return self.model.presets[name]
            path = Path(name)
            if not path.exists():
                raise UsageError(f"no style {name!r}: presets are {', '.join(self.presets)}, and no file is called so")
            if path.suffix == ".npz":
                return Style.from_motion(Motion.load(path), self, source=path.name)
            if path.suffix == ".npy":
                style = Style.load_vector(path, self._encoder)
            else:
                style = Style.load(path)
        style_dim = self.model.config.denoiser.style_dim
        if style.vector.shape != (style_dim,):
            raise ModelError(
                f"the style from {style.source!r} has {len(style.vector)} numbers, the model takes {style_dim}"
            )
        if self.model.style_encoder is None:
            return style
        if style.encoder != self._encoder:
            raise ModelError(
                f"the style from {style.source!r} was read by another style encoder ({style.encoder}) than this model's "
                f"({self._encoder}); read it again with `diffposetalk style`"
            )
        return style

    def read_style(self, motion: Motion, source: str = "motion") -> Style:
        """Read the manner of speaking from motion: the mean over windows that overlap by half.

        Raises:
            InputError: the motion is too short or lacks channels.
            ModelError: the model comes without a style encoder.
        """
        if self._reader is None:
            raise ModelError(
                f"the model {self.model.config.name!r} comes without a style encoder; convert it with --style-encoder"
            )
        return self._reader.read_style(motion, source)

    def generate(
        self,
        speech: SpeechSource,
        style: str | Path | Style | Motion | None = None,
        options: SamplingOptions | None = None,
        identity: np.ndarray | None = None,
        **changes: object,
    ) -> Motion:
        """Generate the motion of one take, as long as the speech.

        Args:
            speech: `Speech`, or `SpeechFile` to keep memory constant for any length.
            style: as for `style`.
            options: how to sample; keyword arguments such as ``seed=3`` change single fields of it.
            identity: ``(I,)`` shape coefficients, for models whose motion depends on them.
            changes: fields of `SamplingOptions`.
        """
        return self.generate_many(speech, 1, style, options, identity, **changes)[0]

    def generate_many(
        self,
        speech: SpeechSource,
        n_samples: int,
        style: str | Path | Style | Motion | None = None,
        options: SamplingOptions | None = None,
        identity: np.ndarray | None = None,
        **changes: object,
    ) -> list[Motion]:
        """Generate several takes at once; take k is what `generate` makes from ``seed + k``."""
        takes: list[list[Motion]] = [[] for _ in range(n_samples)]
        for window in self.windows(speech, n_samples, style, options, identity, **changes):
            for take, motion in zip(takes, window):
                take.append(motion)
        return [Motion.joined(take) for take in takes]

    def windows(
        self,
        speech: SpeechSource,
        n_samples: int = 1,
        style: str | Path | Style | Motion | None = None,
        options: SamplingOptions | None = None,
        identity: np.ndarray | None = None,
        **changes: object,
    ) -> Iterator[list[Motion]]:
        """Generate window after window: each item holds the next 4 s (at most) of every take."""
        if n_samples < 1:
            raise UsageError(f"samples must be at least 1, got {n_samples}")
        given = self.style(style)
        options = self._options(options, changes, given is not None)
        vector = None if given is None else torch.from_numpy(given.vector).to(self.device)
        person = self.identity(identity)
        if speech.sample_rate != FRAME_SAMPLES * self.model.space.fps:
            raise InputError(
                f"the model hears {FRAME_SAMPLES * self.model.space.fps:g} Hz, not {speech.sample_rate} Hz"
            )
        generators = [torch.Generator().manual_seed(options.seed + k) for k in range(n_samples)]
        config = self.model.config.denoiser
        previous_motion = previous_speech = None
        padding = self.model.config.padding
        for features, n_valid in windows_of_features(
            self.model.speech_encoder, speech.blocks(), config.window, padding
        ):
            window = self._window(
                features, n_valid, vector, person, previous_motion, previous_speech, generators, options
            )
            previous_motion, previous_speech = window[:, -config.context :], features[-config.context :]
            yield [
                self.model.space.decode(take[:n_valid].cpu().numpy()).scaled(
                    options.expression_scale, options.head_scale
                )
                for take in window
            ]

    def identity(self, identity: np.ndarray | None) -> Tensor | None:
        """Return normalised identity coefficients on the model's device; None where motion depends on no identity.

        Args:
            identity: ``(I,)`` coefficients of the head model; None for its mean person.

        Raises:
            UsageError: another number of coefficients.
        """
        space = self.model.identity_space
        return None if space is None else torch.from_numpy(space.encode(identity)).to(self.device)

    def options(self, options: SamplingOptions, has_style: bool) -> SamplingOptions:
        """Fill in what the options leave to the model; a scale stays None where the model cannot be guided.

        Args:
            options: as given.
            has_style: whether a style is given; without, the learned null style is, and there is nothing to guide.

        Raises:
            UsageError: a scale for a condition that the model always takes.
        """
        own, droppable = self.model.config.sampling, self.model.config.denoiser.droppable
        scales = {"speech": options.speech_scale, "style": options.style_scale}
        for name, scale in scales.items():
            guides = name in droppable and (name != "style" or has_style)
            if not guides and scale not in (None, 1):
                reason = "none is given" if name in droppable else "it always takes its own"
                raise UsageError(f"this model cannot be guided by {name}: {reason}; leave {name}_scale out")
            if not guides:
                scales[name] = None
            elif scale is None:
                scales[name] = own.speech_scale if name == "speech" else own.style_scale
        return replace(
            options,
            speech_scale=scales["speech"],
            style_scale=scales["style"],
            steps=own.steps if options.steps is None and options.sampler == "dpmpp" else options.steps,
        )

    def _options(self, options: SamplingOptions | None, changes: dict[str, object], has_style: bool) -> SamplingOptions:
        try:
            options = replace(options or SamplingOptions(), **changes)  # type: ignore[arg-type]
        except TypeError as error:
            raise UsageError(f"unknown sampling option: {error}") from None
        return self.options(options, has_style)

    def _window(
        self,
        features: Tensor,
        n_valid: int,
        style: Tensor | None,
        identity: Tensor | None,
        previous_motion: Tensor | None,
        previous_speech: Tensor | None,
        generators: Sequence[torch.Generator],
        options: SamplingOptions,
    ) -> Tensor:
        """Sample one window for all takes: ``(n_samples, L, D)`` normalised."""
        config, n = self.model.config.denoiser, len(generators)

        def each(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.expand(n, *value.shape)

        adjust = None
        if previous_motion is not None and self.model.config.sampling.continue_motion:
            adjust = partial(continued, previous=previous_motion, fade=self._join)
        like = torch.empty(n, config.window, config.motion_dim, device=self.device)
        return sample_window(
            self._sampling,
            self.schedule,
            options,
            standard_normal(like, generators) * self._initial_noise,
            features.expand(n, -1, -1),
            each(style),
            each(identity),
            previous_motion,
            each(previous_speech),
            each(torch.arange(config.window, device=self.device) < n_valid),
            generator=generators,
            adjust=adjust,
        )


def model_path(name: str | Path) -> Path:
    """Return the file of a bundled model, or the model file itself.

    Raises:
        UsageError: no bundled model and no file is called so.
    """
    path = ASSETS / f"{name}.safetensors" if str(name) in BUNDLED else Path(name)
    if not path.exists():
        raise UsageError(f"no model {str(name)!r}: neither bundled ({', '.join(BUNDLED)}) nor a file")
    return path


def usable_device(name: str) -> torch.device:
    """Return the device of that name.

    Raises:
        UsageError: torch knows none of that name, or cannot use it on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the device {name!r} cannot be used here ({reason}); leave it out for the processor"
        ) from None
    return device

"""Speech and style -> motion, window after window, at constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.diffusion.samplers import generators_of
from diffposetalk.errors import ModelError, UsageError
from diffposetalk.generate.ahead import ahead
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.pretrained import loaded_model
from diffposetalk.generate.script_of import TranscriptSource, script_of
from diffposetalk.generate.speech_of import SpeechSource, SpeechStream, speech_of, warn_of_non_speech
from diffposetalk.generate.stream import HOP_MS, LOOKAHEAD_MS, LookAhead, Stream, hop_sizes, quick, stream_hopper
from diffposetalk.generate.style_of import StyleSource, style_of
from diffposetalk.generate.window import WindowSampler, join_fades, windows_of_features
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.onnx.session import n_threads
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.speech.activity import SpeechMeter, SpeechOnly
from diffposetalk.style import Style

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel
    from diffposetalk.progress import Progress

DEFAULT_STYLE = "neutral"
"""Preset that is used if no style is given."""


class Talker:
    """A model that turns speech and a style into motion.

    The networks run on the device of the model. The same seed gives the same motion.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.schedule = NoiseSchedule.make(model.config.schedule, model.config.noise_steps)
        self._reader = StyleReader(model.style_encoder, model.space) if model.style_encoder else None
        self._encoder = self._reader.fingerprint if self._reader else ""
        self._initial_noise = np.array(
            [
                next((std for start, std in model.config.sampling.initial_noise.items() if name.startswith(start)), 1)
                for name in model.space.channels
            ],
            np.float32,
        )
        self._join = join_fades(model.space, model.config.denoiser.window)

    def __repr__(self) -> str:
        presets = f"styles {', '.join(self.presets)}" if self.presets else "no preset styles"
        return f"Talker({self.model.config.name!r}, head {self.space.head!r}, {presets})"

    @staticmethod
    def from_pretrained(name: str | Path = "lite", device: str = "cpu", whisper: str | Path | None = None) -> Talker:
        """Load a bundled model by name, or a model file.

        Args:
            name: the name of a bundled model, or a model file.
            device: device of the networks: "cpu", "cuda", "cuda:1", "mps".
            whisper: for the model `base`: folder of Whisper base for faster-whisper; None for the installed packages.

        Raises:
            UsageError: there is neither a bundled model nor a file of this name, the machine has no such device, or a
                Whisper model is named for a model that needs none.
            ModelError: the file is not a DiffPoseTalk model.
            DiffPoseTalkError: the model needs Whisper, and it is not there.
        """
        return Talker(loaded_model(name, device, whisper))

    @property
    def space(self) -> MotionSpace:
        """The motion space that the model speaks."""
        return self.model.space

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the styles that come with the model."""
        return tuple(self.model.presets)

    def style(
        self,
        style: StyleSource | None,
        *,
        head: str | HeadModel | None = None,
        landmarker: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Style | None:
        """Return the style that a source holds or shows: ``talker.style("clip.mp4")``.

        Args:
            style: the name of a preset, a style file, a vector, a motion file, a video, a `Motion` or a `Style` (see
                `style_of`). None means the preset "neutral", or no style if the model has no such preset.
            head: see `style_of`.
            landmarker: see `style_of`.
            progress: see `style_of`.

        Raises:
            UsageError: there is neither a preset nor a file of this name, or the model takes no styles.
            InputError: the file cannot be read, or its motion is too short.
            ModelError: the style was made by another encoder.
        """
        if style is None:
            if DEFAULT_STYLE not in self.model.presets:
                return None
            style = DEFAULT_STYLE
        if not self.model.config.denoiser.style_dim:
            raise UsageError(f"the model {self.model.config.name!r} takes no style; leave the style out")
        result = style_of(style, self._reader, self.model.presets, head=head, landmarker=landmarker, progress=progress)
        style_dim = self.model.config.denoiser.style_dim
        if result.vector.shape != (style_dim,):
            raise ModelError(
                f"the style from {result.source!r} has {len(result.vector)} numbers, the model takes {style_dim}"
            )
        if self.model.style_encoder is not None and result.encoder != self._encoder:
            raise ModelError(
                f"the style from {result.source!r} was read by another style encoder ({result.encoder}) than this model's "
                f"({self._encoder}); read it again with `diffposetalk style`"
            )
        return result

    def read_style(self, motion: Motion, source: str = "motion") -> Style:
        """Read the style of a motion: the mean over windows that overlap by half (see `StyleReader.read_style`).

        Raises:
            InputError: the motion is too short or lacks channels.
            ModelError: the model has no style encoder.
        """
        if self._reader is None:
            raise ModelError(
                f"the model {self.model.config.name!r} comes without a style encoder; convert it with --style-encoder"
            )
        return self._reader.read_style(motion, source)

    def generate(
        self, speech: SpeechSource, style: StyleSource | None = None, options: SamplingOptions | None = None,
        identity: np.ndarray | None = None, *, sample_rate: int | None = None,
        transcript: TranscriptSource | None = None, progress: Progress | None = None, **changes: object,
    ) -> Motion:  # fmt: skip
        """Generate one motion, as long as the speech.

        Args:
            speech: a sound or video file, an array of samples with its ``sample_rate``, a `Speech` or a `SpeechFile`.
                Files are read block by block, so memory does not grow with their length.
            style: the name of a preset, a file, a video, ...; see `style`.
            options: how to sample. Keyword arguments such as ``seed=3`` change single fields.
            identity: ``(I,)`` shape coefficients, for models whose motion depends on them.
            sample_rate: sample rate of an array, Hz.
            transcript: what is said: a file (text, captions, TextGrid, words with times) or a `Transcript`. Its phones
                steer closures, rounding and jaw. The speech is then read whole.
            progress: called after each window with the seconds done and the total.
            changes: fields of `SamplingOptions`.
        """
        how = {"sample_rate": sample_rate, "transcript": transcript, "progress": progress, **changes}
        return self.generate_many(speech, 1, style, options, identity, **how)[0]  # type: ignore[arg-type]

    def generate_many(
        self, speech: SpeechSource, n_samples: int, style: StyleSource | None = None,
        options: SamplingOptions | None = None, identity: np.ndarray | None = None, *, sample_rate: int | None = None,
        transcript: TranscriptSource | None = None, progress: Progress | None = None, **changes: object,
    ) -> list[Motion]:  # fmt: skip
        """Generate several samples for one speech at once.

        The arguments are those of `generate`. Sample k equals the motion that `generate` makes with ``seed + k``.
        """
        how = {"sample_rate": sample_rate, "transcript": transcript, "progress": progress, **changes}
        return joined_samples(self.windows(speech, n_samples, style, options, identity, **how))  # type: ignore[arg-type]

    def frames(
        self, speech: SpeechSource, style: StyleSource | None = None, options: SamplingOptions | None = None,
        identity: np.ndarray | None = None, *, sample_rate: int | None = None,
        transcript: TranscriptSource | None = None, progress: Progress | None = None, **changes: object,
    ) -> Iterator[Motion]:  # fmt: skip
        """Yield the motion of `generate` frame by frame, each frame as a `Motion` of length 1.

        The arguments are those of `generate`. Frames are generated 4 s at a time.
        """
        how = {"sample_rate": sample_rate, "transcript": transcript, "progress": progress, **changes}
        for (window,) in self.windows(speech, 1, style, options, identity, **how):  # type: ignore[arg-type]
            for index in range(len(window)):
                yield window.slice(index, index + 1)

    def windows(
        self, speech: SpeechSource, n_samples: int = 1, style: StyleSource | None = None,
        options: SamplingOptions | None = None, identity: np.ndarray | None = None, *, sample_rate: int | None = None,
        transcript: TranscriptSource | None = None, progress: Progress | None = None, **changes: object,
    ) -> Iterator[list[Motion]]:  # fmt: skip
        """Yield window after window; each item holds the next 4 s (or less) of every sample.

        The arguments are those of `generate_many`. Wrong arguments are refused at once, before the first window.
        """
        if n_samples < 1:
            raise UsageError(f"samples must be at least 1, got {n_samples}")
        stream = speech_of(speech, round(FRAME_SAMPLES * self.model.space.fps), sample_rate)
        sampler = self.sampler(style, options, identity, **changes)
        script = None if transcript is None else script_of(transcript, stream, self.model.speech_encoder)
        if sampler.options.non_speech == "rest":
            stream = SpeechOnly(stream)
        elif stream.sample_rate == SAMPLE_RATE:
            stream = SpeechMeter(stream)
        windows = self._sampled_windows(stream, n_samples, sampler, script)
        return reported(windows, getattr(stream, "duration", None), progress)

    def stream(
        self, style: StyleSource | None = None, options: SamplingOptions | None = None,
        identity: np.ndarray | None = None, *, lookahead_ms: LookAhead = LOOKAHEAD_MS, hop_ms: float = HOP_MS,
        state: Mapping[str, np.ndarray] | None = None, **changes: object,
    ) -> Stream:  # fmt: skip
        """Return a stream: sound goes in as it comes, motion comes out hop by hop (see `generate.stream`).

        Args:
            style: see `generate`.
            options: see `generate`.
            identity: see `generate`.
            lookahead_ms: sound that is waited for after a frame, 0 to 1000 ms. Less comes sooner, more follows better.
                "offline": the windows of `generate`, which come out 4 s at a time.
            hop_ms: motion that comes out at a time, 40 to 1000 ms.
            state: of an earlier stream (`Stream.state`) with the same arguments, to go on with it.
            changes: fields of `SamplingOptions`. The default of ``steps`` is 5 for dpmpp, or the model's own if that is less.

        Raises:
            UsageError: an argument is out of range, or the model cannot stream.
            InputError: the state is damaged.
        """
        resolved = self.style(style)
        has_steps = "steps" in changes or (options is not None and options.steps is not None)
        options = self._merged_options(options, changes, resolved is not None)
        if not has_steps:
            options = quick(options, lookahead_ms)
        sizes = hop_sizes(lookahead_ms, hop_ms, self.space.fps, self.model.config.denoiser.window)
        person = self.identity(identity)
        hopper = stream_hopper(self.model, self.schedule, options, sizes, resolved, person, self._initial_noise)
        return Stream(hopper, options.seed, state)

    def _sampled_windows(
        self, speech: SpeechStream, n_samples: int, sampler: WindowSampler, script: np.ndarray | None
    ) -> Iterator[list[Motion]]:
        """Sample window after window; each continues the one before."""
        options, config = sampler.options, self.model.config
        generators, history = generators_of(options.seed, n_samples), None
        windows = windows_of_features(
            self.model.speech_encoder, speech.blocks(), config.denoiser.window, config.padding, script
        )
        for features, n_valid in windows if n_threads() == 1 else ahead(windows):
            window = sampler.sample(features, n_valid, history, generators)
            history = sampler.history(window, features)
            yield [
                self.model.space.decode(sample[:n_valid]).scaled(options.expression_scale, options.head_scale)
                for sample in window
            ]
        if isinstance(speech, SpeechMeter):
            warn_of_non_speech(speech)

    def sampler(
        self, style: StyleSource | None = None, options: SamplingOptions | None = None,
        identity: np.ndarray | None = None, **changes: object,
    ) -> WindowSampler:  # fmt: skip
        """Return what samples single windows with this style and these options; arguments as for `generate`."""
        resolved = self.style(style)
        return WindowSampler(
            self.model,
            self.schedule,
            self._merged_options(options, changes, resolved is not None),
            None if resolved is None else resolved.vector,
            self.identity(identity),
            self._initial_noise,
            self._join,
        )

    def identity(self, identity: np.ndarray | None) -> np.ndarray | None:
        """Return normalised identity coefficients, or None if the model does not use them.

        Args:
            identity: ``(I,)`` coefficients of the head; None for the mean person.

        Raises:
            UsageError: the number of coefficients is wrong.
        """
        space = self.model.identity_space
        return None if space is None else space.encode(identity)

    def completed_options(self, options: SamplingOptions, has_style: bool) -> SamplingOptions:
        """Fill in the model's defaults. A scale stays None if the model cannot be guided by that condition.

        Args:
            options: the options to complete.
            has_style: whether a style is given. Without one the learned null style is used, which cannot be guided.

        Raises:
            UsageError: a scale is given for a condition that cannot be guided.
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
            guidance=options.guidance or own.guidance,
            steps=own.steps if options.steps is None and options.sampler == "dpmpp" else options.steps,
        )

    def _merged_options(
        self, options: SamplingOptions | None, changes: dict[str, object], has_style: bool
    ) -> SamplingOptions:
        known = [field.name for field in fields(SamplingOptions)]
        for name in changes:
            if name not in known:
                raise UsageError(f"unknown sampling option {name!r}: choose from {', '.join(known)}")
        options = replace(options or SamplingOptions(), **changes)  # type: ignore[arg-type]
        return self.completed_options(options, has_style)


def reported(
    windows: Iterator[list[Motion]], duration_s: float | None, progress: Progress | None
) -> Iterator[list[Motion]]:
    """Yield the windows unchanged; report the seconds done to ``progress`` after each."""
    seconds = 0.0
    for window in windows:
        seconds += window[0].duration
        if progress is not None:
            progress(seconds, duration_s)
        yield window


def joined_samples(windows: Iterable[list[Motion]]) -> list[Motion]:
    """Join the windows of every sample; each window is a list with one motion per sample."""
    return [Motion.joined(parts) for parts in zip(*windows)]

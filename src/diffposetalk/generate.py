"""Speech and style -> motion, window after window, at constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from diffposetalk.checkpoint import Model, fingerprint, load_model
from diffposetalk.diffusion import sample, standard_normal
from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.guidance import SamplingOptions, guidance_entries, guided
from diffposetalk.motion import Motion, Style
from diffposetalk.nn.speech_encoder import (
    FRAME_SAMPLES,
    LOOKAHEAD,
    MELS_PER_FRAME,
    MEMORY,
    OVERLAP,
    SILENCE,
    SpeechEncoder,
)
from diffposetalk.noise import NoiseSchedule

ASSETS = Path(__file__).parent / "assets"
BUNDLED = ("lite",)
"""Models that come with the package."""
DEFAULT_STYLE = "neutral"
JOIN_FRAMES = {"head_pose": 30}
"""Frames over which a window gives up what it was moved by to continue the one before; other parts: `JOIN_FACE`."""
JOIN_FACE = 5
HEAD_SCALES = (0.3, 3.0)
"""Bounds of the head's amplitude that a style brings along."""
SHORTEST_STYLE_S = 1.0
"""Seconds of motion below which no manner of speaking can be read."""


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
        self._encoder = fingerprint(model.style_encoder)
        noise = [
            next((std for start, std in model.config.sampling.initial_noise.items() if name.startswith(start)), 1.0)
            for name in model.space.channels
        ]
        join = torch.zeros(model.config.denoiser.window, model.space.dim, device=self.device)
        for part, where in model.space.parts.items():
            join[:, where] = fading(len(join), JOIN_FRAMES.get(part, JOIN_FACE), self.device)[:, None]
        self._join = join
        self._initial_noise = torch.tensor(noise, device=self.device)

    @staticmethod
    def from_pretrained(name: str | Path = "lite", device: str = "cpu") -> Talker:
        """Load a bundled model by name, or a model file.

        Raises:
            UsageError: no bundled model and no file is called so.
            ModelError: the file is no model of ours.
        """
        path = ASSETS / f"{name}.safetensors" if str(name) in BUNDLED else Path(name)
        if str(name) not in BUNDLED and not path.exists():
            raise UsageError(f"no model {str(name)!r}: neither bundled ({', '.join(BUNDLED)}) nor a file")
        model = load_model(path)
        for network in model.networks.values():
            network.to(device)
        return Talker(model)

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the styles that came with the model."""
        return tuple(self.model.presets)

    def style(self, style: str | Path | Style | Motion | None) -> Style:
        """Turn a preset's name, a file (``.style.safetensors`` or a motion ``.npz``), or a motion into a style.

        None is the neutral preset.

        Raises:
            UsageError: no preset and no file is called so.
            ModelError: the style was made by another encoder.
        """
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
            style = Style.load(path)
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
        """
        vectors = torch.from_numpy(self.model.space.encode(motion)).to(self.device)
        fps, window = self.model.space.fps, self.model.config.style_encoder.window
        if len(vectors) < SHORTEST_STYLE_S * fps:
            raise InputError(
                f"{source}: {motion.duration:.2f} s of motion is too short to read a style from (1 s at least)"
            )
        with torch.inference_mode():
            styles = self.model.style_encoder(overlapping_windows(vectors, window))
            mean = styles.mean(0)
            mean = mean * (styles[0].norm() / mean.norm())
        own = self.model.config.sampling.head_spread
        head_scale = float(np.clip(head_spread(motion) / own, *HEAD_SCALES)) if own else 1.0
        return Style(mean.cpu().numpy(), self._encoder, source, head_scale)

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
        options = self._options(options, changes)
        style = self.style(style)
        vector = torch.from_numpy(style.vector).to(self.device)
        if n_samples < 1:
            raise UsageError(f"samples must be at least 1, got {n_samples}")
        identity_dim = self.model.config.denoiser.identity_dim
        if identity is not None and identity_dim and np.shape(identity) != (identity_dim,):
            raise UsageError(f"identity must have {identity_dim} numbers for this model, got {np.shape(identity)}")
        person = torch.from_numpy(np.asarray(identity, np.float32)).to(self.device) if identity_dim else None
        if identity_dim and identity is None:
            person = torch.zeros(identity_dim, device=self.device)
        if speech.sample_rate != FRAME_SAMPLES * self.model.space.fps:
            raise InputError(
                f"the model hears {FRAME_SAMPLES * self.model.space.fps:g} Hz, not {speech.sample_rate} Hz"
            )
        generators = [torch.Generator().manual_seed(options.seed + k) for k in range(n_samples)]
        config = self.model.config.denoiser
        previous_motion = previous_speech = None
        for features, n_valid in windows_of_features(self.model.speech_encoder, speech.blocks(), config.window):
            window = self._window(
                features, n_valid, vector, person, previous_motion, previous_speech, generators, options
            )
            previous_motion, previous_speech = window[:, -config.context :], features[-config.context :]
            yield [
                self.model.space.decode(take[:n_valid].cpu().numpy()).scaled(
                    options.expression_scale, options.head_scale * style.head_scale
                )
                for take in window
            ]

    def _options(self, options: SamplingOptions | None, changes: dict[str, object]) -> SamplingOptions:
        try:
            options = replace(options or SamplingOptions(), **changes)  # type: ignore[arg-type]
        except TypeError as error:
            raise UsageError(f"unknown sampling option: {error}") from None
        own = self.model.config.sampling
        return replace(
            options,
            speech_scale=own.speech_scale if options.speech_scale is None else options.speech_scale,
            style_scale=own.style_scale if options.style_scale is None else options.style_scale,
            steps=own.steps if options.steps is None and options.sampler == "dpmpp" else options.steps,
        )

    @torch.inference_mode()
    def _window(
        self,
        features: Tensor,
        n_valid: int,
        style: Tensor,
        identity: Tensor | None,
        previous_motion: Tensor | None,
        previous_speech: Tensor | None,
        generators: Sequence[torch.Generator],
        options: SamplingOptions,
    ) -> Tensor:
        """Sample one window for all takes: ``(n_samples, L, D)`` normalised."""
        denoiser, n = self.model.denoiser, len(generators)
        config = denoiser.config
        entries = guidance_entries(options.speech_scale, options.style_scale, options.guidance)
        rows = len(entries) * n
        valid = (torch.arange(config.window, device=self.device) < n_valid).expand(n, -1)

        def repeated(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.expand(rows, *value.shape)

        conditions = denoiser.prepare(
            features.expand(rows, -1, -1),
            repeated(style),
            repeated(identity),
            None if previous_motion is None else previous_motion.repeat(len(entries), 1, 1),
            repeated(previous_speech),
            valid.repeat(len(entries), 1),
            torch.tensor([not entry.speech for entry in entries], device=self.device).repeat_interleave(n),
            torch.tensor([not entry.style for entry in entries], device=self.device).repeat_interleave(n),
        )

        def denoise(x_n: Tensor, noise_step: int) -> Tensor:
            step = torch.full((rows,), noise_step, device=self.device)
            clean = denoiser(x_n.repeat(len(entries), 1, 1), step, conditions)[:, config.context :]
            clean = guided(clean.unflatten(0, (len(entries), n)), entries, threshold=options.threshold, valid=valid)
            return clean if previous_motion is None else continued(clean, previous_motion, self._join)

        like = torch.empty(n, config.window, config.motion_dim, device=self.device)
        noise = standard_normal(like, generators) * self._initial_noise
        return sample(options.sampler, denoise, noise, self.schedule, options.steps, generator=generators)


def overlapping_windows(vectors: Tensor, window: int) -> Tensor:
    """Cut ``(T, D)`` into windows that overlap by half and reach the end: ``(N, window, D)``, or the whole if shorter."""
    last = max(0, len(vectors) - window)
    starts = sorted({*range(0, last, window // 2), last})
    return torch.stack([vectors[start : start + window] for start in starts])


def head_spread(motion: Motion, window_s: float = 4.0) -> float:
    """Return how far the head strays from its mean within windows of that length, rms over time, radians."""
    size = max(2, round(window_s * motion.fps))
    starts = range(0, max(1, len(motion) - size + 1), size)
    return float(np.sqrt(np.mean([motion.head_pose[start : start + size].var(0).sum() for start in starts])))


def continued(window: Tensor, previous: Tensor, fade: Tensor) -> Tensor:
    """Move the beginning of a predicted window so that it goes on where the motion before it ended.

    Done to every prediction of a sampler's run, so that the network completes a window that continues; the context it
    sees alone leaves small jumps of the head.

    Args:
        window: ``(B, L, D)`` prediction of the clean window.
        previous: ``(B, P, D)`` the frames before it.
        fade: ``(L, D)`` share of the shift left in each frame, 1 in the first.
    """
    expected = previous[:, -1] + 0.9 * (previous[:, -1] - previous[:, -2])
    return window + (expected - window[:, 0])[:, None] * fade


def fading(n_frames: int, fade_frames: int, device: torch.device | None = None) -> Tensor:
    """Return a minimum-jerk fall from 1 to 0 over ``fade_frames``, then zeros: ``(n_frames,)``."""
    share = (torch.arange(n_frames, device=device) / fade_frames).clamp(max=1)
    return 1 - share**3 * (10 - 15 * share + 6 * share**2)


def encode_speech(encoder: SpeechEncoder, blocks: Iterable[np.ndarray]) -> Iterator[Tensor]:
    """Encode speech of any length piece by piece; equal to encoding it whole.

    Args:
        encoder: the compact speech encoder.
        blocks: ``(n,)`` float32 samples at 16 kHz, of any lengths.

    Yields:
        ``(t, dim)`` features, together one for every begun 40 ms of speech. The speech is taken to be surrounded by
        silence.
    """
    device = encoder.prior.device
    rest = np.zeros(0, np.float32)
    before = torch.zeros(1, OVERLAP, device=device)
    state = None
    known = torch.full((1, encoder.config.n_mels, MEMORY * MELS_PER_FRAME), SILENCE, device=device)

    @torch.inference_mode()
    def advance(samples: np.ndarray) -> Tensor | None:
        nonlocal before, state, known
        wave = torch.from_numpy(samples).to(device)[None]
        mels, state = encoder.normalise(encoder.log_mels(wave, before), state)
        before = torch.cat([before, wave], -1)[:, -OVERLAP:]
        known = torch.cat([known, mels], -1)
        return ready()

    @torch.inference_mode()
    def ready() -> Tensor | None:
        nonlocal known
        n_frames = known.shape[-1] // MELS_PER_FRAME - MEMORY - LOOKAHEAD
        if n_frames < 1:
            return None
        features = encoder.features(encoder.hidden(known))[0]
        known = known[..., n_frames * MELS_PER_FRAME :]
        return features

    def drain() -> Tensor | None:
        nonlocal known
        end = known.new_full((1, known.shape[1], LOOKAHEAD * MELS_PER_FRAME), SILENCE)
        known = torch.cat([known, end], -1)
        return ready()

    for block in blocks:
        rest = np.concatenate([rest, block])
        n = len(rest) // FRAME_SAMPLES * FRAME_SAMPLES
        if n:
            features = advance(rest[:n])
            rest = rest[n:]
            if features is not None:
                yield features
    if len(rest):
        features = advance(np.pad(rest, (0, FRAME_SAMPLES - len(rest))))
        if features is not None:
            yield features
    features = drain()
    if features is not None:
        yield features


def windows_of_features(
    encoder: SpeechEncoder, blocks: Iterable[np.ndarray], window: int
) -> Iterator[tuple[Tensor, int]]:
    """Group a speech's features into windows; the last is filled up with zeros.

    Yields:
        ``(window, dim)`` features and how many of them are real.
    """
    waiting: list[Tensor] = []
    for features in encode_speech(encoder, blocks):
        waiting.append(features)
        while sum(map(len, waiting)) >= window:
            joined = torch.cat(waiting)
            yield joined[:window], window
            waiting = [joined[window:]]
    left = torch.cat(waiting) if waiting else torch.empty(0)
    if len(left):
        yield torch.cat([left, left.new_zeros(window - len(left), left.shape[1])]), len(left)

"""One hop of streaming: the next frames of motion, from the sound so far and a little of what follows.

A hop samples one short window. Its frames are, in order:

    context   P frames before the window, which the denoiser attends to
    known     K frames that were given out already; each prediction of the sampler is replaced by them
    new       the frames of this hop, which are given out
    plan      frames after them, which the next hops sample again; their speech is not heard yet

Known frames and plan make the hops agree with each other: the smoothing in the denoiser sees both sides of a new frame,
and every frame keeps its own noise in all windows that contain it. So a blink or a nod that a window plans goes on in the
next.

The features of frames whose look-ahead has not arrived yet are computed with silence in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.diffusion.samplers import endless_noise, generators_of
from diffposetalk.errors import InputError, UsageError
from diffposetalk.generate.window import continued, join_fades, sample_window
from diffposetalk.model.configs import SpeechEncoderConfig
from diffposetalk.model.frames import FRAME_SAMPLES, LOOKAHEAD, MELS_PER_FRAME, OVERLAP, SILENCE
from diffposetalk.model.networks import WindowInput, arrays_of
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.mels import MelState, log_mels, normalised
from diffposetalk.model.onnx.speech import OnnxSpeechEncoder

if TYPE_CHECKING:
    from diffposetalk.diffusion.noise import NoiseSchedule
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.model.checkpoint import Model
    from diffposetalk.motion import MotionSpace


KEPT_FRAMES = 1500
"""Frames given out that are kept, so that an interruption can go back to the frame that is being shown (60 s)."""


@dataclass(frozen=True)
class HopSizes:
    """Lengths of a hop in frames."""

    hop: int = 2
    """New frames."""
    ahead: int = 6
    """Frames of sound that must be there after the new frames."""
    known: int = 10
    """Most frames that are kept from the hops before."""
    window: int = 30
    """Frames of a window: known, new and planned."""

    def __post_init__(self) -> None:
        if min(self.hop, self.window) < 1 or min(self.ahead, self.known) < 0:
            raise UsageError(f"lengths of a hop must not be negative: {self}")


@dataclass(frozen=True)
class HopState:
    """Everything that the next hop needs of the past: arrays and numbers."""

    n_done: int
    """Frames given out."""
    before: np.ndarray
    """``(OVERLAP,)`` the last samples heard."""
    mean_total: np.ndarray
    """``(n_mels,)`` see `MelState`."""
    mean_weight: float
    """See `MelState`."""
    mels: np.ndarray
    """``(n_mels, 4 t)`` normalised log-mels, from the encoder's memory before the next frame up to the last sample heard."""
    motion: np.ndarray
    """``(n, D)`` the last frames given out, normalised; at most `KEPT_FRAMES`."""
    features: np.ndarray
    """``(m, dim)`` features of the last of them; at most P + K."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields as arrays, for an npz file."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray], like: HopState) -> HopState:
        """Return the state that `arrays` holds.

        Args:
            arrays: from `arrays`.
            like: a state of the same model, with whose shapes it is compared.

        Raises:
            InputError: an array is missing, or of another model.
        """
        values: dict[str, Any] = {}
        for field in fields(HopState):
            if field.name not in arrays:
                raise InputError(f"state of a stream: {field.name} is missing")
            value, expected = np.asarray(arrays[field.name]), np.asarray(getattr(like, field.name))
            growing = {"mels": -1, "motion": 0, "features": 0}.get(field.name)
            shapes = [list(each.shape) for each in (value, expected)]
            if growing is not None and value.ndim == expected.ndim:
                shapes[0][growing] = shapes[1][growing] = 0
            if shapes[0] != shapes[1] or not np.isfinite(value).all():
                raise InputError(f"state of a stream: {field.name} is damaged, or of another model")
            values[field.name] = value.astype(expected.dtype) if expected.ndim else value.item()
        return HopState(**values)


class Hopper:
    """A model with a style and options, which makes motion hop by hop.

    It holds no state: `advance` takes one and returns the next. The networks run by onnxruntime on the processor.
    """

    def __init__(
        self,
        model: Model,
        schedule: NoiseSchedule,
        options: SamplingOptions,
        sizes: HopSizes,
        style: np.ndarray | None,
        person: np.ndarray | None,
        initial_noise: np.ndarray,
    ) -> None:
        """Prepare the networks for short windows.

        Args:
            model: the model.
            schedule: its noise schedule.
            options: completed sampling options.
            sizes: lengths of a hop.
            style: ``(S,)`` style vector; None for the learned null style.
            person: ``(I,)`` identity; None where the model does not use it.
            initial_noise: ``(D,)`` standard deviation of the initial noise.

        Raises:
            UsageError: the model's speech encoder cannot stream, or the lengths do not fit the model.
        """
        config = model.config
        if not isinstance(config.speech_encoder, SpeechEncoderConfig):
            raise UsageError(f"the model {config.name!r} hears whole sentences and cannot stream; use lite")
        self.context = config.denoiser.context
        longest = config.denoiser.window
        past = self.context + sizes.known
        shortest = max(sizes.known, past - 1 if sizes.hop < past else 0) + sizes.hop
        if not shortest <= sizes.window <= longest:
            raise UsageError(f"a window for streaming must have {shortest} to {longest} frames, not {sizes.window}")
        self.encoder = OnnxSpeechEncoder(config.speech_encoder, arrays_of(model.speech_encoder))
        denoiser = OnnxDenoiser(config.denoiser, arrays_of(model.denoiser)).shortened(sizes.window)
        self.sizes, self.options, self.schedule = sizes, options, schedule
        self.model = replace(model, denoiser=denoiser)
        self.style = None if style is None else style[None]
        self.person = None if person is None else person[None]
        self.initial_noise = initial_noise
        self.fade = join_fades(model.space, sizes.window)

    @property
    def space(self) -> MotionSpace:
        """The motion space."""
        return self.model.space

    @property
    def kept(self) -> int:
        """Frames of the past that a window sees: P + K."""
        return self.context + self.sizes.known

    def start(self) -> HopState:
        """Return the state before any sound: silence."""
        mean = MelState.start(self.encoder.prior)
        memory = self.encoder.config.memory * MELS_PER_FRAME
        return HopState(
            n_done=0,
            before=np.zeros(OVERLAP, np.float32),
            mean_total=mean.total,
            mean_weight=mean.weight,
            mels=np.full((self.encoder.config.n_mels, memory), SILENCE, np.float32),
            motion=np.zeros((0, self.space.dim), np.float32),
            features=np.zeros((0, self.encoder.config.dim), np.float32),
        )

    def resumed(self, arrays: Mapping[str, np.ndarray]) -> HopState:
        """Return the state that `HopState.arrays` made.

        Raises:
            InputError: it is damaged, or of another model.
        """
        state = HopState.of(arrays, self.start())
        memory = self.encoder.config.memory
        n_heard, surplus = divmod(state.mels.shape[1], MELS_PER_FRAME)
        n_motion, n_features = len(state.motion), len(state.features)
        if (
            surplus or not memory <= n_heard < memory + self.sizes.hop + self.sizes.ahead
            or not n_motion <= min(state.n_done, KEPT_FRAMES) or n_features != min(self.kept, n_motion)
            or (n_motion < state.n_done and n_motion < self.kept) or not state.mean_weight > 0
        ):  # fmt: skip
            raise InputError("state of a stream: its lengths do not fit together; it is damaged, or of another model")
        return state

    def n_samples_wanted(self, state: HopState) -> int:
        """Return how many samples at 16 kHz the next hop takes: of its own frames and of the look-ahead, as far as missing."""
        n_heard = state.mels.shape[1] // MELS_PER_FRAME - self.encoder.config.memory
        return (self.sizes.hop + self.sizes.ahead - n_heard) * FRAME_SAMPLES

    def advance(self, state: HopState, samples: np.ndarray, seed: int) -> tuple[HopState, np.ndarray]:
        """Make the next frames of a hop.

        Args:
            state: from the hop before, or `start`.
            samples: ``(n_samples_wanted,)`` float32 at 16 kHz.
            seed: of the noise.

        Returns:
            The next state, and ``(hop, D)`` normalised motion.
        """
        return self._next_frames(self.heard(state, samples), seed, self.sizes.hop)

    def taken_back(self, state: HopState, n_done: int) -> HopState:
        """Return the state without the frames from number ``n_done`` on, as far as they are kept.

        Only `silenced` may follow: what was heard is not taken back.
        """
        n_needed = self.kept if state.n_done > len(state.motion) else 0
        n_back = min(max(0, state.n_done - n_done), max(0, len(state.motion) - n_needed))
        return replace(state, n_done=state.n_done - n_back, motion=state.motion[: len(state.motion) - n_back])

    def silenced(self, state: HopState, seed: int, n_frames: int) -> tuple[HopState, np.ndarray]:
        """Make the next frames as if all sound had stopped before them; what was heard ahead is forgotten.

        Args:
            state: the state.
            seed: of the noise.
            n_frames: frames to make, at most those of a window without the known ones.

        Returns:
            The next state, and ``(n_frames, D)`` normalised motion.
        """
        start = self.start()
        quiet = replace(
            start, n_done=state.n_done, motion=state.motion, mean_total=state.mean_total, mean_weight=state.mean_weight
        )
        silence = self.features(start, 0)[:1]
        quiet = replace(quiet, features=np.repeat(silence, min(self.kept, len(state.motion)), 0))
        after, frames = self._next_frames(quiet, seed, n_frames)
        return replace(after, mels=start.mels), frames

    def _next_frames(self, heard: HopState, seed: int, n_new: int) -> tuple[HopState, np.ndarray]:
        """Sample the window of the next ``n_new`` frames."""
        n_known = min(len(heard.features), self.sizes.known)
        previous_motion = previous_speech = None
        if len(heard.features) == self.kept:
            previous_motion = heard.motion[-self.kept :][None, : self.context]
            previous_speech = heard.features[None, : self.context]
        else:  # the stream has just begun: the window begins with it
            n_known = len(heard.features)
        features = self.features(heard, n_known)
        inputs = WindowInput(
            features[None], self.style, self.person, previous_motion, previous_speech,
            np.ones((1, self.sizes.window), bool),
        )  # fmt: skip
        noise = frame_noise(seed, heard.n_done - n_known, self.sizes.window, self.space.dim) * self.initial_noise
        known = heard.motion[None, len(heard.motion) - n_known :]

        def keep_known(window: np.ndarray) -> np.ndarray:
            """Put the known frames in their places, and shift the frames after them so that they go on from there."""
            if not n_known:
                return window if previous_motion is None else continued(window, previous_motion, self.fade)
            shift = known[:, -1] - window[:, n_known - 1]
            rest = window[:, n_known:] + shift[:, None] * self.fade[1 : 1 + self.sizes.window - n_known]
            return np.concatenate([known, rest], 1)

        added = endless_noise((1, *noise.shape), generators_of((seed + heard.n_done) % 2**63, 1))
        window = sample_window(
            self.model, self.schedule, self.options, noise[None], inputs, adjust=keep_known, noises=added
        )[0]
        new = slice(n_known, n_known + n_new)
        after = replace(
            heard,
            n_done=heard.n_done + n_new,
            mels=heard.mels[:, n_new * MELS_PER_FRAME :],
            motion=np.concatenate([heard.motion, window[new]])[-KEPT_FRAMES:],
            features=np.concatenate([heard.features, features[new]])[-self.kept :],
        )
        return after, window[new]

    def heard(self, state: HopState, samples: np.ndarray) -> HopState:
        """Add the log-mels of new samples ``(640 t,)``."""
        config = self.encoder.config
        mels = log_mels(samples, state.before, config.n_mels)
        centred, mean = normalised(mels, MelState(state.mean_total, state.mean_weight), config.memory_s)
        return replace(
            state,
            before=np.concatenate([state.before, samples])[-OVERLAP:],
            mean_total=mean.total,
            mean_weight=mean.weight,
            mels=np.concatenate([state.mels, centred.T], 1),
        )

    def features(self, heard: HopState, n_known: int) -> np.ndarray:
        """Return the features of the window ``(window, dim)``: the known ones, then those of all that was heard."""
        n_frames = self.sizes.window - n_known
        n_mels = (self.encoder.config.memory + n_frames + LOOKAHEAD) * MELS_PER_FRAME
        mels = heard.mels[:, :n_mels]
        mels = np.pad(mels, ((0, 0), (0, n_mels - mels.shape[1])), constant_values=SILENCE)
        features = self.encoder.encoded(mels.T)
        return np.concatenate([heard.features[len(heard.features) - n_known :], features])


def frame_noise(seed: int, first: int, n_frames: int, dim: int) -> np.ndarray:
    """Return standard normal noise ``(n_frames, dim)`` float32; a frame's noise depends on the seed and its number alone."""
    return np.stack(
        [
            np.random.Generator(np.random.Philox(key=[seed, frame])).standard_normal(dim, np.float32)
            for frame in range(first, first + n_frames)
        ]
    )

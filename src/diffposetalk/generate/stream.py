"""Motion while the sound is still coming: packets of sound in, chunks of frames out, at constant memory.

    stream = talker.stream("lively")
    for packet in microphone:
        chunk = stream.feed(packet, 48000)
        if chunk is not None:
            show(chunk.times, chunk.motion)
    last = stream.finish()

A frame comes out when its own sound and ``lookahead_ms`` of what follows have arrived. What comes out depends on the sound
and the seed alone, not on how the sound was cut into packets: streamed and fed at once are equal to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from diffposetalk.diffusion.guidance import is_number
from diffposetalk.errors import InputError, UsageError
from diffposetalk.generate.hops import Hopper, HopSizes
from diffposetalk.generate.packets import Packets
from diffposetalk.model.frames import FRAME_SAMPLES, LOOKAHEAD
from diffposetalk.motion import Motion

if TYPE_CHECKING:
    from diffposetalk.diffusion.noise import NoiseSchedule
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.model.checkpoint import Model
    from diffposetalk.style import Style

LOOKAHEAD_MS = 240.0
"""Default look-ahead: what the speech encoder was trained with."""
LookAhead: TypeAlias = float | Literal["offline"]
"""Milliseconds of sound that are waited for, or the windows of `Talker.generate`."""
HOP_MS = 80.0
"""Default length of a hop."""
LONGEST_LOOKAHEAD_MS = 1000.0
LONGEST_HOP_MS = 1000.0
KNOWN_FRAMES = 10
"""Frames given out that a window repeats."""
NEW_FRAMES = 20
"""Frames of a window after them, as a rule: the hop's and those planned."""
STEPS = 5
"""Most evaluations of a window by dpmpp, unless the caller chooses. Head, blinks and lips are as with 10; the jaw moves 6 %
less far."""
EASE_FRAMES = 8
"""Frames of an interruption, in which the face comes to rest (0.32 s)."""
STATE_FORMAT = 1
"""Format version of saved states."""
_NUMBERS = ("hop", "ahead", "known", "window")
"""Fields of `HopSizes` in a saved state."""


@dataclass(frozen=True)
class Chunk:
    """Some frames of motion with their place in the sound."""

    start_s: float
    """Time of the first frame from the beginning of the stream's sound, seconds."""
    motion: Motion
    """The frames."""

    @property
    def times(self) -> np.ndarray:
        """``(T,)`` time of each frame: where its 40 ms of sound begin, seconds."""
        return self.start_s + np.arange(len(self.motion)) / self.motion.fps

    @property
    def end_s(self) -> float:
        """Time at which the next frame begins, seconds."""
        return self.start_s + self.motion.duration

    def __len__(self) -> int:
        return len(self.motion)


class Stream:
    """A talking face that hears one never-ending sound; made by `Talker.stream`."""

    def __init__(self, hopper: Hopper, seed: int, state: Mapping[str, np.ndarray] | None = None) -> None:
        """Begin a stream, or go on with a saved one.

        Args:
            hopper: what makes the frames.
            seed: of all random draws.
            state: from `state`; None: begin.

        Raises:
            InputError: the state is damaged, or of another model.
            UsageError: the state was saved with other lengths or another seed.
        """
        self._hopper, self._seed = hopper, seed
        self._packets, self._hops, self._finished = Packets(), hopper.start(), False
        self._heard = 0
        if state is not None:
            self._resume(state)

    def __repr__(self) -> str:
        sizes = self._hopper.sizes
        frame_ms = 1000 / self.fps
        return (
            f"Stream(at {self.position_s:.2f} s, hops of {sizes.hop * frame_ms:g} ms, "
            f"look-ahead {sizes.ahead * frame_ms:g} ms)"
        )

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._hopper.space.fps

    @property
    def position_s(self) -> float:
        """Time of the next frame to come out, seconds from the beginning of the sound."""
        return self._hops.n_done / self.fps

    @property
    def hop_s(self) -> float:
        """Seconds of motion that come out at a time."""
        return self._hopper.sizes.hop / self.fps

    @property
    def delay_s(self) -> float:
        """Seconds from the beginning of a frame's sound until that frame can come out, at most: hop and look-ahead."""
        return (self._hopper.sizes.hop + self._hopper.sizes.ahead) / self.fps

    def feed(self, pcm: np.ndarray | bytes, sample_rate: int | None = None, *, at: float | None = None) -> Chunk | None:
        """Add sound; return the frames that it completes, or None.

        Args:
            pcm: ``(n,)`` or ``(n, channels)``, floats in [-1, 1] or integers at full scale; or bytes of 16-bit
                little-endian mono. Any length.
            sample_rate: Hz; None: as before, at first 16 kHz.
            at: time of the first sample on the sender's clock, seconds. With it a lost packet becomes silence, a
                repeated one is ignored, and a late one is used if its time has not been taken yet.

        Raises:
            InputError: it is not sound. The stream is as before.
            UsageError: the stream is finished.
        """
        if self._finished:
            raise UsageError("this stream is finished; begin again with reset()")
        self._packets.push(pcm, sample_rate, at)
        return self._chunk(self._hops_of_waiting())

    def finish(self) -> Chunk | None:
        """Return the frames of all sound that is left; after it comes silence.

        Raises:
            UsageError: the stream is finished already.
        """
        if self._finished:
            raise UsageError("this stream is finished; begin again with reset()")
        self._finished = True
        rest = self._packets.rest()
        n_frames = math.ceil((self._heard + len(rest)) / FRAME_SAMPLES)
        n_missing = n_frames - self._hops.n_done
        if n_missing <= 0:
            return None
        chunk = self._chunk(self._hops_of(rest, n_frames))
        return None if chunk is None else Chunk(chunk.start_s, chunk.motion.slice(0, n_missing))

    def interrupt(self, at_s: float | None = None) -> Chunk:
        """Stop talking: return the frames in which the face comes to rest, 0.32 s.

        Sound that was fed but not said is forgotten. Sound fed next begins at the chunk's `end_s`.

        Args:
            at_s: position of playback in seconds: frames from there on, which were given out but not shown, are taken
                back. None: nothing is taken back.

        Returns:
            The frames. Its `start_s` is the position up to which the sound was said.

        Raises:
            UsageError: the position is not a time of this stream, or the stream is finished.
        """
        if self._finished:
            raise UsageError("this stream is finished; begin again with reset()")
        if at_s is not None:
            if not (isinstance(at_s, (int, float, np.number)) and 0 <= at_s < math.inf):
                raise UsageError(f"the position of an interruption must be a time of at least 0 s, not {at_s!r}")
            self._hops = self._hopper.taken_back(self._hops, math.ceil(round(float(at_s) * self.fps, 6)))
        self._packets.drop()
        start_s = self.position_s
        self._hops, frames = self._hopper.silenced(self._hops, self._seed, EASE_FRAMES)
        self._heard = self._hops.n_done * FRAME_SAMPLES
        return Chunk(start_s, self._decoded(frames))

    def reset(self, seed: int | None = None) -> None:
        """Begin again at time 0, as a new stream with the same style.

        Args:
            seed: of all random draws; None: as before.
        """
        if seed is not None:
            self._seed = replace(self._hopper.options, seed=seed).seed
        self._packets, self._hops, self._finished = Packets(), self._hopper.start(), False
        self._heard = 0

    def another(self, seed: int | None = None) -> Stream:
        """Return a new stream with the same networks, style and options; much cheaper than `Talker.stream`.

        Args:
            seed: of all random draws; None: that of this stream.
        """
        return Stream(self._hopper, self._seed if seed is None else replace(self._hopper.options, seed=seed).seed)

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that the stream remembers as arrays, for `numpy.savez`; model, style and options excepted.

        A stream made with ``state=`` this goes on as if nothing had happened.
        """
        sizes = self._hopper.sizes
        return {
            "format_version": np.array(STATE_FORMAT, np.int64),
            "sizes": np.array([getattr(sizes, name) for name in _NUMBERS], np.int64),
            "seed": np.array(self._seed, np.int64),
            "heard": np.array(self._heard, np.int64),
            "finished": np.array(self._finished),
            **{f"packets.{name}": value for name, value in self._packets.arrays().items()},
            **{f"hops.{name}": value for name, value in self._hops.arrays().items()},
        }

    def _resume(self, state: Mapping[str, np.ndarray]) -> None:
        try:
            version = int(state["format_version"])
            sizes = HopSizes(**dict(zip(_NUMBERS, (int(n) for n in state["sizes"]), strict=True)))
            seed, heard, finished = int(state["seed"]), int(state["heard"]), bool(state["finished"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"state of a stream: a field is missing or damaged ({error})") from None
        if version > STATE_FORMAT:
            raise InputError(
                f"state of a stream: format {version} is newer than this program reads; update diffposetalk"
            )
        if sizes != self._hopper.sizes:
            raise UsageError(
                f"the stream was saved with {sizes}, not {self._hopper.sizes}; give the same hop and look-ahead"
            )
        if seed != self._seed:
            raise UsageError(f"the stream was saved with seed {seed}, not {self._seed}")

        def part(name: str) -> dict[str, np.ndarray]:
            return {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}

        self._packets = Packets.of(part("packets."))
        self._hops = self._hopper.resumed(part("hops."))
        self._heard, self._finished = heard, finished

    def _hops_of_waiting(self) -> Iterator[np.ndarray]:
        """Yield the frames of every hop whose sound has arrived."""
        while (samples := self._packets.take(self._hopper.n_samples_wanted(self._hops))) is not None:
            self._heard += len(samples)
            self._hops, frames = self._hopper.advance(self._hops, samples, self._seed)
            yield frames

    def _hops_of(self, samples: np.ndarray, n_frames: int) -> Iterator[np.ndarray]:
        """Yield the frames of every hop up to frame ``n_frames`` of the sound that ends with these samples."""
        while self._hops.n_done < n_frames:
            n = self._hopper.n_samples_wanted(self._hops)
            taken, samples = samples[:n], samples[n:]
            padded = np.pad(taken, (0, n - len(taken)))
            self._hops, frames = self._hopper.advance(self._hops, padded, self._seed)
            yield frames

    def _chunk(self, hops: Iterator[np.ndarray]) -> Chunk | None:
        start_s = self.position_s
        frames = list(hops)
        return Chunk(start_s, self._decoded(np.concatenate(frames))) if frames else None

    def _decoded(self, frames: np.ndarray) -> Motion:
        options = self._hopper.options
        return self._hopper.space.decode(frames).scaled(options.expression_scale, options.head_scale)


def quick(options: SamplingOptions, lookahead_ms: LookAhead) -> SamplingOptions:
    """Return completed options with few steps, so that a hop takes much less time than it lasts; offline has time."""
    if options.sampler != "dpmpp" or options.steps is None or lookahead_ms == "offline":
        return options
    return replace(options, steps=min(STEPS, options.steps))


def hop_sizes(lookahead_ms: LookAhead, hop_ms: float, fps: float, longest: int) -> HopSizes:
    """Return the lengths of a hop in whole frames.

    Args:
        lookahead_ms: sound after a frame that is waited for, at most; frames that are begun do not count. "offline":
            the windows of `Talker.generate`, each of which comes out whole.
        hop_ms: length of a hop, rounded to frames; it does not matter offline.
        fps: frames per second.
        longest: frames of the model's window.

    Raises:
        UsageError: a length is out of range.
    """
    if lookahead_ms == "offline":
        return HopSizes(longest, LOOKAHEAD, 0, longest)
    shortest_hop_ms = 1000 / fps
    for name, value, low, high in (
        ("lookahead_ms", lookahead_ms, 0, LONGEST_LOOKAHEAD_MS),
        ("hop_ms", hop_ms, shortest_hop_ms, LONGEST_HOP_MS),
    ):
        if not (is_number(value) and low <= value <= high):
            raise UsageError(f"{name} must be a number of milliseconds from {low:g} to {high:g}, not {value!r}")
    hop = round(hop_ms * fps / 1000)
    ahead = math.floor(lookahead_ms * fps / 1000 + 1e-6)
    return HopSizes(hop, ahead, KNOWN_FRAMES, KNOWN_FRAMES + max(NEW_FRAMES, hop + max(ahead, KNOWN_FRAMES)))


def stream_hopper(
    model: Model,
    schedule: NoiseSchedule,
    options: SamplingOptions,
    sizes: HopSizes,
    style: Style | None,
    person: np.ndarray | None,
    initial_noise: np.ndarray,
) -> Hopper:
    """Return what makes the frames of a stream.

    Args:
        model: the model.
        schedule: its noise schedule.
        options: completed sampling options.
        sizes: lengths of a hop.
        style: the style; None for the learned null style.
        person: ``(I,)`` identity; None where the model does not use it.
        initial_noise: ``(D,)`` standard deviation of the initial noise.

    Raises:
        UsageError: the model or the options cannot stream.
    """
    if options.non_speech == "rest":
        raise UsageError(
            "a stream cannot leave out sound that is not speech, which takes 0.4 s more; choose non_speech='move'"
        )
    vector = None if style is None else style.vector
    return Hopper(model, schedule, options, sizes, vector, person, initial_noise)

"""Where sound comes from: a microphone, a file, or raw samples on stdin."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError

PACKET_S = 0.02
"""Seconds of sound that are read at a time."""
MIC_RATE = 48000
"""Sample rate of the microphone if it has no default of its own, Hz."""


@dataclass(frozen=True)
class Packet:
    """Some sound."""

    samples: np.ndarray | bytes
    """As `generate.stream.Stream.feed` takes it."""
    rate: int
    """Hz."""
    at: float | None = None
    """Time of the first sample on the source's own clock, seconds; None where it has none."""


class Source(Protocol):
    """Sound that comes packet by packet."""

    @property
    def live(self) -> bool:
        """Whether the sound comes no faster than it is spoken."""

    def packets(self) -> Iterator[Packet]:
        """Yield the sound; the iterator waits for it."""


@dataclass(frozen=True)
class FileSource:
    """A sound or video file."""

    path: Path
    live: bool = False

    def packets(self) -> Iterator[Packet]:
        """Yield the sound of the file."""
        from diffposetalk.speech import SAMPLE_RATE, SpeechFile

        for block in SpeechFile(self.path, max_duration=np.inf).blocks(PACKET_S):
            yield Packet(block, SAMPLE_RATE)


@dataclass(frozen=True)
class StdinSource:
    """16-bit little-endian mono samples on stdin, as `arecord`, `parec`, `sox` and `ffmpeg` write them."""

    rate: int
    stdin: BinaryIO | None = None
    """None: the program's own."""
    live: bool = False

    def packets(self) -> Iterator[Packet]:
        """Yield the samples as they come, until stdin ends.

        Raises:
            InputError: stdin is closed, is a terminal, or ends without sound.
        """
        stdin = self.stdin
        if stdin is None:
            if sys.stdin is None:
                raise InputError("--stdin: stdin is closed; pipe 16-bit mono samples into it")
            stdin = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115 (a buffer's lock would outlive us)
        if stdin.isatty():
            raise InputError(
                "--stdin: stdin is a terminal; pipe 16-bit mono samples into it: arecord -f S16_LE -r 16000 | ..."
            )
        read = getattr(stdin, "read1", stdin.read)
        odd, n_bytes = b"", 0
        while data := read(2 * max(1, round(PACKET_S * self.rate))):
            n_bytes += len(data)
            data = odd + data
            whole = len(data) - len(data) % 2
            odd = data[whole:]
            yield Packet(data[:whole], self.rate)
        if not n_bytes:
            raise InputError("--stdin: stdin ended without sound; did the program before it fail?")


class MicSource:
    """A microphone."""

    live = True

    def __init__(self, device: str | None, notify: Callable[[str], object]) -> None:
        """Open the microphone.

        Args:
            device: its number or a part of its name; None: the system's default.
            notify: takes one line for the user.

        Raises:
            UsageError: the package sounddevice or its library is missing.
            DiffPoseTalkError: there is no such microphone, or it cannot be opened.
        """
        sound = sounddevice("--mic")
        self._packets: queue.SimpleQueue[Packet] = queue.SimpleQueue()
        self._notify, self._complained = notify, False
        chosen = int(device) if device is not None and device.isdigit() else device
        try:
            rate = int(sound.query_devices(chosen, "input").get("default_samplerate") or MIC_RATE)
            self._rate = rate
            self._stream = sound.InputStream(
                samplerate=rate, blocksize=round(PACKET_S * rate), device=chosen, channels=1, dtype="float32",
                callback=self._received,
            )  # fmt: skip
        except (sound.PortAudioError, ValueError, OSError) as error:
            raise DiffPoseTalkError(
                f"--mic: the microphone cannot be opened ({error}); see `python -m sounddevice`"
            ) from None

    def packets(self) -> Iterator[Packet]:
        """Yield the sound, for ever."""
        with self._stream:
            while True:
                yield self._packets.get()

    def _received(self, samples: np.ndarray, n: int, times: Any, status: Any) -> None:
        if status and not self._complained:
            self._complained = True
            self._notify("the computer is too slow for the microphone; some sound is lost")
        time = float(times.inputBufferAdcTime)
        self._packets.put(Packet(samples[:, 0].copy(), self._rate, time if time > 0 else None))


def sounddevice(option: str) -> Any:
    """Import sounddevice.

    Raises:
        UsageError: the package or PortAudio is missing.
    """
    try:
        import sounddevice as sound
    except ImportError:
        raise UsageError(f"{option} needs the package sounddevice: pip install 'diffposetalk[mic]'") from None
    except OSError:
        raise UsageError(f"{option} needs PortAudio; on Debian or Ubuntu: apt-get install libportaudio2") from None
    return sound

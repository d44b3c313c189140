"""A live face: sound in, faces out, by one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.live.clock import Clock
from diffposetalk.live.receivers.faces import REST_S, FaceTrack

if TYPE_CHECKING:
    from diffposetalk.generate.stream import Chunk, Stream
    from diffposetalk.live.outputs import Outputs
    from diffposetalk.live.playing import Player
    from diffposetalk.live.sources import Source

AHEAD_S = 1.0
"""Seconds by which motion is made ahead where sound comes faster than it is spoken."""
SPARE_HOPS = 1.0
"""Hops that frames are there before they are shown."""
SLOW_HOPS = 25
"""Hops over which computing time is averaged before the user is told that the machine is too slow."""
END_S = 3.0
"""Longest time that the end waits for a hop that is being made."""
STEP_S = 0.02
"""Seconds between looks at a clock that is waited for."""


@dataclass
class Summary:
    """What happened."""

    seconds: float = 0.0
    """Length of the sound."""
    n_frames: int = 0
    """Faces that were sent to each receiver."""
    n_late: int = 0
    """How often motion came too late."""
    hop_s: list[float] = field(default_factory=list)
    """Computing time of the last hops, seconds."""

    def to_dict(self) -> dict[str, Any]:
        """Return the values for `--json`."""
        median, high = (round(1000 * float(np.percentile(self.hop_s or [0.0], q)), 1) for q in (50, 99))
        times = {"hop_p50_ms": median, "hop_p99_ms": high}
        return {"seconds": round(self.seconds, 2), "frames": self.n_frames, "late": self.n_late, **times}


class Performance:
    """One live face, from the first sound to the last."""

    def __init__(
        self,
        stream: Stream,
        source: Source,
        outputs: Outputs,
        fps: float,
        player: Player | None = None,
        delay_s: float = 0.0,
        notify: Callable[[str], object] = print,
    ) -> None:
        """Put the parts together.

        Args:
            stream: makes the motion.
            source: the sound.
            outputs: the receivers.
            fps: faces a second that are sent.
            player: plays the sound; None: nobody does.
            delay_s: seconds by which faces come after their sound; below 0 they come before it.
            notify: takes one line for the user.
        """
        self._stream, self._source, self._outputs, self._fps = stream, source, outputs, fps
        self._player, self._face_delay_s = player, max(0.0, delay_s)
        self._track = FaceTrack()
        self._clock = Clock(SPARE_HOPS * stream.hop_s, source.live)
        if player is not None:
            player.start(self._clock, max(0.0, -delay_s))
        self._ended, self._stopped = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._notify, self._is_slow = notify, False
        self.summary = Summary()
        """What happened so far."""

    def run(self, seconds: float | None = None) -> Summary:
        """Perform until the sound ends, or for so many seconds of it.

        Raises:
            DiffPoseTalkError: the source fails.
        """
        maker = threading.Thread(target=self._make, name="motion", daemon=True)
        maker.start()
        try:
            self._send(seconds)
        finally:
            self._stopped.set()
            maker.join(END_S)  # the program must not end while a network computes
            self.summary.n_late = self._clock.n_late
            self._outputs.close()
            if self._player is not None:
                self._player.close()
        if self._error is not None:
            raise self._error
        return self.summary

    def _send(self, seconds: float | None) -> None:
        start, n = time.monotonic(), 0
        while True:
            position = self._clock.position
            if position is not None:
                position -= self._face_delay_s
                self._outputs.send(self._track.at(position))
                self.summary.n_frames += 1
                self.summary.seconds = max(0.0, min(position, self._track.end_s))
                if seconds is not None and position >= seconds:
                    return
            if self._ended.is_set() and (position is None or position > self._track.end_s + REST_S):
                return
            n += 1
            wait = start + n / self._fps - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            else:
                n = int((time.monotonic() - start) * self._fps)  # frames whose time has passed are left out

    def _make(self) -> None:
        try:
            for packet in self._source.packets():
                if self._wait_until_wanted():
                    return
                if self._player is not None:
                    self._player.add(packet)
                started = time.monotonic()
                self._take(self._stream.feed(packet.samples, packet.rate, at=packet.at), started)
            started = time.monotonic()
            self._take(self._stream.finish(), started)
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def _take(self, chunk: Chunk | None, started: float) -> None:
        """Put motion, whose making began at a time, where the clock finds it."""
        if chunk is None:
            return
        n_hops = max(1, round(len(chunk) / self._stream.fps / self._stream.hop_s))
        self.summary.hop_s = [*self.summary.hop_s[-9999:], (time.monotonic() - started) / n_hops]
        recent = self.summary.hop_s[-SLOW_HOPS:]
        if not self._is_slow and len(recent) == SLOW_HOPS and np.mean(recent) > self._stream.hop_s:
            self._is_slow = True
            self._notify(
                f"this machine is too slow: a hop of {1000 * self._stream.hop_s:.0f} ms takes "
                f"{1000 * float(np.mean(recent)):.0f} ms; the face falls behind (try --steps 4 or --hop 160)"
            )
        self._track.add(chunk.times, chunk.motion)
        self._clock.arrived(chunk.start_s)

    def _wait_until_wanted(self) -> bool:
        """Wait while enough motion is there. Returns whether to stop."""
        while not self._stopped.is_set():
            position = self._clock.position
            if self._source.live or position is None or self._track.end_s < position + AHEAD_S:
                return False
            self._stopped.wait(STEP_S)
        return True

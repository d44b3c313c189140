"""One read in a process of its own, with limits of memory and time: what came of it."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffposetalk.errors import DiffPoseTalkError

from .readers import Reader

MAX_MB = 500.0
"""Memory that a read may take beyond what the process had before."""
CPU_SECONDS = 3.0
"""Processor time that a read of a small damaged file may take; about a second is asked for, on a quick machine."""
WALL_SECONDS = 60.0
"""After so long the process is ended: it waits for something, or loops inside a library."""
ADDRESS_SPACE = 3 * 2**30
"""Addresses beyond those in use that the process may ask for, so that a bad case cannot fill the machine."""
LONGEST_LINE = 2000
"""Characters of an error's message."""


@dataclass(frozen=True)
class Outcome:
    """What came of one read."""

    kind: str
    """"result", "refused" (one of our own errors), "exception", "message" (our error, but not one line that names the
    file), "memory", "slow", "hang" or "died"."""
    text: str
    """The message, and the place for "exception"."""
    seconds: float = 0.0
    """Processor time."""
    megabytes: float = 0.0
    """Memory beyond what the process had before."""

    @property
    def good(self) -> bool:
        """Whether a user would be content."""
        return self.kind in ("result", "refused")


@contextlib.contextmanager
def prepared(reader: Reader, folder: Path) -> Iterator[Path]:
    """Lay the valid companions of a reader's file into a folder; yield where its file goes."""
    target = folder / reader.place
    target.parent.mkdir(parents=True, exist_ok=True)
    for name, data in reader.beside().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    yield target


def observe(read: Callable[[Path], Any], path: Path) -> Outcome:
    """Read a file in this process and say what came of it."""
    before, started = _resident_mb(reset=True), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind, text = _attempt(read, path)
    seconds, megabytes = time.process_time() - started, _peak_mb() - before
    if kind in ("result", "refused"):
        if megabytes > MAX_MB or "needs more memory than there is" in text:
            kind, text = "memory", f"{megabytes:.0f} MB ({text})"
        elif seconds > CPU_SECONDS:
            kind, text = "slow", f"{seconds:.1f} s ({text})"
    return Outcome(kind, text, seconds, megabytes)


def _attempt(read: Callable[[Path], Any], path: Path) -> tuple[str, str]:
    try:
        read(path)
    except DiffPoseTalkError as error:
        line = str(error)
        if "\n" in line or "\r" in line or len(line) > LONGEST_LINE:
            return "message", f"{type(error).__name__}: {line[:300]!r} ({len(line)} characters)"
        if path.name not in line and path.parent.name not in line:
            return "message", f"{type(error).__name__}: does not name the file: {line[:300]!r}"
        return "refused", line
    except BaseException as error:
        place = next(
            (
                frame
                for frame in reversed(traceback.extract_tb(error.__traceback__))
                if "diffposetalk" in frame.filename
            ),
            None,
        )
        where = f"{Path(place.filename).name}_{place.lineno}_{place.name}" if place else "nowhere"
        return "exception", f"{type(error).__name__}_{where}: {str(error)[:200]!r}"
    return "result", ""


def alone(reader: Reader, path: Path) -> Outcome:
    """Read a file in a forked process under limits.

    The calling process should have read a valid file before, so that imports are not counted.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        receiver.close()
        limit_this_process()
        sender.send(observe(reader.read, path))
        os._exit(0)
    sender.close()
    try:
        if not receiver.poll(WALL_SECONDS):
            return Outcome("hang", f"no answer after {WALL_SECONDS:.0f} s")
        return receiver.recv()
    except EOFError:
        _, status = os.waitpid(child, 0)
        child = 0
        return Outcome("died", f"signal {os.waitstatus_to_exitcode(status)}")
    finally:
        receiver.close()
        if child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def limit_this_process() -> None:
    """Limit this process's addresses and processor time; collect what is garbage before the measurement."""
    gc.collect()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, used + ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # libraries' own words


def _resident_mb(reset: bool) -> float:
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # begin the peak anew
    return _status("VmRSS")


def _peak_mb() -> float:
    return _status("VmHWM")


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1000
    return 0.0

"""Reading damaged files for a given time: reader by reader, each in a process that is watched."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .mutations import mutated
from .readers import Reader
from .trial import WALL_SECONDS, Outcome, limit_this_process, observe, prepared


@dataclass
class Tally:
    """What came of many reads of one reader."""

    reader: str
    cases: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Cases by the kind of their outcome."""
    hits: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Outcome and file of the first case of each fault, by its place."""

    def add(self, outcome: Outcome, data: bytes) -> None:
        """Count an outcome."""
        self.cases += 1
        self.kinds[outcome.kind] += 1
        if not outcome.good:
            place = (
                outcome.text.partition(":")[0]
                if outcome.kind == "exception"
                else re.sub(r"[\d.]+", "", outcome.text[:60])
            )
            self.hits.setdefault(f"{outcome.kind} {place}", (f"{outcome.kind}: {outcome.text}", data))

    def save(self, folder: Path) -> list[Path]:
        """Write the files of all hits; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, (_, data) in self.hits.items():
            path = folder / f"{self.reader}__{re.sub(r'[^A-Za-z0-9]+', '_', name)[:90]}.bin"
            path.write_bytes(data)
            paths.append(path)
        return paths


def campaign(reader: Reader, seconds: float | None = None, cases: int | None = None, seed: int = 0) -> Tally:
    """Read damaged files until the time is over or so many are done.

    Args:
        reader: whose files.
        seconds: of wall time; None where ``cases`` is given.
        cases: number of files; None for no limit.
        seed: of the damage; the same seed makes the same files.
    """
    tally = Tally(reader.name)
    files = reader.seeds()
    with tempfile.TemporaryDirectory() as name, prepared(reader, Path(name) / "files") as target:
        for data in files:
            target.write_bytes(data)
            reader.read(target)  # imports; and the seeds must be valid
        current = Path(name) / "current"
        end = None if seconds is None else time.monotonic() + seconds
        number = 0
        while (end is None or time.monotonic() < end) and (cases is None or number < cases):
            number = _batch(reader, files, target, current, tally, (seed, number), end, cases)
    return tally


def _batch(
    reader: Reader,
    files: list[bytes],
    target: Path,
    current: Path,
    tally: Tally,
    begin: tuple[int, int],
    end: float | None,
    cases: int | None,
) -> int:
    """Read cases in one forked process until the end, or until one ends the process; return the next case's number."""
    seed, number = begin
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        receiver.close()
        limit_this_process()
        code = 1
        try:
            while (end is None or time.monotonic() < end) and (cases is None or number < cases):
                rng = Random(f"{reader.name} {seed} {number}")
                data = mutated(rng.choice(files), reader.kind, rng)
                current.write_bytes(data)
                target.write_bytes(data)
                outcome = observe(reader.read, target)
                sender.send((outcome, b"" if outcome.good else data))
                number += 1
                if outcome.kind == "memory":
                    break  # a new process, whose memory is not in pieces
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    sender.close()
    while True:
        if not receiver.poll(WALL_SECONDS):
            os.kill(child, signal.SIGKILL)
            tally.add(Outcome("hang", f"no answer after {WALL_SECONDS:.0f} s"), current.read_bytes())
            number += 1
            break
        try:
            outcome, data = receiver.recv()
        except EOFError:
            break
        tally.add(outcome, data)
        number += 1
    receiver.close()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        tally.add(Outcome("died", f"exit code {code}"), current.read_bytes())
        number += 1
    return number

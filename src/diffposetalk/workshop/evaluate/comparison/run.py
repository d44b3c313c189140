"""All systems on all clips of a protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.comparison.cache import Cache
from diffposetalk.workshop.evaluate.comparison.measuring import Measured, Truth, measure, measure_truth
from diffposetalk.workshop.evaluate.protocol.contents import Protocol
from diffposetalk.workshop.evaluate.protocol.material import Material
from diffposetalk.workshop.evaluate.systems.base import System


@dataclass(frozen=True)
class SystemResult:
    """What one system gave."""

    name: str
    about: str
    clips: tuple[tuple[Measured, ...], ...]
    """Samples of each clip, in the order of the protocol."""
    made: int
    """Clips that were made in this run; the others were in the cache."""
    seconds: float
    """Time that those took."""

    @property
    def n_samples(self) -> int:
        """Samples of each clip."""
        return min(len(samples) for samples in self.clips)


@dataclass(frozen=True)
class Comparison:
    """Everything that the metrics look at."""

    protocol: Protocol
    truths: tuple[Truth, ...]
    systems: tuple[SystemResult, ...]


def compare(material: Material, systems: Sequence[System], cache: Path, progress: Progress | None = None) -> Comparison:
    """Measure systems on the clips of a protocol.

    Args:
        material: the protocol and its files.
        systems: with different names.
        cache: folder for measured outputs; those of an earlier run are used.
        progress: called after each clip of each system.

    Raises:
        InputError: an output is missing, damaged, or does not fit its clip. Nothing is scored then.
    """
    protocol, stored = material.protocol, Cache(cache, material.protocol)
    names = [system.name for system in systems]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two systems are called {twice!r}; give one of them another name: NAME=MODEL")
    total = len(protocol.clips) * (len(systems) + 1)
    done = 0

    def step(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, what)

    truths = []
    for pinned in protocol.clips:
        truths.append(measure_truth(material.clip(pinned), protocol))
        step("reading clips")
    results = []
    for system in systems:
        clips, made, seconds = [], 0, 0.0
        for truth in truths:
            pinned = truth.clip.pinned
            samples = stored.load(system, pinned)
            if samples is None:
                began = time.perf_counter()
                samples = _samples(system, truth, protocol)
                seconds += time.perf_counter() - began
                made += 1
                stored.save(system, pinned, samples)
            clips.append(tuple(samples))
            step(system.name)
        results.append(SystemResult(system.name, system.about, tuple(clips), made, seconds))
    return Comparison(protocol, tuple(truths), tuple(results))


def _samples(system: System, truth: Truth, protocol: Protocol) -> list[Measured]:
    where = f"{system.name}, clip {truth.clip.name!r}"
    try:
        outputs = system.outputs(truth.clip, protocol.seeds)
    except DiffPoseTalkError as error:
        raise type(error)(f"{where}: {error}") from None
    if not outputs:
        raise InputError(f"{where}: the system gave nothing")
    return [measure(output, truth, protocol, where) for output in outputs]

"""Measured outputs on disk: an interrupted comparison goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.npz import read_npz, write_npz
from diffposetalk.metrics.curves import WIDTHS, Curves
from diffposetalk.workshop.evaluate.comparison.measuring import Measured
from diffposetalk.workshop.evaluate.protocol.contents import PinnedClip, Protocol, hash_of
from diffposetalk.workshop.evaluate.systems.base import System

CACHE_FORMAT = 1
"""To be raised when outputs are measured in another way."""
CURVES = (*WIDTHS, "channels")
"""Curves in the order of the file."""


class Cache:
    """A folder of npz files, one for each system and clip; the name is the hash of everything behind it."""

    def __init__(self, folder: Path, protocol: Protocol) -> None:
        """Choose the folder, which is made when it is needed."""
        self._folder, self._protocol = folder, protocol

    def path(self, system: System, clip: PinnedClip) -> Path:
        """Return the file of a system and a clip."""
        protocol = self._protocol
        meshes = [asdict(topology) for topology in protocol.topologies]
        content = asdict(clip) | {"phones": None}
        key = [CACHE_FORMAT, protocol.fps, list(protocol.seeds), meshes, content, system.fingerprint(clip)]
        return self._folder / f"{hash_of(key)[:40]}.npz"

    def load(self, system: System, clip: PinnedClip) -> list[Measured] | None:
        """Return the measured samples; None where they are not there or the file is damaged."""
        path = self.path(system, clip)
        if not path.exists():
            return None
        try:
            return _unpacked(read_npz(path, "measured outputs"))
        except (DiffPoseTalkError, KeyError, ValueError):
            return None

    def save(self, system: System, clip: PinnedClip, samples: Sequence[Measured]) -> None:
        """Write the measured samples."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_npz(self.path(system, clip), _packed(samples))


def _packed(samples: Sequence[Measured]) -> dict[str, np.ndarray]:
    """Return samples as arrays ``(S, T, ...)``."""
    first = samples[0].curves
    arrays = {
        "fps": np.float64(first.fps),
        "unit": np.array(first.unit),
        "head_name": np.array(samples[0].head),
        "channel_names": np.array(first.channel_names, dtype=np.str_),
        "mesh_names": np.array(list(samples[0].meshes), dtype=np.str_),
        "meshes": np.array([list(sample.meshes.values()) for sample in samples], np.float64),
    }
    arrays |= {name: np.stack([getattr(sample.curves, name) for sample in samples]) for name in first.names}
    return {name: np.asarray(array) for name, array in arrays.items()}


def _unpacked(arrays: dict[str, np.ndarray]) -> list[Measured]:
    names = [name for name in CURVES if name in arrays]
    mesh_names = [str(name) for name in arrays["mesh_names"]]
    samples = []
    for number in range(len(arrays[names[0]])):
        values: dict[str, Any] = {name: arrays[name][number] for name in names}
        curves = Curves(
            float(arrays["fps"].item()),
            **values,
            channel_names=tuple(str(name) for name in arrays["channel_names"]),
            unit="m" if str(arrays["unit"]) == "m" else "share",
        )
        samples.append(
            Measured(curves, str(arrays["head_name"]), dict(zip(mesh_names, arrays["meshes"][number].tolist())))
        )
    return samples

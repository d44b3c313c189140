"""How long it takes to write ten minutes of animation in each format: `python benchmarks/export.py [FORMAT ...]`.

Prints a table for README.md. Drawn formats (.mp4, .png) are in speed.py.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import FORMATS, Scene, export
from diffposetalk.head import load_head
from diffposetalk.motion import Motion

MINUTES = 10
FRAMES_OF_MESHES = 250
"""Formats that keep every vertex are measured on this many frames, and the figure scaled up."""


def talk(n_frames: int) -> Motion:
    """Smooth motion in which every channel and the head move."""
    rng = np.random.default_rng(0)
    time_s = np.arange(n_frames)[:, None] / 25
    weights = 0.5 + 0.45 * np.sin(time_s * rng.uniform(1, 9, 52) + rng.uniform(0, 6, 52))
    return Motion(weights, CHANNELS, 0.3 * np.sin(time_s * rng.uniform(1, 4, 3)), 25.0)


def main(names: list[str]) -> None:
    """Measure and print."""
    n_frames = MINUTES * 60 * 25
    motion, scene = talk(n_frames), Scene(load_head("anny"))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {n_frames} frames\n")
    print("| format | seconds | MB |\n|---|---|---|")
    for name in names or [row.name for row in FORMATS.values() if row.writer]:
        row = FORMATS[name]
        whole = name not in ("obj", "ply", "pc2")
        part = motion if whole else motion.slice(0, FRAMES_OF_MESHES)
        scale = n_frames / len(part)
        for suffix in row.suffixes:
            folder = Path(tempfile.mkdtemp())
            try:
                export(part.slice(0, 2), folder / f"first{suffix}", name, scene)  # imports are not what is measured
                for path in folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                started = time.perf_counter()
                export(part, folder / f"talk{suffix}", name, scene)
                seconds = (time.perf_counter() - started) * scale
                megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6 * scale
            finally:
                shutil.rmtree(folder)
            note = "" if whole else " (*)"
            print(f"| {name} `{suffix}`{note} | {seconds:.1f} | {megabytes:.1f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Seconds and megabytes of ten minutes of animation in every format: `python benchmarks/exports.py [FORMAT ...]`.

OBJ and PLY sequences and point caches take gigabytes; `--frames` measures fewer and says what ten minutes would take.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange import FORMATS, Scene, export
from diffposetalk.head import load_head
from diffposetalk.motion import Motion

FPS, TEN_MINUTES = 25, 15000
BAKED = ("obj", "ply", "pc2")


def lively(n_frames: int) -> Motion:
    """Every channel and the head move all the time, more slowly than frames follow one another."""
    rng = np.random.default_rng(0)
    knots = n_frames // 4 + 2
    at = np.arange(n_frames) / 4
    curves = [np.interp(at, np.arange(knots), curve) for curve in rng.uniform(0, 0.6, (len(CHANNELS), knots))]
    turns = [np.interp(at, np.arange(knots), curve) for curve in rng.normal(0, 0.1, (3, knots))]
    return Motion(np.stack(curves, 1), CHANNELS, np.stack(turns, 1), FPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", help="names; by default all but video")
    parser.add_argument("--frames", type=int, default=600, help="of formats of baked vertices (default 600)")
    args = parser.parse_args()
    rows = [row for row in FORMATS.values() if row.writer and (row.name in args.formats or not args.formats)]
    scene = Scene(load_head())
    print("| format | seconds | MB | |\n|---|---|---|---|")
    for row in rows:
        for suffix in row.suffixes if row.name == "usd" else row.suffixes[:1]:
            n_frames = args.frames if row.name in BAKED else TEN_MINUTES
            motion, times = lively(n_frames), TEN_MINUTES / n_frames
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                start = time.perf_counter()
                try:
                    export(motion, Path(folder) / f"talk{suffix}", row.name, scene)
                except Exception as error:
                    print(f"| {row.name} {suffix} | | | {error} |")
                    continue
                seconds = time.perf_counter() - start
                size = sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
            note = f"measured on {n_frames} frames" if times > 1 else ""
            print(f"| {row.name} {suffix} | {seconds * times:.1f} | {size * times / 1e6:.1f} | {note} |", flush=True)
    print(f"\nPeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB.")


if __name__ == "__main__":
    main()

"""Made-up clips with known motion for comparisons, and ways to write and to break the outputs of systems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.cli import run
from diffposetalk.head.shared import shared_head
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.protocol.make import make_protocol
from diffposetalk.workshop.evaluate.protocol.selection import Selection

SECONDS, FPS = 3.2, 25
LABELS = ("p", "aa", "m", "iy", "s", "ow", "b", "ae", "n", "uw")
"""Phones of all clips; each clip begins at another of them."""
CLIPS = ("ann/1", "ann/2", "bob/1", "bob/2", "cyd/1", "cyd/2")


def performance(number: int, style: int, seed: int = 0) -> tuple[Motion, list[tuple[str, float, float]]]:
    """Return motion whose mouth shuts on p, b, m and opens on vowels, and its phones; the style sets amplitudes."""
    rng = np.random.default_rng([number, seed])
    times = np.arange(round(SECONDS * FPS)) / FPS
    length = SECONDS / 20
    phones = [
        (LABELS[(k + 3 * number) % len(LABELS)], round(k * length, 4), round((k + 1) * length, 4)) for k in range(20)
    ]
    heights = {"aa": 1.0, "ae": 0.9, "ow": 0.6, "iy": 0.3, "uw": 0.3, "s": 0.15, "n": 0.2}
    target = [0.0, *(heights.get(symbol, 0.0) for symbol, *_ in phones), 0.0]
    middles = [0.0, *((start + end) / 2 for _, start, end in phones), SECONDS]
    jaw = np.interp(times, middles, target) * (0.25 + 0.12 * style)
    expression = np.zeros((len(times), len(CHANNELS)), np.float32)
    expression[:, INDEX["jawOpen"]] = np.clip(jaw + 0.01 * rng.standard_normal(len(times)) * (jaw > 0.1), 0, 1)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        expression[:, INDEX[name]] = np.exp(-(((times - 1.0 - 0.2 * number) / 0.06) ** 2))
    expression[:, INDEX["browInnerUp"]] = 0.1 + 0.1 * style * np.sin(2 * times + number) ** 2
    swing = sum(np.sin(times[:, None] * f + rng.uniform(0, 6, 3)) for f in (2.1, 5.3, 9.7))
    return Motion(expression, CHANNELS, 0.02 * (1 + style) * swing, float(FPS)), phones


def speech_of(motion: Motion, seed: int) -> Speech:
    """Return noise as loud as the mouth is open."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(SECONDS * 16000)) / 16000
    loudness = np.interp(times, np.arange(len(motion)) / FPS, motion.channel("jawOpen"))
    return Speech((0.4 * rng.standard_normal(len(times)) * loudness).clip(-1, 1), 16000)


def truths(material: Path) -> dict[str, Motion]:
    """Return the true motion of each clip."""
    return {name: Motion.load(material / "clips" / f"{name}.npz") for name in CLIPS}


Change = Callable[[str, Motion], Motion]


def write_outputs(folder: Path, material: Path, change: Change, samples: int = 1) -> Path:
    """Write outputs of a system: the changed truth of each clip."""
    for name, motion in truths(material).items():
        for sample in range(samples):
            path = folder / (f"{name}.{sample}.npz" if samples > 1 else f"{name}.npz")
            path.parent.mkdir(parents=True, exist_ok=True)
            change(f"{name} {sample}", motion).save(path)
    return folder


def varied(key: str, motion: Motion, spread: float = 0.05) -> Motion:
    """Return the motion with smooth noise in jaw and head: a sample of a good model."""
    rng = np.random.default_rng([ord(letter) for letter in key])
    times = np.arange(len(motion)) / FPS
    noise = sum(np.sin(times * f + rng.uniform(0, 6)) for f in (3.0, 7.0, 11.0)) / 3
    expression = motion.expression.copy()
    jaw = INDEX["jawOpen"]
    expression[:, jaw] = np.clip(expression[:, jaw] * (1 + 4 * spread * noise), 0, 1)
    turn = sum(np.sin(times[:, None] * f + rng.uniform(0, 6, 3)) for f in (2.0, 5.0))
    return replace(motion, expression=expression, head_pose=motion.head_pose + 0.01 * turn)


def late(key: str, motion: Motion) -> Motion:
    """Return the motion five frames later; its first frame is held."""
    return motion.at(np.maximum(np.arange(len(motion)) - 5, 0), motion.fps)


def frozen(key: str, motion: Motion) -> Motion:
    """Return the middle frame all the time."""
    return motion.at(np.full(len(motion), len(motion) // 2), motion.fps)


def never_shut(key: str, motion: Motion) -> Motion:
    """Return motion whose jaw is always open a little more."""
    expression = motion.expression.copy()
    expression[:, INDEX["jawOpen"]] = 0.15 + 0.8 * expression[:, INDEX["jawOpen"]]
    return replace(motion, expression=expression)


def other_clip(material: Path) -> Change:
    """Return a change that gives each clip the motion of another speaker."""
    motions = truths(material)
    names = list(motions)

    def change(key: str, motion: Motion) -> Motion:
        return motions[names[(names.index(key.split()[0]) + 2) % len(names)]]

    return change


def write_system(folder: Path, material: Path, write: Callable[[Path, Motion], Any], suffix: str = ".npz") -> Path:
    """Write one file for each clip by a function of path and motion."""
    for name, motion in truths(material).items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, motion)
    return folder


def vertices_of(motion: Motion) -> np.ndarray:
    """Return the vertices of a motion without head rotation."""
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    return np.concatenate(list(shared_head("anny").iter_vertices(still)))


def score(material: Path, folder: Path, out: Path, data: str = "set.toml") -> dict[str, Any]:
    """Compare one system by the command; return its part of the JSON report."""
    assert run(["evaluate", f"x={folder}", "--data", str(material / data), "-o", str(out), "--quiet"]) == 0
    system: dict[str, Any] = json.loads((out / "report.json").read_text())["systems"]["x"]
    return {name: figure and figure["value"] for name, figure in system["figures"].items()}


def write_material(folder: Path) -> Path:
    """Write a folder with six clips of three speakers and its protocol `set.toml`."""
    for number, name in enumerate(CLIPS):
        motion, phones = performance(number, number // 2)
        path = folder / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        motion.save(path.with_suffix(".npz"))
        speech_of(motion, number).save(path.with_suffix(".wav"))
        lines = [f"{round(a * 1e7)} {round(b * 1e7)} {symbol}" for symbol, a, b in phones]
        path.with_suffix(".lab").write_text("\n".join(lines) + "\n")
    make_protocol(folder / "clips", folder / "set.toml", Selection())
    return folder

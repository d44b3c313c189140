"""Mouth shapes of Rhubarb Lip Sync (A to H, X) from ARKit weights: TSV, JSON, XML, and DAT for Moho and OpenToonz.

Every frame gets the shape nearest to the mouth in three measures: opening, roundness, and how far the lower lip is drawn
in. A means lips pressed together in speech, X a mouth at rest.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from diffposetalk.exchange.documents import sound_name, write_json
from diffposetalk.exchange.names import arkit_weights

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

SHAPES: dict[str, tuple[float, float, float]] = {
    "A": (0.0, 0.1, 0.0),
    "B": (0.12, 0.0, 0.0),
    "C": (0.32, 0.0, 0.0),
    "D": (0.6, 0.0, 0.0),
    "E": (0.35, 0.35, 0.0),
    "F": (0.12, 0.5, 0.0),
    "G": (0.05, 0.05, 0.5),
    "H": (0.3, 0.0, 0.0),
}
"""Opening, roundness and drawn-in lower lip of each shape. H, the tongue at the teeth, differs from C by `tongueOut`."""
PRESTON_BLAIR = {"A": "MBP", "B": "etc", "C": "E", "D": "AI", "E": "O", "F": "U", "G": "FV", "H": "L", "X": "rest"}
"""Names of the shapes in DAT files."""
DAT_FPS = (24.0, 100.0)
"""Lowest and highest frame rate of DAT files; motions of other rates use the lowest."""
SHORTEST_S = 0.06
"""A shorter shape is merged into the shape before it, except A: viewers notice missing lip closures."""
REST_S = 0.28
"""Lips that stay closed longer than this are at rest."""
OPENING = 0.6
"""Opening to which the widest mouth of a take is scaled."""


@dataclass(frozen=True)
class Cue:
    """A shape from one time to another, seconds."""

    start: float
    end: float
    shape: str


def cues_of(motion: Motion) -> list[Cue]:
    """Return the shapes of a motion from 0 to its end; two shapes in a row differ."""
    measures = _measures(motion)
    names = list(SHAPES)
    places = np.array(list(SHAPES.values()))
    shapes = np.array(names)[((measures[:, None] - places) ** 2).sum(-1).argmin(1)]
    tongue = arkit_weights(motion, ("tongueOut",))[:, 0]
    shapes[shapes == "H"] = "C"
    shapes[(tongue > 0.3) & np.isin(shapes, ["B", "C"])] = "H"
    shapes[(measures[:, 0] < 0.05) & (measures[:, 2] < 0.25) & (measures[:, 1] < 0.35)] = "A"
    runs = _runs(shapes)
    runs = _without_short(runs, SHORTEST_S * motion.fps)
    runs = [("X" if shape == "A" and n > REST_S * motion.fps else shape, n) for shape, n in runs]
    edges = np.round(np.cumsum([0, *(n for _, n in runs)]) / motion.fps, 2)
    return [Cue(float(a), float(b), shape) for (shape, _), a, b in zip(runs, edges, edges[1:]) if b > a]


def _measures(motion: Motion) -> np.ndarray:
    """Return opening, roundness and drawn-in lower lip, ``(T, 3)``; the opening is relative to the widest of the take."""
    jaw, close, lower, upper, pucker, funnel, roll, press = (
        arkit_weights(motion, names).mean(1)
        for names in (
            ("jawOpen",), ("mouthClose",), ("mouthLowerDownLeft", "mouthLowerDownRight"),
            ("mouthUpperUpLeft", "mouthUpperUpRight"), ("mouthPucker",), ("mouthFunnel",), ("mouthRollLower",),
            ("mouthPressLeft", "mouthPressRight"),
        )
    )  # fmt: skip
    opening = np.maximum(0, jaw - close) + 0.3 * (lower + upper) - 0.3 * press
    widest = max(0.25, float(np.percentile(opening, 98)))
    drawn_in = np.maximum(0, roll - arkit_weights(motion, ("mouthRollUpper",))[:, 0])
    return np.stack([np.maximum(0, opening) * (OPENING / widest), np.maximum(pucker, funnel), drawn_in], 1)


def _runs(shapes: np.ndarray) -> list[tuple[str, int]]:
    edges = [0, *(np.flatnonzero(shapes[1:] != shapes[:-1]) + 1), len(shapes)]
    return [(str(shapes[a]), int(b - a)) for a, b in itertools.pairwise(edges)]


def _without_short(runs: list[tuple[str, int]], shortest: float) -> list[tuple[str, int]]:
    merged: list[tuple[str, int]] = []
    for shape, n in runs:
        short = n < shortest and shape != "A" and merged
        if merged and (short or merged[-1][0] == shape):
            merged[-1] = (merged[-1][0], merged[-1][1] + n)
        else:
            merged.append((shape, n))
    return merged


def write_tsv(motion: Motion, path: Path, scene: Scene) -> None:
    """Write `time<TAB>shape` lines; the last is the end, with the mouth closed."""
    cues = cues_of(motion)
    lines = [f"{cue.start:.2f}\t{cue.shape}" for cue in cues] + [f"{motion.duration:.2f}\tX"]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def write_as_json(motion: Motion, path: Path, scene: Scene) -> None:
    """Write metadata and cues as Rhubarb's JSON."""
    cues = [{"start": cue.start, "end": cue.end, "value": cue.shape} for cue in cues_of(motion)]
    about = {"soundFile": sound_name(scene), "duration": round(motion.duration, 2)}
    write_json({"metadata": about, "mouthCues": cues}, path)


def write_xml(motion: Motion, path: Path, scene: Scene) -> None:
    """Write metadata and cues as Rhubarb's XML."""
    cues = "\n".join(
        f'    <mouthCue start="{cue.start:.2f}" end="{cue.end:.2f}">{cue.shape}</mouthCue>' for cue in cues_of(motion)
    )
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rhubarbResult>\n  <metadata>\n'
        f"    <soundFile>{escape(sound_name(scene))}</soundFile>\n    <duration>{motion.duration:.2f}</duration>\n"
        f"  </metadata>\n  <mouthCues>\n{cues}\n  </mouthCues>\n</rhubarbResult>\n"
    )
    path.write_bytes(text.encode())


def write_dat(motion: Motion, path: Path, scene: Scene) -> None:
    """Write a Moho switch: frame numbers from 1, at the motion's rate if the format allows it, else at 24."""
    fps = motion.fps if DAT_FPS[0] <= motion.fps <= DAT_FPS[1] else DAT_FPS[0]
    shapes: dict[int, str] = {}
    for cue in [*cues_of(motion), Cue(motion.duration, motion.duration, "A")]:
        shapes[1 + int(np.floor(fps * cue.start + 1e-6))] = PRESTON_BLAIR[cue.shape]
    lines = [f"{frame} {shape}" for frame, shape in shapes.items()]
    path.write_bytes(("\n".join(["MohoSwitch1", *lines]) + "\n").encode())

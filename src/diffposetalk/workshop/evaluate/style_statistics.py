"""Does a manner come through? Statistics of references, filmed or synthetic, against motion made in their style, and
whether the two halves of a reference have closer styles than different people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import MIRROR
from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import manner_statistics, statistics_correlation
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate import references as reference_motions
from diffposetalk.workshop.evaluate.generators import Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.recordings.clips import real_speech
from diffposetalk.workshop.evaluate.tables import table

TARGET = 0.7
"""Correlation over references that each statistic aims at."""
SIDEWAYS = ("mouthLeft",)
"""Channels of the left side that move the whole mouth, not one half of it."""
SPEECHES = ("jfk", "LJ001-0001", "Claire_neutral", "spk1_snt1", "english_slow")
"""Recordings that are spoken in each style, where they are there; else the first five."""


def measure(
    generate: Generator,
    people: Mapping[str, Motion],
    speeches: Sequence[Speech],
    n_samples: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Generate the same speech in the style of each reference and compare statistics over references.

    Spreads grow with the length they are measured over, and rates of short clips are coarse: generated motion is
    therefore cut into pieces as long as the reference, whose statistics are averaged.

    Args:
        generate: takes a `Motion` as style.
        people: motion of different people or recordings, by name.
        speeches: what is said, the same for all.
        n_samples: samples of each.
        progress: called after each reference.

    Returns:
        ``correlation`` by statistic; ``reference`` and ``generated``: statistics by name of the reference.
    """
    references = {name: statistics_of(motion) for name, motion in people.items()}
    made = {}
    for name, motion in over(people.items(), progress, "generating"):
        pieces = [
            statistics_of(piece)
            for speech in speeches
            for sample in samples_of(generate, speech, n_samples, motion)
            for piece in pieces_of(sample, motion.duration)
        ]
        made[name] = {key: float(np.mean([piece[key] for piece in pieces])) for key in pieces[0]}
    return {
        "correlation": statistics_correlation(list(references.values()), list(made.values())),
        "reference": references,
        "generated": made,
        "n": len(references),
    }


def statistics_of(motion: Motion) -> dict[str, float]:
    """Return `manner_statistics`, the lip gap in millimetres on the motion's head, and `lip_shapes`."""
    gap = mouth_gap(motion, shared_head(motion.head)) * 1000
    lips = {"lip_gap_mean_mm": float(gap.mean()), "lip_gap_p95_mm": float(np.percentile(gap, 95))}
    return lips | manner_statistics(motion) | lip_shapes(motion)


def lip_shapes(motion: Motion) -> dict[str, float]:
    """Describe rounded, stretched and uneven lips, from ARKit channels.

    Returns:
        ``pucker_mean``, ``funnel_p95``, ``stretch_p95`` (both sides together) and ``mouth_left_right``: the mean of
        the mouth's left channels less their right ones, above 0 where the left side moves more.
    """
    stretch = (motion.channel("mouthStretchLeft") + motion.channel("mouthStretchRight")) / 2
    uneven = [
        motion.channel(left) - motion.channel(right)
        for left, right in MIRROR.items()
        if left.startswith("mouth") and left.endswith("Left") and left not in SIDEWAYS
    ]
    return {
        "pucker_mean": float(motion.channel("mouthPucker").mean()),
        "funnel_p95": float(np.percentile(motion.channel("mouthFunnel"), 95)),
        "stretch_p95": float(np.percentile(stretch, 95)),
        "mouth_left_right": float(np.mean(uneven)),
    }


def pieces_of(motion: Motion, seconds: float) -> list[Motion]:
    """Cut motion into whole pieces of a length; shorter motion is one piece."""
    size = max(2, round(seconds * motion.fps))
    starts = range(0, max(1, len(motion) - size + 1), size)
    return [motion.slice(start, start + size) for start in starts]


def halves(read: Callable[[Motion], np.ndarray], people: Mapping[str, Motion]) -> dict[str, Any]:
    """Ask which other half of a clip has the style closest to each half's.

    Args:
        read: style vector ``(S,)`` of motion.
        people: clips of different people or recordings, by name.

    Returns:
        ``retrieved``: share of halves whose nearest other half (cosine) is their own; ``same`` and ``different``: mean
        cosines; ``ranked``: share of pairs (own half, other's half) in which the own one is closer.
    """
    names = [name for name in people for _ in range(2)]
    vectors = []
    for motion in people.values():
        middle = len(motion) // 2
        vectors += [read(motion.slice(0, middle)), read(motion.slice(middle, len(motion)))]
    unit = np.stack([vector / np.linalg.norm(vector) for vector in vectors])
    cosine = unit @ unit.T
    own = np.array([[a == b for b in names] for a in names])
    np.fill_diagonal(cosine, -np.inf)
    nearest = cosine.argmax(1)
    mate = np.arange(len(names)) ^ 1
    same, different = cosine[np.arange(len(names)), mate], [row[~mine] for row, mine in zip(cosine, own)]
    return {
        "retrieved": float(np.mean(nearest == mate)),
        "ranked": float(np.mean([np.mean(others < mine) for mine, others in zip(same, different)])),
        "same": float(np.mean(same)),
        "different": float(np.mean(np.concatenate(different))),
        "n": len(names),
    }


def mean_face(motion: Motion, space: MotionSpace) -> np.ndarray:
    """Return the mean of each channel of the face: the baseline for style encoders.

    The head is left out: its mean tells how the camera stood, which two halves of a clip always share.
    """
    return space.encode(motion).mean(0)[space.parts["expression"]]


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table."""
    keys = list(result["correlation"])

    def spread(side: str, key: str) -> list[float]:
        values = np.array([row[key] for row in result[side].values()])
        return [float(values.mean()), float(values.std())]

    rows = [[key, result["correlation"][key], *spread("reference", key), *spread("generated", key)] for key in keys]
    header = ["statistic", "r", "reference mean", "spread", "generated mean", "spread"]
    lines = [table(header, rows), f"{result['n']} references; aim {TARGET:g} for each"]
    for key, by in (("halves", "style"), ("baseline", "mere mean of the face's channels")):
        if key not in result:
            continue
        shares = result[key]
        lines.append(
            f"halves of a reference, by their {by}: {shares['retrieved']:.2f} of {shares['n']} find their own other half "
            f"first; own half closer than another person's in {shares['ranked']:.3f} of pairs; cosine {shares['same']:.3f} "
            f"against {shares['different']:.3f}"
        )
    return "\n".join(lines)


def evaluate(
    recordings: Path,
    generation: Generation,
    references: Path | None = None,
    manners: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare the statistics of references with those of motion generated in their style.

    Args:
        recordings: folder with speech; its ``clips`` are the references where no other folder is named.
        generation: how motion is made for each reference and recording.
        references: folder of videos or motion.
        manners: so many synthetic manners instead.
        progress: called after each reference.
    """
    generate = generation.load()
    people = reference_motions.references(references or recordings / "clips", manners)
    result = measure(generate, people, _speeches(recordings, manners), generation.samples, progress)
    result["generator"] = generation.generator
    talker = getattr(generate, "talker", None)
    if talker is not None:
        result["halves"] = halves(lambda motion: talker.read_style(motion).vector, people)
        result["baseline"] = halves(lambda motion: mean_face(motion, talker.space), people)
    return result


def _speeches(recordings: Path, manners: int) -> list[Speech]:
    """What is said in every style: real recordings, or for synthetic manners synthetic speech as long as theirs."""
    if manners:
        return [
            spoken.speech for spoken in reference_motions.utterances(3, seed=reference_motions.SEED + 1, sentences=6)
        ]
    spoken = real_speech(recordings, shortest_s=4.0)
    return [spoken[name] for name in SPEECHES if name in spoken] or list(spoken.values())[: len(SPEECHES)]

"""What do fewer denoising steps cost? Lips, closures, joins, spread and diversity against the number of steps.

Every row is made from the same speech with the same seeds. Differences between rows are to be compared with the spread of the
seeds, which stands beside the correlation of the lips.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import blink_frames, diversity
from diffposetalk.metrics.closures import Closures, closures
from diffposetalk.metrics.lips import mouth_gap_on
from diffposetalk.metrics.seams import seams
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.closures import SEAL
from diffposetalk.workshop.evaluate.generators import AnyStyle, Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.real_lips import pooled as pooled_correlation
from diffposetalk.workshop.evaluate.real_lips import summary
from diffposetalk.workshop.evaluate.recordings.alignment import Phones, aligned
from diffposetalk.workshop.evaluate.recordings.clips import FPS, TrackedClip, tracked_clips, transcripts
from diffposetalk.workshop.evaluate.seams import groups
from diffposetalk.workshop.evaluate.tables import table

STEPS = (10, 8, 6, 5, 4, 3, 2, 1)
"""Numbers of steps of the rows."""
COLUMNS = {
    "lips_r": "lips r",
    "lips_r_std": "+-",
    "sealed": "p b m sealed",
    "gap_ratio": "gap ratio",
    "lips_std": "lips std",
    "upper_face_std": "upper face std",
    "head_std_deg": "head std, deg",
    "blinks_per_minute": "blinks / min",
    "lips_jerk": "lips jerk",
    "head_jerk": "head jerk",
    "seam_lips": "join, lips",
    "seam_head": "join, head",
    "diversity": "diversity",
    "realtime": "x real time",
}
"""Column of each number of a row."""


def measure(
    generate: Generator,
    clips: Sequence[TrackedClip],
    spoken: Mapping[str, tuple[Speech, Phones]],
    n_samples: int,
    style: AnyStyle = None,
    window: int = 100,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Measure one setting.

    Args:
        generate: the generator.
        clips: speech with tracked lips.
        spoken: speech and phones by name.
        n_samples: seeds, at least 2.
        style: manner that is spoken in.
        window: frames from one join of windows to the next.
        progress: called after each recording.

    Returns:
        ``lips_r``: correlation of the lip gap with the tracked one at lag 0, pooled over the clips, mean over the seeds, and
        ``lips_r_std`` their standard deviation; ``sealed``: share of p, b, m; ``gap_ratio``: gap in them over gap in open
        vowels; ``lips_std``, ``upper_face_std``: mean standard deviation of the group's channels over time;
        ``head_std_deg``; ``blinks_per_minute``; ``lips_jerk``, ``head_jerk``: mean size of the third difference over that
        of the first; ``seam_lips``, ``seam_head``: acceleration at joins over that elsewhere; ``diversity``: mean distance
        of the lips between seeds; ``realtime``: seconds of motion made in a second.
    """
    gap_of = mouth_gap_on(shared_head)
    seconds, started, made = 0.0, 0.0, list[list[Motion]]()
    gaps: list[dict[str, np.ndarray]] = [{} for _ in range(n_samples)]
    closed: list[Closures] = []
    work: list[tuple[str, Speech, Phones | None]] = [(clip.name, clip.speech, None) for clip in clips]
    work += [(name, speech, phones) for name, (speech, phones) in spoken.items()]
    for name, speech, phones in over(work, progress, "generating"):
        begin = time.perf_counter()
        motions = samples_of(generate, speech, n_samples, style)
        started += time.perf_counter() - begin
        seconds += n_samples * motions[0].duration
        made.append(motions)
        for sample, motion in zip(gaps, motions):
            gap = gap_of(motion.resampled(FPS))
            if phones is None:
                sample[name] = gap
            else:
                closed.append(closures(gap, FPS, phones, SEAL))
    tracked = {clip.name: clip.aperture for clip in clips}
    names = list(tracked)
    each = []
    for sample in gaps:
        correlation = pooled_correlation(sample, tracked, names, 4)
        each.append(summary(correlation, correlation)["r0"])
    whole = Closures.pooled(closed)
    joined = [Motion.joined([motions[k] for motions in made]) for k in range(n_samples)]
    parts = [groups(motion) for motion in joined]
    long = [motions for motions in made if len(motions[0]) > window + 1]
    joins: dict[str, list[float]] = {"lips": [], "head": []}
    for motions in long:
        for motion in motions:
            for group, values in joins.items():
                values.append(seams(groups(motion)[group], motion.fps, window).acceleration_ratio)
    lids = [(motion.channel("eyeBlinkLeft") + motion.channel("eyeBlinkRight")) / 2 for motion in joined]
    return {
        "lips_r": float(np.mean(each)),
        "lips_r_std": float(np.std(each)),
        "sealed": whole.share,
        "gap_ratio": whole.gap_ratio,
        "lips_std": float(np.mean([part["lips"].std(0).mean() for part in parts])),
        "upper_face_std": float(np.mean([part["upper_face"].std(0).mean() for part in parts])),
        "head_std_deg": float(np.rad2deg(np.mean([part["head"].std(0).mean() for part in parts]))),
        "blinks_per_minute": float(np.mean([len(blink_frames(lid)) / len(lid) * 60 * FPS for lid in lids])),
        "lips_jerk": float(np.mean([_jerk(part["lips"]) for part in parts])),
        "head_jerk": float(np.mean([_jerk(part["head"]) for part in parts])),
        "seam_lips": float(np.mean(joins["lips"])) if long else float("nan"),
        "seam_head": float(np.mean(joins["head"])) if long else float("nan"),
        "diversity": diversity(np.stack([part["lips"] for part in parts])),
        "realtime": seconds / started,
    }


def _jerk(values: np.ndarray) -> float:
    """Return the mean size of the third differences over that of the first: how rough a motion ``(T, D)`` is."""
    first, third = (np.linalg.norm(np.diff(values, n, axis=0), axis=-1).mean() for n in (1, 3))
    return float(third / max(first, 1e-12))


def evaluate(
    recordings: Path,
    generation: Generation,
    numbers: Sequence[int] = STEPS,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a model with several numbers of steps.

    Args:
        recordings: folder with tracked clips, speech and transcripts.
        generation: how motion is made; its number of steps is replaced.
        numbers: of steps, a row each.
        cache: JSON file that keeps phone alignments.
        progress: called after each recording.

    Returns:
        ``rows``: for each number of steps the results of `measure`.
    """
    clips = tracked_clips(recordings)
    spoken, left_out = aligned(transcripts(recordings), cache)
    rows = []
    for number in numbers:
        one = replace(generation, options={**generation.options, "steps": number})
        result = measure(one.load(), clips, spoken, max(2, generation.samples), generation.style, progress=progress)
        rows.append({"steps": number, **result})
    return {"rows": rows, "generator": generation.generator, "left_out": left_out}


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table."""
    rows = [[row["steps"], *(row[name] for name in COLUMNS)] for row in result["rows"]]
    return table(["steps", *COLUMNS.values()], rows)

"""Are the joins between windows seen? Speed and acceleration there against those inside windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.metrics import Seams, seams
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.generators import AnyStyle, Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.recordings.clips import real_speech
from diffposetalk.workshop.evaluate.tables import table, verdict

_LIPS = ("jaw", "mouth", "tongue")


def groups(motion: Motion) -> dict[str, np.ndarray]:
    """Return a motion's channels by group: ``lips`` (jaw, mouth, tongue), ``upper_face`` (the rest), ``head`` (rad)."""
    lips = [i for i, name in enumerate(motion.expression_names) if name.startswith(_LIPS)]
    upper = [i for i in range(len(motion.expression_names)) if i not in set(lips)]
    return {
        "lips": motion.expression[:, lips],
        "upper_face": motion.expression[:, upper],
        "head": motion.head_pose,
    }


def measure(
    generate: Generator, speech: Speech, window: int = 100, n_samples: int = 1, style: AnyStyle = None
) -> dict[str, Any]:
    """Generate a long motion and compare joins with the rest.

    Args:
        generate: the generator.
        speech: of many windows.
        window: frames from one join to the next.
        n_samples: samples, whose results are averaged.
        style: handed to the generator.

    Returns:
        Per group the fields of `metrics.Seams`; ``control``, the same measured in the middle of windows, where
        nothing is joined; ``n_joins``; ``targets_met``: mean speed at joins within the 99th percentile of that
        inside.
    """
    made = samples_of(generate, speech, n_samples, style)
    at_joins: dict[str, dict[str, float]] = {}
    control: dict[str, dict[str, float]] = {}
    for group in groups(made[0]):
        values = [groups(motion)[group] for motion in made]
        at_joins[group] = _mean([seams(v, made[0].fps, window) for v in values])
        control[group] = _mean([seams(v, made[0].fps, window, first=window + window // 2) for v in values])
    return {
        "groups": at_joins,
        "control": control,
        "n_joins": n_samples * ((len(made[0]) - 1) // window),
        "window": window,
        "targets_met": {group: values["at_joins"] <= values["inside_p99"] for group, values in at_joins.items()},
    }


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table with a verdict."""
    rows = [
        [place, *values.values()]
        for group, found in result["groups"].items()
        for place, values in ((group, found), (f"{group}, mid-window", result["control"][group]))
    ]
    header = ["group", "speed at joins", "inside", "inside p99", "joins beyond p99", "acceleration ratio"]
    verdicts = (f"{group} within p99: {verdict(met)}" for group, met in result["targets_met"].items())
    return "\n".join([table(header, rows), f"{result['n_joins']} joins; units per second", *verdicts])


def evaluate(
    recordings: Path, generation: Generation, window: int = 100, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure the joins between windows over all recordings, one after another as one speech.

    Args:
        recordings: folder with speech.
        generation: how motion is made.
        window: frames between joins.
        progress: called with the seconds of motion that are made.
    """
    generate = generation.load(progress)
    parts = real_speech(recordings, shortest_s=2.0).values()
    speech = Speech(np.concatenate([part.samples for part in parts]), 16000)
    return measure(generate, speech, window, generation.samples, generation.style) | {"generator": generation.generator}


def _mean(parts: Sequence[Seams]) -> dict[str, float]:
    rows = [asdict(part) for part in parts]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

"""The measures of the papers on folders of meshes: LVE, FDD, MOD, beat alignment and diversity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk import metrics
from diffposetalk.errors import InputError
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.meshes.regions import RegionFiles, Regions, find_regions
from diffposetalk.workshop.evaluate.meshes.sequences import MeshPair, pair_names, read_pairs
from diffposetalk.workshop.evaluate.tables import table

UNITS = {
    "lve_max_mm": "LVE, largest distance (mm)",
    "lve_squared_m2": "LVE, largest squared distance (m^2)",
    "lve_root_mm": "LVE, root of that (mm)",
    "fdd_m2": "FDD, signed (m^2)",
    "fdd_absolute_m2": "FDD, absolute (m^2)",
    "mod_mm": "MOD, mean absolute (mm)",
    "mod_rms_mm": "MOD, root mean square (mm)",
    "beat_alignment": "beat alignment with the captured head",
    "diversity_mm": "diversity, all coordinates (mm)",
}
"""Every measure with its name in the report; see `diffposetalk.metrics`."""
NEEDS = {
    "lve_max_mm": "lip vertices (--lips or --head)",
    "lve_squared_m2": "lip vertices (--lips or --head)",
    "lve_root_mm": "lip vertices (--lips or --head)",
    "fdd_m2": "upper-face vertices (--upper-face or --head) and a rest shape (the array rest, or --head)",
    "fdd_absolute_m2": "upper-face vertices (--upper-face or --head) and a rest shape (the array rest, or --head)",
    "mod_mm": "pairs of lip vertices (--lip-pairs, or a head that has them)",
    "mod_rms_mm": "pairs of lip vertices (--lip-pairs, or a head that has them)",
    "beat_alignment": "the array head_pose in both files",
    "diversity_mm": "several samples (S, T, V, 3) of each sequence",
}
"""What a measure needs."""


def score(pair: MeshPair, regions: Regions) -> dict[str, float]:
    """Measure one sequence; with several samples, the mean of their measures.

    Args:
        pair: the sequence.
        regions: what is known about the mesh.

    Returns:
        The measures that can be computed, by the names of `UNITS`.
    """
    rows = [_sample_scores(pair, regions, k) for k in range(len(pair.predicted))]
    scores = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    if len(pair.predicted) > 1:
        n_samples, n_frames = pair.predicted.shape[:2]
        scores["diversity_mm"] = 1e3 * metrics.diversity(pair.predicted.reshape(n_samples, n_frames, -1))
    return scores


def _sample_scores(pair: MeshPair, regions: Regions, sample: int) -> dict[str, float]:
    predicted, truth = pair.predicted[sample], pair.truth
    rest = regions.rest if pair.rest is None else pair.rest
    scores: dict[str, float] = {}
    if regions.lips is not None:
        scores["lve_max_mm"] = metrics.lip_vertex_error_max(predicted, truth, regions.lips)
        scores["lve_squared_m2"] = metrics.lip_vertex_error_squared(predicted, truth, regions.lips)
        scores["lve_root_mm"] = metrics.lip_vertex_error_root(predicted, truth, regions.lips)
    if regions.upper_face is not None and rest is not None:
        deviation = metrics.upper_face_deviation(predicted, truth, rest, regions.upper_face)
        scores["fdd_m2"], scores["fdd_absolute_m2"] = deviation.signed, deviation.absolute
    if regions.gap is not None:
        gaps = regions.gap(predicted), regions.gap(truth)
        scores["mod_mm"] = metrics.mouth_opening_difference(*gaps)
        scores["mod_rms_mm"] = metrics.mouth_opening_difference_rms(*gaps)
    if pair.predicted_head is not None and pair.true_head is not None:
        beats = [metrics.head_beats(pose, pair.fps) for pose in (pair.predicted_head[sample], pair.true_head)]
        scores["beat_alignment"] = metrics.beat_alignment(beats[0], beats[1], pair.fps)
    return scores


def evaluate(
    predicted: Path, truth: Path, region_files: RegionFiles, progress: Progress | None = None
) -> dict[str, Any]:
    """Compare all sequences of two folders.

    Args:
        predicted: folder of generated sequences, ``.npz`` with ``vertices`` ``(T, V, 3)`` or ``(S, T, V, 3)``, metres.
        truth: folder of captured sequences of the same names, ``vertices`` ``(T, V, 3)``.
        region_files: index lists, or a head, that name the vertices to look at.
        progress: called after each sequence.

    Returns:
        ``mean`` over sequences and ``sequences`` by name, with the keys of `UNITS`; ``not_computed``: what each
        measure that is missing needs; ``n_sequences``, ``n_frames``, ``n_vertices``.

    Raises:
        UsageError: neither index lists nor a head is given.
        InputError: a file does not fit, or a measure could be computed for some of the sequences only.
    """
    regions = find_regions(region_files)
    total = len(pair_names(predicted, truth))
    rows: dict[str, dict[str, float]] = {}
    n_frames = n_vertices = 0
    for pair in read_pairs(predicted, truth):
        if not rows:
            n_vertices = pair.truth.shape[1]
            regions.check(n_vertices, truth)
        rows[pair.name] = score(pair, regions)
        _check_same_measures(rows, pair.name, predicted)
        n_frames += len(pair.truth)
        if progress is not None:
            progress(len(rows), total, "measuring")
    names = list(next(iter(rows.values())))
    return {
        "mean": {name: float(np.mean([row[name] for row in rows.values()])) for name in names},
        "sequences": rows,
        "not_computed": {name: need for name, need in NEEDS.items() if name not in names},
        "n_sequences": len(rows),
        "n_frames": n_frames,
        "n_vertices": n_vertices,
    }


def _check_same_measures(rows: Mapping[str, Mapping[str, float]], name: str, folder: Path) -> None:
    """Refuse a mean over some of the sequences."""
    first = next(iter(rows))
    for measure in sorted(set(rows[first]) ^ set(rows[name])):
        lacking = name if measure not in rows[name] else first
        raise InputError(
            f"{folder / lacking}.npz: {UNITS[measure]} cannot be computed for it, but for others; it needs {NEEDS[measure]}"
        )


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table."""
    rows = [[UNITS[name], f"{value:.4g}"] for name, value in result["mean"].items()]
    lines = [
        table(["measure, mean over sequences", "value"], rows),
        "",
        f"{result['n_sequences']} sequences, {result['n_frames']} frames, {result['n_vertices']} vertices",
    ]
    lines += [f"not computed: {UNITS[name]}; needs {need}" for name, need in result["not_computed"].items()]
    return "\n".join(lines)

"""How a run learned: the loss terms of training (thin) and validation (dots) of each of its stages, over the steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import check_output, replacing
from diffposetalk.files.limits import JSON_FACTOR, read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.progress import Progress, over
from diffposetalk.workshop.evaluate.tables import table

STAGES = ("speech", "style", "denoiser")
"""Folders of a run, in the order of training."""
SMOOTH = 50
"""Steps over which training losses are averaged."""


def read_log(path: Path) -> dict[int, dict[str, float]]:
    """Read a stage's ``log.jsonl`` by step; of steps made twice, after an interruption, the later counts.

    Raises:
        InputError: the file is missing or no log.
    """
    with parsing(path, "training log"):
        lines = read_bytes(path, "training log", JSON_FACTOR).decode().splitlines()
    rows: dict[int, dict[str, float]] = {}
    for number, line in enumerate(lines, 1):
        with parsing(f"{path}: line {number}", "row of a training log"):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is not a JSON object")
            rows[int(row["step"])] = row
    return dict(sorted(rows.items()))


def plot(path: Path, logs: dict[str, dict[int, dict[str, float]]], title: str) -> dict[str, dict[str, list[float]]]:
    """Draw the terms of each stage.

    Args:
        path: PNG to write.
        logs: by stage, from `read_log`.
        title: above the picture.

    Returns:
        First and last validated value of each term, by stage.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DiffPoseTalkError("plots need matplotlib: pip install 'diffposetalk[train]'") from None
    panels = [
        (stage, key.removeprefix("val_"))
        for stage, rows in logs.items()
        for key in dict.fromkeys(key for row in rows.values() for key in row)
        if key.startswith("val_")
    ]
    if not panels:
        raise InputError("the run has not been validated yet; nothing to draw")
    n_columns = min(4, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(3.2 * n_columns, 2.3 * n_rows), layout="constrained")
    places = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    ends: dict[str, dict[str, list[float]]] = {}
    for (stage, term), place in zip(panels, places):
        rows = logs[stage]
        learned = np.array([(step, row[term]) for step, row in rows.items() if term in row])
        validated = np.array([(step, row[f"val_{term}"]) for step, row in rows.items() if f"val_{term}" in row])
        width = min(SMOOTH, len(learned))
        mean = np.convolve(learned[:, 1], np.ones(width) / width, "valid")
        place.plot(learned[width - 1 :, 0], mean, lw=0.8, color="0.6", label="training")
        place.plot(validated[:, 0], validated[:, 1], "o-", ms=3, lw=1, color="#c0392b", label="validation")
        if min(mean.min(), validated[:, 1].min()) > 0:
            place.set_yscale("log")
        place.set_title(f"{stage}: {term}", fontsize=8)
        place.tick_params(labelsize=7, which="both")
        ends.setdefault(stage, {})[term] = [float(validated[0, 1]), float(validated[-1, 1])]
    places[0].legend(fontsize=7)
    for place in places[len(panels) :]:
        place.axis("off")
    figure.suptitle(title, fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return ends


def evaluate(folder: Path, output: str | Path, progress: Progress | None = None) -> dict[str, dict[str, list[float]]]:
    """Draw the losses of a training run.

    Args:
        folder: of `diffposetalk train`.
        output: picture to write (.png).
        progress: called after each stage.

    Returns:
        First and last validated value of each term, by stage.

    Raises:
        InputError: the folder holds no run.
    """
    path = check_output(output, (".png",))
    paths = {stage: folder / stage / "log.jsonl" for stage in STAGES}
    logs = {stage: read_log(paths[stage]) for stage in over(STAGES, progress, "reading") if paths[stage].exists()}
    if not logs:
        raise InputError(f"{folder}: no run of `diffposetalk train` (no log in {', '.join(STAGES)})")
    return plot(path, logs, folder.name)


def report(result: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Lay out the first and the last validated value of each term."""
    rows = [
        (stage, term, *(f"{value:.3g}" for value in values))
        for stage, terms in result.items()
        for term, values in terms.items()
    ]
    return table(("stage", "validated term", "first", "last"), rows)

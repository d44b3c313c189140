"""The report of a comparison: Markdown, one HTML page that needs no network, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffposetalk.files.atomic import write_atomically
from diffposetalk.pages import data_address, render, svg
from diffposetalk.workshop.evaluate.comparison import leaderboard
from diffposetalk.workshop.evaluate.comparison.catalogue import MAIN
from diffposetalk.workshop.evaluate.comparison.films import Film
from diffposetalk.workshop.evaluate.comparison.metric import ARROWS, Metric, clip_values
from diffposetalk.workshop.evaluate.comparison.plots import (
    PAIRS,
    gaps_of_clip,
    metric_against_metric,
    shown_clips,
    systems_by_metric,
)
from diffposetalk.workshop.evaluate.comparison.results import TRUTH, Results, as_json, interval_text, number_text
from diffposetalk.workshop.evaluate.tables import table

BETTER = {
    "higher": "higher is better",
    "lower": "lower is better",
    "truth": "the nearer to the truth the better",
    "open": "neither more nor less is better by itself",
}
"""The better direction in words."""
CLIP_METRICS = ("gap_pearson", "gap_pearson_of_mean", "bcs", "mtm_ms", "beats_truth")
"""Metrics in the table of the clips."""
DRAWN_CLIPS = 4
"""Clips whose lip gaps are drawn."""
FILES = ("report.html", "report.md", "report.json", "leaderboard.csv")
"""What a report consists of, beside the cache."""


def write_report(results: Results, folder: Path, notes: Sequence[str], films: Mapping[str, Film]) -> list[Path]:
    """Write the report into a folder; the same results give the same bytes.

    Args:
        results: of the comparison.
        folder: the report's.
        notes: what was left out.
        films: clips that were filmed, by name.

    Raises:
        DiffPoseTalkError: Jinja2 or matplotlib is not installed, or a file cannot be written.
    """
    page = render(__package__, "report.html", **_values(results, notes, films))
    contents = {
        "report.html": page,
        "report.md": markdown(results, notes).encode(),
        "report.json": (json.dumps(as_json(results), indent=1, sort_keys=True, allow_nan=False) + "\n").encode(),
        "leaderboard.csv": leaderboard.draft(results).encode(),
    }
    for name, data in contents.items():
        write_atomically(folder / name, data)
    return [folder / name for name in FILES]


def markdown(results: Results, notes: Sequence[str] = ()) -> str:
    """Return the report as Markdown."""
    protocol = results.comparison.protocol
    lines = [f"# {protocol.name}", "", f"Protocol `{protocol.hash}`: {_size(results)}. {protocol.about}".rstrip(), ""]
    lines += [f"- {note}" for note in notes] + ([""] if notes else [])
    rows = [(system.name, system.about, system.n_samples) for system in results.comparison.systems]
    lines += [table(("system", "what", "samples a clip"), rows), ""]
    for title, group in results.groups.items():
        lines += [f"## {title}", ""]
        header = ["system", *(f"{_title(metric)} {ARROWS[metric.better]}".strip() for metric in group)]
        rows_of_figures = []
        for name in results.names:
            cells = [_cell(results, name, metric) for metric in group]
            rows_of_figures.append(
                [name, *(f"{value} ({interval})" if interval else value for value, interval in cells)]
            )
        lines += [table(header, rows_of_figures), ""]
        lines += [
            f"- {_title(metric)}: {metric.about}; {BETTER[metric.better]}; {_where(results, metric)}"
            for metric in group
        ]
        lines.append("")
    lines += ["Figures in brackets are 95 % intervals over clips. docs/metrics.md has the formulas.", ""]
    return "\n".join(lines)


def _values(results: Results, notes: Sequence[str], films: Mapping[str, Film]) -> dict[str, Any]:
    """Return the variables of the template."""
    protocol = results.comparison.protocol
    metrics = {metric.name: metric for group in results.groups.values() for metric in group}
    forest = [
        (_title(metrics[name]), svg(drawing, _title(metrics[name])))
        for name in MAIN
        if name in metrics and (drawing := systems_by_metric(results, metrics[name])) is not None
    ]
    against = []
    for across, upward in PAIRS:
        if across in metrics and upward in metrics and (drawing := metric_against_metric(results, across, upward)):
            title = f"{metrics[upward].title} against {metrics[across].title}"
            against.append((title, svg(drawing, title)))
    clips = [
        (protocol.clips[number].name, svg(gaps_of_clip(results, number), f"lip gaps of {protocol.clips[number].name}"))
        for number in shown_clips(len(protocol.clips), DRAWN_CLIPS)
    ]
    return {
        "title": protocol.name,
        "hash": protocol.hash,
        "about": protocol.about,
        "tiles": [
            (str(len(protocol.clips)), "clips"),
            (str(len({clip.speaker for clip in protocol.clips})), "speakers"),
            (_time(protocol.seconds), "of speech"),
            (str(len(protocol.seeds)), "seeds"),
            (f"{protocol.fps:g}", "frames a second"),
        ],
        "notes": list(notes),
        "systems": [[each.name, each.about, str(each.n_samples)] for each in results.comparison.systems],
        "groups": [_group(results, title, group) for title, group in results.groups.items()],
        "forest": forest,
        "against": against,
        "films": [
            (name, data_address(film.video, "video/mp4"), data_address(film.still, "image/jpeg"))
            for name, film in films.items()
        ],
        "clips": clips,
        **_clip_table(results, [metrics[name] for name in CLIP_METRICS if name in metrics]),
    }


def _group(results: Results, title: str, group: Sequence[Metric]) -> dict[str, Any]:
    columns = [
        {
            "title": metric.title,
            "unit": metric.unit,
            "about": metric.about,
            "arrow": ARROWS[metric.better],
            "better": BETTER[metric.better],
            "where": _where(results, metric),
        }
        for metric in group
    ]
    best = {metric.name: results.best(metric) for metric in group}
    rows = []
    for name in results.names:
        cells = []
        for metric in group:
            value, interval = _cell(results, name, metric)
            cells.append({"value": value, "interval": interval, "best": name in best[metric.name]})
        rows.append({"words": [name], "cells": cells})
    return {"title": title, "columns": columns, "rows": rows}


def _clip_table(results: Results, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Return columns and rows of the table of each clip and system."""
    rows = []
    values = {
        name: [clip_values(metric, results.looks[name]) for metric in metrics]
        for name in results.names
        if name != TRUTH
    }
    for number, clip in enumerate(results.comparison.protocol.clips):
        for name, columns in values.items():
            cells = [
                "" if (value := column[number]) is None else number_text(value, metric.digits)
                for metric, column in zip(metrics, columns)
            ]
            rows.append([clip.name, f"{clip.seconds:.1f} s", name, *cells])
    return {"clip_columns": ["clip", "length", "system", *(_title(metric) for metric in metrics)], "clip_rows": rows}


def _cell(results: Results, name: str, metric: Metric) -> tuple[str, str]:
    """Return figure and interval as texts; a dash where the metric is not defined for the system."""
    figure = results.figures[name][metric.name]
    if figure is None:
        return "–", ""
    return number_text(figure.value, metric.digits), interval_text(figure, metric.digits)


def _where(results: Results, metric: Metric) -> str:
    """Say over how many clips a metric is taken, "over 6 of 10 clips"."""
    n_clips = len(results.comparison.protocol.clips)
    if metric.pooled:
        return f"over all frames of {n_clips} clips"
    counts = {
        sum(value is not None for value in (metric.read(look) for look in results.looks[name]))
        for name in results.names
        if results.figures[name][metric.name]
    }
    least, most = min(counts), max(counts)
    over = str(most) if least == most else f"{least} to {most}"
    return f"over {over} of {n_clips} clips"


def _title(metric: Metric) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _size(results: Results) -> str:
    protocol = results.comparison.protocol
    return f"{len(protocol.clips)} clips, {_time(protocol.seconds)}, seeds {', '.join(map(str, protocol.seeds))}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"

"""The leaderboard: a CSV file to which anybody can add a line, and a page made from it.

    system,commit,protocol,data,latency,by,gap_pearson,bcs,...
    lite,1a2b3c4,ae726efc5ca9,corpus,offline,A. Person,0.51,48.2,...

The first columns are words; the others are metrics of `catalogue.METRICS` and may be empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.pages import render
from diffposetalk.workshop.evaluate.comparison.catalogue import METRICS
from diffposetalk.workshop.evaluate.comparison.metric import ARROWS, Metric
from diffposetalk.workshop.evaluate.comparison.results import TRUTH, Results, number_text

WORDS = ("system", "commit", "protocol", "data", "latency", "by")
"""Columns that hold words; all are needed."""
LATENCIES = {
    "offline": "needs the whole speech",
    "look-ahead": "needs a bounded part of the future speech",
    "causal": "needs no future speech",
}
"""Latency classes."""
FIGURES = (
    "gap_pearson",
    "gap_pearson_of_mean",
    "gap_concordance",
    "mtm_ms",
    "bcs",
    "closure_precision",
    "beats_truth",
    "head_step_deg",
    "style_opening_r",
    "energy_fair_lips_mm",
    "lve_mm",
    "fdd",
)
"""Metrics in the line that a report drafts."""
_PATTERNS = {
    "commit": (re.compile(r"[0-9a-f]{7,40}|v?\d+(\.\d+)+"), "7 to 40 hexadecimal digits, or a version such as 1.2.0"),
    "protocol": (re.compile(r"[0-9a-f]{12}"), "the 12 hexadecimal digits that a report shows"),
}
"""Columns of a fixed form: the form, and the form in words."""
LONGEST = 200
"""Most characters of a word."""


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard."""

    words: dict[str, str]
    """Column of `WORDS` -> text."""
    figures: dict[str, float | None]
    """Name of a metric -> figure; None where the line has none."""


def read_leaderboard(path: str | Path) -> list[Entry]:
    """Read a leaderboard file.

    Raises:
        InputError: the file is missing or not a CSV file, or a line is malformed; the message names the line.
    """
    with parsing(path, "leaderboard"):
        text = read_bytes(path, "leaderboard").decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text), strict=True)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
        if not rows:
            raise InputError(f"{path}: is empty; its first line must begin with {','.join(WORDS)}")
        header = [name.strip() for name in rows[0][1]]
        _check_header(header, path)
        entries: list[Entry] = []
        known: dict[tuple[str, ...], int] = {}
        for number, row in rows[1:]:
            entry = _entry(header, [cell.strip() for cell in row], f"{path}, line {number}")
            key = tuple(entry.words[name] for name in ("system", "commit", "protocol", "latency"))
            if key in known:
                raise InputError(
                    f"{path}, line {number}: is about the same system, commit and protocol as line {known[key]}"
                )
            known[key] = number
            entries.append(entry)
    return entries


def draft(results: Results) -> str:
    """Return the lines of a comparison's systems, in which commit, latency class and name are to be filled in."""
    protocol = results.comparison.protocol
    names = [name for name in FIGURES if any(name == m.name for group in results.groups.values() for m in group)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*WORDS, *names])
    for system in results.names:
        if system == TRUTH:
            continue
        figures = [
            ""
            if (figure := results.figures[system][name]) is None
            else number_text(figure.value, METRICS[name].digits + 1)
            for name in names
        ]
        writer.writerow([system, "", protocol.hash, protocol.name, "", "", *figures])
    return buffer.getvalue()


def write_page(path: Path, out: Path) -> int:
    """Make the page of a leaderboard file; return the number of lines.

    Raises:
        InputError: see `read_leaderboard`.
        DiffPoseTalkError: Jinja2 or matplotlib is not installed.
    """
    entries = read_leaderboard(path)
    protocols = list(dict.fromkeys(entry.words["protocol"] for entry in entries))
    tables = [_table([entry for entry in entries if entry.words["protocol"] == protocol]) for protocol in protocols]
    page = render(__package__, "leaderboard.html", title="Leaderboard", tables=tables, latencies=LATENCIES)
    write_atomically(out, page)
    return len(entries)


def _table(entries: Sequence[Entry]) -> dict[str, object]:
    """Return the table of one protocol: the best by the first metric comes first."""
    metrics = [METRICS[name] for name in METRICS if any(entry.figures.get(name) is not None for entry in entries)]
    ranked = sorted(entries, key=lambda entry: _rank(entry, metrics))
    best = {metric.name: _best(entries, metric) for metric in metrics}
    rows = [
        {
            "words": [entry.words[name] for name in ("system", "latency", "commit", "by")],
            "cells": [
                {
                    "value": ""
                    if (value := entry.figures.get(metric.name)) is None
                    else number_text(value, metric.digits),
                    "interval": "",
                    "best": value is not None and value == best[metric.name],
                }
                for metric in metrics
            ],
        }
        for entry in ranked
    ]
    return {
        "protocol": entries[0].words["protocol"],
        "data": entries[0].words["data"],
        "columns": [
            {
                "title": metric.title,
                "unit": metric.unit,
                "arrow": ARROWS[metric.better],
                "about": metric.about,
            }
            for metric in metrics
        ],
        "rows": rows,
    }


def _rank(entry: Entry, metrics: Sequence[Metric]) -> tuple[float, str]:
    """Return the key by which lines are sorted: the first metric, then the name."""
    value = entry.figures.get(metrics[0].name) if metrics else None
    if value is None:
        return np.inf, entry.words["system"]
    return (-value if metrics[0].better == "higher" else value), entry.words["system"]


def _best(entries: Sequence[Entry], metric: Metric) -> float | None:
    values = [value for entry in entries if (value := entry.figures.get(metric.name)) is not None]
    if len(values) < 2 or metric.better in ("truth", "open"):
        return None
    return max(values) if metric.better == "higher" else min(values)


def _check_header(header: Sequence[str], path: str | Path) -> None:
    if missing := [name for name in WORDS if name not in header]:
        raise InputError(f"{path}, line 1: lacks the column {missing[0]!r}; needed are {', '.join(WORDS)}")
    if twice := [name for name in header if header.count(name) > 1]:
        raise InputError(f"{path}, line 1: has the column {twice[0]!r} twice")
    if unknown := [name for name in header if name not in WORDS and name not in METRICS]:
        raise InputError(f"{path}, line 1: {unknown[0]!r} is no metric; choose from {', '.join(METRICS)}")


def _entry(header: Sequence[str], row: Sequence[str], where: str) -> Entry:
    if len(row) != len(header):
        raise InputError(f"{where}: has {len(row)} columns, the first line has {len(header)}")
    cells = dict(zip(header, row))
    for name in WORDS:
        if not cells[name]:
            raise InputError(f"{where}: the column {name!r} is empty")
        if len(cells[name]) > LONGEST:
            raise InputError(f"{where}: {name} has more than {LONGEST} characters")
        if name in _PATTERNS and not _PATTERNS[name][0].fullmatch(cells[name]):
            raise InputError(f"{where}: {name} is {cells[name]!r}; write {_PATTERNS[name][1]}")
    if cells["latency"] not in LATENCIES:
        raise InputError(f"{where}: latency is {cells['latency']!r}; choose from {', '.join(LATENCIES)}")
    figures: dict[str, float | None] = {}
    for name in header:
        if name in WORDS:
            continue
        try:
            figures[name] = float(cells[name]) if cells[name] else None
        except ValueError:
            figures[name] = float("nan")
        if figures[name] is not None and not np.isfinite(figures[name] or 0.0):
            raise InputError(f"{where}: {name} is {cells[name]!r}, not a number; leave it empty if it was not measured")
    if not any(value is not None for value in figures.values()):
        raise InputError(f"{where}: has no figure")
    return Entry({name: cells[name] for name in WORDS}, figures)

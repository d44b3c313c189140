"""Reports of a tally: text, Markdown, a page, plots, all answers as CSV, and JSON."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from diffposetalk.files.atomic import write_atomically
from diffposetalk.workshop.study.plan import SCALES
from diffposetalk.workshop.study.tally.plots import figures, group_name, svg_file
from diffposetalk.workshop.study.tally.resample import Interval
from diffposetalk.workshop.study.tally.tally import Tally

INTERVALS = "Brackets hold 95 % intervals."


@dataclass(frozen=True)
class Table:
    """A table of a report."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    """The first columns hold words, the others numbers."""


def tables(result: Tally) -> list[Table]:
    """Return the tables of a report."""
    parts: list[Table] = []
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if result.ratings:
        rows = [
            (group_name(row.question, row.sound), row.system, f"{row.mean:.2f}", _ends(row.interval),
             *(f"{value:g}" for value in row.quartiles), str(row.n))
            for row in result.ratings
        ]  # fmt: skip
        columns = ("question", "system", "mean", "interval", "25 %", "median", "75 %", "ratings")
        parts.append(Table("Ratings", f"{INTERVALS} They come from resampling the raters.", columns, tuple(rows), 2))
    if result.differences:
        rows = [
            (group_name(row.question, row.sound), row.system, row.other, f"{row.difference:+.2f}", _ends(row.interval, "+"),
             _verdict(row.interval, 0))
            for row in result.differences
        ]  # fmt: skip
        note = f"{INTERVALS} They are not corrected for the number of comparisons."
        columns = ("question", "system", "minus", "difference", "interval", "clear")
        parts.append(Table("Differences", note, columns, tuple(rows), 3))
    if result.strengths:
        rows = [
            (group_name(row.question, row.sound), row.system, f"{row.strength:+.2f}", _ends(row.interval, "+"))
            for row in result.strengths
        ]
        note = (
            f"{INTERVALS} The model of Bradley and Terry; a difference d in log strength means that the stronger one is "
            "preferred with probability 1 / (1 + exp(-d))."
        )
        parts.append(Table("Strengths", note, ("question", "system", "log strength", "interval"), tuple(rows), 2))
    if result.preferences:
        rows = [
            (group_name(row.question, row.sound), row.system, row.other, f"{row.share:.0%}", _ends(row.interval, "%"),
             str(row.wins), str(row.ties), str(row.losses), _verdict(row.interval, 0.5))
            for row in result.preferences
        ]  # fmt: skip
        note = f"{INTERVALS} The wider of Wilson's over answers and the one from resampling the raters. A tie is half a win."
        columns = ("question", "system", "over", "preferred", "interval", "won", "tied", "lost", "clear")
        parts.append(Table("Preferences", note, columns, tuple(rows), 3))
    return [*parts, _raters(result)]


def _raters(result: Tally) -> Table:
    note = f"{result.rule} Somebody who answers at random would be kept with a probability of {result.chance:.1%}."
    rows = tuple(
        (
            str(verdict.rater),
            "kept" if verdict.kept else f"dropped: {verdict.reason}",
            str(verdict.checks),
            str(verdict.failed),
        )
        for verdict in result.verdicts
    )
    return Table("Raters", note, ("rater", "answers", "checks", "failed"), rows, 2)


def _ends(ends: Interval, how: str = "") -> str:
    if math.isnan(ends[0]):
        return "-"
    low, high = (f"{end:.0%}" if how == "%" else f"{end:{how}.2f}" for end in ends)
    return f"[{low}, {high}]"


def _verdict(ends: Interval, even: float) -> str:
    """Return whether an interval excludes equality."""
    return "" if math.isnan(ends[0]) or ends[0] <= even <= ends[1] else "yes"


def counts(result: Tally) -> list[tuple[str, str]]:
    """Return the numbers at the top of a report: value and what it counts."""
    left = [] if math.isnan(result.left_share) else [(f"{result.left_share:.0%}", "of choices went left")]
    return [
        (str(result.raters), "raters began"),
        (str(result.finished), "finished"),
        (str(len(result.verdicts) - result.kept), "dropped"),
        (str(result.kept), "counted"),
        (str(len({(answer.rater, answer.page) for answer in result.answers})), "pages answered"),
        *left,
    ]


def as_text(result: Tally, plots: str = "") -> str:
    """Return the report as Markdown, which is also what a terminal shows.

    Args:
        result: the figures.
        plots: name of an SVG file beside the report; "" for none.
    """
    lines = [
        f"# {_plain(result.study.title)}",
        f"User study, {result.study.scale}: {SCALES[result.study.scale]}.",
        ", ".join(f"{value} {what}" for value, what in counts(result)) + ".",
    ]
    if plots:
        lines.append(f"![Plots of the figures below]({quote(plots)})")
    for part in tables(result):
        lines += [f"## {part.title}", part.note, _markdown(part)]
    return "\n\n".join(line for line in lines if line)


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _markdown(part: Table) -> str:
    rows = [part.columns, *(tuple(_plain(cell) for cell in row) for row in part.rows)]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(part.columns))]
    rule = [("-" * (width - 1)) + ("-" if column < part.words else ":") for column, width in enumerate(widths)]
    lines = []
    for row in (rows[0], tuple(rule), *rows[1:]):
        cells = [
            cell.ljust(width) if column < part.words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(result: Tally, path: Path, beside: Sequence[Path] = ()) -> None:
    """Write a report.

    Args:
        result: the figures.
        path: `.html`, `.md`, `.svg` or `.csv` file.
        beside: all files of this run; a Markdown report shows the `.svg` among them.
    """
    kind = path.suffix.lower()
    if kind == ".html":
        data = _html(result)
    elif kind == ".svg":
        data = svg_file(result)
    elif kind == ".csv":
        data = _csv(result).encode()
    else:
        plots = next((other for other in beside if other.suffix.lower() == ".svg"), None)
        name = "" if plots is None else Path(os.path.relpath(plots, path.parent)).as_posix()
        data = f"{as_text(result, name)}\n".encode()
    write_atomically(path, data)


def _html(result: Tally) -> bytes:
    from diffposetalk.pages import render, svg

    return render(
        __package__,
        "tally.html",
        title=result.study.title,
        scale=f"{result.study.scale}: {SCALES[result.study.scale]}",
        tiles=counts(result),
        figures=[(title, svg(figure, title)) for title, figure in figures(result)],
        parts=tables(result),
    )


COLUMNS = (
    "rater", "counted", "page", "question", "sound", "clip", "slot", "system", "value", "seconds", "replays", "answered_at",
)  # fmt: skip
"""Columns of the CSV file: one row for each judged video."""


def _csv(result: Tally) -> str:
    raters = {verdict.rater for verdict in result.verdicts if verdict.kept}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for answer in result.answers:
        at = datetime.fromtimestamp(answer.answered_at, UTC).isoformat(timespec="seconds")
        writer.writerow(
            [answer.rater, int(answer.rater in raters), answer.page + 1, answer.question, int(answer.sound), answer.clip,
             answer.slot + 1, answer.system, f"{answer.value:g}", f"{answer.seconds:.1f}", answer.replays, at]
        )  # fmt: skip
    return buffer.getvalue()


def to_dict(result: Tally) -> dict[str, Any]:
    """Return the figures for `--json`; an interval that does not exist is None."""
    measured = {
        name: [_finite(asdict(row)) for row in getattr(result, name)]
        for name in ("preferences", "strengths", "ratings", "differences", "verdicts")
    }
    for row in measured["ratings"]:
        del row["values"]
    return {
        "study": result.study.identity(), "title": result.study.title, "scale": result.study.scale,
        "raters": result.raters, "finished": result.finished, "counted": result.kept, "rule": result.rule,
        "kept_at_random": result.chance, **measured,
    }  # fmt: skip


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    if math.isnan(row.get("interval", (0.0,))[0]):
        row["interval"] = None
    return row

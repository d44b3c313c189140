"""Figures of a tally: boxes of ratings, strengths and preferences with their intervals."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.pages import BAR, CURVE, LINE, SOFT, TEXT, new_figure
from diffposetalk.workshop.study.plan import FIVE, QUESTION_NAMES
from diffposetalk.workshop.study.tally.preferences import Preference, Strength
from diffposetalk.workshop.study.tally.ratings import Rating
from diffposetalk.workshop.study.tally.tally import Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.42
"""Height of one system's row, inches."""
WIDTH = 7.6
"""Width of a figure, inches."""
FONT = 11
Draw = Callable[["Axes"], None]
Panel = tuple[str, int, Draw]
"""Title, number of rows, and the function that draws it."""


def group_name(question: str, sound: bool) -> str:
    """Return the name of a question in reports."""
    name = QUESTION_NAMES[question]
    return name if sound else f"{name}, without sound"


def panels(result: Tally) -> Iterator[Panel]:
    """Yield the panels of a tally."""
    for key, boxes in groupby(result.ratings, key=lambda row: (row.question, row.sound)):
        rows = list(boxes)
        yield f"Ratings: {group_name(*key)}", len(rows), _boxes(rows, result.study.scale == FIVE)
    for key, dots in groupby(result.strengths, key=lambda row: (row.question, row.sound)):
        strengths = list(dots)
        yield f"Strengths (Bradley-Terry): {group_name(*key)}", len(strengths), _dots(strengths)
    for key, shares in groupby(result.preferences, key=lambda row: (row.question, row.sound)):
        pairs = list(shares)
        yield f"Preferences: {group_name(*key)}", len(pairs), _bars(pairs)


def figures(result: Tally) -> Iterator[tuple[str, Figure]]:
    """Yield each panel as a figure with its title."""
    for title, n_rows, draw in panels(result):
        figure = new_figure(WIDTH, _height(n_rows))
        draw(figure.subplots())
        yield title, figure


def svg_file(result: Tally) -> bytes:
    """Return all panels as one SVG file on white."""
    import matplotlib

    drawn = list(panels(result))
    heights = [_height(n_rows) + 0.3 for _, n_rows, _ in drawn]
    figure = new_figure(WIDTH, max(1.0, sum(heights)))
    grid = figure.subplots(max(1, len(drawn)), 1, squeeze=False, height_ratios=heights or None)
    for axes, (title, _, draw) in zip(grid[:, 0], drawn):
        draw(axes)
        axes.set_title(title, loc="left", fontsize=FONT, fontweight="bold", color=TEXT)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "diffposetalk"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    return buffer.getvalue()


def _height(n_rows: int) -> float:
    return 0.75 + ROW * n_rows


def _rows(axes: Axes, names: Sequence[str]) -> np.ndarray:
    """Prepare axes with one row for each name, the first at the top; return the rows' heights."""
    places = np.arange(len(names))[::-1]
    axes.set_yticks(places, names, fontsize=FONT, color=TEXT)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="x", labelsize=FONT - 1, colors=SOFT)
    axes.tick_params(length=0)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return places


def _boxes(rows: list[Rating], five: bool) -> Draw:
    def draw(axes: Axes) -> None:
        places = _rows(axes, [row.system for row in rows])
        axes.boxplot(
            [row.values for row in rows], orientation="horizontal", positions=places, widths=0.5, manage_ticks=False,
            boxprops={"color": BAR, "linewidth": 1.4}, whiskerprops={"color": BAR}, capprops={"color": BAR},
            medianprops={"color": BAR, "linewidth": 2.4},
            flierprops={"marker": ".", "markersize": 4, "markerfacecolor": SOFT, "markeredgecolor": SOFT},
        )  # fmt: skip
        for place, row in zip(places, rows):
            _mark(axes, row.mean, place, row.interval)
        low, high = (1, 5) if five else (0, 100)
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        if five:
            axes.set_xticks(range(1, 6))
        axes.set_xlabel("boxes: quartiles; dots: means with 95 % intervals", fontsize=FONT - 1, color=SOFT)

    return draw


def _dots(rows: list[Strength]) -> Draw:
    def draw(axes: Axes) -> None:
        places = _rows(axes, [row.system for row in rows])
        for place, row in zip(places, rows):
            _mark(axes, row.strength, place, row.interval)
        axes.set_xlabel("log strength with 95 % intervals; mean of all 0", fontsize=FONT - 1, color=SOFT)

    return draw


def _bars(rows: list[Preference]) -> Draw:
    def draw(axes: Axes) -> None:
        places = _rows(axes, [f"{row.system} over {row.other}" for row in rows])
        axes.barh(places, [100 * row.share for row in rows], height=0.5, color=BAR, alpha=0.35)
        for place, row in zip(places, rows):
            _mark(axes, 100 * row.share, place, (100 * row.interval[0], 100 * row.interval[1]))
        axes.axvline(50, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(0, 100)
        axes.set_xlabel("% preferred, a tie is half, with 95 % intervals", fontsize=FONT - 1, color=SOFT)

    return draw


def _mark(axes: Any, value: float, place: float, ends: tuple[float, float]) -> None:
    """Draw a value with its interval."""
    if not math.isnan(ends[0]):
        axes.plot(ends, [place, place], color=CURVE, linewidth=2, solid_capstyle="butt")
    axes.plot([value], [place], marker="o", markersize=6, color=CURVE)

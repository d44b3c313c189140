"""Figures of the page about a data set: histograms, bars by name, and a curve under a waveform."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.data.report.survey import Histogram
from diffposetalk.pages import BAR, CURVE, LINE, SOFT, TEXT, new_figure, set_class, set_tooltip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENTILES = (5, 50, 95)
"""Percentiles marked in histograms."""
_INCH = 72
"""Pixels of an inch."""
_FONT = 11
"""Size of texts in pixels."""


def histogram(values: Histogram, square_root: bool = False) -> Figure:
    """Draw a histogram with its percentiles.

    Args:
        values: what to draw.
        square_root: heights grow with the square root of the counts, so that rare values show.
    """
    counts = values.bars()
    edges = np.linspace(values.low, values.high, len(counts) + 1)
    heights = np.sqrt(counts) if square_root else counts.astype(float)
    most = max(1.0, float(heights.max(initial=0)))
    heights[counts > 0] = np.maximum(heights[counts > 0], most / 80)
    figure = new_figure(250 / _INCH, 110 / _INCH, constrained=False)
    panel = figure.add_axes((0.024, 0.18, 0.952, 0.74))
    bars = panel.bar(edges[:-1], heights, 0.85 * np.diff(edges), align="edge", color=BAR)
    for bar, count, low, high in zip(bars, counts, edges[:-1], edges[1:]):
        set_tooltip(bar, f"{_number(low)} to {_number(high)}{values.unit}: {count}")
    for percent in PERCENTILES:
        value = values.percentile(percent)
        if math.isfinite(value):
            mark = panel.axvline(value, color=CURVE, lw=1.4, ls=(0, (2, 1.4)))
            set_tooltip(mark, f"{percent}th percentile: {_number(value)}{values.unit}")
    panel.set(xlim=(values.low, values.high), ylim=(0, 1.05 * most), yticks=[])
    ends = (values.low, (values.low + values.high) / 2, values.high)
    panel.set_xticks(ends, [f"{_number(value)}{values.unit}" for value in ends], fontsize=_FONT, color=SOFT)
    panel.tick_params(length=0, pad=3)
    first, _, last = panel.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    panel.spines[["left", "right", "top"]].set_visible(False)
    panel.spines["bottom"].set_color(LINE)
    return figure


def bars_by_name(rows: Sequence[tuple[str, float, str]]) -> Figure:
    """Draw a bar for each name, value and text that stands after the bar."""
    figure = new_figure(660 / _INCH, 20 * max(1, len(rows)) / _INCH, constrained=False)
    panel = figure.add_axes((190 / 660, 0, 380 / 660, 1))
    bars = panel.barh(range(len(rows)), [value for _, value, _ in rows], 0.6, color=BAR)
    for bar, (_, _, text) in zip(bars, rows):
        end = (bar.get_width(), bar.get_y() + bar.get_height() / 2)
        panel.annotate(text, end, (6, 0), textcoords="offset points", va="center", fontsize=_FONT, color=SOFT)
    names = [name if len(name) <= 26 else f"{name[:25]}…" for name, _, _ in rows]
    panel.set_yticks(range(len(rows)), names, fontsize=_FONT, color=SOFT, parse_math=False)
    for label, (name, _, _) in zip(panel.get_yticklabels(), rows):
        set_tooltip(label, name)
    panel.set(xlim=(0, max((value for _, value, _ in rows), default=0) or 1), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    panel.tick_params(length=0, pad=8)
    panel.spines[:].set_visible(False)
    return figure


def speech_and_curve(samples: np.ndarray, duration: float, curve: np.ndarray, name: str, unit: str) -> Figure:
    """Draw a waveform with a curve under it, and a line of the class ``now`` that a script moves with the time.

    Args:
        samples: ``(n,)`` sound in [-1, 1].
        duration: seconds that the width stands for.
        curve: ``(T,)`` at least 0, even in time.
        name: what the curve is.
        unit: of the curve.
    """
    width, height = 700, 150
    figure = new_figure(width / _INCH, height / _INCH, constrained=False)
    sound = figure.add_axes((0, 0.6, 1, 0.35))
    draw_waveform(sound, samples, duration, width // 2)
    below = figure.add_axes((0, 0.12, 1, 0.34))
    most = max(1e-9, float(np.max(curve, initial=0)))
    times = np.linspace(0, duration, len(curve))
    below.fill_between(times, 0, np.maximum(curve, 0), color=CURVE, alpha=0.14, lw=0)
    below.plot(times, np.maximum(curve, 0), color=CURVE, lw=1.5, clip_on=False)
    below.axhline(0, color=LINE)
    below.set(xlim=(0, duration), ylim=(0, most))
    below.set_axis_off()
    figure.text(2 / width, 0.5, f"{name}, up to {_number(most)} {unit}", fontsize=_FONT, color=SOFT, parse_math=False)
    for second in range(0, int(duration) + 1, max(1, round(duration / 10))):
        if second < 0.98 * duration:
            place, text = ("left", "0 s") if second == 0 else ("center", str(second))
            figure.text(second / duration, 0.02, text, ha=place, fontsize=_FONT, color=SOFT)
    now = figure.add_axes((0, 0.12, 1, 0.85))
    now.set_axis_off()
    now.set_xlim(0, 1)
    set_class(now.axvline(0, color=TEXT, lw=1, alpha=0.6, clip_on=False), "now")
    return figure


def draw_waveform(panel: Axes, samples: np.ndarray, duration: float, n_columns: int) -> None:
    """Draw sound ``(n,)`` in [-1, 1] as its lowest and highest value in each of so many columns."""
    chunks = np.array_split(np.asarray(samples, np.float64), min(n_columns, max(1, len(samples))))
    loudest = max(1e-3, float(np.abs(samples).max(initial=0)))
    low, high = [chunk.min() for chunk in chunks], [chunk.max() for chunk in chunks]
    panel.fill_between(np.linspace(0, duration, len(chunks)), low, high, color=BAR, alpha=0.55, lw=0)
    panel.set(xlim=(0, duration), ylim=(-loudest, loudest))
    panel.set_axis_off()


def _number(value: float) -> str:
    """Write a number short: three digits at most."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"

"""Figures of a report: gaps under the waveform, systems by metric, metric against metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.data.report.plots import draw_waveform
from diffposetalk.metrics.closures import PRESSED
from diffposetalk.pages import BAR, CURVE, LINE, SOFT, TEXT, new_figure, set_tooltip
from diffposetalk.workshop.evaluate.comparison.catalogue import METRICS
from diffposetalk.workshop.evaluate.comparison.metric import Metric
from diffposetalk.workshop.evaluate.comparison.results import TRUTH, Results, interval_text, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INCH = 72
"""Pixels of an inch."""
FONT = 11
"""Size of texts in pixels."""
SMALL = 10
"""Size of labels in pixels."""
WIDTH = 720
"""Width of a plot of a clip in pixels."""
ROW = 54
"""Height of a row in pixels."""
MOST_SYSTEMS = 10
"""Systems in the plot of a clip."""
PAIRS = (
    ("bcs", "gap_pearson_of_mean"),
    ("closure_precision", "bcs"),
    ("diversity_lips_mm", "energy_fair_lips_mm"),
    ("head_step_deg", "beats_truth"),
    ("lve_mm", "gap_pearson"),
)
"""Metrics that are plotted against each other: across, upward."""


def gaps_of_clip(results: Results, number: int) -> Figure:
    """Draw the sound of a clip, p, b, m in it, and the lip gap of each system over the true one."""
    names = [name for name in results.names if name != TRUTH and results.looks[name][number].first.gap is not None]
    names = names[:MOST_SYSTEMS]
    look = results.looks[names[0] if names else results.names[0]][number]
    height = ROW * (len(names) + 1) + 18
    figure = new_figure(WIDTH / INCH, height / INCH, constrained=False)
    duration = look.truth.duration

    def row(place: int) -> tuple[float, float, float, float]:
        return 0.0, 1 - (place + 1) * ROW / height, 1.0, 0.8 * ROW / height

    whole = figure.add_axes((0, 18 / height, 1, 1 - 18 / height))
    whole.set(xlim=(0, duration), ylim=(0, 1))
    whole.set_axis_off()
    for symbol, start, end in look.phones:
        if symbol in PRESSED:
            set_tooltip(whole.axvspan(start, min(end, duration), color=LINE, alpha=0.7, lw=0), symbol)
    draw_waveform(figure.add_axes(row(0)), look.speech.samples, duration, WIDTH // 2)
    times = np.arange(len(look.truth)) / look.truth.fps
    for place, name in enumerate(names, 1):
        each = results.looks[name][number]
        panel = figure.add_axes(row(place))
        truth, ours = each.truth.gap, each.first.gap
        if truth is None or ours is None:
            continue
        top = max(float(truth.max()), float(ours.max()), 1e-9)
        panel.fill_between(times, 0, truth, color=SOFT, alpha=0.28, lw=0)
        panel.plot(times, ours, color=CURVE, lw=1.4)
        panel.set(xlim=(0, duration), ylim=(0, 1.05 * top))
        panel.set_axis_off()
        unit = f"{1000 * top:.0f} mm" if each.same_mesh else "relative"
        panel.annotate(
            f"{name} (up to {unit})", (0, 1), (3, 2), "axes fraction", "offset points",
            fontsize=SMALL, va="top", color=TEXT, parse_math=False,
        )  # fmt: skip
    for second in range(0, int(duration) + 1, max(1, round(duration / 10))):
        if second < 0.98 * duration:
            place_of, text = ("left", "0 s") if second == 0 else ("center", str(second))
            figure.text(second / duration, 4 / height, text, ha=place_of, fontsize=SMALL, color=SOFT)
    return figure


def systems_by_metric(results: Results, metric: Metric) -> Figure | None:
    """Draw the figure of each system with its interval; the truth as a line. None with fewer than two systems."""
    rows = [(name, known) for name in results.names if name != TRUTH and (known := results.figures[name][metric.name])]
    if len(rows) < 2:
        return None
    height = 24 * len(rows) + 24
    figure = new_figure(330 / INCH, height / INCH, constrained=False)
    panel = figure.add_axes((110 / 330, 22 / height, 205 / 330, 1 - 24 / height))
    for place, (name, value) in enumerate(rows):
        text = f"{name}: {number_text(value.value, metric.digits)} {metric.unit}, {interval_text(value, metric.digits)}"
        if np.isfinite(value.low) and np.isfinite(value.high):
            panel.plot([value.low, value.high], [place, place], color=BAR, lw=1.6, alpha=0.6, solid_capstyle="butt")
        (dot,) = panel.plot([value.value], [place], "o", color=BAR, ms=6)
        set_tooltip(dot, text)
    truth = results.figures[TRUTH][metric.name] if TRUTH in results.figures else None
    if truth is not None:
        set_tooltip(panel.axvline(truth.value, color=CURVE, lw=1.4, ls=(0, (2, 1.4))), f"truth: {truth.value:.4g}")
    names = [name if len(name) <= 15 else f"{name[:14]}…" for name, _ in rows]
    panel.set_yticks(range(len(rows)), names, fontsize=FONT, color=TEXT, parse_math=False)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    _axis(panel)
    return figure


def metric_against_metric(results: Results, across: str, upward: str) -> Figure | None:
    """Draw two metrics of each system against each other; None with fewer than two systems that have both."""
    points = []
    for name in results.names:
        x, y = results.figures[name].get(across), results.figures[name].get(upward)
        if x is not None and y is not None:
            points.append((name, x, y))
    if len([name for name, *_ in points if name != TRUTH]) < 2:
        return None
    figure = new_figure(330 / INCH, 260 / INCH, constrained=False)
    panel = figure.add_axes((0.15, 0.17, 0.8, 0.78))
    heights = _label_heights([(x.value, y.value) for _, x, y in points])
    for (name, x, y), height in zip(points, heights):
        color = CURVE if name == TRUTH else BAR
        if np.isfinite([x.low, x.high]).all():
            panel.plot([x.low, x.high], [y.value, y.value], color=color, lw=1, alpha=0.35)
        if np.isfinite([y.low, y.high]).all():
            panel.plot([x.value, x.value], [y.low, y.high], color=color, lw=1, alpha=0.35)
        (dot,) = panel.plot([x.value], [y.value], "o", color=color, ms=5)
        set_tooltip(dot, f"{name}: {x.value:.4g}, {y.value:.4g}")
        panel.annotate(
            name,
            (x.value, y.value),
            (5, height),
            textcoords="offset points",
            fontsize=SMALL,
            color=TEXT,
            parse_math=False,
        )
    panel.margins(0.16)
    panel.set_xlabel(_label(METRICS[across]), fontsize=FONT, color=SOFT)
    panel.set_ylabel(_label(METRICS[upward]), fontsize=FONT, color=SOFT)
    _axis(panel)
    return figure


def _label_heights(points: Sequence[tuple[float, float]]) -> list[float]:
    """Return how far above its point each label stands in pixels, so that labels of near points do not overlap."""
    places = np.array(points)
    spread = np.maximum(np.ptp(places, axis=0), 1e-12)
    heights: list[float] = []
    for number, place in enumerate(places):
        near = np.abs((places[:number] - place) / spread)
        crowd = int(((near[:, 0] < 0.25) & (near[:, 1] < 0.06)).sum())
        heights.append(4 + 12 * (-1) ** crowd * ((crowd + 1) // 2))
    return heights


def _label(metric: Metric) -> str:
    return f"{metric.title}, {metric.unit}" if metric.unit else metric.title


def _axis(panel: Axes) -> None:
    panel.tick_params(length=0, pad=4, labelsize=SMALL, colors=SOFT)
    panel.spines[["right", "top"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(LINE)
    panel.grid(axis="x", color=LINE, lw=0.6)
    panel.set_axisbelow(True)


def shown_clips(n_clips: int, most: int) -> Sequence[int]:
    """Return the numbers of the clips that are drawn, evenly spread."""
    return range(n_clips) if n_clips <= most else [(2 * k + 1) * n_clips // (2 * most) for k in range(most)]

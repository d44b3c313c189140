"""Small pictures drawn as SVG in the colours of the page around them: bars, and a curve under a waveform."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

WIDTH = 250
"""Of a histogram, pixels."""
_LEFT, _TOP, _BOTTOM = 6, 8, 20


def bars(
    counts: np.ndarray,
    low: float,
    high: float,
    unit: str = "",
    label: str = "",
    marks: Sequence[tuple[float, str]] = (),
    height: int = 110,
    root: bool = False,
) -> str:
    """Draw a histogram.

    Args:
        counts: ``(n,)`` in even bins from `low` to `high`.
        low: value at the left end.
        high: value at the right end.
        unit: written after the numbers below.
        label: said by screen readers.
        marks: values to be marked, with their names.
        height: pixels.
        root: heights grow with the square root of the counts, so that rare values show.
    """
    n, top = len(counts), max(1, int(np.max(counts, initial=0)))
    across, tall = WIDTH - 2 * _LEFT, height - _TOP - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + across * min(1.0, max(0.0, (value - low) / (high - low)))

    parts = []
    step = (high - low) / n
    for k, count in enumerate(counts):
        if count:
            size = max(1.0, tall * (count / top) ** (0.5 if root else 1.0))
            left, right = x(low + k * step), x(low + (k + 1) * step)
            said = f"{_number(low + k * step)} to {_number(low + (k + 1) * step)}{unit}: {int(count)}"
            parts.append(
                f'<rect class="bar" x="{left:.1f}" y="{_TOP + tall - size:.1f}" width="{max(0.8, right - left - 0.6):.1f}" '
                f'height="{size:.1f}"><title>{html.escape(said)}</title></rect>'
            )
    for value, name in marks:
        if math.isfinite(value):
            parts.append(
                f'<line class="mark" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{_TOP - 4}" y2="{_TOP + tall}">'
                f"<title>{html.escape(name)}: {_number(value)}{html.escape(unit)}</title></line>"
            )
    base = _TOP + tall
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _LEFT}" y1="{base}" y2="{base}"/>')
    for value, anchor in ((low, "start"), ((low + high) / 2, "middle"), (high, "end")):
        parts.append(
            f'<text x="{x(value):.1f}" y="{height - 5}" text-anchor="{anchor}">{_number(value)}{html.escape(unit)}</text>'
        )
    return _svg(parts, WIDTH, height, label)


def rows(values: Sequence[tuple[str, float, str]], label: str = "", width: int = 660) -> str:
    """Draw a bar a row: name, value, and what is written after the bar."""
    most = max((value for _, value, _ in values), default=0.0) or 1.0
    name_width, high = 190, 20
    parts = []
    for k, (name, value, said) in enumerate(values):
        y, size = k * high, max(1.0, (width - name_width - 90) * value / most)
        shown = name if len(name) <= 26 else name[:25] + "…"
        parts.append(
            f'<text x="{name_width - 8}" y="{y + 14}" text-anchor="end">{html.escape(shown)}'
            f"<title>{html.escape(name)}</title></text>"
            f'<rect class="bar" x="{name_width}" y="{y + 4}" width="{size:.1f}" height="{high - 8}" rx="2"/>'
            f'<text x="{name_width + size + 6:.1f}" y="{y + 14}">{html.escape(said)}</text>'
        )
    return _svg(parts, width, max(high, high * len(values)), label)


def speech_and_curve(
    samples: np.ndarray, duration: float, curve: np.ndarray, name: str, unit: str, width: int = 700, height: int = 150
) -> str:
    """Draw a waveform with a curve under it, and a line that a script moves with the time (class ``now``).

    Args:
        samples: ``(n,)`` sound in [-1, 1].
        duration: seconds that the width stands for.
        curve: ``(T,)`` at least 0, even in time.
        name: what the curve is.
        unit: of the curve.
        width: pixels.
        height: pixels.
    """
    middle, reach, base = 34.0, 26.0, height - 18.0
    chunks = np.array_split(np.asarray(samples, np.float64), min(width // 2, max(1, len(samples))))
    loud = max(1e-3, float(np.abs(samples).max(initial=0)))
    places = np.linspace(0, width, len(chunks))
    upper = [f"{x:.0f},{middle - reach * c.max() / loud:.1f}" for x, c in zip(places, chunks)]
    lower = [f"{x:.0f},{middle - reach * c.min() / loud:.1f}" for x, c in zip(places, chunks)]
    most = max(1e-9, float(np.max(curve, initial=0)))
    tall = base - 84
    points = [
        f"{x:.1f},{base - tall * max(0.0, value) / most:.1f}"
        for x, value in zip(np.linspace(0, width, len(curve)), curve)
    ]
    seconds = range(0, int(duration) + 1, max(1, round(duration / 10)))
    parts = [
        f'<polygon class="wave" points="{" ".join(upper + lower[::-1])}"/>',
        f'<polygon class="fill" points="0,{base} {" ".join(points)} {width},{base}"/>',
        f'<polyline class="curve" points="{" ".join(points)}"/>',
        f'<line class="axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>',
        f'<text x="2" y="76">{html.escape(name)}, up to {_number(most)} {html.escape(unit)}</text>',
        *(
            f'<text x="{width * at / duration:.0f}" y="{height - 4}" text-anchor="{"start" if at == 0 else "middle"}">'
            f"{at}{' s' if at == 0 else ''}</text>"
            for at in seconds
            if at / duration < 0.98
        ),
        f'<line class="now" x1="0" x2="0" y1="4" y2="{base}" data-width="{width}"/>',
    ]
    return _svg(parts, width, height, f"waveform and {name}")


def _svg(parts: Sequence[str], width: int, height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(label)}" '
        f'preserveAspectRatio="xMidYMid meet">{"".join(parts)}</svg>'
    )


def _number(value: float) -> str:
    """Write a number short: three digits at most."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"

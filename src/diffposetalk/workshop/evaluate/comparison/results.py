"""The figures of a comparison: every metric of every system, with intervals, for tables, pages and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diffposetalk.metrics.intervals import Interval
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.comparison.catalogue import METRICS, chosen
from diffposetalk.workshop.evaluate.comparison.looks import Look, looks_of
from diffposetalk.workshop.evaluate.comparison.metric import Metric, clip_values, figure_of, set_scores
from diffposetalk.workshop.evaluate.comparison.run import Comparison
from diffposetalk.workshop.evaluate.systems.generated import TruthSystem

TRUTH = TruthSystem().name
"""Name of the system that is the truth itself."""


@dataclass(frozen=True)
class Results:
    """Everything that a report shows."""

    comparison: Comparison
    looks: Mapping[str, Sequence[Look]]
    """What the metrics see, by the name of the system."""
    groups: Mapping[str, tuple[Metric, ...]]
    """Title -> metrics that are defined for at least one system."""
    figures: Mapping[str, Mapping[str, Interval | None]]
    """Name of the system -> name of the metric -> figure."""

    @property
    def names(self) -> list[str]:
        """Names of the systems, in order."""
        return [system.name for system in self.comparison.systems]

    def best(self, metric: Metric) -> set[str]:
        """Return the names of the systems whose figure of a metric is the best; the truth does not take part."""
        values = {
            name: figure.value for name in self.names if name != TRUTH and (figure := self.figures[name][metric.name])
        }
        truth = self.figures[TRUTH][metric.name] if TRUTH in self.figures else None
        if len(values) < 2 or metric.better == "open" or (metric.better == "truth" and truth is None):
            return set()
        cost = {name: _cost(value, metric, truth) for name, value in values.items()}
        least = min(cost.values())
        winners = {name for name in cost if cost[name] <= least + 1e-9 * abs(least)}
        return winners if len(winners) < len(cost) else set()


def _cost(value: float, metric: Metric, truth: Interval | None) -> float:
    """Return a figure turned so that lower is better."""
    if metric.better == "truth":
        return abs(value - truth.value) if truth else np.inf
    return -value if metric.better == "higher" else value


def results_of(comparison: Comparison, progress: Progress | None = None) -> Results:
    """Compute all metrics that the protocol names.

    Raises:
        UsageError: the protocol names an unknown metric.
    """
    groups = chosen(comparison.protocol.metrics)
    metrics = [metric for group in groups.values() for metric in group]
    looks, figures = {}, {}
    for number, system in enumerate(comparison.systems):
        looks[system.name] = looks_of(comparison, system)
        together = set_scores(looks[system.name])
        figures[system.name] = {metric.name: figure_of(metric, looks[system.name], together) for metric in metrics}
        if progress is not None:
            progress(number + 1, len(comparison.systems), "metrics")
    defined = {metric.name for metric in metrics if any(rows[metric.name] for rows in figures.values())}
    shown = {title: tuple(metric for metric in group if metric.name in defined) for title, group in groups.items()}
    return Results(comparison, looks, {title: group for title, group in shown.items() if group}, figures)


def as_json(results: Results) -> dict[str, Any]:
    """Return the figures for `--json` and `report.json`: rounded, so that they are the same in every run."""
    protocol = results.comparison.protocol
    per_clip = {
        name: {
            metric.name: [_rounded(value) for value in clip_values(metric, results.looks[name])]
            for group in results.groups.values()
            for metric in group
            if not metric.pooled
        }
        for name in results.names
    }
    return {
        "protocol": {
            "name": protocol.name,
            "hash": protocol.hash,
            "about": protocol.about,
            "clips": [clip.name for clip in protocol.clips],
            "seconds": _rounded(protocol.seconds),
            "seeds": list(protocol.seeds),
            "fps": protocol.fps,
        },
        "systems": {
            system.name: {
                "about": system.about,
                "samples": system.n_samples,
                "figures": {
                    name: None if figure is None else {key: _rounded(value) for key, value in asdict(figure).items()}
                    for name, figure in results.figures[system.name].items()
                },
                "clips": per_clip[system.name],
            }
            for system in results.comparison.systems
        },
        "metrics": {
            name: {"unit": METRICS[name].unit, "better": METRICS[name].better, "about": METRICS[name].about}
            for group in results.groups.values()
            for name in (metric.name for metric in group)
        },
    }


def _rounded(value: float | None) -> float | int | None:
    """Return a number with six significant digits; None for what is not finite."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.6g}") if np.isfinite(value) else None


def number_text(value: float, digits: int) -> str:
    """Write a number with so many digits after the point, without a negative zero."""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def interval_text(figure: Interval | None, digits: int) -> str:
    """Write the interval of a figure: "0.41 to 0.58"; empty where there is none."""
    if figure is None or not np.isfinite([figure.low, figure.high]).all():
        return ""
    return f"{number_text(figure.low, digits)} to {number_text(figure.high, digits)}"

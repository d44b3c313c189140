"""The metrics of a comparison, in groups. docs/metrics.md has formulas and sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.metrics.agreement import (
    MOUTH_CHANNELS,
    channel_error,
    concordance_correlation,
    lip_intensity,
    pearson_correlation,
    speech_intensity,
    speech_lip_correlation,
)
from diffposetalk.metrics.closures import bilabial_closures
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.head import beat_alignment, beat_alignment_skill, head_beats, mean_head_step, speech_beats
from diffposetalk.metrics.manner import blink_frames, curve_statistics
from diffposetalk.metrics.samples import (
    diversity,
    energy_score_fair,
    head_diversity,
    lips_mm,
    upper_face_mm,
)
from diffposetalk.metrics.scores.measures import SET_MEASURES
from diffposetalk.metrics.timing.correlation import lag_correlation
from diffposetalk.metrics.timing.misalignment import temporal_misalignment
from diffposetalk.metrics.vertices import mouth_opening_difference
from diffposetalk.workshop.evaluate.comparison.looks import Look
from diffposetalk.workshop.evaluate.comparison.metric import Better, Metric, Row, correlation, share_of_sums

MAX_LAG = 8
"""Frames of lag that are looked at."""


def _gap(measure: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[Look], Row]:
    """Measure the lip gap of the first sample against the true one."""

    def read(look: Look) -> Row:
        if look.first.gap is None or look.truth.gap is None:
            return None
        return measure(look.first.gap, look.truth.gap)

    return read


def _mean_gap(look: Look) -> Row:
    gaps = look.stacked("gap")
    return None if gaps is None else pearson_correlation(gaps.mean(0), look.truth.curve("gap"))


def _best_gap(look: Look) -> Row:
    gaps = look.stacked("gap")
    return None if gaps is None else max(pearson_correlation(gap, look.truth.curve("gap")) for gap in gaps)


def _lags(look: Look) -> Row:
    if look.first.gap is None or look.truth.gap is None or len(look.truth) < MAX_LAG + 2:
        return None
    return (len(look.truth), 1000 / look.truth.fps, *lag_correlation([look.first.gap], [look.truth.gap], MAX_LAG).r)


def _best_lag_ms(rows: np.ndarray) -> float:
    mean = np.average(rows[:, 2:], axis=0, weights=rows[:, 0])
    return float((int(np.argmax(mean)) - MAX_LAG) * rows[0, 1])


def _misalignment(look: Look) -> Row:
    return _gap(lambda ours, theirs: temporal_misalignment(ours, theirs, look.truth.fps).mean_ms)(look)


def _joined(look: Look) -> Row:
    return _gap(lambda ours, theirs: temporal_misalignment(ours, theirs, look.truth.fps).joined)(look)


def _width(look: Look) -> Row:
    if look.first.width is None or look.truth.width is None:
        return None
    return pearson_correlation(look.first.width, look.truth.width)


def _intensities(look: Look) -> Row:
    if look.first.gap is None:
        return None
    return lip_intensity(look.first), speech_intensity(look.speech.samples)


def _opening_ratio(look: Look) -> Row:
    if not look.same_mesh or look.first.gap is None or look.truth.gap is None:
        return None
    top = float(np.percentile(look.truth.gap, 95))
    return float(np.percentile(look.first.gap, 95)) / top if top > 0 else None


def _opening_error(look: Look) -> Row:
    return _gap(mouth_opening_difference)(look) if look.same_mesh else None


def _closures(part: str, whole: str) -> Callable[[Look], Row]:
    def read(look: Look) -> Row:
        if look.limit is None or look.first.gap is None:
            return None
        counts = bilabial_closures(look.first.gap, look.first.fps, look.phones, look.limit)
        return float(getattr(counts, part)), float(getattr(counts, whole))

    return read


def _channels(look: Look) -> Row:
    if not all(set(MOUTH_CHANNELS) <= set(curves.channel_names) for curves in (look.first, look.truth)):
        return None
    return channel_error(look.first, look.truth)


def _head(measure: Callable[[Look, np.ndarray], float]) -> Callable[[Look], Row]:
    def read(look: Look) -> Row:
        return None if look.first.head is None else measure(look, look.first.head)

    return read


def _beats_with_truth(look: Look, head: np.ndarray) -> float:
    if look.truth.head is None:
        return float("nan")
    fps = look.truth.fps
    return beat_alignment(head_beats(head, fps), head_beats(look.truth.head, fps), fps)


def _skill_with_truth(look: Look, head: np.ndarray) -> float:
    if look.truth.head is None:
        return float("nan")
    fps = look.truth.fps
    return beat_alignment_skill(head_beats(head, fps), head_beats(look.truth.head, fps), fps, look.truth.duration)


def _beats_with_speech(look: Look, head: np.ndarray) -> float:
    beats = speech_beats(look.speech.samples, look.speech.sample_rate)
    return beat_alignment(head_beats(head, look.first.fps), beats, look.first.fps)


def _blinks(look: Look) -> Row:
    if look.first.lids is None:
        return None
    return len(blink_frames(look.first.lids.mean(1))), look.first.duration / 60


def _brow_spread(look: Look) -> Row:
    if look.first.brow is None or not look.same_mesh:
        return None
    return 1000 * float(look.first.brow.std(0).mean())


def _style(name: str) -> Callable[[Look], Row]:
    """Read a statistic of the first sample and of the style."""

    def read(look: Look) -> Row:
        if look.style is None:
            return None
        ours, theirs = curve_statistics(look.first), curve_statistics(look.style)
        return (ours[name], theirs[name]) if name in ours and name in theirs else None

    return read


def _samples(measure: Callable[[np.ndarray], float], columns: Callable[[Curves], np.ndarray]) -> Callable[[Look], Row]:
    def read(look: Look) -> Row:
        if len(look.samples) < 2:
            return None
        try:
            return measure(np.stack([columns(sample) for sample in look.samples]))
        except UsageError:  # a curve is not known, or is not in metres
            return None

    return read


def _energy(columns: Callable[[Curves], np.ndarray]) -> Callable[[Look], Row]:
    def read(look: Look) -> Row:
        if len(look.samples) < 2:
            return None
        try:
            truth = columns(look.truth)
            samples = np.stack([columns(sample) for sample in look.samples])
        except UsageError:
            return None
        return None if samples.shape[1:] != truth.shape else energy_score_fair(samples, truth)

    return read


def _mesh(name: str, scale: float = 1.0) -> Callable[[Look], Row]:
    return lambda look: scale * look.meshes[name] if name in look.meshes else None


def _head_curve(curves: Curves) -> np.ndarray:
    return curves.curve("head")


def _of_set(name: str, title: str, better: Better, about: str, digits: int = 2) -> Metric:
    """Return a measure of `score_set`, over all clips together."""
    return Metric(name, title, SET_MEASURES[name].unit, better, about, lambda look: None, None, digits, pooled=True)


# fmt: off
GROUPS: dict[str, tuple[Metric, ...]] = {
    "Lips": (
        Metric("gap_pearson", "r, one sample", "", "higher",
               "correlation of the lip gap of one sample with the true one, mean over clips (L-PCC)", _gap(pearson_correlation)),
        Metric("gap_pearson_of_mean", "r, mean of n", "", "higher",
               "the same for the mean of all samples of a system", _mean_gap),
        Metric("gap_pearson_best", "r, best of n", "", "higher", "the same for the best sample of each clip", _best_gap),
        Metric("gap_concordance", "CCC", "", "higher",
               "concordance correlation of the lip gap: level and amplitude count, too (L-CCC)", _gap(concordance_correlation)),
        Metric("width_pearson", "r of width", "", "higher", "correlation of the width of the mouth", _width),
        Metric("opening_ratio", "opening", "x", "truth",
               "95th percentile of the lip gap as a multiple of the true one", _opening_ratio),
        Metric("mod_mm", "MOD", "mm", "lower", "mean absolute difference of the lip gap", _opening_error),
    ),
    "Timing": (
        Metric("sync_lag_ms", "best lag", "ms", "truth",
               "shift at which the lip gaps correlate best; above 0 the generated lips come later", _lags, _best_lag_ms, 0),
        Metric("mtm_ms", "MTM", "ms", "lower",
               "mean temporal misalignment of the extrema of the lip gap, of those that are joined", _misalignment, None, 1),
        Metric("mtm_joined", "joined", "", "higher", "share of the true extrema that are joined to one", _joined),
        Metric("slcc", "SLCC", "", "truth",
               "correlation over clips of lip intensity with speech intensity", _intensities,
               lambda rows: speech_lip_correlation(rows[:, 0].tolist(), rows[:, 1].tolist())),
    ),
    "Closures on p, b, m": (
        Metric("bcs", "BCS", "%", "truth",
               "share of the frames of p, b, m in which the gap is below the limit that holds 70 % of the true ones",
               _closures("n_pressed_closed", "n_pressed"), share_of_sums, 1),
        Metric("closure_precision", "precision", "%", "higher",
               "share of the closed frames in speech that are near p, b or m", _closures("n_closed_near", "n_closed"),
               share_of_sums, 1),
        Metric("false_closures", "false closures", "%", "lower",
               "share of the closures in speech without p, b or m near", _closures("n_false_closures", "n_closures"),
               share_of_sums, 1),
    ),
    "Head": (
        Metric("beats_truth", "beats with truth", "", "higher",
               "alignment of the beats of the head with those of the true head", _head(_beats_with_truth)),
        Metric("beats_truth_skill", "above chance", "", "higher",
               "the same as a part of the way from chance to 1", _head(_skill_with_truth)),
        Metric("beats_speech", "beats with speech", "", "truth",
               "alignment of the beats of the head with those of the speech", _head(_beats_with_speech)),
        Metric("head_step_deg", "angle per frame", "deg", "truth",
               "mean angle between neighbouring frames", _head(lambda look, head: mean_head_step(head))),
    ),
    "Face": (
        Metric("blinks_per_minute", "blinks", "a minute", "truth", "blinks a minute", _blinks,
               lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()), 1),
        Metric("brow_spread_mm", "brows", "mm", "truth", "spread of the height of the brows over time", _brow_spread),
        Metric("channel_mse", "ARKit MSE", "", "lower", "mean squared error of the mouth's ARKit weights",
               _channels, None, 4),
    ),
    "Style": (
        Metric("style_source_retrieval", "retrieval", "%", "higher",
               "share of clips whose statistics are nearest to those of their own speaker's styles, among all speakers",
               lambda look: None if look.retrieved is None else 100 * look.retrieved, None, 0),
        Metric("style_opening_r", "r of opening", "", "higher",
               "correlation over clips of the opening of the mouth with that of the style", _style("gap_p95"), correlation),
        Metric("style_head_r", "r of head speed", "", "higher",
               "correlation over clips of the speed of the head with that of the style", _style("head_speed_deg"), correlation),
        Metric("style_brow_r", "r of brows", "", "higher",
               "correlation over clips of the spread of the brows with that of the style", _style("brow_std"), correlation),
    ),
    "Samples": (
        Metric("energy_fair_lips_mm", "energy score, lips", "mm", "lower",
               "fair energy score of gap and width: near the truth, and as varied as it is uncertain", _energy(lips_mm)),
        Metric("diversity_lips_mm", "diversity, lips", "mm", "open", "mean distance between samples, gap and width",
               _samples(diversity, lips_mm)),
        Metric("diversity_upper_face_mm", "diversity, upper face", "mm", "open", "mean distance between samples, brows and lids",
               _samples(diversity, upper_face_mm)),
        Metric("head_diversity_deg", "diversity, head", "deg", "open", "mean angle between the heads of samples",
               _samples(head_diversity, _head_curve)),
    ),
    "Distributions": (
        _of_set("frechet_lips", "FD, lips", "lower", "Frechet distance of gap and width and their speed", 1),
        _of_set("frechet_head", "FD, head", "lower", "Frechet distance of the rotation of the head and its speed", 1),
        _of_set("frechet_channels", "FD, ARKit", "lower", "Frechet distance of the mouth's ARKit weights and their speed"),
        _of_set("wasserstein_lips_mm", "W1, lips", "lower", "Wasserstein distance of gap and width"),
        _of_set("wasserstein_head_deg", "W1, head", "lower", "Wasserstein distance of the rotation of the head"),
        _of_set("coverage", "coverage", "higher", "share of the true clips that have a generated clip nearby"),
        _of_set("entropy_lips_deficit", "entropy, lips", "truth", "entropy of clusters of lip motion, true minus generated"),
        _of_set("entropy_head_deficit", "entropy, head", "truth", "entropy of clusters of head motion, true minus generated"),
    ),
    "Vertices": (
        Metric("lve_mm", "LVE", "mm", "lower",
               "largest distance over lip vertices, mean over frames (MeshTalk's variant, the paper's)",
               _mesh("lve_mean_max_mm")),
        Metric("lve_root_mm", "LVE, root", "mm", "lower", "root of the mean largest squared distance", _mesh("lve_root_mm")),
        Metric("fdd", "FDD", "1e-6 m2", "truth",
               "true minus generated spread of the upper face over time, signed mean", _mesh("fdd_signed_m2", 1e6), None, 2),
        Metric("fdd_absolute", "FDD, absolute", "1e-6 m2", "lower",
               "the same, mean of absolute values", _mesh("fdd_absolute_m2", 1e6), None, 2),
    ),
}
# fmt: on
"""Title -> metrics."""
MAIN = (
    "gap_pearson",
    "gap_pearson_of_mean",
    "bcs",
    "closure_precision",
    "mtm_ms",
    "beats_truth",
    "head_step_deg",
    "style_opening_r",
    "energy_fair_lips_mm",
    "lve_mm",
)
"""Metrics that are shown first: on the terminal, and as plots of all systems."""
METRICS = {metric.name: metric for group in GROUPS.values() for metric in group}
"""All metrics by name."""


def chosen(names: Sequence[str]) -> dict[str, tuple[Metric, ...]]:
    """Return the groups with the metrics that a protocol names; all of them if it names none.

    Raises:
        UsageError: there is no such metric.
    """
    for name in names:
        if name not in METRICS:
            raise UsageError(f"unknown metric {name!r}; choose from {', '.join(METRICS)}")
    picked = {title: tuple(m for m in group if not names or m.name in names) for title, group in GROUPS.items()}
    return {title: group for title, group in picked.items() if group}

"""All measures of one clip that its curves allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.metrics.agreement import (
    MOUTH_CHANNELS,
    STILL,
    channel_error,
    concordance_correlation,
    pearson_correlation,
    same_rate,
)
from diffposetalk.metrics.closures import (
    BilabialClosures,
    Phone,
    bilabial_closures,
    bilabial_frames,
    closure_limit,
)
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.head import (
    beat_alignment,
    beat_alignment_skill,
    centred_head,
    head_beats,
    mean_head_step,
    speech_beats,
)
from diffposetalk.metrics.samples import (
    SampleFigures,
    diversity,
    energy_score,
    head_diversity,
    lips_mm,
    upper_face_mm,
)
from diffposetalk.metrics.scores.measures import (
    BEST_SUFFIX,
    CLIP_MEASURES,
    MANY_SAMPLES,
    MEAN_SUFFIX,
    TRUTH_SUFFIX,
    Scores,
)
from diffposetalk.metrics.timing.correlation import lag_correlation
from diffposetalk.metrics.timing.misalignment import temporal_misalignment
from diffposetalk.metrics.timing.sound_offset import FEWEST_CLOSURES, offset_of_closures
from diffposetalk.metrics.vertices import mouth_opening_difference, mouth_opening_difference_rms
from diffposetalk.speech import Speech

HEAD_FPS = 25.0
"""Frames per second at which the angle between frames is measured."""
LENGTHS_DIFFER = 2
"""Frames by which lengths may differ; both are cut to the shorter."""
MAX_LAG_S = 0.32
"""Largest lag of the correlation, seconds."""
WITHOUT_FIGURE = {
    "mtm_ms": "no extremum of the generated gap fits a captured one",
    "mtm_joined": "the captured gap has no extremum",
    "sync_lag_ms": "the generated mouth does not move",
    "closure_precision": "the generated mouth never closes while somebody speaks",
    "false_closures": "the generated mouth never closes while somebody speaks",
    "sound_offset_ms": f"p, b and m are fewer than {FEWEST_CLOSURES}, or the lips are not closest near them",
}
"""Why a measure that the curves allow may have no figure."""


def score(
    truth: Curves,
    samples: Sequence[Curves],
    phones: Sequence[Phone] | None = None,
    speech: Speech | None = None,
    limit: float | None = None,
) -> Scores:
    """Compute every measure of one clip that the curves allow, and say why the others are missing.

    Measures of one generated motion are those of the first sample. With several samples there are also their mean
    (``..._mean``) and, where one direction is better, the best (``..._best``). Figures that the captured motion has, too,
    are given for it as ``..._of_truth``.

    Args:
        truth: captured curves.
        samples: generated curves for the same speech, at least one; same frame rate, same unit of lengths.
        phones: ``(symbol, start, end)`` in seconds; None where the words are not known.
        speech: sound of the clip; None where it is not known.
        limit: gap at which lips count as closed, of `closure_limit` over all clips; None: that of this clip alone.

    Raises:
        InputError: there are no samples, or frame rates, units or lengths of samples and truth differ.
    """
    if not samples:
        raise InputError("no samples to score")
    pairs = [same_length(sample, truth) for sample in samples]
    closures = _Closures(truth, phones, limit)
    beats = None if speech is None else speech_beats(speech.samples, speech.sample_rate)
    rows = [_one(sample, true, closures, beats) for sample, true in pairs]
    absent = dict(rows[0][1])
    values: dict[str, float] = {}
    for name in rows[0][0]:
        figures = [row[0][name] for row in rows if name in row[0]]
        if len(figures) < len(rows):
            absent[name] = next(row[1][name] for row in rows if name in row[1])
            continue
        aim = CLIP_MEASURES[name].aim
        summary = SampleFigures.of(figures, aim == "higher")
        values[name] = summary.one
        if len(rows) > 1:
            values[name + MEAN_SUFFIX] = summary.mean
            if aim in ("higher", "lower"):
                values[name + BEST_SUFFIX] = summary.best
    for name, figure in _one(truth, truth, closures, beats)[0].items():
        if CLIP_MEASURES[name].of_truth:
            values[name + TRUTH_SUFFIX] = figure
    together, missing = _all_samples([sample for sample, _ in pairs], pairs[0][1])
    values |= together
    absent |= missing
    return Scores(values, {name: absent[name] for name in CLIP_MEASURES if name in absent})


def same_length(sample: Curves, truth: Curves) -> tuple[Curves, Curves]:
    """Return generated and captured curves cut to the shorter of the two.

    Raises:
        InputError: frame rates or units differ, or lengths differ by more than `LENGTHS_DIFFER` frames.
    """
    same_rate(sample, truth)
    if sample.unit != truth.unit:
        raise InputError(f"lengths in the unit {sample.unit!r} cannot be compared with lengths in {truth.unit!r}")
    if abs(len(sample) - len(truth)) > LENGTHS_DIFFER:
        raise InputError(f"the generated clip has {len(sample)} frames, the captured one {len(truth)}")
    n_frames = min(len(sample), len(truth))
    return sample.slice(0, n_frames), truth.slice(0, n_frames)


class _Closures:
    """Closed lips of a clip; says why they cannot be counted."""

    def __init__(self, truth: Curves, phones: Sequence[Phone] | None, limit: float | None) -> None:
        self.phones, self.limit, self.reason = phones or (), limit, ""
        if truth.gap is None:
            return
        pressed = bilabial_frames(self.phones, len(truth), truth.fps)
        if phones is None:
            self.reason = "the phones are not known"
        elif not pressed.any():
            self.reason = "the clip has no frame of p, b or m"
        elif limit is None:
            self.limit = closure_limit([truth.gap], [pressed])

    def of(self, curves: Curves) -> BilabialClosures:
        """Count closed frames; call it only without a reason against."""
        assert self.limit is not None
        return bilabial_closures(curves.curve("gap"), curves.fps, self.phones, self.limit)


Figures = tuple[dict[str, float], dict[str, str]]
"""Figures by name, and why others are missing."""


def _one(sample: Curves, truth: Curves, closures: _Closures, beats: np.ndarray | None) -> Figures:
    """Compute the measures of one generated motion."""
    values: dict[str, float] = {}
    absent: dict[str, str] = {}
    true_beats = None if truth.head is None else head_beats(truth.head, truth.fps)

    def possible(*names: str, needs: str = "", unless: str = "") -> bool:
        """Note why measures are missing; True if nothing is in the way."""
        for who, curves in (("captured", truth), ("generated", sample)):
            if needs and needs not in curves.names:
                unless = f"the {who} {needs} is not known"
        absent.update(dict.fromkeys(names, unless) if unless else {})
        return not unless

    if possible(
        "mod_mm", "mod_rms_mm", needs="gap", unless="" if truth.unit == "m" else "the lengths are not in metres"
    ):
        values["mod_mm"] = mouth_opening_difference(sample.curve("gap"), truth.curve("gap"))
        values["mod_rms_mm"] = mouth_opening_difference_rms(sample.curve("gap"), truth.curve("gap"))
    still = "the captured mouth does not move" if truth.gap is not None and truth.gap.std() < STILL else ""
    names = ("gap_pearson", "gap_concordance", "gap_spread_ratio", "mtm_ms", "mtm_joined")
    if possible(*names, needs="gap", unless=still or _too_short(truth, 2)):
        values |= _gap_figures(sample.curve("gap"), truth.curve("gap"), truth.fps)
    max_lag = round(MAX_LAG_S * truth.fps)
    if possible("sync_r", "sync_lag_ms", needs="gap", unless=still or _too_short(truth, max_lag + 2)):
        lags = lag_correlation([sample.curve("gap")], [truth.curve("gap")], max_lag)
        moves = sample.curve("gap").std() > STILL
        values |= {"sync_r": lags.best_r, "sync_lag_ms": lags.best_lag / truth.fps * 1e3 if moves else float("nan")}
    if possible("bcs", "closure_precision", "false_closures", needs="gap", unless=closures.reason):
        counts = closures.of(sample)
        values |= {"bcs": counts.score, "closure_precision": counts.precision, "false_closures": counts.false_closures}
    if possible("sound_offset_ms", needs="gap", unless=closures.reason):
        offset = offset_of_closures([(sample.curve("gap"), closures.phones)], truth.fps)
        values["sound_offset_ms"] = float("nan") if offset is None else offset.seconds * 1e3
    lacking = [name for name in MOUTH_CHANNELS if name not in sample.channel_names or name not in truth.channel_names]
    if possible("channel_mse", unless=f"the ARKit channel {lacking[0]} is missing" if lacking else ""):
        values["channel_mse"] = channel_error(sample, truth)
    if possible("upper_face_spread_mm", unless=_reason(upper_face_mm, sample, truth)):
        spreads = [upper_face_mm(curves).std(0).mean() for curves in (truth, sample)]
        values["upper_face_spread_mm"] = float(spreads[0] - spreads[1])
    if possible("head_step_deg", needs="head", unless=_too_short(truth, 4)):
        values["head_step_deg"] = mean_head_step(sample.resampled(HEAD_FPS).curve("head"))
    for kind, reference in {"truth": true_beats, "speech": beats}.items():
        unless = _too_short(truth, 4) or ("the sound is not known" if reference is None else "")
        if possible(f"beats_{kind}", f"beats_{kind}_skill", needs="head", unless=unless) and reference is not None:
            ours = head_beats(sample.curve("head"), truth.fps)
            values[f"beats_{kind}"] = beat_alignment(ours, reference, truth.fps)
            values[f"beats_{kind}_skill"] = beat_alignment_skill(ours, reference, truth.fps, truth.duration)
    for name in [name for name, value in values.items() if not np.isfinite(value)]:
        absent[name] = WITHOUT_FIGURE[name]
        del values[name]
    return values, absent


def _gap_figures(ours: np.ndarray, real: np.ndarray, fps: float) -> dict[str, float]:
    misalignment = temporal_misalignment(ours, real, fps)
    return {
        "gap_pearson": pearson_correlation(ours, real),
        "gap_concordance": concordance_correlation(ours, real),
        "gap_spread_ratio": float(ours.std() / real.std()),
        "mtm_ms": misalignment.mean_ms,
        "mtm_joined": misalignment.joined,
    }


def _all_samples(samples: Sequence[Curves], truth: Curves) -> Figures:
    """Compute the measures that look at all samples together."""
    values: dict[str, float] = {}
    absent: dict[str, str] = {}
    several = len(samples) > 1
    groups: dict[str, tuple[Callable[[Curves], np.ndarray], str]] = {
        "lips": (lips_mm, "_mm"),
        "upper_face": (upper_face_mm, "_mm"),
        "head": (lambda curves: centred_head(curves.curve("head")), "_deg"),
    }
    for group, (columns, unit) in groups.items():
        names = [f"{measure}{group}{unit}" for measure in MANY_SAMPLES]
        reason = _reason(columns, *samples, truth)
        n_frames = min(map(len, samples))
        stacked = None if reason else np.stack([columns(sample)[:n_frames] for sample in samples])
        if stacked is None or not several:
            absent[names[1]] = reason or "there is one sample only"
        elif group == "head":
            values[names[1]] = head_diversity(np.stack([sample.curve("head")[:n_frames] for sample in samples]))
        else:
            values[names[1]] = diversity(stacked)
        if names[0] in CLIP_MEASURES:
            if stacked is None:
                absent[names[0]] = reason
            else:
                values[names[0]] = energy_score(stacked, columns(truth)[:n_frames])
    return values, absent


def _reason(columns: Callable[[Curves], np.ndarray], *every: Curves) -> str:
    """Return why columns cannot be had of some curves, or nothing."""
    try:
        widths = {columns(curves).shape[1] for curves in every}
    except DiffPoseTalkError as error:
        return str(error)
    return "" if len(widths) == 1 else "the generated and the captured face have different curves"


def _too_short(curves: Curves, fewest: int) -> str:
    return "" if len(curves) >= fewest else f"the clip has fewer than {fewest} frames"

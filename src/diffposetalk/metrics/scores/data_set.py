"""All measures of a set of clips that look at the clips together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.metrics.agreement import (
    MOUTH_CHANNELS,
    STILL,
    lip_intensity,
    speech_intensity,
    speech_lip_correlation,
)
from diffposetalk.metrics.closures import (
    BilabialClosures,
    Phone,
    bilabial_closures,
    bilabial_frames,
    closure_limit,
)
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.distributions import (
    N_CLUSTERS,
    N_NEIGHBOURS,
    clip_features,
    cluster_entropy,
    coverage,
    frechet_distance,
    motion_features,
    wasserstein_distance,
)
from diffposetalk.metrics.head import centred_head, head_features
from diffposetalk.metrics.manner import curve_statistics, statistics_correlation, statistics_retrieval
from diffposetalk.metrics.samples import lips_mm
from diffposetalk.metrics.scores.clip import MAX_LAG_S, WITHOUT_FIGURE, same_length
from diffposetalk.metrics.scores.measures import SET_MEASURES, TRUTH_SUFFIX, Scores
from diffposetalk.metrics.timing.correlation import lag_correlation
from diffposetalk.speech import Speech


@dataclass(frozen=True)
class Take:
    """One clip: captured curves, and curves that were generated for its speech."""

    truth: Curves
    """Captured curves."""
    generated: Curves
    """One sample; same frame rate and unit, and length up to two frames."""
    speaker: str = ""
    """Who speaks; names the group of the clip. Empty: unknown."""
    phones: Sequence[Phone] | None = None
    """``(symbol, start, end)`` in seconds, where known."""
    speech: Speech | None = None
    """Sound, where known."""


def closure_limit_of(takes: Sequence[Take]) -> float:
    """Return the one `closure_limit` of all clips with known phones.

    Raises:
        InputError: no clip has a gap and a frame of p, b or m.
    """
    known = [(take.truth.gap, take.phones, take.truth.fps) for take in takes]
    parts = [(gap, bilabial_frames(phones, len(gap), fps)) for gap, phones, fps in known if gap is not None and phones]
    return closure_limit([gap for gap, _ in parts], [frames for _, frames in parts])


def score_set(takes: Sequence[Take], n_clusters: int = N_CLUSTERS, seed: int = 0) -> Scores:
    """Compute every measure of a set of clips that the curves allow, and say why the others are missing.

    A measure is computed over all clips or not at all: one clip without the head leaves out the head's measures. Only the
    closures take the clips whose phones are known.

    Args:
        takes: the clips.
        n_clusters: of `cluster_entropy`.
        seed: of the clusters.

    Raises:
        InputError: there are no clips, or a generated clip does not fit its captured one.
    """
    if not takes:
        raise InputError("no clips to score")
    for take in takes:
        same_length(take.generated, take.truth)
    if len({(take.truth.fps, take.truth.unit) for take in takes}) > 1:
        raise InputError("the clips of a set must have one frame rate and one unit of lengths; resample them first")
    values: dict[str, float] = {}
    absent: dict[str, str] = {}

    def attempt(names: Sequence[str], measure: Callable[[], dict[str, float]]) -> None:
        try:
            values.update(measure())
        except DiffPoseTalkError as error:
            absent.update(dict.fromkeys(names, str(error)))

    attempt(["bcs", "closure_precision", "false_closures"], lambda: _closures(takes))
    attempt(["sync_r", "sync_lag_ms"], lambda: _sync(takes))
    attempt(["slcc"], lambda: _intensities(takes))
    for group in _GROUPS:
        attempt([f"frechet_{group.name}", f"wasserstein_{group.name}{group.unit}"], partial(_distances, takes, group))
        entropy = f"entropy_{group.name}_deficit"
        if entropy in SET_MEASURES:
            attempt([entropy], partial(_entropy, takes, group, n_clusters, seed))
    attempt(["coverage"], lambda: _coverage(takes))
    attempt(["style_retrieval"], lambda: _retrieval(takes))
    attempt(["style_correlation"], lambda: _style_correlation(takes))
    for name in [name for name, value in values.items() if not np.isfinite(value)]:
        absent[name] = WITHOUT_FIGURE[name.removesuffix(TRUTH_SUFFIX)]
        del values[name]
    return Scores(values, {name: absent[name] for name in SET_MEASURES if name in absent})


def _closures(takes: Sequence[Take]) -> dict[str, float]:
    with_phones = [take for take in takes if take.phones]
    if not with_phones:
        raise InputError("the phones of no clip are known")
    limit = closure_limit_of(with_phones)
    figures: dict[str, float] = {}
    for suffix, which in (("", "generated"), (TRUTH_SUFFIX, "truth")):
        counts = BilabialClosures.pooled(
            bilabial_closures(getattr(take, which).curve("gap"), take.truth.fps, take.phones or (), limit)
            for take in with_phones
        )
        figures |= {f"bcs{suffix}": counts.score, f"closure_precision{suffix}": counts.precision}
        figures[f"false_closures{suffix}"] = counts.false_closures
    return figures


def _sync(takes: Sequence[Take]) -> dict[str, float]:
    fps = takes[0].truth.fps
    gaps = [[getattr(take, which).curve("gap") for take in takes] for which in ("generated", "truth")]
    lags = lag_correlation(gaps[0], gaps[1], round(MAX_LAG_S * fps))
    moves = any(gap.std() > STILL for gap in gaps[0])
    return {"sync_r": lags.best_r, "sync_lag_ms": lags.best_lag / fps * 1e3 if moves else float("nan")}


def _intensities(takes: Sequence[Take]) -> dict[str, float]:
    sounds = [take.speech for take in takes if take.speech is not None]
    if len(sounds) < len(takes):
        raise InputError("the sound of some clips is not known")
    loudness = [speech_intensity(sound.samples) for sound in sounds]
    speakers = [take.speaker for take in takes]
    figures = {
        suffix: speech_lip_correlation([lip_intensity(getattr(take, which)) for take in takes], loudness, speakers)
        for suffix, which in (("", "generated"), (TRUTH_SUFFIX, "truth"))
    }
    if any(np.isnan(list(figures.values()))):
        raise InputError("fewer than 3 clips belong to a speaker with several clips whose loudness varies")
    return {f"slcc{suffix}": figure for suffix, figure in figures.items()}


def _distances(takes: Sequence[Take], group: _Group) -> dict[str, float]:
    return {
        f"frechet_{group.name}": frechet_distance(*_rows(takes, group.features)),
        f"wasserstein_{group.name}{group.unit}": wasserstein_distance(*_rows(takes, group.columns)),
    }


def _entropy(takes: Sequence[Take], group: _Group, n_clusters: int, seed: int) -> dict[str, float]:
    entropy = cluster_entropy(*_rows(takes, group.columns), n_clusters, seed)
    return {f"entropy_{group.name}_deficit": entropy.deficit}


def _rows(takes: Sequence[Take], columns: Callable[[Curves], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of all generated and of all captured clips."""
    return _joined([take.generated for take in takes], columns), _joined([take.truth for take in takes], columns)


def _joined(clips: Sequence[Curves], columns: Callable[[Curves], np.ndarray]) -> np.ndarray:
    parts = [columns(curves) for curves in clips]
    if len({part.shape[1] for part in parts}) > 1:
        raise InputError("some clips have curves that others lack")
    return np.concatenate(parts)


def _coverage(takes: Sequence[Take]) -> dict[str, float]:
    if len(takes) <= N_NEIGHBOURS:
        raise InputError(f"there are no more than {N_NEIGHBOURS} clips")
    ours, real = _rows(takes, lambda curves: clip_features(_known(curves), curves.fps)[None])
    return {"coverage": coverage(ours, real)}


def _retrieval(takes: Sequence[Take]) -> dict[str, float]:
    """Find, for each generated clip, the captured speaker with the nearest mean statistics."""
    speakers = sorted({take.speaker for take in takes})
    if len(speakers) < 2:
        raise InputError("there are no clips of at least 2 named speakers")
    real = [curve_statistics(take.truth) for take in takes]
    references = []
    for speaker in speakers:
        rows = [row for row, take in zip(real, takes) if take.speaker == speaker]
        references.append({name: float(np.mean([row[name] for row in rows])) for name in rows[0]})
    labels = [speakers.index(take.speaker) for take in takes]
    ours = [curve_statistics(take.generated) for take in takes]
    return {
        "style_retrieval": statistics_retrieval(ours, labels, references),
        f"style_retrieval{TRUTH_SUFFIX}": statistics_retrieval(real, labels, references),
    }


def _style_correlation(takes: Sequence[Take]) -> dict[str, float]:
    rows = [[curve_statistics(getattr(take, which)) for take in takes] for which in ("truth", "generated")]
    correlations = statistics_correlation(rows[0], rows[1])
    varied = [name for name in correlations if np.std([row[name] for row in rows[0]]) > 1e-9]
    if not varied:
        raise InputError("no statistic varies over the captured clips")
    return {"style_correlation": float(np.mean([np.nan_to_num(correlations[name]) for name in varied]))}


def _known(curves: Curves) -> np.ndarray:
    """Return the columns of gap, width and head that are known, for `clip_features`, which compares any units."""
    columns = [values[:, None] for values in (curves.gap, curves.width) if values is not None]
    columns += [] if curves.head is None else [centred_head(curves.head)]
    if not columns:
        raise InputError("neither lips nor head are known")
    return np.concatenate(columns, 1)


def _channels(curves: Curves) -> np.ndarray:
    return np.stack([curves.channel(name) for name in MOUTH_CHANNELS], 1)


@dataclass(frozen=True)
class _Group:
    """Curves whose distributions are compared."""

    name: str
    unit: str
    """End of the name of a distance in the unit of the columns."""
    columns: Callable[[Curves], np.ndarray]
    features: Callable[[Curves], np.ndarray]
    """Columns and how fast they change."""


_GROUPS = (
    _Group("lips", "_mm", lips_mm, lambda curves: motion_features(lips_mm(curves), curves.fps)),
    _Group(
        "head",
        "_deg",
        lambda curves: centred_head(curves.curve("head")),
        lambda curves: head_features(curves.curve("head"), curves.fps),
    ),
    _Group("channels", "", _channels, lambda curves: motion_features(_channels(curves), curves.fps)),
)

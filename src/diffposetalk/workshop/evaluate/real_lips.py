"""Do the lips follow real speech? Generated lip aperture against that of tracked faces, clip by clip and pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.metrics import LagCorrelation, lag_correlation, standardised
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.generators import AnyStyle, Generator, load_generator, takes
from diffposetalk.workshop.evaluate.recordings import FPS, TrackedClip, tracked_clips
from diffposetalk.workshop.evaluate.tables import table, verdict

TARGET_R = 0.42
"""What the mean of ten samples must pass: a linear map fitted on 42 such clips reaches it."""
TARGET_LAGS = range(4)
"""Frames within which the best lag must lie; above 0 = generated lips later than the real ones."""
RIDGE = 300.0
"""Penalty of the linear floor, on standardised inputs."""


def generated_apertures(
    generate: Generator,
    clips: Sequence[TrackedClip],
    n_takes: int,
    gap_of: Callable[[Motion], np.ndarray] = mouth_gap,
    style: AnyStyle = None,
    progress: Progress | None = None,
) -> list[dict[str, np.ndarray]]:
    """Return the generated lip gap at `FPS` for each clip's sound, for seeds 0, 1...: by name, ``(T,)`` metres."""
    found: list[dict[str, np.ndarray]] = [{} for _ in range(n_takes)]
    for number, clip in enumerate(clips):
        if progress is not None:
            progress(number, len(clips), clip.name)
        for take, motion in zip(found, takes(generate, clip.speech, n_takes, style)):
            take[clip.name] = gap_of(motion.resampled(FPS))
    return found


def compare(
    samples: Sequence[Mapping[str, np.ndarray]], clips: Sequence[TrackedClip], max_lag: int = 8
) -> dict[str, Any]:
    """Compare generated with tracked apertures.

    Args:
        samples: per seed, the generated gap of each clip by name.
        clips: the tracked clips.
        max_lag: frames.

    Returns:
        ``one`` (first seed), ``mean`` (mean of all seeds' curves) as `summary`; ``each_seed_r0`` pooled; ``per_clip``
        with the same for each clip; ``targets_met``.
    """

    def pooled(curves: Mapping[str, np.ndarray], names: Sequence[str]) -> LagCorrelation:
        tracked = {clip.name: clip.aperture for clip in clips}
        return lag_correlation([curves[n] for n in names], [tracked[n] for n in names], max_lag)

    names = [clip.name for clip in clips]
    mean = {name: np.mean([sample[name] for sample in samples], axis=0) for name in names}
    whole = pooled(mean, names)
    return {
        "one": summary(pooled(samples[0], names)),
        "mean": summary(whole),
        "n_seeds": len(samples),
        "each_seed_r0": [pooled(sample, names).r0 for sample in samples],
        "per_clip": {
            name: {"one": summary(pooled(samples[0], [name])), "mean": summary(pooled(mean, [name]))} for name in names
        },
        "targets_met": {
            "mean_r_above_0.42": whole.best_r > TARGET_R,
            "mean_r0_above_0.42": whole.r0 > TARGET_R,
            "best_lag_0_to_3": whole.best_lag in TARGET_LAGS,
        },
    }


def summary(found: LagCorrelation) -> dict[str, Any]:
    """Return a correlation as plain values."""
    return {
        "r0": found.r0,
        "best_lag": found.best_lag,
        "best_r": found.best_r,
        "r_at_lag": dict(zip(found.lags, found.r)),
    }


def linear_floor(clips: Sequence[TrackedClip], context: int = 4) -> dict[str, np.ndarray]:
    """Predict each clip's aperture linearly from log-mels, fitted on the other clips.

    26 log-mel bands of 40 ms around each frame, standardised per clip, with ``context`` frames on either side; ridge
    regression to the standardised aperture with penalty `RIDGE`, leave one clip out.

    Returns:
        ``(T,)`` prediction by clip name: the floor that a speech-driven model has to beat.
    """
    inputs, targets = {}, {}
    for clip in clips:
        mels = np.stack([standardised(band) for band in _log_mels(clip).T], axis=1)
        padded = np.pad(mels, ((context, context), (0, 0)), mode="edge")
        inputs[clip.name] = np.concatenate([padded[k : k + len(mels)] for k in range(2 * context + 1)], axis=1)
        targets[clip.name] = standardised(clip.aperture)
    found = {}
    for name in inputs:
        x = np.concatenate([inputs[other] for other in inputs if other != name])
        y = np.concatenate([targets[other] for other in targets if other != name])
        found[name] = inputs[name] @ np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    return found


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table with a verdict."""
    rows = [
        [name, *(found[kind][key] for kind in ("one", "mean") for key in ("r0", "best_lag", "best_r"))]
        for name, found in [*result["per_clip"].items(), ("pooled", result)]
    ]
    n = result["n_seeds"]
    header = ["clip", "one: r0", "best lag", "best r", f"mean of {n}: r0", "best lag", "best r"]
    each = np.array(result["each_seed_r0"])
    lines = [
        table(header, rows),
        "",
        f"single samples: pooled r0 {each.mean():.3f} (lowest {each.min():.3f}, highest {each.max():.3f})",
        "mean at lags -8..8: " + " ".join(f"{r:.2f}" for r in result["mean"]["r_at_lag"].values()),
        "A positive lag means that generated lips come later than the real ones, in frames at 25 fps.",
    ]
    if "floor" in result:
        floor = result["floor"]
        lines.append(
            f"linear floor on these clips: r0 {floor['r0']:.3f}, best {floor['best_r']:.3f} at {floor['best_lag']:+d}"
        )
    lines += [f"{name.replace('_', ' ')}: {verdict(met)}" for name, met in result["targets_met"].items()]
    return "\n".join(lines)


def evaluate(
    recordings: Path,
    generator: str = "lite",
    options: Mapping[str, Any] | None = None,
    style: AnyStyle = None,
    samples: int = 10,
    floor: bool = True,
    head: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare generated lips with those of tracked faces.

    Args:
        recordings: folder of clips and tracks.
        generator: as for `load_generator`, with its options.
        options: sampling options.
        style: manner that is spoken in.
        samples: motions generated for each clip.
        floor: whether the linear map from log-mels is fitted, too.
        head: head on which the lip gap is measured; None for the one that the motion is for.
        progress: told how many clips are done.
    """
    clips = tracked_clips(recordings)
    gap_of = mouth_gap if head is None else gap_on(head)
    generate = load_generator(generator, **(options or {}))
    curves = generated_apertures(generate, clips, samples, gap_of, style, progress)
    result = compare(curves, clips) | {"generator": generator}
    if floor:
        linear = linear_floor(clips)
        apertures = [clip.aperture for clip in clips]
        result["floor"] = summary(lag_correlation([linear[clip.name] for clip in clips], apertures))
    return result


def gap_on(head: str) -> Callable[[Motion], np.ndarray]:
    """Return a function of motion that gives the lip gap on the named head, ``(T,)`` metres."""
    from diffposetalk.head import load_head

    model = load_head(head)
    return lambda motion: mouth_gap(motion, model)


def _log_mels(clip: TrackedClip, n_mels: int = 26, width_s: float = 0.04) -> np.ndarray:
    """Return ``(T, n_mels)`` log-mel energies of ``width_s`` around each frame's time."""
    rate, n_fft = clip.speech.sample_rate, 1024
    width = round(width_s * rate)
    edges = np.linspace(_mel(60.0), _mel(7600.0), n_mels + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    hertz = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    n_frames = len(clip.aperture)
    starts = np.round(np.arange(n_frames) / FPS * rate).astype(int)
    padded = np.pad(clip.speech.samples.astype(np.float64), (width // 2, width + rate))
    frames = np.stack([np.resize(padded[s : s + width], width) for s in starts]) * np.hanning(width)
    return np.log(np.abs(np.fft.rfft(frames, n_fft)) ** 2 @ filters.T + 1e-6)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))

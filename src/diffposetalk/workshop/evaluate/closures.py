"""Do lips seal on p, b and m in real speech, open on vowels, and close in silence while the face stays alive?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import Closures, blink_frames, closing_time, closures
from diffposetalk.metrics.closures import OPEN, PRESSED
from diffposetalk.metrics.lips import lip_below_teeth_on, mouth_gap_on
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.generators import AnyStyle, Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.recordings.alignment import Phones, aligned
from diffposetalk.workshop.evaluate.recordings.clips import FPS, transcripts
from diffposetalk.workshop.evaluate.tables import table, verdict

OWN_GAP = mouth_gap_on(shared_head)
"""Lip gap of a motion on its own head, ``(T,)`` metres."""
OWN_TEETH = lip_below_teeth_on(shared_head)
"""How far the lower lip is below the upper teeth of a motion's own head, ``(T,)`` metres."""
AT_TEETH_M = 0.001
"""The lower lip is at the teeth where it is at most so far below their edge, metres."""
TARGET_SHARE = 0.75
"""Share of p/b/m intervals that must seal."""
TARGET_GAP_RATIO = 1 / 3
"""Mean gap in p/b/m over mean gap in open vowels: at most this."""
TARGET_CLOSING_S = 0.3
"""Seconds after digital silence begins within which the mouth must be shut."""
SEAL = 0.10
"""A mouth is shut below this share of the clip's 95th percentile of the lip gap."""
CLASSES = {
    "p b m": PRESSED,
    "f v": frozenset(("f", "v")),
    "s z sh zh ch jh": frozenset(("s", "z", "sh", "zh", "ch", "jh")),
    "other consonants": frozenset(("t", "d", "n", "l", "th", "dh", "k", "g", "ng", "hh", "r", "y")),
    "rounded": frozenset(("w", "uw", "uh", "ow", "oy", "er")),
    "spread vowels": frozenset(("iy", "ih", "eh", "ey")),
    "open vowels": OPEN,
    "silence": frozenset(("sil",)),
}
"""Groups of phones for the table of gaps and false closures."""


def measure(
    generate: Generator,
    recordings: Mapping[str, tuple[Speech, Phones]],
    n_samples: int = 1,
    gap_of: Callable[[Motion], np.ndarray] = OWN_GAP,
    style: AnyStyle = None,
    progress: Progress | None = None,
    below_teeth_of: Callable[[Motion], np.ndarray] | None = None,
) -> dict[str, Any]:
    """Generate motion for aligned recordings and count closures.

    Args:
        generate: the generator.
        recordings: speech and phones by name (`alignment.aligned`).
        n_samples: samples of each recording (seeds 0, 1...); intervals of all samples are pooled.
        gap_of: lip gap of a motion, ``(T,)`` metres.
        style: handed to the generator.
        progress: called after each recording.
        below_teeth_of: `lip_below_teeth` of a motion; None to leave it out.

    Returns:
        ``share`` with its 95 % interval, ``n``, ``gap_ratio``, ``false_closures`` (open vowels sealed in their middle
        half), ``per_recording``, ``per_class``, ``targets_met``; ``at_teeth``, the
        share of f and v in which the lower lip comes to the upper teeth (`AT_TEETH_M`), and their number.
    """
    at_teeth: list[bool] = []
    parts: dict[str, list[Closures]] = {name: [] for name in recordings}
    gaps: dict[str, list[tuple[float, bool]]] = {name: [] for name in CLASSES}
    for name, (speech, phones) in over(recordings.items(), progress, "generating"):
        for motion in samples_of(generate, speech, n_samples, style):
            motion = motion.resampled(FPS)
            gap = gap_of(motion)
            if below_teeth_of is not None:
                at_teeth += [least <= AT_TEETH_M for least in least_in(below_teeth_of(motion), phones, CLASSES["f v"])]
            parts[name].append(closures(gap, FPS, phones, SEAL))
            for group, rows in class_gaps(gap, phones).items():
                gaps[group] += rows
    whole = Closures.pooled(part for rows in parts.values() for part in rows)
    low, high = wilson_interval(whole.n_sealed, whole.n_pressed)
    false_closures = whole.n_open_sealed / max(whole.n_open, 1)
    counted = {"p b m": whole.share, "open vowels": false_closures}  # one share each, here and in the table
    return {
        "share": whole.share,
        "share_low": low,
        "share_high": high,
        "n": whole.n_pressed,
        "gap_ratio": whole.gap_ratio,
        "false_closures": false_closures,
        "n_open": whole.n_open,
        "n_samples": n_samples,
        "at_teeth": float(np.mean(at_teeth)) if at_teeth else None,
        "n_at_teeth": len(at_teeth),
        "per_recording": {
            name: {"sealed": pooled.n_sealed, "n": pooled.n_pressed, "gap_ratio": pooled.gap_ratio}
            for name, rows in parts.items()
            for pooled in [Closures.pooled(rows)]
        },
        "per_class": {
            group: {
                "n": len(rows),
                "mean_gap": float(np.mean([g for g, _ in rows])),
                "sealed": counted.get(group, float(np.mean([s for _, s in rows]))),
            }
            for group, rows in gaps.items()
            if rows
        },
        "targets_met": {
            "share_at_least_0.75": whole.share >= TARGET_SHARE,
            "gap_ratio_at_most_a_third": whole.gap_ratio <= TARGET_GAP_RATIO,
        },
    }


def least_in(curve: np.ndarray, phones: Phones, symbols: frozenset[str]) -> list[float]:
    """Return the smallest value of a curve ``(T,)`` in each interval of some phones."""
    times = np.arange(len(curve)) / FPS
    return [
        float(np.interp(np.arange(start, end, 0.002), times, curve).min())
        for symbol, start, end in phones
        if symbol in symbols and start < min(end, times[-1])
    ]


def class_gaps(gap: np.ndarray, phones: Phones) -> dict[str, list[tuple[float, bool]]]:
    """Return per class of phones each interval's mean gap (in 95th percentiles) and whether its middle half sealed."""
    times, scale = np.arange(len(gap)) / FPS, max(float(np.percentile(gap, 95)), 1e-12)
    gaps: dict[str, list[tuple[float, bool]]] = {group: [] for group in CLASSES}
    for symbol, start, end in phones:
        for group, members in CLASSES.items():
            if symbol in members and start < times[-1]:
                inside = np.interp(np.arange(start, end, 0.002), times, gap) / scale
                middle = inside[len(inside) // 4 : -(len(inside) // 4) or None]
                gaps[group].append((float(inside.mean()), bool(middle.min() < SEAL)))
    return gaps


def silence(
    generate: Generator,
    speech: Speech,
    cut_s: float,
    gap_of: Callable[[Motion], np.ndarray] = OWN_GAP,
    seed: int = 0,
    silent_s: float = 20.0,
    style: AnyStyle = None,
) -> dict[str, Any]:
    """Cut speech off with digital silence and watch the face.

    Args:
        generate: the generator.
        speech: real speech.
        cut_s: where its samples turn to zeros, seconds; the middle of an open vowel is the hardest place.
        gap_of: lip gap of a motion.
        seed: of the sample.
        silent_s: seconds of zeros.
        style: handed to the generator.

    Returns:
        ``closing_s`` until the gap is first below `SEAL` of the 95th percentile before the cut,
        ``stays_closed_after_s`` until it is so for good, ``closed_share`` of the frames after `TARGET_CLOSING_S`,
        ``blinks_per_minute``, ``head_std_deg`` (largest of the three axes, last 15 s), ``targets_met``.
    """
    n_cut = round(cut_s * speech.sample_rate)
    samples = np.concatenate([speech.samples[:n_cut], np.zeros(round(silent_s * speech.sample_rate), np.float32)])
    motion = generate(Speech(samples, speech.sample_rate), seed=seed, style=style).resampled(FPS)
    gap = gap_of(motion)
    limit = SEAL * float(np.percentile(gap[: max(2, int(cut_s * FPS))], 95))
    first = int(np.ceil(cut_s * FPS - 1e-9))
    shut = np.flatnonzero(gap[first:] < limit)
    closing = (first + shut[0]) / FPS - cut_s if len(shut) else float("inf")
    after = gap[first + int(np.ceil(TARGET_CLOSING_S * FPS)) :]
    lid = (motion.channel("eyeBlinkLeft") + motion.channel("eyeBlinkRight"))[first:] / 2
    blinks = len(blink_frames(lid)) / (len(lid) / FPS) * 60
    head = float(np.rad2deg(motion.head_pose[-round(min(15.0, silent_s) * FPS) :].std(0)).max())
    return {
        "closing_s": closing,
        "stays_closed_after_s": closing_time(gap, FPS, cut_s, limit),
        "closed_share": float((after < limit).mean()) if len(after) else 0.0,
        "blinks_per_minute": blinks,
        "head_std_deg": head,
        "targets_met": {
            "closed_within_0.3_s": closing <= TARGET_CLOSING_S,
            "blinks_go_on": blinks > 0,
            "head_goes_on": head > 0.05,
        },
    }


def wilson_interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's formula; (0, 1) without observations."""
    if n == 0:
        return 0.0, 1.0
    share, spread = hits / n, z * np.sqrt(hits / n * (1 - hits / n) / n + z**2 / (4 * n**2))
    centre, scale = share + z**2 / (2 * n), 1 + z**2 / n
    return float((centre - spread) / scale), float((centre + spread) / scale)


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as tables with verdicts."""
    lines = [
        f"p b m sealed: {result['share']:.3f} of {result['n']} "
        f"(95 % interval {result['share_low']:.2f}-{result['share_high']:.2f}), {result['n_samples']} sample(s) each",
        f"gap in p b m over gap in open vowels: {result['gap_ratio']:.3f}",
        f"open vowels sealed by mistake: {result['false_closures']:.3f} of {result['n_open']}",
        *(
            [f"f v with the lower lip at the upper teeth: {result['at_teeth']:.3f} of {result['n_at_teeth']}"]
            if result["at_teeth"] is not None
            else []
        ),
        "",
        table(
            ["phones", "n", "mean gap / p95", "sealed"],
            [[group, rows["n"], rows["mean_gap"], rows["sealed"]] for group, rows in result["per_class"].items()],
        ),
        "",
        table(
            ["recording", "sealed", "of", "gap ratio"],
            [[name, r["sealed"], r["n"], r["gap_ratio"]] for name, r in result["per_recording"].items()],
        ),
        *(f"left out: {name}: {why}" for name, why in result.get("left_out", {}).items()),
    ]
    checks = dict(result["targets_met"])
    for place, rows in result.get("silence", {}).items():
        checks |= {f"silence after {place}: {name}": met for name, met in rows["targets_met"].items()}
        lines.append(
            f"silence after {place}: shut after {rows['closing_s']:.2f} s, {rows['closed_share']:.2f} of the time "
            f"after 0.3 s, {rows['blinks_per_minute']:.0f} blinks a minute, head moves {rows['head_std_deg']:.2f} deg"
        )
    return "\n".join(lines + [f"{name.replace('_', ' ')}: {verdict(met)}" for name, met in checks.items()])


def cuts(phones: Phones) -> dict[str, float]:
    """Return where to cut speech off: in the middle of its longest open vowel, and after its last phone (seconds)."""
    vowels = [(end - start, (start + end) / 2) for symbol, start, end in phones if symbol in OPEN]
    last = max((end for symbol, _, end in phones if symbol != "sil"), default=0.0)
    return ({"a vowel cut short": max(vowels)[1]} if vowels else {}) | {"the last phone": last}


def evaluate(
    recordings: Path, generation: Generation, cache: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure closures on recordings whose words are known, and rest in digital silence.

    Args:
        recordings: folder with speech, clips and their transcripts.
        generation: how motion is made for each recording.
        cache: JSON file that keeps phone alignments.
        progress: called after each recording.
    """
    spoken, left_out = aligned(transcripts(recordings), cache)
    generate, style = generation.load(), generation.style
    result = measure(generate, spoken, generation.samples, style=style, progress=progress, below_teeth_of=OWN_TEETH)
    name = next((n for n in ("LJ001-0004", "LJ001-0001") if n in spoken), next(iter(spoken)))
    speech, phones = spoken[name]
    result["silence"] = {place: silence(generate, speech, cut, style=style) for place, cut in cuts(phones).items()}
    return result | {"left_out": left_out, "generator": generation.generator}

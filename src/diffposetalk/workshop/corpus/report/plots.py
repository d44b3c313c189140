"""Figures of a corpus report: functions from measured takes to matplotlib figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.pages import TEXT, new_figure
from diffposetalk.speech.transcript.phones import FEATURES, SYMBOLS, VISUAL_CLASSES, Phone
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.report import measures
from diffposetalk.workshop.corpus.report.measures import GROUPS, PAUSE_S, SEALED, Take
from diffposetalk.workshop.corpus.shards import SpeakerInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AXES = ("pitch", "yaw", "roll")
"""Components of head rotation."""
_COLORS = ("#1f6fb2", "#c0392b", "#2a9d5c", "#8e44ad", "#d68910", "#16a2a2", "#7f8c8d", "#b03a78")
"""Colours of curves."""
_CLASS_COLOR = dict(zip(VISUAL_CLASSES, ("#b0b0b0", *_COLORS)))
"""Colour by visual class of phones."""


def voices(summaries: Sequence[tuple[SpeakerInfo, float, int]]) -> Figure:
    """Draw hours by language and by voice, clip counts, and the transforms that make speakers of voices.

    Args:
        summaries: speaker, seconds and number of clips.
    """
    figure = new_figure(12, 4.2)
    languages, by_voice, transforms = figure.subplots(1, 3, width_ratios=(1, 2.2, 1))
    for panel, key, title in (
        (languages, lambda info: info.language, "hours by language"),
        (by_voice, lambda info: info.voice, "hours by voice"),
    ):
        hours: Counter[str] = Counter()
        for info, seconds, _ in summaries:
            hours[key(info)] += seconds / 3600  # type: ignore[assignment]
        ranked = hours.most_common(60)
        panel.bar(range(len(ranked)), [value for _, value in ranked], color=_COLORS[0])
        panel.set_xticks(range(len(ranked)), [name for name, _ in ranked], rotation=90, fontsize=6)
        panel.set_title(f"{title} ({len(hours)})", fontsize=9)
    pitch = [info.pitch * info.transform[0] for info, *_ in summaries]
    transforms.scatter(pitch, [info.rate for info, *_ in summaries], s=6, alpha=0.6, color=_COLORS[0])
    transforms.set(xlabel="pitch (x voice)", ylabel="speed (x voice)")
    transforms.set_title("speakers", fontsize=9)
    return figure


def phones(takes: Sequence[Sequence[Phone]]) -> Figure:
    """Draw how often each phone occurs and how long it lasts (median, 5 to 95 %)."""
    durations: dict[str, list[float]] = {symbol: [] for symbol in SYMBOLS}
    for clip_phones in takes:
        for phone in clip_phones:
            durations[phone.symbol].append(phone.duration)
    order = sorted(SYMBOLS, key=lambda symbol: -len(durations[symbol]))
    colors = [_CLASS_COLOR[FEATURES[symbol].visual] for symbol in order]
    figure = new_figure(12, 4.6)
    counts, lengths = figure.subplots(2, 1, sharex=True)
    counts.bar(range(len(order)), [len(durations[symbol]) for symbol in order], color=colors)
    counts.set_yscale("log")
    counts.set_ylabel("occurrences")
    for name, color in _CLASS_COLOR.items():
        counts.bar(0, 0, color=color, label=name)
    counts.legend(ncols=len(_CLASS_COLOR), fontsize=7, loc="upper right")
    for k, symbol in enumerate(order):
        if durations[symbol]:
            low, middle, high = np.percentile(durations[symbol], (5, 50, 95)) * 1e3
            lengths.plot([k, k], [low, high], color=colors[k], lw=3)
            lengths.plot(k, middle, "_", color=TEXT, ms=7)
    lengths.set_ylim(0, 400)
    lengths.set_ylabel("duration (ms)")
    lengths.set_xticks(range(len(order)), order, fontsize=8)
    return figure


def manners(takes: Sequence[Take]) -> Figure:
    """Draw every parameter of every speaker's manner over its range, and the neutral manner."""
    vectors = np.array(list({take.clip.speaker.speaker: take.manner.vector() for take in takes}.values()))
    places = np.arange(vectors.shape[1])
    figure = new_figure(12, 4.2)
    panel = figure.subplots()
    aside = np.random.default_rng(0).uniform(-0.25, 0.25, vectors.shape)
    panel.plot((places + aside).ravel(), vectors.ravel(), ".", color=_COLORS[0], ms=4, alpha=0.7, label="speakers")
    panel.plot(places, Manner().vector(), "_", color=_COLORS[1], ms=22, label="neutral")
    names = [f"{name} ({low:g} to {high:g})" for name, (low, high) in Manner.ranges().items()]
    panel.set_xticks(places, names, rotation=90, fontsize=7)
    panel.set_ylabel("share of the range")
    panel.legend(fontsize=7, loc="upper right")
    return figure


def gaps(takes: Sequence[Take]) -> Figure:
    """Draw the lip gap by group of phones, and how soon lips shut in pauses."""
    by_group = measures.gaps_by_group(takes)
    shown = [group for group in GROUPS if len(by_group[group])]
    figure = new_figure(12, 3.8)
    boxes, speed, depth = figure.subplots(1, 3, width_ratios=(2.2, 1, 1))
    boxes.boxplot(
        [by_group[group] for group in shown], orientation="horizontal", whis=(5, 95), showfliers=False, widths=0.6
    )
    boxes.set_yticks(range(1, len(shown) + 1), [f"{group} ({len(by_group[group])})" for group in shown], fontsize=8)
    boxes.axvline(SEALED, color=_COLORS[1], lw=0.8, ls="--")
    boxes.set_xlabel("lip gap / its 95th percentile in the clip, middle half of the phone")
    closing = measures.pause_closing_s(takes)
    speed.hist(np.minimum(closing, 0.8), bins=np.arange(-0.02, 0.84, 0.04), color=_COLORS[0])
    speed.axvline(0.3, color=_COLORS[1], lw=0.8, ls="--")
    speed.set_xlabel(f"s until lips shut in pauses over {PAUSE_S:g} s")
    opened = [float(np.percentile(take.gap_mm, 95)) for take in takes]
    depth.hist(opened, bins=20, color=_COLORS[0], label="95th percentile")
    depth.hist([float(take.gap_mm.min()) for take in takes], bins=20, color=_COLORS[1], label="smallest")
    depth.set_xlabel("lip gap of a clip (mm)")
    depth.legend(fontsize=7)
    return figure


def timing(takes: Sequence[Take]) -> Figure:
    """Draw mean curves around events: closures, vowels, rounding, pauses, accents, phrase ends."""
    offsets = np.arange(-0.6, 0.801, 0.02)

    def middles(condition: Callable[[Phone], bool]) -> Callable[[Take], list[float]]:
        return lambda take: [(phone.start + phone.end) / 2 for phone in take.clip.phones if condition(phone)]

    def pauses(end: bool) -> Callable[[Take], list[float]]:
        return lambda take: [
            phone.end if end else phone.start
            for phone in take.clip.phones
            if phone.symbol == "sil" and phone.duration >= PAUSE_S
        ]

    def pitch(take: Take) -> np.ndarray:
        return np.rad2deg(take.motion.head_pose[:, 0])

    plans: tuple[tuple[str, Callable[[Take], np.ndarray], Callable[[Take], list[float]], bool], ...] = (
        ("gap at p b m", lambda t: t.relative_gap, middles(lambda p: p.features.bilabial), False),
        ("gap at f v", lambda t: t.relative_gap, middles(lambda p: p.features.labiodental), False),
        (
            "gap at stressed open vowels",
            lambda t: t.relative_gap,
            middles(lambda p: p.stress == 1 and p.features.visual == "open"),
            False,
        ),
        (
            "pucker at uw, w",
            lambda t: t.motion.channel("mouthPucker"),
            middles(lambda p: p.features.rounded >= 0.95),
            False,
        ),
        ("gap at starts of pauses", lambda t: t.relative_gap, pauses(False), False),
        ("gap at ends of pauses", lambda t: t.relative_gap, pauses(True), False),
        ("lids at phrase ends", lambda t: t.lid, lambda t: [p.end for p in t.prosody.phrases], False),
        (
            "stretch at iy",
            lambda t: t.both("mouthStretch"),
            middles(lambda p: p.symbol == "iy"),
            False,
        ),
        (
            "brows (change) at accents",
            lambda t: t.motion.channel("browInnerUp"),
            lambda t: [a.time for a in t.prosody.accents],
            True,
        ),
        ("head pitch (change, deg) at accents", pitch, lambda t: [a.time for a in t.prosody.accents], True),
        ("head pitch (change, deg) at phrase ends", pitch, lambda t: [p.end for p in t.prosody.phrases], True),
        (
            "head speed (deg/s) at phrase starts",
            lambda t: np.rad2deg(np.abs(np.gradient(t.motion.head_pose, axis=0)).sum(1) * t.motion.fps),
            lambda t: [p.start for p in t.prosody.phrases],
            False,
        ),
    )
    figure = new_figure(12, 6)
    for panel, (title, curve, events, change) in zip(figure.subplots(3, 4, sharex=True).ravel(), plans):
        pieces = np.concatenate(
            [measures.around(curve(take), take.motion.fps, events(take), offsets) for take in takes]
        )
        if len(pieces):
            if change:
                pieces = pieces - pieces.mean(1, keepdims=True)
            middle, error = pieces.mean(0), pieces.std(0) / np.sqrt(len(pieces))
            panel.fill_between(offsets, middle - 2 * error, middle + 2 * error, color=_COLORS[0], alpha=0.25, lw=0)
            panel.plot(offsets, middle, color=_COLORS[0], lw=1.4)
        panel.axvline(0, color="0.5", lw=0.7)
        panel.set_title(f"{title} ({len(pieces)})", fontsize=8)
        panel.tick_params(labelsize=7)
    figure.supxlabel("seconds from the event (phones: from their middle)", fontsize=8)
    return figure


def blinks(takes: Sequence[Take]) -> Figure:
    """Draw blink rates against those of the manners, intervals and durations of blinks."""
    figure = new_figure(12, 3.2)
    rates, intervals, lengths, gaze = figure.subplots(1, 4)
    measured = measures.blinks_per_minute(takes)
    rates_of_manner = [take.manner.blink_rate for take in takes]
    rates.scatter(rates_of_manner, measured, s=8, color=_COLORS[0], alpha=0.6)
    rates.plot([5, 40], [5, 40], color="0.6", lw=0.8)
    rates.set(xlabel="blink_rate of the manner", ylabel="blinks per minute in the clip")
    between = [np.diff(take.blinks) / take.motion.fps for take in takes if len(take.blinks) > 1]
    intervals.hist(np.concatenate(between) if between else [], bins=30, range=(0, 12), color=_COLORS[0])
    intervals.set_xlabel("s between blinks")
    held = [length for take in takes for length in _blink_lengths(take)]
    lengths.hist(held, bins=np.arange(0.02, 0.62, 0.04), color=_COLORS[0])
    lengths.set_xlabel("s that lids are more than half shut")
    across = np.concatenate(
        [take.motion.channel("eyeLookOutLeft") - take.motion.channel("eyeLookInLeft") for take in takes]
    )
    up = np.concatenate([take.both("eyeLookUp") - take.both("eyeLookDown") for take in takes])
    gaze.hexbin(across, up, gridsize=35, bins="log", cmap="Blues", extent=(-0.8, 0.8, -0.6, 0.6))
    gaze.set(xlabel="gaze to the subject's left", ylabel="gaze up")
    return figure


def _blink_lengths(take: Take) -> list[float]:
    shut = np.flatnonzero(np.diff(np.concatenate([[0], take.lid > 0.5, [0]]).astype(int)))
    return list((shut[1::2] - shut[::2]) / take.motion.fps)


def head(takes: Sequence[Take]) -> Figure:
    """Draw spreads of head rotation against those of the manners, and amplitude spectra."""
    figure = new_figure(12, 3.4)
    panels = figure.subplots(1, 4)
    frequency, spectra = measures.head_spectrum(takes)
    for axis, name in enumerate(_AXES):
        spreads = np.rad2deg([getattr(take.manner, f"head_{name}") for take in takes])
        made = [float(np.rad2deg(take.motion.head_pose[:, axis].std())) for take in takes]
        panels[axis].scatter(spreads, made, s=8, alpha=0.6, color=_COLORS[axis])
        panels[axis].plot([0, spreads.max()], [0, spreads.max()], color="0.6", lw=0.8)
        panels[axis].set(xlabel=f"head_{name} of the manner (deg)", ylabel="spread in the clip (deg)")
        if len(spectra):
            low, middle, high = np.percentile(spectra[:, axis, 1:], (25, 50, 75), axis=0)
            panels[3].fill_between(frequency[1:], low, high, color=_COLORS[axis], alpha=0.15, lw=0)
            panels[3].plot(frequency[1:], middle, color=_COLORS[axis], lw=1.3, label=name)
    panels[3].set(xscale="log", yscale="log", xlabel="Hz", ylabel="deg / sqrt(Hz), quartiles over clips")
    if len(spectra):
        panels[3].legend(fontsize=7)
    return figure


def influence(takes: Sequence[Take]) -> Figure:
    """Draw the correlation of each parameter of manner with each statistic of the motion."""
    names, statistics, r = measures.manner_correlations(takes)
    figure = new_figure(9, 6.5)
    panel = figure.subplots()
    picture = panel.imshow(r, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    panel.set_xticks(range(len(statistics)), statistics, rotation=90, fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    for i, j in zip(*np.nonzero(np.abs(r) > 0.3)):
        panel.text(j, i, f"{r[i, j]:.1f}", ha="center", va="center", fontsize=6)
    figure.colorbar(picture, ax=panel, label="Pearson's r over clips")
    return figure


def channels(takes: Sequence[Take]) -> Figure:
    """Draw how far each channel goes: median, 5 to 95 %, and largest value over all frames."""
    values = np.concatenate([take.motion.expression for take in takes])
    names = takes[0].motion.expression_names
    low, middle, high = np.percentile(values, (5, 50, 95), axis=0)
    figure = new_figure(12, 3.6)
    panel = figure.subplots()
    places = np.arange(len(names))
    panel.vlines(places, low, high, color=_COLORS[0], lw=4)
    panel.plot(places, middle, "_", color=TEXT, ms=8, label="median; bar: 5 to 95 %")
    panel.plot(places, values.max(0), ".", color=_COLORS[1], ms=4, label="largest")
    panel.set_xticks(places, names, rotation=90, fontsize=6)
    panel.legend(fontsize=7, loc="upper right")
    return figure


def clip(take: Take, seconds: float = 10.0) -> Figure:
    """Draw the first seconds of a take: sound with phones, mouth, eyes and brows, head."""
    until = min(seconds, take.motion.duration)
    figure = new_figure(12, 7.5)
    sound, mouth, weights, eyes, turning = figure.subplots(5, 1, sharex=True, height_ratios=(1.1, 1.5, 1.2, 1.2, 1.2))
    n_samples = int(until * take.clip.speech.sample_rate)
    step = max(1, n_samples // 12000)
    samples = take.clip.speech.samples[:n_samples:step]
    sound.plot(np.arange(len(samples)) * step / take.clip.speech.sample_rate, samples, lw=0.3, color="0.4")
    reach = max(float(np.abs(samples).max(initial=0)), 1e-3) * 1.6
    sound.set_ylim(-reach, reach)
    for k, phone in enumerate(phone for phone in take.clip.phones if phone.end <= until and phone.symbol != "sil"):
        sound.text(
            (phone.start + phone.end) / 2,
            reach * (0.86 if k % 2 else 0.7),
            phone.symbol,
            ha="center",
            va="center",
            fontsize=6,
            weight="bold" if phone.stress == 1 else "normal",
            in_layout=False,  # laying out a hundred texts takes seconds
        )
    for phone in take.clip.phones:
        color = {"bil": _COLORS[1], "lab": _COLORS[4], "open": _COLORS[0], "sil": "0.5"}.get(phone.features.visual)
        if color and phone.start < until:
            for panel in (sound, mouth, weights):
                panel.axvspan(phone.start, min(phone.end, until), color=color, alpha=0.13, lw=0)
    frames = slice(0, int(until * take.motion.fps))
    _lines(mouth, take, {"lip gap (mm)": take.gap_mm}, frames)
    mouth.axhline(0, color="0.4", lw=0.6)
    channel = take.motion.channel
    _lines(
        weights,
        take,
        {name: channel(name) for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel")}
        | {"smile": take.both("mouthSmile"), "stretch": take.both("mouthStretch")},
        frames,
    )
    _lines(
        eyes,
        take,
        {
            "blink": take.lid,
            "brow inner up": channel("browInnerUp"),
            "brow down": take.both("browDown"),
            "gaze left": channel("eyeLookOutLeft") - channel("eyeLookInLeft"),
            "gaze up": take.both("eyeLookUp") - take.both("eyeLookDown"),
        },
        frames,
    )
    _lines(turning, take, {name: np.rad2deg(take.motion.head_pose[:, axis]) for axis, name in enumerate(_AXES)}, frames)
    for accent in take.prosody.accents:
        if accent.time < until:
            for panel in (eyes, turning):
                panel.axvline(accent.time, color="0.5", lw=0.4 + accent.strength, ls=":")
    turning.set_ylabel("head (deg)", fontsize=7)
    turning.set_xlim(0, until)
    turning.set_xlabel("seconds; dotted: accents", fontsize=7)
    figure.suptitle(f"{take.clip.name}, {take.clip.speaker.voice} ({take.clip.speaker.language})", fontsize=9)
    return figure


def _lines(panel: Any, take: Take, curves: Mapping[str, np.ndarray], frames: slice) -> None:
    for color, (name, curve) in zip(_COLORS, curves.items()):
        panel.plot(take.times[frames], curve[frames], lw=1, color=color, label=name)
    panel.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    panel.tick_params(labelsize=6)

"""Numbers about a corpus' motion: lip gaps by phone, closures, pauses, blinks, head spectra, and what should hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics import Closures, blink_frames, closures, head_angular_speed, manner_statistics
from diffposetalk.motion import Motion
from diffposetalk.speech.transcript.phones import SYMBOLS, Phone
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.prosody import Prosody, analyse
from diffposetalk.workshop.corpus.shards import CorpusClip

PAUSE_S = 0.6
"""Silences at least this long count as pauses in which the mouth must close."""
SEALED = 0.10
"""Lips count as sealed below this share of the clip's 95th percentile of the lip gap."""
MANNER_SHOWS_IN = {
    "mouth_opening": "mouth_open_p95",
    "rounding": "pucker_p95",
    "smile": "smile_mean",
    "brow_raise": "brow_raise_mean",
    "brow_activity": "brow_raise_std",
    "blink_rate": "blinks_per_minute",
    "head_pitch": "pitch_std_deg",
    "head_yaw": "yaw_std_deg",
    "head_roll": "roll_std_deg",
}
"""Parameters of a manner and the statistic of `metrics.manner_statistics` in which each should show."""


@dataclass(frozen=True)
class Take:
    """One clip with what has been measured on it."""

    clip: CorpusClip
    """Its sound, phones, words and speaker."""
    motion: Motion
    """Face and head."""
    manner: Manner
    """How the speaker moves."""
    prosody: Prosody
    """Accents, phrases, loudness."""
    gap_mm: np.ndarray
    """``(T,)`` lip gap on the head, millimetres; below 0 where lips press into each other."""

    @property
    def times(self) -> np.ndarray:
        """``(T,)`` seconds of the frames."""
        return np.arange(len(self.motion)) / self.motion.fps

    @property
    def relative_gap(self) -> np.ndarray:
        """``(T,)`` lip gap as a share of its 95th percentile, at least 0."""
        open_part = np.maximum(self.gap_mm, 0)
        return open_part / max(float(np.percentile(open_part, 95)), 1e-9)

    @property
    def lid(self) -> np.ndarray:
        """``(T,)`` lid closure, mean of both eyes."""
        return self.both("eyeBlink")

    @property
    def blinks(self) -> np.ndarray:
        """Frames of the deepest closure of each blink."""
        return blink_frames(self.lid)

    def both(self, stem: str) -> np.ndarray:
        """Return the mean of a channel's left and right side, ``(T,)``."""
        return (self.motion.channel(f"{stem}Left") + self.motion.channel(f"{stem}Right")) / 2


def lip_gap_mm(motion: Motion, opening: np.ndarray) -> np.ndarray:
    """Return the lip gap of a motion, ``(T,)`` millimetres; ``opening`` as for `measure`."""
    return motion.expression @ opening * 1e3


def measure(clip: CorpusClip, opening: np.ndarray) -> Take:
    """Measure a clip that has motion.

    Args:
        clip: with motion and manner.
        opening: ``(E,)`` lip gap per channel of its head, metres.

    Raises:
        InputError: the clip has no motion yet.
    """
    if clip.motion is None or clip.manner is None:
        raise InputError(f"{clip.name}: has no motion; make it with `diffposetalk corpus FOLDER --motion-anew`")
    return Take(
        clip,
        clip.motion,
        Manner.from_vector(clip.manner),
        analyse(clip.speech, clip.phones),
        lip_gap_mm(clip.motion, opening),
    )


def phone_group(phone: Phone) -> str:
    """Return the group of the gap plots that a phone belongs to."""
    features = phone.features
    if phone.symbol == "sil":
        return "pause" if phone.duration >= PAUSE_S else "short pause"
    if features.bilabial:
        return "p b m"
    if features.labiodental:
        return "f v"
    if features.vowel:
        return {"open": "open vowels", "round": "rounded vowels", "spread": "spread vowels"}[features.visual]
    if features.sibilant:
        return "s z sh ch"
    return {"round": "w r", "cor": "t d n l th", "back": "k g h", "spread": "y"}[features.visual]


GROUPS = (
    "pause", "short pause", "p b m", "f v", "w r", "s z sh ch", "t d n l th", "y", "k g h",
    "rounded vowels", "spread vowels", "open vowels",
)  # fmt: skip
"""All of `phone_group`'s answers, from shut to open."""


def gaps_by_group(takes: Iterable[Take]) -> dict[str, np.ndarray]:
    """Return for each group the mean relative gap over the middle half of each of its phones."""
    gaps: dict[str, list[float]] = {group: [] for group in GROUPS}
    for take in takes:
        gap, times = take.relative_gap, take.times
        for phone in take.clip.phones:
            quarter = phone.duration / 4
            inside = np.linspace(phone.start + quarter, phone.end - quarter, 9)
            if inside[-1] <= times[-1]:
                gaps[phone_group(phone)].append(float(np.interp(inside, times, gap).mean()))
    return {group: np.array(values) for group, values in gaps.items()}


def count_closures(takes: Iterable[Take], symbols: Iterable[str] = ("p", "b", "m")) -> Closures:
    """Count sealed p, b, m over all takes (`metrics.closures`), leaving out those of other symbols."""
    counted = set(symbols) | {"aa", "ae", "ah", "ao", "aw", "ay"}
    return Closures.pooled(
        closures(
            np.maximum(take.gap_mm, 0),
            take.motion.fps,
            [(phone.symbol, phone.start, phone.end) for phone in take.clip.phones if phone.symbol in counted],
            SEALED,
        )
        for take in takes
    )


def pause_closing_s(takes: Iterable[Take]) -> np.ndarray:
    """Return how long after the start of each pause inside or at the end of a clip the lips are shut, seconds.

    Infinite where they are not shut before the mouth opens again for the next phrase (the last 0.25 s).
    """
    delays = []
    for take in takes:
        for phone in take.clip.phones[1:]:
            if phone.symbol != "sil" or phone.duration < PAUSE_S:
                continue
            ends = take.motion.duration if phone.end >= take.motion.duration - 0.05 else phone.end - 0.25
            frames = slice(int(np.ceil(phone.start * take.motion.fps)), int(ends * take.motion.fps))
            shut = np.flatnonzero(take.relative_gap[frames] < SEALED)
            delays.append(shut[0] / take.motion.fps if len(shut) else np.inf)
    return np.array(delays)


def accents_per_second(takes: Iterable[Take]) -> float:
    """Return how many accents a second of speech (pauses left out) has."""
    takes = list(takes)
    seconds = sum(phone.duration for take in takes for phone in take.clip.phones if phone.symbol != "sil")
    return sum(len(take.prosody.accents) for take in takes) / max(seconds, 1e-9)


def _engine(take: Take) -> str:
    return take.clip.speaker.voice.partition(":")[0]


def blinks_per_minute(takes: Sequence[Take]) -> np.ndarray:
    """Return each take's blinks per minute."""
    return np.array([60 * len(take.blinks) / take.motion.duration for take in takes])


def head_speed_deg(takes: Iterable[Take]) -> list[np.ndarray]:
    """Return each take's turning speed of the head from frame to frame, ``(T - 1,)`` degrees per second."""
    return [np.rad2deg(head_angular_speed(take.motion.head_pose, take.motion.fps)) for take in takes]


def head_spectrum(takes: Iterable[Take], segment_s: float = 5.12) -> tuple[np.ndarray, np.ndarray]:
    """Return the amplitude spectral density of head rotation.

    Args:
        takes: all of one frame rate.
        segment_s: length of the Hann-windowed half-overlapping segments, seconds; shorter clips are left out.

    Returns:
        Frequencies ``(F,)`` in Hz, and for each take ``(N, 3, F)`` degrees per square root of Hz for pitch, yaw, roll.
    """
    spectra, fps, n = [], 25.0, 128
    for take in takes:
        fps = take.motion.fps
        n = round(segment_s * fps)
        angles = np.rad2deg(take.motion.head_pose.astype(float))
        if len(angles) < n:
            continue
        window = np.hanning(n)
        pieces = [angles[start : start + n] for start in range(0, len(angles) - n + 1, n // 2)]
        power = [np.abs(np.fft.rfft((piece - piece.mean(0)) * window[:, None], axis=0)) ** 2 for piece in pieces]
        spectra.append(np.sqrt(2 * np.mean(power, 0) / (fps * (window**2).sum())).T)
    return np.fft.rfftfreq(n, 1 / fps), np.array(spectra).reshape(len(spectra), 3, n // 2 + 1)


def around(curve: np.ndarray, fps: float, events: Iterable[float], offsets: np.ndarray) -> np.ndarray:
    """Cut a curve around events: ``(events, offsets)``; events too near the ends are left out.

    Args:
        curve: ``(T,)``.
        fps: frames per second.
        events: seconds.
        offsets: ``(n,)`` seconds relative to an event.
    """
    last = (len(curve) - 1) / fps
    inside = [event for event in events if event + offsets[0] >= 0 and event + offsets[-1] <= last]
    times = np.asarray(inside)[:, None] + offsets if inside else np.zeros((0, len(offsets)))
    return np.interp(times, np.arange(len(curve)) / fps, curve)


def manner_correlations(takes: Sequence[Take]) -> tuple[list[str], list[str], np.ndarray]:
    """Correlate the parameters of manner with the statistics of the motion over takes.

    Returns:
        Names of parameters (P), of statistics (S), and Pearson's r ``(P, S)``, 0 where something does not vary.
    """
    rows = [manner_statistics(take.motion) for take in takes]
    names, statistics = list(Manner.ranges()), list(rows[0])
    x = np.array([take.manner.vector() for take in takes], float)
    y = np.array([[row[name] for name in statistics] for row in rows])
    x, y = x - x.mean(0), y - y.mean(0)
    scale = np.sqrt(np.outer((x**2).sum(0), (y**2).sum(0)))
    return names, statistics, (x.T @ y) / np.where(scale > 1e-12, scale, np.inf)


@dataclass(frozen=True)
class Check:
    """Something that should hold of a corpus, and whether it does."""

    what: str
    """In words."""
    value: str
    """As measured."""
    expected: str
    """What it should be."""
    good: bool
    """Whether it is so."""


def check(takes: Sequence[Take]) -> tuple[Check, ...]:
    """Hold the takes against what a corpus of talking faces must satisfy."""
    counted, gaps, closing = count_closures(takes), gaps_by_group(takes), pause_closing_s(takes)
    checks: list[Check] = []

    def add(what: str, value: float, form: str, expected: str, good: bool) -> None:
        checks.append(Check(what, "none to measure" if np.isnan(value) else form.format(value), expected, bool(good)))

    ratio = counted.gap_ratio if counted.open_gap else np.nan
    add("p b m with sealed lips", counted.share, "{:.1%}", "at least 95%", counted.share >= 0.95)
    add(
        "lip gap in p b m over that in open vowels",
        ratio,
        "{:.2f}",
        "at most 0.33",
        ratio < 1 / 3,
    )
    false = counted.n_open_sealed / counted.n_open if counted.n_open else np.nan
    add("open vowels with sealed lips in their middle", false, "{:.1%}", "at most 5%", false <= 0.05)
    tucked = float(np.median(gaps["f v"])) if len(gaps["f v"]) else np.nan
    add("median relative gap in f v", tucked, "{:.2f}", "below that of t d n l", tucked < np.median(gaps["t d n l th"]))
    quick = float((closing <= 0.3).mean()) if len(closing) else np.nan
    add(f"pauses over {PAUSE_S:g} s with lips shut within 0.3 s", quick, "{:.1%}", "at least 95%", quick >= 0.95)
    rates = blinks_per_minute(takes)
    add("blinks per minute, mean over clips", rates.mean(), "{:.1f}", "10 to 30", 10 <= rates.mean() <= 30)
    shut = float((np.concatenate([take.lid for take in takes]) > 0.5).mean())
    add("frames with eyes shut", shut, "{:.1%}", "at most 6%", shut <= 0.06)
    turning = head_speed_deg(takes)
    middle, fast = (float(np.mean([np.percentile(each, share) for each in turning])) for share in (50, 95))
    add("median head speed, degrees per second, mean over clips", middle, "{:.1f}", "6 to 12", 6 <= middle <= 12)
    add("95th percentile of head speed, mean over clips", fast, "{:.1f}", "15 to 30", 15 <= fast <= 30)
    values = np.concatenate([take.motion.expression for take in takes])
    outside = float(((values < 0) | (values > 1)).mean())
    add("expression weights outside 0..1", outside, "{:.2%}", "none", outside == 0)
    names = takes[0].motion.expression_names
    mouth = [k for k, name in enumerate(names) if name.startswith(("mouth", "jaw"))]
    full = (values[:, mouth] >= 0.999).mean(0)
    worst = names[mouth[int(full.argmax())]]
    add(
        f"frames in which the most saturated mouth channel ({worst}) is at 1",
        full.max(),
        "{:.2%}",
        "at most 1%",
        full.max() <= 0.01,
    )
    speed = max(
        float(np.abs(np.diff(take.motion.expression[:, mouth], axis=0)).max() * take.motion.fps) for take in takes
    )
    add("fastest mouth weight, per second", speed, "{:.1f}", "at most 9.1", speed <= 9.1)
    turned = float(np.rad2deg(max(np.abs(take.motion.head_pose).max() for take in takes)))
    add("largest head angle, degrees", turned, "{:.1f}", "below 25.7, where it is cut", turned < 25.7)
    lengths = max(abs(take.motion.duration - take.clip.speech.duration) for take in takes)
    add("largest difference of motion and sound in length, seconds", lengths, "{:.3f}", "at most 0.04", lengths <= 0.04)
    missing = sorted(set(SYMBOLS) - {phone.symbol for take in takes for phone in take.clip.phones})
    checks.append(Check("phones that never occur", " ".join(missing) or "none", "at most 3", len(missing) <= 3))
    by_engine = {engine: [t for t in takes if _engine(t) == engine] for engine in sorted({_engine(t) for t in takes})}
    plain = [engine for engine, own in by_engine.items() if not any(p.stress for take in own for p in take.clip.phones)]
    checks.append(Check("engines that mark no stress", " ".join(plain) or "none", "none", not plain))
    accents = {engine: accents_per_second(own) for engine, own in by_engine.items()}
    words = ", ".join(f"{engine} {rate:.1f}" for engine, rate in accents.items())
    even = min(accents.values()) > 0.6 * max(accents.values())
    checks.append(Check("accents per second of speech", words, "alike for all engines", even))
    if len({take.clip.speaker.speaker for take in takes}) >= 10:
        parameters, statistics, r = manner_correlations(takes)
        for parameter, statistic in MANNER_SHOWS_IN.items():
            value = float(r[parameters.index(parameter), statistics.index(statistic)])
            add(f"correlation of {parameter} with {statistic}", value, "{:.2f}", "at least 0.4", value >= 0.4)
    return tuple(checks)

"""Listen with your eyes: sound, phones, generated lip gap and, where there is one, that of the tracked lips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import check_output, replacing
from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import blink_frames
from diffposetalk.metrics.closures import OPEN, PRESSED
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.generators import Generation, samples_of
from diffposetalk.workshop.evaluate.recordings.alignment import align
from diffposetalk.workshop.evaluate.recordings.clips import FPS, tracked_aperture, transcripts

_SEALED, _OPENED = "#c0392b", "#2e86c1"


def plot(
    path: Path,
    speech: Speech,
    motions: Mapping[str, Motion],
    phones: Sequence[tuple[str, float, float]] = (),
    tracked: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draw one recording and the motions made for it.

    Args:
        path: PNG to write.
        speech: what is heard.
        motions: by what to call them in the legend.
        phones: drawn over the spectrogram; p, b, m shaded red through all panels, open vowels blue.
        tracked: ``(T,)`` tracked aperture at `FPS`, drawn in a panel of its own.
        title: above the picture.

    Raises:
        DiffPoseTalkError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise DiffPoseTalkError("plots need matplotlib: pip install 'diffposetalk[train]'") from None
    below = {} if tracked is None else {"tracked gap / face": 2.0}
    rows = {"sound": 1.0, "phones": 2.0, "generated gap (mm)": 2.0, **below, "lids": 0.8, "head (deg)": 1.3}
    shown, heights = list(rows), list(rows.values())
    figure = Figure(figsize=(max(10.0, 2.2 * speech.duration), 1.35 * sum(heights)), layout="constrained")
    panels = dict(zip(shown, figure.subplots(len(shown), 1, sharex=True, height_ratios=heights)))
    seconds = np.arange(len(speech)) / speech.sample_rate
    panels["sound"].plot(seconds, speech.samples, lw=0.4, color="0.3")
    panels["phones"].specgram(speech.samples, NFFT=400, noverlap=240, Fs=speech.sample_rate, cmap="magma", vmin=-130)
    panels["phones"].set_ylim(0, 8000)
    for name, motion in motions.items():
        times = np.arange(len(motion)) / motion.fps
        panels["generated gap (mm)"].plot(times, mouth_gap(motion, shared_head(motion.head)) * 1e3, lw=1.3, label=name)
        lid = (motion.channel("eyeBlinkLeft") + motion.channel("eyeBlinkRight")) / 2
        panels["lids"].plot(times, lid, lw=0.9)
        panels["lids"].plot(times[blink_frames(lid)], lid[blink_frames(lid)], "v", ms=4, color="0.2")
    for axis, label in enumerate(("pitch", "yaw", "roll")):
        panels["head (deg)"].plot(times, np.rad2deg(motion.head_pose[:, axis]), lw=0.9, label=label)
    if tracked is not None:
        panels["tracked gap / face"].plot(np.arange(len(tracked)) / FPS, tracked, lw=1.3, color="0.1")
    for symbol, start, end in phones:
        if symbol != "sil":
            panels["phones"].text((start + end) / 2, 7000, symbol, ha="center", fontsize=8, color="white")
            panels["phones"].axvline(start, color="white", lw=0.3)
        color = _SEALED if symbol in PRESSED else _OPENED if symbol in OPEN else None
        for panel in panels.values() if color else ():
            panel.axvspan(start, end, color=color, alpha=0.18, lw=0)
    for name, panel in panels.items():
        panel.set_ylabel(name, fontsize=8)
        panel.tick_params(labelsize=7)
        if "gap" in name:
            panel.set_ylim(bottom=0)
    panels["generated gap (mm)"].legend(fontsize=7, loc="upper right")
    panels["head (deg)"].legend(fontsize=7, loc="upper right", ncols=3)
    panels["sound"].set_xlim(0, speech.duration)
    panels["sound"].set_title(title, fontsize=9)
    panels["head (deg)"].set_xlabel("seconds", fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90)


def evaluate(
    speech: Path,
    output: str | Path,
    generation: Generation,
    recordings: Path | None = None,
    words: str | None = None,
    seconds: float = 12.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Draw one recording and what a generator makes of it.

    Args:
        speech: sound or video.
        output: picture to write (.png).
        generation: how motion is made.
        recordings: folder in which the words and the track of a known recording are looked up.
        words: what is said, in English.
        seconds: how much of it is drawn.
        progress: called with the seconds of motion that are made.
    """
    path = check_output(output, (".png",))
    sound = Speech.load(speech)
    words = words or (_known_words(recordings, speech.stem) if recordings else None)
    phones = align(sound.samples, words) if words else []
    track = recordings / "tracks" / f"{speech.stem}.npz" if recordings else None
    tracked = tracked_aperture(track) if track and track.exists() else None
    made = samples_of(generation.load(progress), sound, generation.samples, generation.style)
    until = min(sound.duration, seconds)
    n_frames = max(1, int(until * FPS))
    plot(
        path,
        sound.slice(0, until),
        {f"seed {seed}": motion.resampled(FPS).slice(0, n_frames) for seed, motion in enumerate(made)},
        [phone for phone in phones if phone[2] <= until],
        None if tracked is None else tracked[:n_frames],
        f"{speech.name}, {generation.generator}" + (f': "{words}"' if words else ""),
    )
    return {"output": str(path), "words": words, "n_phones": len(phones)}


def report(result: Mapping[str, Any]) -> str:
    """Say what was written."""
    return f"wrote {result['output']}"


def _known_words(realdata: Path, name: str) -> str | None:
    try:
        return next((known.words for known in transcripts(realdata) if known.name == name), None)
    except InputError:
        return None

"""A data set as one HTML page that needs no network: plots, what was left out and why, clips to look at and hear."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.report.manifest import Manifest, read_manifest
from diffposetalk.data.report.plots import PERCENTILES, bars_by_name, histogram, speech_and_curve
from diffposetalk.data.report.survey import HEAD_AXES, Histogram, Survey, survey
from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import check_output, write_atomically
from diffposetalk.head import HeadModel, load_head
from diffposetalk.head.shared import shared_head
from diffposetalk.media import flac_bytes, read_frames
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion
from diffposetalk.pages import data_address, render, require_libraries, svg
from diffposetalk.progress import Progress

FILM_S = 8.0
"""Seconds shown of a clip."""
FILM_SIZE = 320
"""Side of a clip's picture in pixels."""
MOST_SPEAKERS = 20
"""Rows of the speakers' plot."""
MOST_LINES = 200
"""Rows of the list of what was left out; the others are counted."""


@dataclass(frozen=True)
class DatasetPage:
    """What `write_page` wrote."""

    path: Path
    clips: int
    hours: float
    films: int
    """Clips shown with a picture."""
    notes: tuple[str, ...]
    """What could not be shown, and why."""


def write_page(
    dataset: str | Path, out: str | Path, n_clips: int = 2, head: str | None = None, progress: Progress | None = None
) -> DatasetPage:
    """Write a page to judge a data set by.

    Args:
        dataset: TFHP folder or folder of shards, of any head.
        out: the `.html` file.
        n_clips: clips of each split to show.
        head: name or file of the head that performs the clips; by default the one they are for.
        progress: called with the number of clips read.

    Raises:
        InputError: there is no data set, or a clip or the manifest is damaged.
        UsageError: the page cannot go there, or the head is not the one the clips are for.
        DiffPoseTalkError: Jinja2 or matplotlib is not installed.
    """
    path = check_output(out, (".html", ".htm"))
    require_libraries()
    performer = load_head(head) if head else None
    data = survey(dataset, n_clips, progress)
    if performer is not None and performer.name != data.head:
        raise UsageError(f"the clips are for the head {data.head}, not for {performer.name}: leave --head out")
    manifest = read_manifest(dataset)
    samples, notes = _samples(data.samples, performer)
    page = render(
        __package__,
        "dataset.html",
        title=data.path.name or str(data.path),
        layout="TFHP" if data.layout == "tfhp" else "shards",
        tiles=_tiles(data, manifest),
        split_names=list(data.splits),
        splits=_splits(data),
        split_notes=_in_two_splits(data),
        **_speakers(data),
        sound_plots=_sound_plots(data),
        motion_plots=[
            (name, svg(histogram(values, square_root=True), name)) for name, values in _all_splits(data).items()
        ],
        percentiles=_percentiles(data),
        clip_plots=_clip_plots(data),
        manifest=manifest and _rejections(manifest),
        limit=MOST_LINES,
        samples=samples,
        notes=notes,
    )
    write_atomically(path, page)
    n_films = sum("video" in sample for sample in samples)
    return DatasetPage(path, len(data.rows), data.hours, n_films, tuple(notes))


def _tiles(data: Survey, manifest: Manifest | None) -> list[tuple[str, str]]:
    n_speakers = len({row.speaker for row in data.rows})
    tiles = [
        (_time(3600 * data.hours), "of speech"),
        (str(len(data.rows)), "clips"),
        (str(n_speakers), "speaker" if n_speakers == 1 else "speakers"),
        (data.head, f"head, {data.fps:g} frames per second"),
    ]
    if manifest:
        tiles.append((f"{manifest.used_videos} of {manifest.videos}", "videos used"))
    return tiles


def _splits(data: Survey) -> list[list[str]]:
    table = []
    for split in data.splits:
        rows = [row for row in data.rows if row.split == split]
        seconds = sum(row.seconds for row in rows)
        share = f"{100 * seconds / (3600 * data.hours):.0f} %"
        n_speakers = len({row.speaker for row in rows})
        median = f"{np.median([row.seconds for row in rows]):.1f} s"
        table.append([split, _time(seconds), share, str(len(rows)), str(n_speakers), median])
    return table


def _in_two_splits(data: Survey) -> list[str]:
    """Return a warning if speakers are in more than one split."""
    splits: dict[str, set[str]] = {}
    for row in data.rows:
        splits.setdefault(row.speaker, set()).add(row.split)
    names = sorted(speaker for speaker, names in splits.items() if len(names) > 1)
    return [f"In more than one split: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}."] if names else []


def _speakers(data: Survey) -> dict[str, Any]:
    seconds: Counter[str] = Counter()
    n_clips = Counter(row.speaker for row in data.rows)
    for row in data.rows:
        seconds[row.speaker] += row.seconds  # type: ignore[assignment]
    ranked = seconds.most_common()
    rows = [
        (name, value, f"{_time(value)}, {n_clips[name]} {'clip' if n_clips[name] == 1 else 'clips'}")
        for name, value in ranked[:MOST_SPEAKERS]
    ]
    plots = []
    if len(ranked) > MOST_SPEAKERS:
        plots = [_plot("seconds of a speaker", seconds.values(), 0, float(np.ceil(ranked[0][1])), " s")]
    return {
        "speakers": svg(bars_by_name(rows), "time by speaker"),
        "speaker_plots": plots,
        "n_ranked": MOST_SPEAKERS,
        "n_speakers": len(ranked),
    }


def _sound_plots(data: Survey) -> list[tuple[str, str]]:
    seconds = [row.seconds for row in data.rows]
    return [
        _plot("length of clips", seconds, 0, float(np.ceil(max(1.0, *seconds))), " s"),
        _plot("level of the sound", [row.level_db for row in data.rows], -60, 0, " dB"),
    ]


def _all_splits(data: Survey) -> dict[str, Histogram]:
    """Return each channel's values in all splits together."""
    together = {}
    for name, by_split in data.channels.items():
        first = next(iter(by_split.values()))
        counts = np.sum([values.counts for values in by_split.values()], axis=0)
        together[name] = Histogram(first.low, first.high, first.unit, counts)
    return together


def _percentiles(data: Survey) -> list[list[str]]:
    """Return each channel's percentiles, a column for each split."""

    def cell(values: Histogram | None) -> str:
        return "" if values is None else " · ".join(_short(values.percentile(p), values) for p in PERCENTILES)

    return [[name, *(cell(by_split.get(split)) for split in data.splits)] for name, by_split in data.channels.items()]


def _clip_plots(data: Survey) -> list[tuple[str, str]]:
    plots = [
        _plot(f"spread of {name}", [row.head_spread_deg[axis] for row in data.rows], 0, 20, "°")
        for axis, name in enumerate(HEAD_AXES)
    ]
    blinks = [row.blinks_per_minute for row in data.rows if row.blinks_per_minute is not None]
    return [_plot("blinks per minute", blinks, 0, 90), *plots] if blinks else plots


def _rejections(manifest: Manifest) -> dict[str, Any]:
    """Return the rows of the tables of what was left out."""
    seconds: dict[str, list[float]] = {}
    for part in manifest.rejected:
        seconds.setdefault(part.reason, []).append(part.seconds)
    ranked = sorted(seconds.items(), key=lambda item: -sum(item[1]))
    return {
        "reasons": [[reason, str(len(parts)), _time(sum(parts)) if sum(parts) else ""] for reason, parts in ranked],
        "parts": [
            [part.video, "" if part.start_s is None else f"{part.start_s:.1f}–{part.end_s or 0:.1f} s", part.why]
            for part in manifest.rejected
        ],
        "notes": manifest.notes,
    }


def _samples(samples: Sequence[tuple[str, Clip]], head: HeadModel | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the clips to look at and notes; without a renderer the clips have sound only."""
    shown: list[dict[str, Any]] = []
    notes: list[str] = []
    for split, clip in samples:
        motion = clip.motion.slice(0, min(len(clip.motion), round(FILM_S * clip.motion.fps)))
        speech = clip.speech.slice(0, motion.duration)
        name, unit, curve = opening(motion)
        sample: dict[str, Any] = {
            "caption": f"{clip.name} ({split}), {clip.duration:.1f} s",
            "drawing": svg(
                speech_and_curve(speech.samples, motion.duration, curve, name, unit), f"waveform and {name}"
            ),
        }
        if not notes:
            try:
                head = head or load_head(motion.head)
                video, still = _filmed(Clip(speech, motion, clip.identity, clip.speaker, clip.name), head)
                sample |= {"video": data_address(video, "video/mp4"), "poster": data_address(still, "image/jpeg")}
            except DiffPoseTalkError as error:
                notes.append(f"Clips are shown without a picture: {error}")
        if notes:
            sample["sound"] = data_address(flac_bytes(speech.samples, speech.sample_rate), "audio/flac")
        shown.append(sample)
    return shown, notes


def _filmed(clip: Clip, head: HeadModel) -> tuple[bytes, bytes]:
    """Return a clip as the bytes of a video, and its middle frame as those of a JPEG."""
    from PIL import Image

    from diffposetalk.render import render_motion

    n_known = len(clip.identity)
    identity = np.pad(clip.identity, (0, head.identity_dim - n_known)) if 0 < n_known <= head.identity_dim else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        render_motion(clip.motion, head, path, clip.speech, identity, FILM_SIZE)
        frames = [frame for _, frame in read_frames(path)]
        still = io.BytesIO()
        Image.fromarray(frames[len(frames) // 2]).save(still, "JPEG", quality=80)
        return path.read_bytes(), still.getvalue()


def opening(motion: Motion) -> tuple[str, str, np.ndarray]:
    """Return how far the mouth is open: what is measured, its unit and ``(T,)`` values."""
    if motion.jaw_pose is not None:
        return "jaw opening", "degrees", np.maximum(0, np.rad2deg(motion.jaw_pose[:, 0]))
    try:
        return "lip opening", "mm", 1000 * mouth_gap(motion, shared_head(motion.head))
    except (DiffPoseTalkError, ValueError):
        name = "jawOpen" if "jawOpen" in motion.expression_names else motion.expression_names[0]
        return name, "", np.maximum(0, motion.channel(name))


def _plot(title: str, values: Iterable[float], low: float, high: float, unit: str = "") -> tuple[str, str]:
    """Return the title and the drawing of a histogram."""
    counted = Histogram(low, high, unit)
    counted.add(np.array(list(values)))
    return title, svg(histogram(counted), title)


def _short(value: float, values: Histogram) -> str:
    return f"{value:.2f}" if values.high <= 4 else f"{value:.1f}{values.unit}"


def _time(seconds: float) -> str:
    """Write a length of time: seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

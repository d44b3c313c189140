"""A data set as one HTML page that needs no network: plots, what was left out and why, clips to look at and hear."""

from __future__ import annotations

import base64
import html
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.report import svg
from diffposetalk.data.report.left_out import Manifest, read_manifest
from diffposetalk.data.report.survey import HEAD_AXES, Histogram, Report, Survey, survey
from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import check_output, write_atomically
from diffposetalk.head import HeadModel, load_head
from diffposetalk.media import flac_bytes, read_frames
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion

FILM_S, FILM_SIZE = 8.0, 320
"""Seconds shown of a clip, and the side of its picture in pixels."""
MOST_SPEAKERS, MOST_LINES = 20, 200
"""Rows of the speakers' plot and of the list of what was left out; more are counted."""
_PERCENTS = (5, 50, 95)


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
    dataset: str | Path,
    out: str | Path,
    n_clips: int = 2,
    head: str | None = None,
    progress: Report | None = None,
    filming: Report | None = None,
) -> DatasetPage:
    """Write a page to judge a data set by.

    Args:
        dataset: TFHP folder or folder of shards, of any head.
        out: the `.html` file.
        n_clips: clips of each split to show.
        head: name or file of the head that performs the clips; by default the one they are for.
        progress: told the number of clips read.
        filming: told the number of clips filmed.

    Raises:
        InputError: there is no data set, or a clip or the manifest is damaged.
        UsageError: the page cannot go there, or the head is not the one the clips are for.
    """
    path = check_output(out, (".html", ".htm"))
    performer = load_head(head) if head else None
    found = survey(dataset, n_clips, progress)
    if performer is not None and performer.name != found.head:
        raise UsageError(f"the clips are for the head {found.head}, not for {performer.name}: leave --head out")
    manifest = read_manifest(dataset)
    notes: list[str] = []
    shown, n_films = _samples(found.samples, performer, notes, filming)
    sections = [
        _heading(found, manifest),
        _splits(found),
        _speakers(found),
        _sounds(found),
        _motion(found),
        _left_out(manifest) if manifest else "",
        _section("Clips", shown, *notes) if shown or notes else "",
    ]
    write_atomically(path, _document(found.path.name or str(found.path), sections))
    return DatasetPage(path, len(found.rows), found.hours, n_films, tuple(notes))


def _document(name: str, sections: Iterable[str]) -> bytes:
    assets = resources.files("diffposetalk.data.report")
    style, script = (assets.joinpath(file).read_text(encoding="utf-8") for file in ("page.css", "page.js"))
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
        f"<style>{style}</style></head><body><main>",
        *sections,
        f"</main><script>{script}</script></body></html>",
    ]
    return "\n".join(lines).encode()


def _heading(found: Survey, manifest: Manifest | None) -> str:
    speakers = len({row.speaker for row in found.rows})
    tiles = [
        (_time(3600 * found.hours), "of speech"),
        (f"{len(found.rows)}", "clips"),
        (f"{speakers}", "speaker" if speakers == 1 else "speakers"),
        (found.head, f"head, {found.fps:g} frames per second"),
    ]
    if manifest:
        tiles.append((f"{manifest.used_videos} of {manifest.videos}", "videos used"))
    boxes = "".join(f"<div><b>{html.escape(value)}</b><span>{html.escape(what)}</span></div>" for value, what in tiles)
    name = html.escape(found.path.name or str(found.path))
    kind = "TFHP" if found.layout == "tfhp" else "shards"
    return f'<header><h1>{name}</h1><p>{kind}</p></header><div class="tiles">{boxes}</div>'


def _splits(found: Survey) -> str:
    rows = []
    for split in found.splits:
        mine = [row for row in found.rows if row.split == split]
        seconds = sum(row.seconds for row in mine)
        share = seconds / (3600 * found.hours)
        rows.append(
            [
                split,
                _time(seconds),
                f"{100 * share:.0f} %",
                str(len(mine)),
                str(len({row.speaker for row in mine})),
                f"{np.median([row.seconds for row in mine]):.1f} s",
            ]
        )
    both = _in_two_splits(found)
    notes = [f"In more than one split: {', '.join(both[:5])}{' ...' if len(both) > 5 else ''}."] if both else []
    return _section("Splits", _table(["split", "speech", "share", "clips", "speakers", "median clip"], rows, 1), *notes)


def _in_two_splits(found: Survey) -> list[str]:
    splits: dict[str, set[str]] = {}
    for row in found.rows:
        splits.setdefault(row.speaker, set()).add(row.split)
    return sorted(speaker for speaker, names in splits.items() if len(names) > 1)


def _speakers(found: Survey) -> str:
    seconds: Counter[str] = Counter()
    clips = Counter(row.speaker for row in found.rows)
    for row in found.rows:
        seconds[row.speaker] += row.seconds  # type: ignore[assignment]
    ranked = seconds.most_common()
    drawn = svg.rows(
        [
            (name, value, f"{_time(value)}, {clips[name]} {_clips(clips[name])}")
            for name, value in ranked[:MOST_SPEAKERS]
        ],
        "time by speaker",
    )
    if len(ranked) <= MOST_SPEAKERS:
        return _section("Speakers", drawn)
    most = ranked[0][1]
    spread = _grid([_plot("seconds of a speaker", _histogram(seconds.values(), 0, float(np.ceil(most)), 30), " s")])
    return _section("Speakers", f"{spread}<p>The {MOST_SPEAKERS} with most, of {len(ranked)}:</p>{drawn}")


def _sounds(found: Survey) -> str:
    seconds, levels = (np.array([getattr(row, name) for row in found.rows]) for name in ("seconds", "level_db"))
    longest = float(np.ceil(max(1.0, seconds.max())))
    return _section(
        "Lengths and levels",
        _grid(
            [
                _plot("length of clips", _histogram(seconds, 0, longest, 30), " s"),
                _plot("level of the sound", _histogram(levels, -60, 0, 30), " dB"),
            ]
        ),
    )


def _motion(found: Survey) -> str:
    plots, rows = [], []
    for name, by_split in found.channels.items():
        first = next(iter(by_split.values()))
        every = Histogram(first.low, first.high, first.unit, sum(h.counts for h in by_split.values()))  # type: ignore[arg-type]
        plots.append(_plot(name, every, every.unit, root=True))
        cells = [name]
        for split in found.splits:
            values = by_split.get(split)
            cells.append("" if values is None else " · ".join(_short(values.percentile(p), values) for p in _PERCENTS))
        rows.append(cells)
    per_clip = [
        _plot(f"spread of {name}", _histogram([row.head_spread_deg[k] for row in found.rows], 0, 20, 40), "°")
        for k, name in enumerate(HEAD_AXES)
    ]
    blinks = [row.blinks_per_minute for row in found.rows if row.blinks_per_minute is not None]
    if blinks:
        per_clip.insert(0, _plot("blinks per minute", _histogram(blinks, 0, 90, 30), ""))
    return _section(
        "Faces and heads",
        "<p>Every frame of every clip; lines mark the 5th, 50th and 95th percentile. Heights grow with the square root of the "
        "number of frames, so that rare values show.</p>"
        + _grid(plots)
        + _table(["5th · 50th · 95th percentile", *found.splits], rows, 1)
        + "<h3>Within clips</h3>"
        + _grid(per_clip),
    )


def _left_out(manifest: Manifest) -> str:
    reasons: dict[str, list[float]] = {}
    for part in manifest.left_out:
        reasons.setdefault(part.reason, []).append(part.seconds)
    ranked = sorted(reasons.items(), key=lambda item: -sum(item[1]))
    rows = [[reason, str(len(seconds)), _time(sum(seconds)) if sum(seconds) else ""] for reason, seconds in ranked]
    table = _table(["reason", "stretches", "time"], rows, 1) if rows else "<p>Nothing.</p>"
    lines = [
        [part.video, "" if part.start_s is None else f"{part.start_s:.1f}–{part.end_s or 0:.1f} s", part.why]
        for part in manifest.left_out
    ]
    details = _details(
        "Each of them", _table(["video", "where", "why"], lines[:MOST_LINES], 9), len(lines) - MOST_LINES
    )
    told = [list(note) for note in manifest.notes]
    details += _details("Notes on videos", _table(["video", "note"], told[:MOST_LINES], 9), len(told) - MOST_LINES)
    return _section("Left out", table + details)


def _details(title: str, content: str, n_more: int) -> str:
    if "<td" not in content:
        return ""
    more = f"<p>And {n_more} more.</p>" if n_more > 0 else ""
    return f"<details><summary>{html.escape(title)}</summary>{content}{more}</details>"


def _samples(
    samples: Sequence[tuple[str, Clip]], head: HeadModel | None, notes: list[str], filming: Report | None
) -> tuple[str, int]:
    """Return the clips to look at, and how many of them have a picture; without a renderer they are heard only."""
    parts = []
    n_films, able = 0, True
    for done, (split, clip) in enumerate(samples, 1):
        n_frames = min(len(clip.motion), round(FILM_S * clip.motion.fps))
        motion = clip.motion.slice(0, n_frames)
        speech = clip.speech.slice(0, motion.duration)
        player = ""
        if able:
            try:
                head = head or load_head(motion.head)
                film, still = _filmed(Clip(speech, motion, clip.identity, clip.speaker, clip.name), head)
                source, poster = _address(film, "video/mp4"), _address(still, "image/jpeg")
                player = f'<video controls playsinline preload="metadata" poster="{poster}" src="{source}"></video>'
                n_films += 1
            except DiffPoseTalkError as error:
                notes.append(f"Clips are shown without a picture: {error}")
                able = False
        if not player:
            sound = _address(flac_bytes(speech.samples, speech.sample_rate), "audio/flac")
            player = f'<audio controls preload="metadata" src="{sound}"></audio>'
        name, unit, curve = opening(motion)
        drawn = svg.speech_and_curve(speech.samples, motion.duration, curve, name, unit)
        said = f"{clip.name} ({split}), {clip.duration:.1f} s"
        parts.append(
            f'<figure class="clip">{player}<div><figcaption>{html.escape(said)}</figcaption>{drawn}</div></figure>'
        )
        if filming:
            filming(done, len(samples))
    return "".join(parts), n_films


def _filmed(clip: Clip, head: HeadModel) -> tuple[bytes, bytes]:
    """Return a clip as the bytes of a film, and its middle frame as those of a JPEG."""
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


def _address(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def opening(motion: Motion) -> tuple[str, str, np.ndarray]:
    """Return how far the mouth is open: what is measured, its unit and ``(T,)`` values."""
    if motion.jaw_pose is not None:
        return "jaw opening", "degrees", np.maximum(0, np.rad2deg(motion.jaw_pose[:, 0]))
    try:
        return "lip opening", "mm", 1000 * mouth_gap(motion)
    except (DiffPoseTalkError, ValueError):
        name = "jawOpen" if "jawOpen" in motion.expression_names else motion.expression_names[0]
        return name, "", np.maximum(0, motion.channel(name))


def _histogram(values: Iterable[float], low: float, high: float, n: int) -> Histogram:
    found = Histogram(low, high, counts=np.zeros(20 * n, np.int64))
    found.add(np.array(list(values)))
    return found


def _plot(title: str, values: Histogram, unit: str, root: bool = False) -> str:
    n = 60 if len(values.counts) % 60 == 0 else 40
    marks = [(values.percentile(p), f"{p}th percentile") for p in _PERCENTS]
    drawn = svg.bars(values.bars(n), values.low, values.high, unit, title, marks, root=root)
    return f'<figure class="plot"><figcaption>{html.escape(title)}</figcaption>{drawn}</figure>'


def _grid(plots: Iterable[str]) -> str:
    return f'<div class="plots">{"".join(plots)}</div>'


def _section(title: str, content: str, *notes: str) -> str:
    told = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
    return f"<section><h2>{html.escape(title)}</h2>{told}{content}</section>"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], n_words: int) -> str:
    """Lay out a table whose first ``n_words`` columns are words; the others are numbers, to the right."""

    def cells(values: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if k < n_words else ' class=number'}>{html.escape(value)}</{tag}>"
            for k, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells(names, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


def _clips(n: int) -> str:
    return "clip" if n == 1 else "clips"


def _short(value: float, values: Histogram) -> str:
    return f"{value:.2f}" if values.high <= 4 else f"{value:.1f}{values.unit}"


def _time(seconds: float) -> str:
    """Write a length of time: seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

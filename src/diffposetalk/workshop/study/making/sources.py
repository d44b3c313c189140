"""The folders of videos that a study is made from, checked before anything is encoded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import InputError, UsageError
from diffposetalk.media import VIDEOS, MediaInfo, check_sound, probe
from diffposetalk.progress import Progress, over
from diffposetalk.workshop.study.plan import ANCHOR, REFERENCE

LENGTH_TOLERANCE_S = 0.25
"""Largest difference between the lengths of the videos of one clip, seconds; raters would notice more."""
SYSTEM_NAME = re.compile(r"[\w.+ -]{1,60}")
"""Names of systems: they appear in tables and file names."""


@dataclass(frozen=True)
class Source:
    """One video file that goes into a study."""

    path: Path
    info: MediaInfo
    sha256: str
    """Of the file."""


Sources = dict[str, dict[str, Source]]
"""System, `REFERENCE` or `ANCHOR` -> clip -> video."""


def gather(
    folders: Mapping[str, str | Path],
    clips: Iterable[str] = (),
    needs_sound: bool = True,
    progress: Progress | None = None,
) -> Sources:
    """Find and check the videos of all systems.

    Args:
        folders: system, `REFERENCE` or `ANCHOR` -> folder of videos whose names (without ending) are those of the clips.
        clips: names of the clips to use; empty: all of the reference, which every system must then have, and no others.
        needs_sound: whether every video must have sound.
        progress: reports the files.

    Raises:
        UsageError: the name of a system cannot be used.
        InputError: a folder is missing or empty, a clip is missing, named twice or left over, a video is damaged, has no
            picture or no sound, differs in length from the reference, or is the same file as another system's.
    """
    for name in folders:
        if name not in (REFERENCE, ANCHOR):
            _check_name(name)
    listed = {name: _list(Path(folder)) for name, folder in folders.items()}
    chosen = _choose(listed, {name: Path(folder) for name, folder in folders.items()}, list(clips))
    files = [(name, clip, listed[name][clip]) for name in folders for clip in chosen]
    sources: Sources = {name: {} for name in folders}
    for name, clip, path in over(files, progress, "checking"):
        sources[name][clip] = _open(path, needs_sound)
    for clip in chosen:
        _compare(clip, {name: row[clip] for name, row in sources.items()})
    return sources


def _check_name(name: str) -> None:
    if name.casefold() in (REFERENCE, ANCHOR):
        raise UsageError(f"--system {name}=...: this name is taken; give the folder with --{name.casefold()}")
    if not SYSTEM_NAME.fullmatch(name) or name != name.strip():
        raise UsageError(f"--system {name}=...: use 1 to 60 letters, digits, spaces, '.', '+', '-' or '_' as the name")


def _list(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder by clip name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file, not a folder' if folder.exists() else 'no such folder'} of videos")
    videos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in VIDEOS or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in videos:
            raise InputError(f"{folder}: has the clip {path.stem!r} twice: {videos[path.stem].name} and {path.name}")
        videos[path.stem] = path
    if not videos:
        raise InputError(f"{folder}: holds no videos ({', '.join(VIDEOS)})")
    return videos


def _choose(listed: dict[str, dict[str, Path]], folders: dict[str, Path], clips: list[str]) -> list[str]:
    """Return the names of the clips, after a check that every system has them."""
    if len(set(clips)) < len(clips):
        raise UsageError(f"--clips names {next(name for name in clips if clips.count(name) > 1)!r} twice")
    chosen = clips or list(listed[REFERENCE])
    for name, videos in listed.items():
        missing = [clip for clip in chosen if clip not in videos]
        if missing:
            raise InputError(f"{folders[name]}: {name} lacks {_some(missing)} of {len(chosen)} clips")
        extra = [] if clips else [clip for clip in videos if clip not in chosen]
        if extra:
            raise InputError(
                f"{folders[name]}: {name} has {_some(extra)} that the reference lacks; remove them, or choose with --clips"
            )
    return chosen


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _open(path: Path, needs_sound: bool) -> Source:
    info = probe(path)
    if info.video_codec is None:
        raise InputError(f"{path}: has no moving pictures")
    if info.audio_codec is None and needs_sound:
        raise InputError(f"{path}: has no sound, but the study asks with sound; add it, or use --sound off")
    if info.audio_codec is not None:
        check_sound(path)
    with path.open("rb") as file:
        return Source(path, info, hashlib.file_digest(file, "sha256").hexdigest())


def _compare(clip: str, row: dict[str, Source]) -> None:
    """Check the videos of one clip against the reference and against one another."""
    reference = row[REFERENCE]
    hashes: dict[str, str] = {}
    for name, source in row.items():
        one, other = source.info.duration, reference.info.duration
        if one is not None and other is not None:
            check_length(source, one, other)
        if source.sha256 in hashes:
            raise InputError(f"{source.path}: {name} and {hashes[source.sha256]} have the same video for {clip!r}")
        hashes[source.sha256] = name


def check_length(source: Source, seconds: float, reference_seconds: float) -> None:
    """Check that a video is as long as the reference of its clip.

    Raises:
        InputError: the lengths differ by more than `LENGTH_TOLERANCE_S`.
    """
    if abs(seconds - reference_seconds) > LENGTH_TOLERANCE_S:
        raise InputError(
            f"{source.path}: lasts {seconds:.2f} s, the reference of this clip {reference_seconds:.2f} s; all videos of a "
            f"clip must have the same length (within {LENGTH_TOLERANCE_S:g} s)"
        )

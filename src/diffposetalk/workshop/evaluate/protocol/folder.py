"""A protocol from a folder of clips: videos, or sounds with motion files of the same names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, InputError
from diffposetalk.exchange import load_motion, suffixes
from diffposetalk.head.shared import shared_head
from diffposetalk.media import VIDEOS
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript import Transcript, read_transcript, timed_phones
from diffposetalk.speech.transcript.reading import READERS
from diffposetalk.workshop.evaluate.protocol.contents import Part, PinnedClip
from diffposetalk.workshop.evaluate.protocol.material import sha256_of
from diffposetalk.workshop.evaluate.protocol.selection import FPS, Selection, evenly, whole_frames
from diffposetalk.workshop.evaluate.recordings.clips import TrackedClip, grid_sentence
from diffposetalk.workshop.evaluate.recordings.sound_offset import sound_offsets

SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac")
"""File name endings of sounds."""
Phones = tuple[tuple[str, float, float], ...]
"""Symbol, start and end in seconds."""


@dataclass(frozen=True)
class Recording:
    """A clip of a folder with its motion."""

    name: str
    """Path from the folder, without ending."""
    speaker: str
    """Name of the subfolder; for a file beside no others of the speaker, its own name."""
    sound: Path
    motion_file: Path
    speech: Speech
    motion: Motion
    start_s: float
    """Time of the motion's first frame in the sound, seconds."""
    tracked: bool
    """Whether the motion was tracked in the video of the sound."""
    phones: Phones = ()
    """Of the whole sound."""
    offset_s: float = 0.0
    """Time of a lip movement minus the time of its sound, seconds."""


@dataclass(frozen=True)
class Files:
    """The files of one clip."""

    name: str
    sound: Path
    motion: Path | None
    """None: the sound is that of a video, which is tracked."""
    transcript: Path | None


def files_of(folder: Path) -> list[Files]:
    """Find the clips of a folder and its subfolders.

    Raises:
        InputError: there is none, two files could be the sound of one clip, or a sound has no motion.
    """
    by_name: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            by_name.setdefault(inside.with_suffix("").as_posix(), []).append(path)
    clips = []
    for name, paths in by_name.items():
        videos, sounds = ([path for path in paths if path.suffix.lower() in endings] for endings in (VIDEOS, SOUNDS))
        motions = [path for path in paths if path.suffix.lower() in suffixes(reading=True)]
        if not videos and not sounds:
            continue
        for what, several in (("videos", videos), ("sounds", sounds)):
            if len(several) > 1:
                raise InputError(f"{several[1]}: two {what} are called {name}; keep one of them")
        transcripts = [path for path in paths if path.suffix.lower() in READERS]
        if videos:
            motions = [path for path in motions if path.suffix.lower() != ".json"]  # a transcript, of a video
        else:
            transcripts = [path for path in transcripts if path.suffix.lower() != ".json"]
        if not videos and not motions:
            raise InputError(
                f"{sounds[0]}: has no motion beside it; put {name}.npz or another motion file there, or the video"
            )
        if len(motions) > 1:
            raise InputError(f"{motions[1]}: two motion files are called {name}; keep one of them")
        clips.append(
            Files(name, (sounds or videos)[0], motions[0] if motions else None, transcripts[0] if transcripts else None)
        )
    if not clips:
        raise InputError(f"{folder}: neither videos nor sounds with motion files here")
    return clips


def folder_clips(
    folder: Path, tracks: Path, selection: Selection, progress: Progress | None = None
) -> tuple[list[PinnedClip], list[str], list[str]]:
    """Pin the clips of a folder; videos are tracked once, into the folder ``tracks``.

    Returns:
        The clips, notes on what could not be used or is not known, and the names of the clips that were not taken.

    Raises:
        InputError: see `files_of`; a file is damaged; or no clip is long enough.
    """
    notes: list[str] = []
    recordings = []
    every = files_of(folder)
    for files in over(evenly(every, selection.clips), progress, "reading clips"):
        recordings.append(_read(files, tracks, notes))
    recordings = _with_offsets(recordings)
    stretches = {each.name: _stretch(each, selection) for each in recordings}
    pinned = []
    for each in recordings:
        start, seconds = stretches[each.name]
        if seconds < selection.shortest_s:
            notes.append(f"{each.name} is left out: {max(0.0, seconds):.1f} s have sound and a tracked face")
            continue
        bases = (folder, tracks.parent)
        pinned.append(_pinned(bases, each, start, seconds, _style(bases, each, recordings, selection)))
    if not pinned:
        raise InputError(f"{folder}: no clip has {selection.shortest_s:g} s of sound and motion")
    if unknown := [clip.name for clip in pinned if not clip.phones]:
        notes.append(
            f"The phones of {len(unknown)} of {len(pinned)} clips are not known: closures are not measured there"
        )
    taken = {clip.name for clip in pinned}
    return pinned, notes, [files.name for files in every if files.name not in taken]


def _read(files: Files, tracks: Path, notes: list[str]) -> Recording:
    start_s, motion_file = 0.0, files.motion
    if motion_file is None:
        motion_file = _tracked(files, tracks)
        start_s = _start_of(motion_file)
    speech, motion = Speech.load(files.sound), load_motion(motion_file)
    inside = files.name.rpartition("/")[0]
    return Recording(
        files.name,
        inside or files.name,
        files.sound,
        motion_file,
        speech,
        motion,
        start_s,
        files.motion is None,
        _phones(files, speech, notes),
    )


def _tracked(files: Files, tracks: Path) -> Path:
    """Return the track of a video, made only if it is not there; its name holds the hash of the video."""
    path = tracks / f"{files.name}-{sha256_of(files.sound)[:10]}.npz"
    if not path.exists():
        from diffposetalk.track import track

        path.parent.mkdir(parents=True, exist_ok=True)
        track(files.sound, fps=FPS).save(path)
    return path


def _start_of(track_file: Path) -> float:
    from diffposetalk.files.npz import read_npz

    arrays = read_npz(track_file, "track of a video")
    return float(arrays["start_s"].item()) if "start_s" in arrays else 0.0


def _phones(files: Files, speech: Speech, notes: list[str]) -> Phones:
    """Return the phones by the transcript beside the clip, or by the name of a GRID clip; empty without them."""
    try:
        transcript = read_transcript(files.transcript) if files.transcript else _grid_words(files.name)
        if transcript is None:
            return ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiffPoseTalkWarning)
            timed = timed_phones(transcript, speech.samples)
    except DiffPoseTalkError as error:
        notes.append(f"{files.name}: its phones are not known: {error}")
        return ()
    return tuple((phone.symbol, round(phone.start, 4), round(phone.end, 4)) for phone in timed.phones)


def _grid_words(name: str) -> Transcript | None:
    last = name.rpartition("/")[2]
    if not last.startswith("grid_"):
        return None
    try:
        return Transcript.of_text(grid_sentence(last.rsplit("_", 1)[-1]))
    except InputError:
        return None


def _with_offsets(recordings: Sequence[Recording]) -> list[Recording]:
    """Measure the offset between picture and sound of tracked videos, without any of the systems."""
    clips = [
        TrackedClip(each.name, each.speech, gap)
        for each in recordings
        if each.tracked and len(gap := _gap_from_zero(each)) >= FPS
    ]
    phones: Mapping[str, list[tuple[str, float, float]]] = {each.name: list(each.phones) for each in recordings}
    offsets = sound_offsets(clips, phones) if clips else {}
    return [
        replace(each, offset_s=round(float(offsets[each.name].seconds), 3)) if each.name in offsets else each
        for each in recordings
    ]


def _gap_from_zero(each: Recording) -> np.ndarray:
    """Return the lip gap ``(T,)`` at `FPS` from time 0 of the sound; before the first tracked frame it is held."""
    motion = each.motion.resampled(FPS)
    gap = mouth_gap(motion, shared_head(motion.head))
    return np.pad(gap, (round(each.start_s * FPS), 0), mode="edge")


def _stretch(each: Recording, selection: Selection) -> tuple[float, float]:
    """Return start and length of the part that has sound and, shifted by the offset, motion: seconds of the sound."""
    offset = each.offset_s
    start = np.ceil(max(each.start_s, each.start_s - offset, 0.0) * FPS - 1e-6) / FPS
    end = min(each.speech.duration, each.start_s + each.motion.duration - max(0.0, offset))
    return max(0.0, float(start)), whole_frames(min(end - start, selection.longest_s))


Bases = tuple[Path, Path]
"""The folder of clips, and the folder of the protocol, in which tracks lie."""


def _style(bases: Bases, each: Recording, recordings: Sequence[Recording], selection: Selection) -> Part | None:
    if selection.style == "none":
        return None
    sources = [other for other in recordings if other.speaker == each.speaker and other.name != each.name]
    source = each if selection.style == "self" else next(iter(sources), None)
    return None if source is None else _part(bases, source.motion_file)


def _pinned(bases: Bases, each: Recording, start: float, seconds: float, style: Part | None) -> PinnedClip:
    phones = tuple(
        (symbol, round(max(0.0, begin - start), 4), round(min(end - start, seconds), 4))
        for symbol, begin, end in each.phones
        if end > start and begin < start + seconds
    )
    sound = replace(_part(bases, each.sound), start=round(start, 6))
    truth = replace(_part(bases, each.motion_file), start=round(start - each.start_s + each.offset_s, 6))
    return PinnedClip(each.name, each.speaker, seconds, sound, truth, style, phones)


def _part(bases: Bases, path: Path) -> Part:
    """Return a file by its path from the folder in which it lies."""
    base = next(base for base in bases if path.is_relative_to(base))
    return Part(path.relative_to(base).as_posix(), sha256_of(path))

"""The one file of a study: a zip that Python runs. It holds the study, its videos, and the modules that serve it."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.workshop.study.plan import Study, Video, read_study

SUFFIX = ".pyz"
"""File name ending."""
PLAN = "study.json"
"""Name of the study in the file."""
KIND = "study file"
"""Name of the files in messages."""
LARGEST_PLAN = 50_000_000
"""Largest size of the study without its videos, bytes."""
LOCAL_HEADER = 30
"""Bytes of a zip entry's header before its name."""
BLOCK = 1 << 16
"""Bytes read at a time."""


def name_of(video: Video) -> str:
    """Return the name of a video in the study file."""
    return f"videos/{video.sha256}.mp4"


@dataclass(frozen=True)
class Place:
    """Where a video lies in the study file."""

    start: int
    """Byte of its beginning."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class StudyFile:
    """A study with the places of its videos."""

    path: Path
    study: Study
    places: dict[str, Place]
    """SHA-256 of a video -> its place."""

    def read(self, video: Video, start: int, stop: int) -> bytes:
        """Read a part of a video: its bytes from ``start`` to before ``stop``."""
        with self.path.open("rb") as file:
            file.seek(self.places[video.sha256].start + start)
            return file.read(stop - start)


def open_study(path: str | os.PathLike[str], check_videos: bool = False) -> StudyFile:
    """Open a study file.

    Args:
        path: made by `diffposetalk study make`.
        check_videos: whether to compare every video with its SHA-256.

    Raises:
        InputError: the file is missing, damaged, or no study; a video is missing, compressed, or not the one that was
            put in.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a {KIND} ({SUFFIX}) is needed")
    with parsing(path, KIND), zipfile.ZipFile(path) as archive, path.open("rb") as file:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if PLAN not in entries:
            raise InputError(f"{path}: is no study: it lacks {PLAN}")
        if entries[PLAN].file_size > LARGEST_PLAN:
            raise InputError(f"{path}: its {PLAN} has more than {LARGEST_PLAN} bytes")
        study = read_study(archive.read(PLAN))
        places = {}
        for video in study.all_videos():
            entry = entries.get(name_of(video))
            if entry is None or entry.compress_type != zipfile.ZIP_STORED:
                raise InputError(f"{path}: the video {name_of(video)} is missing or compressed; make the study again")
            file.seek(entry.header_offset)
            header = file.read(LOCAL_HEADER)
            skipped = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            places[video.sha256] = Place(entry.header_offset + LOCAL_HEADER + skipped, entry.file_size)
        if check_videos:
            for sha256, place in places.items():
                if _digest(path, place) != sha256:
                    raise InputError(f"{path}: the video videos/{sha256}.mp4 was changed; make the study again")
    return StudyFile(path, study, places)


def _digest(path: Path, place: Place) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(place.start)
        left = place.size
        while left > 0 and (block := file.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()

"""Studies to test with: plans without videos, study files with tiny ones, and raters with known opinions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.media import VideoWriter
from diffposetalk.workshop.study.answers import Answer
from diffposetalk.workshop.study.design import Page, pages_for
from diffposetalk.workshop.study.making.write import write_study
from diffposetalk.workshop.study.plan import ANCHOR, PAIRS, REFERENCE, Study, Video
from diffposetalk.workshop.study.study_file import StudyFile, name_of, open_study

CONSENT = "We ask how well faces speak.\n\nYou may stop at any time."


def plan(scale: str, n_systems: int = 2, n_clips: int = 3, seconds: float = 0.0, **changes: Any) -> Study:
    """Return a study whose videos have no content."""
    systems = tuple(f"s{number}" for number in range(n_systems))
    clips = tuple(f"clip{number}" for number in range(n_clips))
    videos = {
        clip: {name: Video(_digest(_content(clip, name)), _digest(name.encode()), seconds)
               for name in (*systems, REFERENCE, ANCHOR)}
        for clip in clips
    }  # fmt: skip
    values: dict[str, Any] = {
        "title": "Faces", "consent": CONSENT, "questions": ("lips",), "systems": systems, "anchor": "frozen", "raters": 6,
    }  # fmt: skip
    return Study(**{**values, "scale": scale, "clips": clips, "videos": videos, **changes})


def _content(clip: str, name: str) -> bytes:
    return f"{clip} {name} ".encode() * 300


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def written(study: Study, path: Path) -> StudyFile:
    """Write a study of `plan` with a few bytes for each video."""
    folder = path.parent / f"{path.stem} videos"
    folder.mkdir()
    files = {}
    for clip, row in study.videos.items():
        for name, video in row.items():
            files[name_of(video)] = folder / f"{video.sha256}.mp4"
            files[name_of(video)].write_bytes(_content(clip, name))
    write_study(study, files, path)
    return open_study(path, check_videos=True)


def write_video(
    path: Path, color: Sequence[int], seconds: float = 0.6, pitch: float | None = 300.0, size: int = 64
) -> Path:
    """Write a video of one colour with a moving stripe and a tone; without sound where ``pitch`` is None."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_frames = round(25 * seconds)
    tone = None if pitch is None else [0.3 * np.sin(2 * np.pi * pitch * np.arange(round(16000 * seconds)) / 16000)]
    with VideoWriter(path, 25, tone) as video:
        for frame in range(n_frames):
            picture = np.full((size, size, 3), color, np.uint8)
            picture[:, frame % size] = 255
            video.write(picture)
    return path


def write_folders(folder: Path, systems: Sequence[str] = ("ours", "other"), clips: int = 2) -> dict[str, Path]:
    """Write a folder of short videos for the reference and each system; return name -> folder."""
    folders = {}
    for row, name in enumerate((REFERENCE, *systems)):
        folders[name] = folder / name
        for clip in range(clips):
            write_video(folders[name] / f"clip{clip}.mp4", (60 * row + 40, 90 * clip + 30, 120), pitch=300 + 100 * clip)
    return folders


Opinion = Callable[[str, str, np.random.Generator], float]
"""System, question, chance -> how good the rater finds the video."""


def simulate(study: Study, n_raters: int, opinion: Opinion, seed: int = 0, first: int = 0) -> list[Answer]:
    """Return the answers of raters who judge by their opinion.

    In pairs the better video is chosen (equal within 0.05: a tie, where they are permitted). Other scales get the opinion
    rounded to the scale.
    """
    rng = np.random.default_rng(seed)
    answers = []
    for rater in range(first, first + n_raters):
        for number, page in enumerate(pages_for(study, rater)):
            for question in page.questions:
                values = _values(study, page, [opinion(system, question, rng) for system in page.systems])
                answers += [
                    Answer(rater + 1, number, question, slot, page.clip, system, page.sound, value, 5.0, 0, 1.7e9)
                    for slot, (system, value) in enumerate(zip(page.systems, values))
                ]
    return answers


def _values(study: Study, page: Page, opinions: list[float]) -> list[float]:
    if study.scale == PAIRS:
        left, right = opinions
        if study.ties and abs(left - right) < 0.05:
            return [0.5, 0.5]
        return [1.0, 0.0] if left > right else [0.0, 1.0]
    low, high = (1, 5) if study.scale == "1-5" else (0, 100)
    return [float(np.clip(round(value), low, high)) for value in opinions]

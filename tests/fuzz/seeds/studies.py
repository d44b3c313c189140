"""Studies, their answers and texts."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path

from diffposetalk.workshop.study.answers import Answers
from diffposetalk.workshop.study.making.write import write_study
from diffposetalk.workshop.study.plan import ANCHOR, REFERENCE, Study, Video
from diffposetalk.workshop.study.study_file import name_of

CONTENT = b"not really a video"


@functools.cache
def study() -> Study:
    """A study of one system and two clips."""
    video = Video(hashlib.sha256(CONTENT).hexdigest(), "0" * 64, 0.0)
    row = {"ours": video, REFERENCE: video, ANCHOR: video}
    return Study("Faces", "Do you agree?", "1-5", ("lips",), ("ours",), ("a", "b"), {"a": row, "b": row}, "frozen")


@functools.cache
def study_file() -> bytes:
    """The study as a file."""
    with tempfile.TemporaryDirectory() as folder:
        video, path = Path(folder) / "video.mp4", Path(folder) / "study.pyz"
        video.write_bytes(CONTENT)
        write_study(study(), {name_of(each): video for each in study().all_videos()}, path)
        return path.read_bytes()


@functools.cache
def answers() -> bytes:
    """Answers of one rater, in one file without a log beside it."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        store = Answers(path, study())
        rater = store.begin("a word of one page")
        for number in range(3):
            store.show(rater, number)
            store.answer(rater, number, {"lips": [4.0]})
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode=DELETE")
        database.close()
        return path.read_bytes()

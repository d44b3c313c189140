"""Stands in for cutting in tests of what is built around it: text files whose words say what shall happen to them.

Worker processes import it by name, so it is no test module. It takes notes in the folder `notes` beside the folder `films`.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.data.clip import Clip
from diffposetalk.motion import Motion
from diffposetalk.parallel import Unable, within
from diffposetalk.speech import Speech
from diffposetalk.workshop.footage.cut import Cut
from diffposetalk.workshop.footage.manifest import Finding, rejected
from diffposetalk.workshop.footage.options import CutOptions
from diffposetalk.workshop.footage.staging import encode_cut


def notes(video: Path) -> Path:
    """Return where the processes that were asked to cut a video are written down."""
    films = next(folder for folder in video.parents if folder.name == "films")
    return films.with_name("notes") / "_".join(video.relative_to(films).parts)


def cut_to_bytes(video: str, options: CutOptions) -> bytes:
    """Do what the file says: `2 clips`, `dies once`, `dies`, `fails`, `slow`, `stuck once`, or nothing, which is rejected."""
    path = Path(video)
    words = path.read_text().split("#")[0]
    notes(path).parent.mkdir(exist_ok=True)
    with notes(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    n_calls = len(notes(path).read_text().splitlines())
    if "slow" in words:
        time.sleep(0.3)
    if "stuck once" in words and n_calls == 1:
        time.sleep(60)
    if "dies" in words and ("once" not in words or n_calls == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if "unable" in words:
        raise Unable("this machine has no face_landmarker.task")
    if "fails" in words:
        raise ZeroDivisionError("of our own making")
    n_clips = int(words.split()[0]) if words[:1].isdigit() else 0
    if not n_clips:
        return encode_cut(Cut((rejected("video", "no face", "no face is seen", 0.0, 4.0),)))
    clips = tuple(clip(path.stem, number, options) for number in range(n_clips))
    found = [Finding("clip", "used", 2.0 * k, 2.0 * k + 2) for k in range(n_clips)]
    return encode_cut(Cut((Finding("video", "used", 0.0, 2.0 * n_clips), *found), clips))


def clip(name: str, number: int, options: CutOptions) -> Clip:
    """Return two seconds of noise that follow from the name, the number and an option."""
    rng = np.random.default_rng([*name.encode(), number, round(options.shortest_s * 10)])
    expression = rng.random((50, len(CHANNELS)), np.float32)
    motion = Motion(expression, CHANNELS, 0.1 * rng.standard_normal((50, 3)), 25.0, "anny")
    speech = Speech(rng.uniform(-0.3, 0.3, 32000).astype(np.float32))
    return Clip(speech, motion, rng.standard_normal(4).astype(np.float32), "?", "?")


def number(value: int) -> bytes:
    return str(2 * value).encode()


def number_or_death(value: int, marker: str, deaths: int) -> bytes:
    """Double a number; the process dies the first `deaths` times it is asked."""
    with open(marker, "a+") as file:
        file.write(".")
        file.seek(0)
        n_calls = len(file.read())
    if n_calls <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return number(value)


def complaint(value: int) -> bytes:
    raise ValueError(f"no {value}\nhere")


def number_or_hang(k: int, hangs: bool) -> bytes:
    """Return twice a number in time, or hang in C code that holds the interpreter's lock."""
    with within(0.5 if hangs else 60.0):
        if hangs:
            re.match(r"(a+)+$", "a" * 60 + "b")
    return str(2 * k).encode()

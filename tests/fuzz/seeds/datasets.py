"""Data sets in every layout, with statistics and manifests."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .files import helper, npz, written
from .motions import motion


def flame_statistics() -> bytes:
    """Statistics of FLAME coefficients."""
    widths = {"shape": 100, "exp": 50, "pose": 6}
    values = {"mean": 0.0, "std": 1.0, "max": 2.0, "min": -2.0}
    return npz(
        **{f"{group}_{name}": np.full(n, value) for group, n in widths.items() for name, value in values.items()}
    )


def channel_statistics() -> bytes:
    """Statistics of ARKit channels."""
    from diffposetalk.data.channel_statistics import ChannelStatistics

    return written(ChannelStatistics.of([clip()]).save, "statistics.json")


@functools.cache
def clip(name: str = "s0/c0") -> Any:
    """A clip of noise on the free head."""
    from diffposetalk.data.clip import Clip
    from diffposetalk.speech import Speech

    samples = np.random.default_rng(2).uniform(-0.2, 0.2, 8 * 640).astype("f4")
    return Clip(Speech(samples), motion(8), np.zeros(3, "f4"), name.partition("/")[0], name)


@functools.cache
def shards() -> dict[str, bytes]:
    """A folder of shards."""
    from diffposetalk.data.shards import write_shards

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "set"
        write_shards([clip(), clip("s1/c0")], folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def footage_cut() -> bytes:
    """What came of one video, as the builder keeps it."""
    from diffposetalk.workshop.footage.manifest import rejected
    from diffposetalk.workshop.footage.staging import Cut, encode_cut

    return encode_cut(Cut((rejected("video", "no face", "no face in it"),), ()))


def tfhp_values() -> dict[str, bytes]:
    """Values of a TFHP folder by key."""
    from diffposetalk.data import tfhp_write

    value = helper("conftest").flame_clip("Ann/000", 8)
    values = {"metadata": {"seg_len": 20}, **dict(tfhp_write._values(value, 20))}
    return {key: tfhp_write.portable_pickle(value) for key, value in values.items()}


def lmdb_file() -> bytes:
    """The data file of a small TFHP folder."""
    from diffposetalk.data.tfhp_write import write_tfhp

    def write(path: Path) -> Path:
        write_tfhp([helper("conftest").flame_clip("Ann/000", 8)], path, 20)
        return path / "data.mdb"

    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "set").read_bytes()


@functools.cache
def corpus_shards() -> tuple[bytes, bytes]:
    """Speech and motion of one speaker of the self-made corpus."""
    from diffposetalk.speech.transcript.phones import SYMBOLS, Phone
    from diffposetalk.workshop.corpus import shards

    info = shards.SpeakerInfo("s00000", "espeak:en", "en", (1.0, 1.0, 0.0), 1.0, 1.0)
    phones = (Phone("sil", 0.0, 0.1), Phone(SYMBOLS[5], 0.1, 0.32, 1))
    samples = np.random.default_rng(3).uniform(-0.2, 0.2, 8 * 640).astype("f4")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("speech", "motion"):
            (folder / part).mkdir()
        speech = shards.save_speech(folder, info, [(samples, phones, "ah")])
        moving = shards.save_motion(folder, info.speaker, np.zeros(4, "f4"), [motion(8)])
        return speech.read_bytes(), moving.read_bytes()


def manifest() -> bytes:
    """The manifest of a data set made of videos."""
    rows = [
        {"video": "a.mp4", "kind": "video", "status": "rejected", "reason": "silence", "why": "x", "start_s": 0.0,
         "end_s": 3.0, "notes": ["n"]},
        {"video": "a.mp4", "kind": "take", "status": "used", "start_s": 0.0, "end_s": 2.0},
        {"video": "a.mp4", "kind": "stretch", "status": "rejected", "start_s": 0.5, "end_s": 1.0},
        {"video": "b.mp4", "kind": "video", "status": "used"},
    ]  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def landmark_tracks() -> bytes:
    """Tracks of MediaPipe's landmarks, as evaluation reads them."""
    rng = np.random.default_rng(5)
    return npz(
        names=np.array(["jawOpen"]), blendshapes=rng.uniform(0, 1, (4, 1)), matrix=np.tile(np.eye(4), (4, 1, 1)),
        landmark_idx=np.arange(478), landmarks_px=rng.uniform(0, 99, (4, 478, 3)), time=np.arange(4) / 25,
        detected=np.ones(4, bool), fps=np.array(25.0), size=np.array([100, 100]),
    )  # fmt: skip


def textgrid() -> bytes:
    """A TextGrid with a tier of phones."""
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n'
    return (head + '"IntervalTier"\n"phones"\n0\n2\n2\n0.1\n0.2\n"B"\n0.2\n0.3\n"AE1"\n').encode()


@functools.cache
def teacher() -> bytes:
    """A teacher on features of three numbers."""
    from diffposetalk.speech.transcript.phones import SYMBOLS
    from diffposetalk.workshop.corpus.teacher.lips import LipMap
    from diffposetalk.workshop.corpus.teacher.phones import PhoneClassifier
    from diffposetalk.workshop.corpus.teacher.teacher import Teacher

    n = len(SYMBOLS)
    layers = (np.ones((15, 2)), np.zeros(2), np.ones((2, n)), np.zeros(n))
    made = Teacher(np.zeros(3), np.ones(3), np.eye(3, 2), PhoneClassifier(*layers), LipMap(np.ones(15), 0.2, 0.1))
    return written(made.save, "teacher.safetensors")

"""The TFHP data set's LMDB layout, written: beside its place, renamed when complete, readable by other software."""

from __future__ import annotations

import os
import pickle
import pickletools
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data import lmdb_folder as store
from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import NAMES, Coefficients
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import FPS, FRAME_SAMPLES, SPLITS, TfhpReader
from diffposetalk.errors import InputError
from diffposetalk.files.atomic import check_new_folder, write_error
from diffposetalk.files.partial import partial_beside
from diffposetalk.media import flac_bytes
from diffposetalk.progress import Progress
from diffposetalk.speech import SAMPLE_RATE

_VIDEO = re.compile(r"[^\s/]+/[^\s/]+")
"""Name of a video: `speaker/take`."""
_FIRST_MAP = 1 << 28
"""Size in bytes of the first memory map; it is doubled whenever the file outgrows it."""


@dataclass(frozen=True)
class Written:
    """What `write_tfhp` wrote."""

    path: Path
    """The folder."""
    videos: int
    """Number of videos."""
    frames: int
    """Frames of all videos."""
    splits: dict[str, int]
    """Videos in each split file."""


def write_tfhp(
    clips: Iterable[Clip],
    path: str | Path,
    seg_len: int = 100,
    splits: Mapping[str, Sequence[str]] | Callable[[str], str] | None = None,
    progress: Progress | None = None,
    job: str | None = None,
) -> Written:
    """Write clips as a TFHP LMDB folder with split files and, where there is a training split, statistics.

    Args:
        clips: on the head "flame"; each becomes the video of its name ``<speaker>/<video>``. Motion is brought to 25
            frames per second and sound to 16 kHz, 16 bits; sound is cut or padded by up to a frame to the motion's end.
        path: the folder; must not exist yet, or be empty.
        seg_len: frames in a segment.
        splits: videos by split name, or a function from a video's name to its split's; None puts all in "train".
        progress: called with the number of clips done.
        job: says what is being written. An interrupted run then leaves its part behind (hidden, beside `path`) and a
            later run of the same job goes on where it was; without it nothing is left behind.

    Raises:
        UsageError: the folder already exists, or its parent is not.
        InputError: a clip is for another head, its name is no ``<speaker>/<video>``, or two have one name.
    """
    path = check_new_folder(path)
    temporary = path.absolute().with_name(f".{path.name}.job.partial") if job else partial_beside(path.absolute())
    mark = temporary / "job.txt"
    if job is None or not mark.is_file() or mark.read_text() != _mark(job, seg_len):
        shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(exist_ok=True)
        if job is not None:
            mark.write_text(_mark(job, seg_len))
        videos = _write_clips(clips, temporary, seg_len, progress)
        written = _write_lists(temporary, path, videos, splits)
        for name in ("job.txt", "lock.mdb"):
            (temporary / name).unlink(missing_ok=True)
        if path.exists():
            path.rmdir()
        store.close(temporary)
        os.replace(temporary, path)
        return written
    except BaseException as error:
        store.close(temporary)
        if job is None or isinstance(error, Exception):  # an interrupted job may go on later
            shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise write_error(path, error) from error
        raise


def portable_pickle(value: Any) -> bytes:
    """Pickle plain values and numpy arrays so that every Python 3 and numpy reads them.

    Newer numpy pickles name a module that older ones do not have; here they name the old one, which all know.
    """
    data = pickle.dumps(value, protocol=3)  # the last without frames, whose lengths would change
    parts, at = [], 0
    for code, argument, position in pickletools.genops(data):
        if code.name == "GLOBAL" and str(argument).startswith("numpy._core.") and position is not None:
            parts += [data[at:position], b"cnumpy.core."]
            at = position + len(b"cnumpy._core.")
    return b"".join([*parts, data[at:]])


def _mark(job: str, seg_len: int) -> str:
    return f"{job}\nseg_len {seg_len}\n"


def _write_clips(clips: Iterable[Clip], folder: Path, seg_len: int, progress: Progress | None) -> dict[str, int]:
    """Write every clip in a transaction of its own; return frames by video."""
    lmdb = store.import_lmdb()
    videos: dict[str, int] = {}
    with lmdb.open(str(folder), map_size=_FIRST_MAP) as environment:
        with environment.begin() as transaction:
            there = transaction.get(b"metadata") is not None
        if not there:
            _put(environment, [("metadata", {"seg_len": seg_len})])
        for done, clip in enumerate(clips, 1):
            if not _VIDEO.fullmatch(clip.name):
                raise InputError(f"clip {clip.name!r}: a TFHP video needs a name <speaker>/<video> without spaces")
            if clip.name in videos:
                raise InputError(f"clip {clip.name}: two clips have this name")
            motion = clip.motion.resampled(FPS)
            videos[clip.name] = len(motion)
            with environment.begin() as transaction:
                there = transaction.get(f"{clip.name}/metadata".encode()) is not None
            if not there:
                _put(environment, _values(clip, seg_len))
            if progress:
                progress(done)
    if not videos:
        raise InputError(f"{folder.name.strip('.')}: no clips to write")
    return videos


def _values(clip: Clip, seg_len: int) -> Iterator[tuple[str, dict[str, Any]]]:
    motion = clip.motion.resampled(FPS)
    nearest = np.minimum((np.arange(len(motion)) * clip.motion.fps / FPS).astype(int), len(clip.motion) - 1)
    coefficients = Coefficients.of_motion(motion, clip.identities[nearest])
    samples = clip.speech.resampled(SAMPLE_RATE).samples
    n_samples = len(motion) * FRAME_SAMPLES
    samples = np.pad(samples[:n_samples], (0, max(0, n_samples - len(samples))))
    for index, start in enumerate(range(0, len(motion), seg_len)):
        part = coefficients.slice(start, start + seg_len)
        sound = samples[start * FRAME_SAMPLES : (start + len(part)) * FRAME_SAMPLES]
        arrays = {name: np.ascontiguousarray(getattr(part, name), np.float32) for name in NAMES}
        yield f"{clip.name}/{index:03d}", {"audio": flac_bytes(sound), "coef": arrays}
    yield f"{clip.name}/metadata", {"n_frames": len(motion)}


def _put(environment: Any, values: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Write values in one transaction, giving the file more room where it needs it."""
    pairs = [(key.encode(), portable_pickle(value)) for key, value in values]
    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, value in pairs:
                    transaction.put(key, value)
            return
        except store.import_lmdb().MapFullError:
            environment.set_mapsize(environment.info()["map_size"] * 2)


def _write_lists(
    folder: Path, path: Path, videos: dict[str, int], splits: Mapping[str, Sequence[str]] | Callable[[str], str] | None
) -> Written:
    names = sorted(videos)
    if splits is None:
        splits = {"train": names}
    elif callable(splits):
        choose = splits
        splits = {split: [name for name in names if choose(name) == split] for split in SPLITS}
    for split, members in splits.items():
        unknown = [video for video in members if video not in videos]
        if unknown:
            raise InputError(f"{path}: the split {split} names {unknown[0]!r}, which is not among the clips")
        if members:
            (folder / f"{split}.txt").write_text("".join(f"{video}\n" for video in members))
    (folder / "keys.txt").write_text("".join(f"{video}\n" for video in names))
    if splits.get("train"):
        reader = TfhpReader(folder)
        parts = (reader.coefficients(video) for video in splits["train"])
        Statistics.of(parts, where=str(path)).save(folder / "stats_train.npz")
    counts = {split: len(members) for split, members in splits.items() if members}
    return Written(path, len(videos), sum(videos.values()), counts)

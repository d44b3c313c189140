"""What the teacher hears in the speech of a corpus, kept beside it: `listening/<speaker>.safetensors`.

    <clip>/features (N, K) float16    components of the Whisper features, 50 a second; NaN in pauses that were put in
    <clip>/gap (N,) float16           lip gap on the scale of the articulation model; NaN there, too

What is heard in single recordings, before they are joined to clips, is kept in `listening/recordings`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.atomic import replacing
from diffposetalk.files.parsing import parsing
from diffposetalk.progress import Progress
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.workshop.corpus import shards
from diffposetalk.workshop.corpus.recordings.recording import Recording
from diffposetalk.workshop.corpus.teacher.teacher import Ear, Heard


def clips_path(folder: Path, speaker: str) -> Path:
    """Return the file of what is heard in a speaker's clips."""
    return folder / "listening" / f"{speaker}.safetensors"


def recordings_path(folder: Path, speaker: str) -> Path:
    """Return the file of what is heard in a speaker's recordings."""
    return folder / "listening" / "recordings" / f"{speaker}.safetensors"


def listen_to_recordings(
    folder: Path, speakers: Mapping[str, Sequence[Recording]], ear: Ear, jobs: int, progress: Progress | None
) -> None:
    """Listen to the recordings of each speaker whose file is missing; those that cannot be read are left out."""

    def listen(speaker: str) -> None:
        heard = {each.name: hear_recording(ear, each) for each in speakers[speaker]}
        _save(recordings_path(folder, speaker), {name: vars(one) for name, one in heard.items() if one is not None})

    missing = [speaker for speaker in speakers if not recordings_path(folder, speaker).exists()]
    _in_parallel(listen, missing, jobs, progress)


def listen_to_clips(folder: Path, speakers: Iterable[str], ear: Ear, jobs: int, progress: Progress | None) -> None:
    """Listen to the clips of each speaker whose file is missing."""

    def listen(speaker: str) -> None:
        clips = {}
        for clip in shards.load_shard(folder, speaker):
            clips[clip.number] = ear.hear(clip.speech.samples).of_clip
        _save(clips_path(folder, speaker), clips)

    missing = [speaker for speaker in speakers if not clips_path(folder, speaker).exists()]
    _in_parallel(listen, missing, jobs, progress)


def hear_recording(ear: Ear, recording: Recording) -> Heard | None:
    """Listen to a recording; None where its sound cannot be read or is too short."""
    try:
        return ear.hear(Speech.load(recording.path, SAMPLE_RATE).samples)
    except DiffPoseTalkError:
        return None


def save_clips(folder: Path, speaker: str, clips: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Write what is heard in a speaker's clips: of each, ``features`` and ``gap``."""
    _save(clips_path(folder, speaker), {f"{number:03d}": clip for number, clip in enumerate(clips)})


def load_clips(folder: Path, speaker: str) -> dict[str, dict[str, np.ndarray]]:
    """Read what is heard in a speaker's clips: ``features`` and ``gap``, float32, by the clip's number ("000").

    Empty if nobody has listened.
    """
    return _load(clips_path(folder, speaker))


def load_recordings(folder: Path, speaker: str) -> dict[str, Heard]:
    """Read what is heard in a speaker's recordings by their names; empty if nobody has listened."""
    return {name: Heard(**arrays) for name, arrays in _load(recordings_path(folder, speaker)).items()}


def _in_parallel(
    function: Callable[[str], None], speakers: Sequence[str], jobs: int, progress: Progress | None
) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        for done, _ in enumerate(pool.map(function, speakers), 1):
            if progress:
                progress(done, len(speakers), "listening")


def _save(path: Path, parts: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}/{name}": np.ascontiguousarray(array, np.float16)
        for part, arrays in parts.items()
        for name, array in arrays.items()
    }
    with replacing(path) as beside:
        save_file(tensors, beside)


def _load(path: Path) -> dict[str, dict[str, np.ndarray]]:
    from safetensors.numpy import load_file

    if not os.path.exists(path):
        return {}
    parts: dict[str, dict[str, np.ndarray]] = {}
    with parsing(path, "file of what the teacher hears; delete it and run `diffposetalk corpus` again"):
        for key, array in load_file(path).items():
            part, _, name = key.rpartition("/")
            parts.setdefault(part, {})[name] = array.astype(np.float32)
    return parts

"""Real recordings for evaluation: clips with tracked faces, and speech with known words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import read_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.metrics import mean_gap
from diffposetalk.speech import Speech

FPS = 25.0
"""Frames per second at which lips are compared."""
UPPER_INNER_LIP = (82, 13, 312)
"""MediaPipe face mesh: three points on the upper lip's inner edge..."""
LOWER_INNER_LIP = (87, 14, 317)
"""... and those opposite on the lower lip."""
FOREHEAD, CHIN = 10, 152
"""MediaPipe face mesh: top and bottom of the face."""
FRAMES_PER_FRAME = 100
"""Largest number of frames at `FPS` per frame of a track; more means damaged time stamps."""
_GRID_WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    None,
    dict(zip("z123456789", ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


@dataclass(frozen=True)
class TrackedClip:
    """A clip of a face: its sound and the tracked lip aperture."""

    name: str
    speech: Speech
    aperture: np.ndarray
    """``(T,)`` inner-lip gap over face height, at `FPS`; frame i is at ``i / FPS`` seconds of the file."""

    @property
    def seconds(self) -> float:
        """Length of the lips' curve."""
        return len(self.aperture) / FPS


@dataclass(frozen=True)
class Transcript:
    """A recording with known words."""

    path: Path
    """The recording."""
    words: str
    """What is said in it."""

    @property
    def name(self) -> str:
        """File name without ending."""
        return self.path.stem


def tracked_clips(folder: Path) -> list[TrackedClip]:
    """Load every clip that has a track.

    Raises:
        InputError: the folder is absent or holds no pair of clip and track.
    """
    tracked = []
    for track in sorted((folder / "tracks").glob("*.npz")):
        clips = sorted((folder / "clips").glob(f"{track.stem}.*"))
        if clips:
            tracked.append(TrackedClip(track.stem, Speech.load(clips[0]), tracked_aperture(track)))
    if not tracked:
        raise InputError(f"{folder}: no clips/ with tracks/ here; name the folder with --recordings")
    return tracked


def tracked_aperture(path: Path) -> np.ndarray:
    """Read a track's inner-lip gap over face height, interpolated to `FPS`.

    The gap is the mean of three opposite pairs of inner-lip landmarks in the image; the face height runs from
    landmark 10 to 152 in the same frame. Frames without a face are bridged.

    Args:
        path: npz with ``landmark_idx (K)``, ``landmarks_px (N, K, 3)``, ``time (N)`` seconds, ``detected (N)``.

    Returns:
        ``(T,)`` ratio.

    Raises:
        InputError: landmarks are missing or no frame shows a face.
    """
    arrays = read_npz(path, "track of landmarks")
    if missing := {"landmark_idx", "landmarks_px", "time", "detected"} - arrays.keys():
        raise InputError(f"{path}: not a track of landmarks, it lacks {', '.join(sorted(missing))}")
    with parsing(path, "track of landmarks"):
        points, times = arrays["landmarks_px"][..., :2].astype(np.float64), arrays["time"]
        column = {int(index): k for k, index in enumerate(arrays["landmark_idx"])}
        detected = arrays["detected"].astype(bool)
        try:
            upper, lower = ([column[i] for i in lips] for lips in (UPPER_INNER_LIP, LOWER_INNER_LIP))
            height = np.linalg.norm(points[:, column[FOREHEAD]] - points[:, column[CHIN]], axis=-1)
        except KeyError as index:
            raise InputError(f"{path}: the track lacks face mesh landmark {index}") from None
        ratio = mean_gap(points, upper, lower) / height
        usable = detected & np.isfinite(ratio)
        if not usable.any():
            raise InputError(f"{path}: the tracker saw no face")
        n_frames = int(np.floor(times[-1] * FPS + 1e-6)) + 1
        if not 0 < n_frames <= FRAMES_PER_FRAME * len(times):
            raise ValueError(f"its {len(times)} frames last {times[-1]:.4g} seconds")
        return np.interp(np.arange(n_frames) / FPS, times[usable], ratio[usable])


def transcripts(folder: Path, required: bool = True) -> list[Transcript]:
    """List the English recordings whose words are known: LJ Speech, two SpeechBrain speakers, GRID.

    Raises:
        InputError: the folder has none, but at least one is required.
    """
    known = []
    for path in sorted((folder / "speech").glob("*.flac")):
        words = _lj_speech(folder / "speech/ljspeech_metadata.csv").get(path.stem)
        if words:
            known.append(Transcript(path, words))
    for name, words in _speechbrain(folder / "speech/speechbrain_ASR_train.json").items():
        path = folder / f"speech/{name}.wav"
        if path.exists():
            known.append(Transcript(path, words))
    for path in sorted((folder / "clips").glob("grid_*")):
        known.append(Transcript(path, grid_sentence(path.stem.rsplit("_", 1)[-1])))
    if required and not known:
        raise InputError(f"{folder}: no recordings with transcripts here; name the folder with --recordings")
    return known


def real_speech(folder: Path, shortest_s: float = 0.0) -> dict[str, Speech]:
    """Load the recordings of ``speech/`` by name, those of at least ``shortest_s`` seconds.

    Raises:
        InputError: none is there.
    """
    recordings = {}
    for path in sorted((folder / "speech").glob("*.*")):
        if path.suffix in (".wav", ".flac"):
            speech = Speech.load(path)
            if speech.duration >= shortest_s:
                recordings[path.stem] = speech
    if not recordings:
        raise InputError(f"{folder}: no speech/ recordings of {shortest_s:g} s here; name the folder with --recordings")
    return recordings


def grid_sentence(code: str) -> str:
    """Return the sentence of a GRID file name: ``bbaf2n`` is "bin blue at f two now".

    Raises:
        InputError: the name follows another scheme.
    """
    try:
        if len(code) != 6:
            raise KeyError(code)
        return " ".join(letter if words is None else words[letter] for letter, words in zip(code, _GRID_WORDS))
    except KeyError:
        raise InputError(f"{code}: not the name of a GRID sentence") from None


def _lj_speech(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    rows = (line.split("|") for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[-1] for row in rows if len(row) >= 2}


def _speechbrain(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return {name: entry["wrd"] for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}

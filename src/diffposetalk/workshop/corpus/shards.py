"""The corpus on disk: one safetensors file per speaker for speech, one for motion, and a manifest.

    corpus.json                    how it was made (`build` refuses to mix two recipes in one folder)
    manifest.jsonl                 one line per finished speaker
    speech/<speaker>.safetensors   `<clip>/audio (n,) int16` at 16 kHz, `<clip>/phones (P,) uint8`,
                                   `<clip>/times (P, 2) float32` seconds, `<clip>/stress (P,) uint8`
    motion/<speaker>.safetensors   `manner (M,) float32`, `<clip>/expression (T, E) float16`,
                                   `<clip>/head_pose (T, 3) float32`

Texts, names and versions are JSON in each file's header, under the key `about`. Speech and motion are separate so that
motion can be made anew without speaking again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing
from diffposetalk.files.limits import check_file
from diffposetalk.files.parsing import parsing
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX, Phone

SHARD_FORMAT = 1
"""Version written into shards; a reader refuses versions above its own."""


@dataclass(frozen=True, slots=True)
class SpeakerInfo:
    """The speaker of a shard."""

    speaker: str
    """Name, also of the files: `s00042`."""
    voice: str
    """Name of the voice in `voices`."""
    language: str
    """Two-letter code."""
    transform: tuple[float, float, float]
    """Resampling, formant factor and tilt in dB (`VoiceTransform`)."""
    rate: float
    """Speed relative to the voice's own."""
    pitch: float
    """Pitch relative to the voice's own."""
    source: str = ""
    """Corpus that a recorded person is from; empty for synthesised speech."""
    licence: str = ""
    """Terms of the recordings; empty for synthesised speech."""


@dataclass(frozen=True, slots=True)
class CorpusClip:
    """Some seconds of one speaker: sound, phones and, if it exists, motion."""

    name: str
    """`<speaker>/<number>`."""
    speaker: SpeakerInfo
    """Its speaker."""
    speech: Speech
    """16 kHz mono."""
    phones: tuple[Phone, ...]
    """Tile the whole speech."""
    text: str
    """Words, sentences separated by spaces."""
    motion: Motion | None
    """Face and head at the same times as the speech; None before the motion stage."""
    manner: np.ndarray | None
    """``(M,)`` float32 manner of the speaker; None before the motion stage."""

    @property
    def number(self) -> str:
        """Its number among the speaker's clips, such as "000"."""
        return self.name.rpartition("/")[2]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.speech.samples) / self.speech.sample_rate


def speech_path(folder: Path, speaker: str) -> Path:
    """Return the file of a speaker's speech."""
    return folder / "speech" / f"{speaker}.safetensors"


def motion_path(folder: Path, speaker: str) -> Path:
    """Return the file of a speaker's motion."""
    return folder / "motion" / f"{speaker}.safetensors"


def save_speech(folder: Path, info: SpeakerInfo, clips: Sequence[tuple[np.ndarray, Sequence[Phone], str]]) -> Path:
    """Write a speaker's speech, whole or not at all.

    Args:
        folder: the corpus.
        info: the speaker.
        clips: samples `(n,)` float32, phones and text of each clip.
    """
    tensors: dict[str, np.ndarray] = {}
    for number, (samples, phones, _) in enumerate(clips):
        tensors[f"{number:03d}/audio"] = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        tensors[f"{number:03d}/phones"] = np.array([SYMBOL_INDEX[p.symbol] for p in phones], dtype=np.uint8)
        tensors[f"{number:03d}/times"] = np.array([[p.start, p.end] for p in phones], dtype=np.float32)
        tensors[f"{number:03d}/stress"] = np.array([p.stress for p in phones], dtype=np.uint8)
    about = {
        "format": SHARD_FORMAT,
        "kind": "speech",
        "speaker": asdict(info),
        "texts": [text for *_, text in clips],
        "symbols": list(SYMBOL_INDEX),
        "sample_rate": SAMPLE_RATE,
    }
    return _write(speech_path(folder, info.speaker), tensors, about)


def save_motion(folder: Path, speaker: str, manner: np.ndarray, motions: Sequence[Motion]) -> Path:
    """Write a speaker's motion, whole or not at all.

    Args:
        folder: the corpus.
        speaker: name of the speaker.
        manner: ``(M,)``.
        motions: one per clip of the speech shard.
    """
    tensors: dict[str, np.ndarray] = {"manner": np.asarray(manner, dtype=np.float32)}
    for number, motion in enumerate(motions):
        tensors[f"{number:03d}/expression"] = motion.expression.astype(np.float16)
        tensors[f"{number:03d}/head_pose"] = motion.head_pose.astype(np.float32)
    about = {
        "format": SHARD_FORMAT,
        "kind": "motion",
        "speaker": speaker,
        "fps": motions[0].fps,
        "head": motions[0].head,
        "expression_names": list(motions[0].expression_names),
    }
    return _write(motion_path(folder, speaker), tensors, about)


def list_speakers(folder: str | Path) -> list[str]:
    """Return the names of all speakers whose speech is complete, in order.

    Raises:
        InputError: the folder holds no corpus.
    """
    names = sorted(
        path.stem for path in (Path(folder) / "speech").glob("*.safetensors") if not path.name.startswith(".")
    )
    if not names:
        raise InputError(f"{folder}: no corpus here (no speech/*.safetensors); make one with `diffposetalk corpus`")
    return names


def load_shard(folder: str | Path, speaker: str) -> tuple[CorpusClip, ...]:
    """Read all clips of one speaker, with motion if it exists.

    Raises:
        InputError: a file is missing, broken or of a newer format, or speech and motion disagree.
    """
    folder = Path(folder)
    path, moving_path = speech_path(folder, speaker), motion_path(folder, speaker)
    tensors, about = _read(path, "speech")
    moving, moving_about = _read(moving_path, "motion") if moving_path.exists() else ({}, {})
    clips = []
    with parsing(path, "speech shard"):
        info = _speaker(about)
        for number, text in enumerate(_texts(about, "texts")):
            key = f"{number:03d}"
            samples = tensors[f"{key}/audio"].astype(np.float32) / 32767.0
            speech = Speech(samples, int(about["sample_rate"]))
            motion = _motion(moving, moving_about, key, moving_path) if moving else None
            clips.append(
                CorpusClip(
                    f"{speaker}/{key}", info, speech, _phones(tensors, about, key), text, motion, moving.get("manner")
                )
            )
    return tuple(clips)


def _texts(about: dict[str, Any], name: str) -> list[str]:
    """Return a list of texts of a shard's header.

    Raises:
        ValueError: it is something else.
    """
    values = about[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} is not a list of texts")
    return values


def _speaker(about: dict[str, Any]) -> SpeakerInfo:
    """Return the speaker, from a shard's header."""
    values = about["speaker"]
    factor, formants, tilt_db = (float(value) for value in values["transform"])
    speaker, voice, language = (str(values[name]) for name in ("speaker", "voice", "language"))
    transform = factor, formants, tilt_db
    origin = (str(values.get(name, "")) for name in ("source", "licence"))
    return SpeakerInfo(speaker, voice, language, transform, float(values["rate"]), float(values["pitch"]), *origin)


def _phones(tensors: dict[str, np.ndarray], about: dict[str, Any], key: str) -> tuple[Phone, ...]:
    """Return the phones of a clip.

    Raises:
        ValueError: numbers, times and stress differ in length.
    """
    symbols = _texts(about, "symbols")
    numbers, times, stress = (tensors[f"{key}/{name}"] for name in ("phones", "times", "stress"))
    if numbers.ndim != 1 or times.shape != (len(numbers), 2) or stress.shape != numbers.shape:
        raise ValueError(f"phones, times and stress of clip {key} do not fit together")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= len(symbols)):
        raise ValueError(f"clip {key} has a phone that is not among the symbols")
    return tuple(
        Phone(symbols[int(number)], float(start), float(end), int(mark))
        for number, (start, end), mark in zip(numbers, times, stress)
    )


def _motion(moving: dict[str, np.ndarray], about: dict[str, Any], key: str, path: Path) -> Motion:
    """Return the motion of a clip."""
    if f"{key}/expression" not in moving:
        raise InputError(f"{path}: has no clip {key}; make the motion again (--remotion)")
    with parsing(path, "motion shard"):
        return Motion(
            expression=moving[f"{key}/expression"].astype(np.float32),
            expression_names=tuple(_texts(about, "expression_names")),
            head_pose=moving[f"{key}/head_pose"],
            fps=float(about["fps"]),
            head=str(about["head"]),
        )


def shard_summary(folder: str | Path, speaker: str) -> tuple[SpeakerInfo, list[float], bool]:
    """Return the speaker of a shard, the seconds of each clip and whether motion exists, without reading the sound.

    Raises:
        InputError: the shard is missing or broken.
    """
    path = speech_path(Path(folder), speaker)
    with _opened(path, "speech") as (file, about):
        info = _speaker(about)
        rate = int(about["sample_rate"])
        if rate < 1:
            raise ValueError(f"its sample rate is {rate}")
        texts = _texts(about, "texts")
        seconds = [file.get_slice(f"{number:03d}/audio").get_shape()[0] / rate for number in range(len(texts))]
    return info, seconds, motion_path(Path(folder), speaker).exists()


def iter_clips(folder: str | Path, speakers: Sequence[str] | None = None) -> Iterator[CorpusClip]:
    """Yield every clip of a corpus, speaker after speaker.

    Args:
        folder: the corpus.
        speakers: names to read, or None for all.

    Raises:
        InputError: see `list_speakers` and `load_shard`.
    """
    for speaker in list_speakers(folder) if speakers is None else speakers:
        yield from load_shard(folder, speaker)


def _write(path: Path, tensors: dict[str, np.ndarray], about: dict[str, Any]) -> Path:
    from safetensors.numpy import save_file

    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}  # or the bytes are mixed up
    with replacing(path) as beside:
        save_file(tensors, beside, metadata={"about": json.dumps(about, ensure_ascii=False, sort_keys=True)})
    return path


def _read(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return arrays and header of a shard."""
    with _opened(path, kind) as (file, about):
        return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118 (no mapping)


@contextlib.contextmanager
def _opened(path: Path, kind: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open a shard and read its header; any failure becomes one line that names the file.

    Raises:
        InputError: it is missing, damaged, of another kind or of a newer format.
    """
    from safetensors import safe_open

    check_file(path, f"{kind} shard")
    what = f"{kind} shard; delete it and run `diffposetalk corpus` again"
    with parsing(path, what), safe_open(path, framework="numpy") as file:
        about = json.loads((file.metadata() or {}).get("about", "{}"))
        if not isinstance(about, dict) or about.get("kind") != kind:
            raise InputError(f"{path}: not a {kind} shard of a corpus")
        version = about.get("format", 0)
        if not isinstance(version, int) or version > SHARD_FORMAT:
            raise InputError(f"{path}: its format is newer than this version reads ({SHARD_FORMAT})")
        yield file, about

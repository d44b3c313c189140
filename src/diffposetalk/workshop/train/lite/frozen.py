"""A corpus as a frozen speech encoder hears it: features, log-mels and phones of every clip, kept on disk.

Everything that learns motion from the same speech reads the same files, so that models can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.parsing import parsing
from diffposetalk.generate.pretrained import model_path
from diffposetalk.model.checkpoint import Model, fingerprint, load_model
from diffposetalk.model.frames import FRAME_SAMPLES, MELS_PER_FRAME
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.progress import Progress, over
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.workshop.corpus.shards import load_shard
from diffposetalk.workshop.train.lite.material import Versions, make_copies, split_speakers, to_int16

BLOCK_FRAMES = 250
"""Motion frames of log-mels that are computed at a time; the running mean goes on from block to block."""


@dataclass(frozen=True)
class HeardClip:
    """One clip as the frozen encoder hears it."""

    features: np.ndarray
    """``(K, T, F)`` float16 features of the speech and its K - 1 augmented copies."""
    mels: np.ndarray
    """``(T, M)`` float16 normalised log-mels of the speech, the mean over each motion frame; M 0 unless asked for."""
    phones: np.ndarray
    """``(2 T,)`` phone numbers, 50 a second."""


@dataclass(frozen=True)
class FrozenSpeech:
    """Where the speech comes from, and where what is heard in it is kept."""

    corpus: Path
    """Folder made by ``diffposetalk corpus``."""
    encoder: SpeechEncoder
    """Hears the speech; it learns no more."""
    folder: Path
    """Receives a folder for each encoder, with a file for each speaker. Files that are there already are used."""
    copies: int = 0
    """Augmented copies of each clip."""
    copies_folder: Path | None = None
    """Where the copies' sound is kept; None for ``copies`` in ``folder``."""

    def clips(
        self, speakers: Sequence[str], progress: Progress | None = None, with_mels: bool = False
    ) -> list[HeardClip]:
        """Return every clip of the speakers, speaker after speaker.

        Args:
            speakers: names in the corpus.
            progress: called after each speaker.
            with_mels: also return the log-mels.
        """
        folder = self.folder / f"{fingerprint(self.encoder)}-{self.copies}"
        folder.mkdir(parents=True, exist_ok=True)
        sound = self.copies_folder or self.folder / "copies"
        if self.copies:
            missing = [name for name in speakers if not (folder / f"{name}.safetensors").exists()]
            make_copies(self.corpus, missing, sound, self.copies, progress)
        clips: list[HeardClip] = []
        for name in over(speakers, progress, "listening"):
            path = folder / f"{name}.safetensors"
            if not path.exists():
                self._listen(name, sound, path)
            clips += _read(path, with_mels)
        return clips

    def _listen(self, speaker: str, sound: Path, path: Path) -> None:
        from safetensors.numpy import load_file, save

        made = load_file(sound / f"{speaker}.safetensors") if self.copies else {}
        tensors: dict[str, np.ndarray] = {}
        for clip in load_shard(self.corpus, speaker):
            versions = (to_int16(clip.speech.samples), *(made[f"{clip.name}/{k}"] for k in range(self.copies)))
            n_frames = len(versions[0]) // FRAME_SAMPLES
            tensors[f"{clip.number}/features"] = encoded(self.encoder, versions)
            tensors[f"{clip.number}/mels"] = log_mels(self.encoder, clip.speech.samples[: n_frames * FRAME_SAMPLES])
            tensors[f"{clip.number}/phones"] = phone_labels(clip.phones, 2 * n_frames).astype(np.uint8)
        tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}  # or the bytes are mixed up
        write_atomically(path, save(tensors))


@dataclass(frozen=True)
class FrozenEncoders:
    """Encoders of another model that are taken as they are, so that all else is trained, and from nothing."""

    model: str = "lite"
    """Bundled model, by name, or model file. It also gives the motion space."""
    speakers: int = 0
    """Training speakers to learn from; 0 for all."""
    heard: Path | None = None
    """Folder that keeps the frozen features, to be shared by several trainings; None for ``heard`` in the run's folder."""
    copies_folder: Path | None = None
    """Folder with augmented copies that were made before; None for ``copies`` in the folder ``heard``."""

    def __post_init__(self) -> None:
        if self.speakers < 0:
            raise UsageError(f"recipe: frozen.speakers must not be negative, got {self.speakers}")

    def load(self) -> Model:
        """Load the model.

        Raises:
            UsageError: it lacks the compact speech encoder or a style encoder.
        """
        model = load_model(model_path(self.model))
        if not isinstance(model.speech_encoder, SpeechEncoder) or model.style_encoder is None:
            raise UsageError(
                f"recipe: {self.model} lacks the compact speech encoder or a style encoder; name another model"
            )
        return model

    def speech(self, corpus: Path, encoder: SpeechEncoder, run_folder: Path, copies: int) -> FrozenSpeech:
        """Return the speech of a corpus as the encoder hears it."""
        return FrozenSpeech(corpus, encoder, self.heard or run_folder / "heard", copies, self.copies_folder)


def _read(path: Path, with_mels: bool) -> Iterator[HeardClip]:
    from safetensors import safe_open

    with parsing(path, "file of speech features; delete it and train again"), safe_open(path, "numpy") as file:
        for number in sorted({key.partition("/")[0] for key in file.keys()}):  # noqa: SIM118 (no mapping)
            features, phones = (file.get_tensor(f"{number}/{what}") for what in ("features", "phones"))
            mels = file.get_tensor(f"{number}/mels") if with_mels else np.zeros((features.shape[1], 0), np.float16)
            yield HeardClip(features, mels, phones.astype(np.int64))


@torch.inference_mode()
def encoded(encoder: SpeechEncoder, versions: Versions) -> np.ndarray:
    """Encode versions of the same speech, each ``(n,)`` int16: ``(K, T, F)`` float16."""
    n_frames = len(versions[0]) // FRAME_SAMPLES
    wave = np.stack([version[: n_frames * FRAME_SAMPLES] for version in versions])
    features: np.ndarray = encoder(torch.from_numpy(wave.astype(np.float32) / 32768)).numpy()
    return features.astype(np.float16)


@torch.inference_mode()
def log_mels(encoder: SpeechEncoder, samples: np.ndarray) -> np.ndarray:
    """Return the normalised log-mels of samples ``(640 T,)`` at 16 kHz, the mean over each motion frame: ``(T, M)``."""
    wave = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]
    mels = encoder.log_mels(wave)
    state, parts = None, []
    for block in mels.split(BLOCK_FRAMES * MELS_PER_FRAME, dim=-1):
        normalised, state = encoder.normalise(block, state)
        parts.append(normalised.unflatten(-1, (-1, MELS_PER_FRAME)).mean(-1))
    result: np.ndarray = torch.cat(parts, -1)[0].mT.contiguous().numpy()
    return result.astype(np.float16)


def chosen_speakers(corpus: Path, validation_share: float, n_training: int = 0) -> tuple[list[str], list[str]]:
    """Divide a corpus as `split_speakers` does, and keep a part of each side.

    Args:
        corpus: folder of the corpus.
        validation_share: share of all speakers held out.
        n_training: speakers to learn from, drawn by a hash of their names, with held-out speakers in proportion; 0 for
            all.
    """
    training, held_out = split_speakers(corpus, validation_share)
    if not 0 < n_training < len(training):
        return training, held_out
    n_held_out = max(2, round(len(held_out) * n_training / len(training)))
    return _drawn(training, n_training), _drawn(held_out, n_held_out)


def _drawn(names: Sequence[str], n: int) -> list[str]:
    """Return ``n`` of the names in order, always the same."""
    return sorted(sorted(names, key=lambda name: hashlib.sha256(b"drawn" + name.encode()).digest())[:n])

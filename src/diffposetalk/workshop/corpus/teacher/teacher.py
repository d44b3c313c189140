"""What the teacher hears in speech, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.atomic import replacing
from diffposetalk.files.limits import check_file
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript.phones import SYMBOLS
from diffposetalk.speech.whisper import LARGEST_FEATURE, WhisperEncoder
from diffposetalk.workshop.corpus.teacher.lips import LipMap
from diffposetalk.workshop.corpus.teacher.phones import PhoneClassifier

KIND = "diffposetalk.teacher"
"""What the header of a teacher's file calls it."""


def standardised(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return features ``(N, D)`` in units of ``scale`` around ``mean``, within `LARGEST_FEATURE`; float32."""
    return np.clip((features - mean) / scale, -LARGEST_FEATURE, LARGEST_FEATURE).astype(np.float32)


@dataclass(frozen=True)
class Heard:
    """What the teacher hears, `FEATURE_HZ` times a second."""

    features: np.ndarray
    """``(N, K)`` the leading components of the Whisper features: what the speech encoder learns to predict."""
    phones: np.ndarray
    """``(N, P)`` log-probabilities of the phones of `SYMBOLS`."""
    gap: np.ndarray
    """``(N,)`` lip gap on the scale of the articulation model."""

    @property
    def of_clip(self) -> dict[str, np.ndarray]:
        """What a corpus keeps of it for a clip, by name; the phones are in the clip's own labels."""
        return {"features": self.features, "gap": self.gap}


@dataclass(frozen=True)
class Teacher:
    """Readers on top of the features of one Whisper model."""

    mean: np.ndarray
    """``(D,)`` mean of the Whisper features."""
    scale: np.ndarray
    """``(D,)`` their standard deviation."""
    projection: np.ndarray
    """``(D, K)`` from standardised features to the components that the speech encoder learns."""
    classifier: PhoneClassifier
    """Tells the phones."""
    lips: LipMap
    """Tells the lip gap."""

    def standardised(self, features: np.ndarray) -> np.ndarray:
        """Return Whisper features ``(N, D)`` with a mean of 0 and a standard deviation of 1."""
        return standardised(features, self.mean, self.scale)

    def hear(self, features: np.ndarray) -> Heard:
        """Read phones, lip gap and components from Whisper features ``(N, D)``.

        Raises:
            InputError: the features are of another Whisper model.
        """
        if features.shape[1] != len(self.mean):
            raise InputError(
                f"the teacher was fitted on a Whisper model with features of {len(self.mean)} numbers, "
                f"not {features.shape[1]}; name the same model"
            )
        standard = self.standardised(features)
        return Heard(standard @ self.projection, self.classifier.log_probabilities(standard), self.lips.gap(standard))

    def save(self, path: Path) -> None:
        """Write the teacher's file."""
        from safetensors.numpy import save_file

        tensors = {
            "mean": self.mean,
            "scale": self.scale,
            "projection": self.projection,
            **{f"classifier.{name}": value for name, value in vars(self.classifier).items()},
            "lips.weights": self.lips.weights,
            "lips.scale": np.array([self.lips.mean, self.lips.spread]),
        }
        with replacing(path) as beside:
            tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
            save_file(tensors, beside, metadata={"kind": KIND, "symbols": " ".join(SYMBOLS)})

    @staticmethod
    def load(path: Path) -> Teacher:
        """Read a teacher's file.

        Raises:
            InputError: it is missing, damaged, of another kind or for other phones.
        """
        from safetensors import safe_open

        check_file(path, "teacher")
        with parsing(path, "teacher"), safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("kind") != KIND:
                raise InputError(f"{path}: not a teacher; make one with `diffposetalk corpus --fit`")
            if header.get("symbols") != " ".join(SYMBOLS):
                raise InputError(f"{path}: the teacher knows other phones than this version; fit it again")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
            part = {key.removeprefix("classifier."): value for key, value in tensors.items()}
            names = ("hidden_weight", "hidden_bias", "weight", "bias")
            return Teacher(
                tensors["mean"],
                tensors["scale"],
                tensors["projection"],
                PhoneClassifier(*(part[name] for name in names)),
                LipMap(tensors["lips.weights"], *(float(value) for value in tensors["lips.scale"])),
            )


@dataclass(frozen=True)
class Ear:
    """A teacher with its Whisper model."""

    whisper: WhisperEncoder
    teacher: Teacher

    def hear(self, samples: np.ndarray) -> Heard:
        """Listen to speech ``(n,)`` at 16 kHz."""
        return self.teacher.hear(self.whisper.features(samples))

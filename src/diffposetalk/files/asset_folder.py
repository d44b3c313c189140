"""User-supplied files that cannot be bundled (licence or size): what they are and where they go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Asset:
    """A file or folder that the user provides."""

    name: str
    """Name on the command line."""
    places: tuple[str, ...]
    """Paths within the asset folder. A new file goes to the first. A pattern stands for several files."""
    what: str
    """Its purpose."""
    source: str
    """Where to obtain it, and its licence."""


def _speech_encoder(name: str, folder: str, architecture: str) -> Asset:
    site = f"https://huggingface.co/facebook/{folder}; Apache-2.0"
    return Asset(name, (folder,), f"speech encoder {architecture} (base), to train on", site)


_AUTHORS = "the links in the authors' repository"
"""Source of the authors' weights."""
_FLAME_SITE = "https://flame.is.tue.mpg.de after registration"
"""Source of the FLAME files."""
ASSETS = (
    Asset("flame2020", ("generic_model.pkl",), "FLAME 2020, the paper's head", f"{_FLAME_SITE}; not for commercial use"),
    Asset(
        "flame2023",
        ("flame2023.pkl", "flame2023_Open.pkl", "flame2023_no_jaw.pkl"),
        "FLAME 2023",
        f"{_FLAME_SITE}; 2023 Open is CC BY 4.0, plain 2023 not for commercial use",
    ),
    Asset("flame-free", ("flame-free.npz",), "a free head of FLAME's format", "diffposetalk assets --make-free-flame"),
    Asset("flame-landmarks", ("landmark_embedding.npy",), "FLAME's 68 landmarks", f"{_FLAME_SITE}, or the authors"),
    Asset(
        "flame-mediapipe", ("mediapipe_landmark_embedding.npz",), "MediaPipe's 105 landmarks on FLAME", _FLAME_SITE
    ),
    Asset("flame-masks", ("FLAME_masks.pkl",), "FLAME's parts: lips, forehead, ...", _FLAME_SITE),
    Asset("denoiser", ("denoiser/*.pt",), "the authors' denoisers, for `convert`", _AUTHORS),
    Asset("style-encoder", ("style-encoder/*.pt",), "the authors' style encoders, for `convert`", _AUTHORS),
    Asset(
        "statistics", ("stats_train.npz",), "means and spreads of the authors' training data, for `convert`",
        "with the authors' training data",
    ),
    _speech_encoder("hubert", "hubert-base-ls960", "HuBERT"),
    _speech_encoder("wav2vec2", "wav2vec2-base-960h", "wav2vec 2.0"),
    Asset(
        "face-landmarker", ("face_landmarker.task",), "MediaPipe's face model, for `track` in place of the bundled one",
        "https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker; Apache-2.0",
    ),
)  # fmt: skip
"""All known assets. The heads come first, in the order in which `--head flame` looks for them."""
HEADS = ("flame2020", "flame2023", "flame-free")
"""Names of the assets that are FLAME heads."""


def asset_folder() -> Path:
    """Return the folder of user-supplied files: `DIFFPOSETALK_ASSETS`, or the default data folder of the platform."""
    return Path(os.environ.get("DIFFPOSETALK_ASSETS") or platformdirs.user_data_dir("diffposetalk", appauthor=False))


def placed(name: str) -> list[Path]:
    """Return the paths of an asset that exist, the preferred one first.

    Args:
        name: an asset's name.
    """
    asset = next(asset for asset in ASSETS if asset.name == name)
    folder = asset_folder()
    return [path for place in asset.places for path in sorted(folder.glob(place))]

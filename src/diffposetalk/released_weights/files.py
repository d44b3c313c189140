"""The authors' checkpoint files: read through an allow-list, their options made plain."""

from __future__ import annotations

import argparse
import json
import pathlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.errors import InputError, ModelError
from diffposetalk.files.pickles.scan import danger

if TYPE_CHECKING:
    from torch import Tensor

SPEECH_CONFIG = "audio_encoder_config.json"
"""File beside a checkpoint (or one folder up) with the geometry of its speech encoder, where that is not base size."""


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """Content of one released file."""

    path: Path
    options: Mapping[str, Any]
    """What the training was started with."""
    weights: Mapping[str, Tensor]
    """Tensors by their released names."""
    kind: str
    """"denoiser" or "style encoder"."""
    iteration: int
    """Training steps."""

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option; the older generation's names are understood, and then their values: yes instead of no."""
        old = {"align_mask_width": "use_alignment_mask", "no_head_pose": "predict_head_pose"}
        if name in self.options or old.get(name) not in self.options:
            return self.options.get(name, default)
        value = bool(self.options[old[name]])
        return int(value) if name == "align_mask_width" else not value

    def needed(self, name: str) -> Any:
        """Return an option that the network cannot be rebuilt without.

        Raises:
            ModelError: the file lacks it.
        """
        value = self.option(name)
        if value is None:
            raise ModelError(f"{self.path}: its options lack {name!r}, without which the network cannot be rebuilt")
        return value


def read_released(path: str | Path) -> ReleasedCheckpoint:
    """Read a denoiser's or a style encoder's ``.pt`` file; nothing in it is executed.

    Allowed besides tensors and plain values: ``argparse.Namespace`` and paths.

    Raises:
        InputError: the file is missing, damaged, or asks for anything else.
        ModelError: it is not a checkpoint of DiffPoseTalk.
    """
    import torch

    path = Path(path)
    allowed: list[Any] = [argparse.Namespace]
    for module in ("pathlib", "pathlib._local"):
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path"):
            allowed.append((pathlib.PurePosixPath, f"{module}.{name}"))
    if reason := danger(path):
        raise InputError(f"{path}: refused, {reason}")
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: refused, {_wanted(str(error))}") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise InputError(f"{path}: not a readable checkpoint ({_first_line(error)})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a DiffPoseTalk checkpoint: it holds a {type(content).__name__}, not a table")
    options = content.get("args")
    options = vars(options) if isinstance(options, argparse.Namespace) else options
    if not isinstance(options, dict):
        raise ModelError(f"{path}: not a DiffPoseTalk checkpoint: the key 'args' is missing or no table of options")
    for key, kind in (("model", "denoiser"), ("encoder", "style encoder")):
        if key in content:
            weights = content[key]
            if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
                raise ModelError(f"{path}: the key {key!r} holds no table of tensors")
            iteration = content.get("iter", 0)
            if not isinstance(iteration, int):
                raise ModelError(f"{path}: the key 'iter' holds {iteration!r:.40}, not a number of steps")
            return ReleasedCheckpoint(path, options, weights, kind, iteration)
    raise ModelError(
        f"{path}: not a DiffPoseTalk checkpoint: neither 'model' nor 'encoder' among its keys ({', '.join(map(str, content))})"
    )


def speech_architecture(checkpoint: ReleasedCheckpoint, config: str | Path | None = None) -> dict[str, Any]:
    """Return the configuration of a denoiser's speech encoder for transformers.

    Args:
        checkpoint: a denoiser; its option ``audio_model`` names the family.
        config: a configuration file; None for the one beside the checkpoint, or the family's base size, which all
            published checkpoints have.

    Raises:
        InputError: the file is missing or no JSON.
        ModelError: the family is unknown.
    """
    family = checkpoint.needed("audio_model")
    family = {"wav2vec": "wav2vec2"}.get(family, family)
    candidates = [folder / SPEECH_CONFIG for folder in checkpoint.path.absolute().parents[:2]]
    path = Path(config) if config else next((file for file in candidates if file.is_file()), None)
    if path is None:
        return {"model_type": family}
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a configuration: it holds no table")
    settings = {key: value for key, value in values.items() if value is not None and not key.startswith("_")}
    return {**settings, "model_type": settings.get("model_type", family)}


def _wanted(message: str) -> str:
    """Say which global a refused pickle asked for."""
    for line in message.splitlines():
        if "GLOBAL" in line or "Unsupported" in line or "global" in line:
            return f"it asks for more than tensors and options: {line.strip()[:200]}"
    return _first_line(message)


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__

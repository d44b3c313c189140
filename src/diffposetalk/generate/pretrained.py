"""Find a model file and a device, and load the model for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.parsing import parsing
from diffposetalk.model.checkpoint import Model, read_model_file, torch_model
from diffposetalk.model.configs import WhisperSpeechConfig
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.load import needs_torch, onnx_model

if TYPE_CHECKING:
    import torch

ASSETS = Path(__file__).parents[1] / "assets"
"""Folder of the files that come with the package."""
BUNDLED = ("lite", "base")
"""Names of the models that come with the package."""


def model_path(name: str | Path) -> Path:
    """Return the path of a model.

    Args:
        name: the name of a bundled model, or a model file.

    Raises:
        UsageError: there is neither a bundled model nor a file of this name.
    """
    path = ASSETS / f"{name}.safetensors" if str(name) in BUNDLED else Path(name)
    if not path.exists():
        raise UsageError(f"no model {str(name)!r}: neither bundled ({', '.join(BUNDLED)}) nor a file")
    return path


def loaded_model(name: str | Path, device: str = "cpu", whisper: str | Path | None = None) -> Model:
    """Load a model for generation; arguments and errors as for `Talker.from_pretrained`.

    On the processor the networks run by onnxruntime, but for speech encoders of the HuBERT family and wide alignment masks;
    on other devices, by torch.
    """
    path = model_path(name)
    with parsing(path, "model file"):
        file = read_model_file(path)
        reason = needs_torch(file.config)
        if device == "cpu" and not reason:
            model = onnx_model(file)
        else:
            torch_device = usable_device(device, reason)
            model = torch_model(file)
            for network in model.networks.values():
                network.to(torch_device)
            if device == "cpu" and file.config.denoiser.align_width == 1:
                model = replace(
                    model, denoiser=OnnxDenoiser(file.config.denoiser, dict(file.networks["denoiser"]), path)
                )
    if isinstance(model.config.speech_encoder, WhisperSpeechConfig):
        model.speech_encoder.load_whisper(whisper)
    elif whisper is not None:
        raise UsageError(f"the model {model.config.name!r} hears by itself; leave Whisper out")
    return model


def usable_device(name: str, reason: str = "") -> torch.device:
    """Return the device of that name.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps".
        reason: why torch is needed on the processor.

    Raises:
        DiffPoseTalkError: torch is not installed.
        UsageError: torch does not know the device, or cannot use it on this machine.
    """
    try:
        import torch
    except ModuleNotFoundError:
        what = reason or f"the device {name!r}"
        raise DiffPoseTalkError(f"{what} needs torch: pip install 'diffposetalk[research]'") from None
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the device {name!r} cannot be used here ({reason}); leave it out for the processor"
        ) from None
    return device

"""Load a model file to run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.parsing import parsing
from diffposetalk.model.checkpoint import Model, ModelFile, read_model_file
from diffposetalk.model.configs import ModelConfig, PretrainedSpeechConfig, SpeechEncoderConfig
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.speech import OnnxSpeechEncoder, OnnxWhisperSpeechEncoder
from diffposetalk.model.onnx.style import OnnxStyleEncoder


def load_onnx_model(path: str | Path) -> Model:
    """Read a model written by `Model.save`, to run by onnxruntime on the processor.

    Raises:
        ModelError: the file is missing, not a model, of another format, or a weight is missing, surplus or misshapen.
        DiffPoseTalkError: only torch runs such a model (see `needs_torch`).
    """
    with parsing(path, "model file"):
        return onnx_model(read_model_file(path))


def onnx_model(file: ModelFile) -> Model:
    """Return the model of a file that has been read; errors as for `load_onnx_model`."""
    config, networks, where = file.config, file.networks, file.path
    reason = needs_torch(config)
    if reason:
        raise DiffPoseTalkError(f"{where}: {reason} needs torch: pip install 'diffposetalk[research]'")
    made: dict[str, Any] = {"denoiser": OnnxDenoiser(config.denoiser, networks["denoiser"], where)}
    if isinstance(config.speech_encoder, SpeechEncoderConfig):
        made["speech_encoder"] = OnnxSpeechEncoder(config.speech_encoder, networks["speech_encoder"], where)
    else:
        assert not isinstance(config.speech_encoder, PretrainedSpeechConfig)
        made["speech_encoder"] = OnnxWhisperSpeechEncoder(config.speech_encoder, networks["speech_encoder"], where)
    if config.style_encoder is not None:
        made["style_encoder"] = OnnxStyleEncoder(config.style_encoder, networks["style_encoder"], where)
    return file.model(made)


def needs_torch(config: ModelConfig) -> str:
    """Return why only torch runs such a model, as part of a sentence; empty if onnxruntime does."""
    if isinstance(config.speech_encoder, PretrainedSpeechConfig):
        return "a speech encoder of the HuBERT family"
    if config.denoiser.align_width != 1:
        return f"an alignment mask of width {config.denoiser.align_width}"
    return ""

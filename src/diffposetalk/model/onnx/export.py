"""Write a model as ONNX files with a JSON file beside them, for other programs and languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.config import to_dict
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.diffusion.samplers import step_sequence
from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.frames import FRAME_SAMPLES, LOOKAHEAD, MEL_FLOOR, SILENCE, mel_filters
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.speech import OnnxSpeechEncoder

FORMAT = 1
"""Version of ``model.json``."""


def export_onnx(model: Model, folder: Path) -> list[Path]:
    """Write the networks and ``model.json``.

    Args:
        model: loaded by `load_onnx_model`.
        folder: made if absent.

    Returns:
        The files.

    Raises:
        UsageError: the speech encoder needs Whisper, which no ONNX file holds.
    """
    encoder, denoiser = model.speech_encoder, model.denoiser
    if not isinstance(encoder, OnnxSpeechEncoder) or not isinstance(denoiser, OnnxDenoiser):
        raise UsageError(f"the model {model.config.name!r} hears by Whisper, which is not part of it; export lite")
    files = {"speech_encoder.onnx": encoder.graph(), "denoiser.onnx": denoiser.graphs.whole()}
    if encoder.takes_phones:
        files["script.onnx"] = encoder.script_graph()
    if model.style_encoder is not None:
        files["style_encoder.onnx"] = model.style_encoder.graph()
    files["model.json"] = json.dumps(_description(model, encoder, denoiser), indent=1).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def _description(model: Model, encoder: OnnxSpeechEncoder, denoiser: OnnxDenoiser) -> dict[str, Any]:
    """Return everything but the networks that generation needs, as plain lists and numbers."""
    config, graphs = model.config, denoiser.graphs
    schedule = NoiseSchedule.make(config.schedule, config.noise_steps)
    nulls = {"null_speech": graphs.null_speech, "null_style": graphs.null_style}
    return {
        "format": FORMAT,
        "config": to_dict(config),
        "motion_space": model.space.to_dict(),
        "styles": {name: _numbers(style.vector) for name, style in model.presets.items()},
        **{name: None if value is None else _numbers(value) for name, value in nulls.items()},
        "start_speech": _numbers(graphs.start_speech),
        "start_motion": _numbers(graphs.start_motion),
        "speech": {
            "frame_samples": FRAME_SAMPLES,
            "lookahead_frames": LOOKAHEAD,
            "memory_frames": encoder.config.memory,
            "silence": SILENCE,
            "mel_floor": MEL_FLOOR,
            "prior": _numbers(encoder.prior),
            "mel_filters": _numbers(mel_filters(encoder.config.n_mels)),
        },
        "alpha_bar": _numbers(schedule.alpha_bar),
        "noise_steps": step_sequence(schedule, config.sampling.steps, "log_snr"),
    }


def _numbers(values: np.ndarray) -> Any:
    return np.asarray(values, np.float64).round(9).tolist()

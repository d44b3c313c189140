"""Models, styles, the authors' checkpoints, and recipes."""

from __future__ import annotations

import functools
import io
import tempfile
from pathlib import Path

import numpy as np

from .files import TESTS, helper, written


@functools.cache
def model_files() -> tuple[bytes, bytes]:
    """A model and a style encoder, both tiny."""
    from diffposetalk.model.style_reader import StyleReader

    model = helper("conftest").build_tiny_model()
    encoder = StyleReader(model.style_encoder, model.space)
    return written(model.save, "a.safetensors"), written(encoder.save, "a.safetensors")


@functools.cache
def baselines() -> list[bytes]:
    """Two baselines, both tiny: one with one-hot styles, one with a style encoder."""
    import torch

    from diffposetalk.workshop.baselines.artalk import ArTalkConfig
    from diffposetalk.workshop.baselines.faceformer import FaceFormerConfig
    from diffposetalk.workshop.baselines.kinds import build_baseline
    from diffposetalk.workshop.baselines.model import BaselineConfig, BaselineModel, widths_of
    from diffposetalk.workshop.baselines.styles import TrainingSpeakers

    model = helper("conftest").build_tiny_model()
    space, speech, style = model.space, model.speech_encoder, model.style_encoder
    speakers = TrainingSpeakers(("Ann", "Bob"), np.zeros((2, 3 * space.dim), np.float32))
    made = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for config, *styles in (
            (FaceFormerConfig(dim=16), None, speakers, None),
            (
                ArTalkConfig(dim=16, n_bits=4, scales=(1, 5), context=2, n_layers=1),
                style,
                None,
                np.zeros(16, np.float32),
            ),
        ):
            network = build_baseline(config, widths_of(config, space, speech.config, 2, 16))
            parts = BaselineConfig("tiny", config, speech.config, styles[0].config if styles[0] else None)
            made.append(written(BaselineModel(parts, space, network, speech, *styles).save, "a.safetensors"))
    return made


def style() -> bytes:
    """A style."""
    from diffposetalk.style import Style

    return written(Style(np.arange(16, dtype="f4"), "0123456789abcdef", "somebody").save, "a.style.safetensors")


@functools.cache
def released() -> dict[str, bytes]:
    """Checkpoints in the authors' layout, and what lies beside them."""
    import torch

    files = helper("released_weights/conftest")
    with tempfile.TemporaryDirectory() as name, torch.random.fork_rng():
        torch.manual_seed(0)
        files.denoiser_file(Path(name), stats_file=None)
        files.style_file(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def recipes() -> list[bytes]:
    """The recipes that ship."""
    folder = TESTS.parent / "configs"
    return [
        path.read_bytes()
        for path in (folder / "lite.toml", folder / "paper" / "small.toml", folder / "paper" / "style.toml")
    ]


def face_bundle() -> bytes:
    """A zip file with a member of MediaPipe's name."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("face_landmarks_detector.tflite", b"TFL3")
    return buffer.getvalue()

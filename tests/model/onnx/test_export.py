"""ONNX files are enough to generate: numpy, onnxruntime and `model.json` alone give the motion of a `Talker`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.generate.talker import Talker
from diffposetalk.model.onnx.load import load_onnx_model
from diffposetalk.speech import Speech

onnxruntime = pytest.importorskip("onnxruntime")


class Other:
    """Another program: it knows the files and docs/onnx.md, nothing of this package."""

    def __init__(self, folder: Path) -> None:
        self.about = json.loads((folder / "model.json").read_text())
        self.sessions = {path.stem: onnxruntime.InferenceSession(str(path)) for path in folder.glob("*.onnx")}

    def run(self, name: str, **inputs: Any) -> list[np.ndarray]:
        given = {key: np.ascontiguousarray(value, np.float32) for key, value in inputs.items()}
        return self.sessions[name].run(None, given)

    def features(self, samples: np.ndarray) -> np.ndarray:
        """Return ``(T, dim)`` features of samples ``(640 T,)``, at once."""
        speech, config = self.about["speech"], self.about["config"]["speech_encoder"]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
        whole = np.concatenate([np.zeros(240), samples])
        frames = np.lib.stride_tricks.sliding_window_view(whole, 400)[::160] * window
        power = np.abs(np.fft.rfft(frames, n=512)) ** 2
        mels = np.log(power @ np.array(speech["mel_filters"]) + speech["mel_floor"])
        total, weight, decay = np.array(speech["prior"]) * 1e-3, 1e-3, np.exp(-1 / (25 * config["memory_s"]))
        for start in range(0, len(mels), 4):
            part = mels[start : start + 4].copy()
            loudness = np.maximum(np.exp(part).mean(1) - speech["mel_floor"], 0)
            total, weight = decay * total + loudness @ part, decay * weight + loudness.sum()
            mels[start : start + 4] = np.clip(part - total / weight, -8, 8) / 3
        edges = [(speech[f"{name}_frames"] * 4, mels.shape[1]) for name in ("memory", "lookahead")]
        around = [np.full(edge, speech["silence"]) for edge in edges]
        inputs = [each for each in self.sessions["speech_encoder"].get_inputs() if each.name != "mels"]
        states = {each.name: np.zeros(each.shape) for each in inputs}
        features = self.run("speech_encoder", mels=np.concatenate([around[0], mels, around[1]]), **states)[0]
        return features[len(features) - len(samples) // 640 :]

    def window(self, features: np.ndarray, style: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return the first window ``(L, D)`` without guidance, by DDIM over the steps of ``model.json``."""
        frames = np.concatenate([self.about["start_speech"], features])[None]
        bars, steps = np.array(self.about["alpha_bar"]), self.about["noise_steps"]
        x = noise[None]
        for n, after in zip(steps, [*steps[1:], 0]):
            (x_0,) = self.run(
                "denoiser", x_n=x, noise_step=[n], valid=np.ones((1, x.shape[1], 1)), frames=frames, who=style[None],
                previous=np.array(self.about["start_motion"])[None],
            )  # fmt: skip
            along = np.sqrt((1 - bars[after]) / (1 - bars[n]))
            x = np.sqrt(bars[after]) * x_0 + along * (x - np.sqrt(bars[n]) * x_0)
        return x[0]


def test_files_are_enough_to_generate(tiny_model_path: Path, tmp_path: Path) -> None:
    assert run(["export-onnx", "--model", str(tiny_model_path), "-o", str(tmp_path / "onnx")]) == 0
    talker, other = Talker(load_onnx_model(tiny_model_path)), Other(tmp_path / "onnx")
    samples = (0.1 * np.random.default_rng(0).standard_normal(64_000)).astype(np.float32)
    features = other.features(samples)
    own = np.concatenate(list(talker.model.speech_encoder.stream([samples])))
    np.testing.assert_allclose(features, own, atol=1e-3)

    motion = talker.generate(
        Speech(samples), "lively", sampler="ddim", steps=2, seed=1, speech_scale=1, style_scale=1, non_speech="move"
    )
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal((100, talker.space.dim), np.float32)
    other.about["noise_steps"] = [50, 25]
    made = talker.space.decode(other.window(own, np.array(other.about["styles"]["lively"]), noise).astype(np.float32))
    np.testing.assert_allclose(made.expression, motion.expression, atol=1e-4)
    np.testing.assert_allclose(made.head_pose, motion.head_pose, atol=1e-4)


def test_a_model_that_hears_by_whisper_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export-onnx", "--model", "base", "-o", str(tmp_path / "onnx")]) == 2
    assert "hears by Whisper" in capsys.readouterr().err
    assert not (tmp_path / "onnx").exists()

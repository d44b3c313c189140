"""Converted weights give what the authors' code computes: forwards, samplers, whole demo runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.data.coefficients import Coefficients
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.talker import Talker
from diffposetalk.generate.window import ReleasedQuirks, sample_window
from diffposetalk.model.networks import WindowInput
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.released_weights.convert import convert
from diffposetalk.released_weights.demo import demo_windows, released_features, released_motion
from diffposetalk.style import Style

FORWARD, SAMPLING = 1e-5, 1e-4
"""Tolerances relative to the largest reference value."""


DENOISER = "experiments/DPT/head-SA-hubert-tiny/checkpoints/iter_0000123.pt"


def load(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {key.removesuffix("_f16"): file[key] for key in file.files}


def tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.asarray(value, np.float32))


def sound(pcm: np.ndarray) -> np.ndarray:
    return pcm.astype(np.float32) / 32768


def assert_near(ours: Any, theirs: np.ndarray, tolerance: float) -> None:
    error = np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()
    assert np.shape(ours) == theirs.shape and error <= tolerance, f"{error:.2e} > {tolerance:.0e}"


def forward(talker: Talker, data: Mapping[str, Any], valid: Tensor | None) -> Tensor:
    denoiser = talker.model.denoiser
    person = tensor(data["person_feat"])[:, 0]
    n = denoiser.config.identity_dim
    with torch.no_grad():
        conditions = denoiser.prepare(
            WindowInput(
                tensor(data["audio_feat"]),
                person[:, n:] if person.shape[1] > n else None,
                person[:, :n],
                tensor(data["prev_motion_feat"]),
                tensor(data["prev_audio_feat"]),
                valid,
            )
        )
        return denoiser(tensor(data["motion_feat"]), torch.from_numpy(data["step"]), conditions)


def test_denoiser(released: Talker, reference: Path) -> None:
    data = load(reference / "denoiser.npz")
    valid = torch.from_numpy(data["indicator"] > 0)
    assert_near(forward(released, data, valid), data["out"], FORWARD)
    assert_near(forward(released, data, None), data["out_full_indicator"], FORWARD)


def test_denoiser_that_predicts_noise(legacy: Talker, reference: Path) -> None:
    data = load(reference / "legacy_noise.npz")
    data = {key.removeprefix("den_"): value for key, value in data.items() if key.startswith("den_")}
    assert_near(forward(legacy, data, None), data["out"], FORWARD)


def test_speech_features(released: Talker, reference: Path) -> None:
    data = load(reference / "audio_features.npz")
    encoder = released.model.speech_encoder
    assert isinstance(encoder, PretrainedSpeechEncoder)
    with torch.no_grad():
        samples = encoder.standardise(tensor(sound(data["audio_i16"])))
        assert_near(encoder(samples, 100), data["audio_feat"], FORWARD)
        for key in [key for key in data if key.startswith("odd") and key.endswith("_feat")]:
            n = int(key.removeprefix("odd").removesuffix("_feat"))
            odd = encoder.standardise(tensor(sound(data["odd_i16"][:n])))[None]
            n_frames = int(data[f"odd{n}_frame_num"])
            assert_near(released_features(encoder, odd, n_frames)[0], data[key].reshape(n_frames, -1), FORWARD)


def test_a_surplus_of_samples_is_cut_not_squeezed_in(released: Talker, reference: Path) -> None:
    pcm = load(reference / "audio_features.npz")["odd_i16"]
    encoder = released.model.speech_encoder
    samples = tensor(sound(pcm[:64639]))[None]
    with torch.no_grad():
        cut, exact = encoder(samples, 100), encoder(samples[:, :64000], 100)
        squeezed = released_features(encoder, samples, 100)  # type: ignore[arg-type]
    torch.testing.assert_close(cut, exact)
    assert (squeezed - exact).abs().max() > 1e-2


CASES: dict[str, dict[str, Any]] = {
    "incr": {},
    "indep": {"guidance": "independent-released"},
    "incr_dt": {"threshold": (0.99, 1, 4)},
    "indep_dt": {"guidance": "independent-released", "threshold": (0.99, 1, 4)},
    "incr_dt2": {"threshold": (0.9, 0.5, 1.1)},
    "nocfg": {"speech_scale": None, "style_scale": None},
    "audio_only": {"speech_scale": 1.5, "style_scale": None},
    "style_only_incr": {"speech_scale": None, "style_scale": 3.0},
    "default_scale": {"speech_scale": 1.15, "style_scale": 1.15},
    "flex": {},
    "prev": {},
    "nostyle_audio": {"speech_scale": 1.15, "style_scale": None},
}


@pytest.mark.parametrize("case", CASES)
def test_sampler(released: Talker, reference: Path, case: str) -> None:
    data = load(reference / "sample.npz")
    options = SamplingOptions(sampler="ddpm", **{"speech_scale": 1.15, "style_scale": 3.0, **CASES[case]})
    noise = tensor(data["noise"])
    seen: dict[int, Tensor] = {}
    motion = sample_window(
        released.model,
        released.schedule,
        options,
        noise[0],
        WindowInput(
            tensor(data["audio_feat"]),
            None if case == "nostyle_audio" else tensor(data["style_feat"]),
            tensor(data["shape_feat"]),
            tensor(data["prev_motion"]) if case == "prev" else None,
            tensor(data["prev_audio"]) if case == "prev" else None,
            torch.from_numpy(data["indicator"] > 0),
        ),
        quirks=ReleasedQuirks(True, 0.4 if case == "flex" else 0.0, noise[1:]),
        on_step=lambda n, x: seen.update({n: x[:1]}),
    )
    assert_near(motion, data[f"out_{case}"], SAMPLING)
    if case == "incr":
        for n in (19, 15, 10, 5, 1, 0):
            assert_near(seen[n], data[f"traj_incr_{n}"], SAMPLING)


@pytest.mark.parametrize(
    ("case", "scale", "flexibility"), [("audio", 1.15, 0.0), ("nocfg", None, 0.0), ("audio_flex1", 1.15, 1.0)]
)
def test_sampler_of_noise(legacy: Talker, reference: Path, case: str, scale: float | None, flexibility: float) -> None:
    data = load(reference / "legacy_noise.npz")
    encoder = legacy.model.speech_encoder
    with torch.no_grad():
        features = encoder(encoder.standardise(tensor(sound(data["audio_i16"])))[None], 25)
    assert_near(features, data["audio_feat"], FORWARD)
    noise = tensor(data["noise"])
    motion = sample_window(
        legacy.model,
        legacy.schedule,
        SamplingOptions(sampler="ddpm", speech_scale=scale),
        noise[0],
        WindowInput(features, identity=tensor(data["shape_feat"])),
        quirks=ReleasedQuirks(True, flexibility, noise[1:]),
    )
    assert_near(motion, data[f"out_{case}"], SAMPLING)


DEMOS: dict[str, dict[str, Any]] = {
    "ctx": {},
    "ctx_indep": {"guidance": "independent"},
    "ctx_dt": {"threshold": (0.99, 1, 4)},
    "noctx": {},
    "short": {},
    "exact2": {},
    "over300": {},
    "over639": {},
    "tiny": {},
}


@pytest.mark.parametrize("case", DEMOS)
def test_demo(released: Talker, reference: Path, case: str) -> None:
    data, audio = load(reference / "demo_inference.npz"), load(reference / "audio_features.npz")
    pcm = np.concatenate([audio["audio_i16"][0], audio["audio_i16"][1], audio["odd_i16"][:22013]])
    pcm = pcm[: int(data.get(f"{case}_len", len(pcm)))]
    options = SamplingOptions(sampler="ddpm", speech_scale=1.15, style_scale=3.0, **DEMOS[case])
    style = Style(data["style"], "", "reference")
    windows = list(
        demo_windows(
            released,
            sound(pcm),
            style,
            options,
            data["shape_coef"],
            data["noise"],
            context_features=case != "noctx",
        )
    )
    if case == "ctx":
        for ours, theirs in zip(windows, data["ctx_windows"], strict=True):
            assert_near(ours, theirs[:, : ours.shape[1]], SAMPLING)
    motion = released_motion(released, np.concatenate(windows, 1)[0])
    coefficients = Coefficients.of_motion(motion, np.zeros(100))
    assert_near(coefficients.exp[None], data[f"{case}_exp"], SAMPLING)
    assert_near(coefficients.pose[None], data[f"{case}_pose"], SAMPLING)


def test_demo_follows_the_checkpoints_guidance(reference: Path, statistics: Statistics, tmp_path: Path) -> None:
    """A checkpoint trained with independent condition dropout is sampled so without an option."""
    content = torch.load(reference / DENOISER, weights_only=False)
    content["args"].cfg_mode = "independent"
    torch.save(content, tmp_path / "independent.pt")
    geometry = (reference / DENOISER).parents[1] / "audio_encoder_config.json"
    talker = Talker(convert(tmp_path / "independent.pt", statistics, speech_config=geometry).model)  # type: ignore[arg-type]
    data, audio = load(reference / "demo_inference.npz"), load(reference / "audio_features.npz")
    pcm = np.concatenate([audio["audio_i16"][0], audio["audio_i16"][1], audio["odd_i16"][:22013]])
    options = talker.completed_options(
        SamplingOptions(sampler="ddpm", speech_scale=1.15, style_scale=3.0), has_style=True
    )
    style = Style(data["style"], "", "reference")
    noise = data["noise"]
    windows = list(demo_windows(talker, sound(pcm), style, options, data["shape_coef"], noise))
    motion = released_motion(talker, np.concatenate(windows, 1)[0])
    assert_near(Coefficients.of_motion(motion, np.zeros(100)).exp[None], data["ctx_indep_exp"], SAMPLING)


def test_demo_of_noise_with_two_takes(legacy: Talker, reference: Path) -> None:
    data = load(reference / "legacy_noise.npz")
    options = SamplingOptions(sampler="ddpm", speech_scale=1.15)
    windows = list(
        demo_windows(legacy, sound(data["demo_audio_i16"]), None, options, data["demo_shape_coef"], data["demo_noise"])
    )
    for ours, theirs in zip(windows, data["demo_windows"], strict=True):
        assert_near(ours, theirs[:, : ours.shape[1]], SAMPLING)
    for take, exp, pose in zip(np.concatenate(windows, 1), data["demo_exp"], data["demo_pose"], strict=True):
        coefficients = Coefficients.of_motion(released_motion(legacy, take), np.zeros(100))
        assert_near(coefficients.exp, exp, SAMPLING)
        assert_near(coefficients.pose, pose, SAMPLING)


def test_style(released: Talker, reference: Path) -> None:
    data = load(reference / "style.npz")
    encoder = released.model.style_encoder
    assert encoder is not None
    reader = StyleReader(encoder, released.model.space)
    motion = Coefficients(data["in_shape"], data["in_exp"], data["in_pose"]).motion()
    for start in (0, 17, 30):
        assert_near(reader.read_style(motion.slice(start, start + 100)).vector, data[f"style_start{start}"], FORWARD)
    batch = tensor(data["batch_motion"])
    with torch.no_grad():
        assert_near(encoder(batch), data["batch_style"], FORWARD)
        assert_near(encoder(batch[:, :60]), data["batch_style_len60"], FORWARD)


def test_coefficients(released: Talker, reference: Path) -> None:
    data = load(reference / "coefs.npz")
    rows = Coefficients(data["in_shape"], data["in_exp"], data["in_pose"])
    for k in range(len(data["in_exp"])) if data["in_exp"].ndim == 3 else [slice(None)]:
        motion = Coefficients(rows.shape[k], rows.exp[k], rows.pose[k]).motion()
        vectors = released.model.space.encode(motion)
        assert_near(vectors, data["head_motion_norm"][k], FORWARD)
        back = Coefficients.of_motion(released_motion(released, vectors), np.zeros(100))
        assert_near(back.exp, data["head_back_exp"][k], FORWARD)
        assert_near(back.pose, data["head_back_pose"][k], FORWARD)

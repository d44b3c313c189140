"""The networks by onnxruntime give the numbers of the networks by torch; their graphs are valid ONNX."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.errors import ModelError, UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.model.checkpoint import Model, load_model
from diffposetalk.model.configs import DenoiserConfig, SpeechEncoderConfig, StyleEncoderConfig, WhisperSpeechConfig
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.networks import WindowInput, arrays_of
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.load import load_onnx_model
from diffposetalk.model.onnx.speech import OnnxSpeechEncoder, OnnxWhisperSpeechEncoder
from diffposetalk.model.onnx.style import OnnxStyleEncoder
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.whisper_speech import WhisperSpeechEncoder
from diffposetalk.speech import Speech

SMALL = DenoiserConfig(motion_dim=6, speech_dim=12, style_dim=5, dim=16, n_layers=3, n_heads=2, window=20, context=4)
LAYOUTS = {
    "the paper's": SMALL,
    "the bundled model's": replace(SMALL, pre_norm=True, noisy_scales=(1.2, 4.0), modulated=True),
    "the released one": replace(SMALL, identity_dim=3, out_hidden=8, speech_dim=16, valid_indicator=False),
    "without style": replace(SMALL, style_dim=0, n_layers=1, droppable=("speech",)),
    "modulated, not filtered": replace(SMALL, modulated=True, droppable=()),
}


def random_weights(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every weight a random value, those that begin at 0 too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return network.eval().requires_grad_(False)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("beginning", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_denoisers_agree(layout: str, beginning: bool) -> None:
    config = LAYOUTS[layout]
    network = random_weights(Denoiser(config))
    fast = OnnxDenoiser(config, arrays_of(network))
    inputs = WindowInput(
        normal(2, 20, config.speech_dim),
        normal(2, 5) if config.style_dim else None,
        normal(2, 3) if config.identity_dim else None,
        None if beginning else normal(2, 4, 6),
        None if beginning else normal(2, 4, config.speech_dim),
        np.arange(20)[None] < [[20], [13]],
    )
    sets = [(True, True)]
    sets += [(False, True)] if "speech" in config.droppable else []
    sets += [(True, False), (False, False)] if "style" in config.droppable else []
    x_n = normal(2, 20, 6, seed=1)
    slow = network.predict_sets(torch.from_numpy(x_n), 33, network.prepare_sets(inputs.mapped(torch.from_numpy), sets))
    got = fast.predict_sets(x_n, 33, fast.prepare_sets(inputs, sets))
    assert got.shape == (len(sets), 2, 20, 6)
    np.testing.assert_allclose(got, slow.numpy(), atol=1e-4 * np.abs(slow.numpy()).max())


def test_conditions_that_are_always_needed_cannot_be_left_out() -> None:
    config = LAYOUTS["modulated, not filtered"]
    fast = OnnxDenoiser(config, arrays_of(Denoiser(config)))
    for sets, name in (([(False, True)], "speech"), ([(True, False)], "style")):
        with pytest.raises(UsageError, match=f"always takes its {name}"):
            fast.prepare_sets(WindowInput(normal(1, 20, 12), normal(1, 5)), sets)


def test_a_shorter_window_is_that_of_a_shorter_network() -> None:
    config = replace(LAYOUTS["the bundled model's"], window=9)
    whole = random_weights(Denoiser(LAYOUTS["the bundled model's"]))
    short = Denoiser(config).eval()
    arrays = arrays_of(whole) | {"positions": arrays_of(whole)["positions"][:14]}
    short.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
    fast = OnnxDenoiser(LAYOUTS["the bundled model's"], arrays_of(whole)).shortened(9)
    inputs, x_n = WindowInput(normal(1, 9, 12), normal(1, 5)), normal(1, 9, 6, seed=1)
    slow = short.predict_sets(
        torch.from_numpy(x_n), 5, short.prepare_sets(inputs.mapped(torch.from_numpy), [(True, True)])
    )
    got = fast.predict_sets(x_n, 5, fast.prepare_sets(inputs, [(True, True)]))
    np.testing.assert_allclose(got, slow.numpy(), atol=1e-4)


@pytest.mark.parametrize("cuts", [(), (1, 640, 641, 30_000), tuple(range(500, 40_000, 777))])
def test_speech_encoders_agree_however_the_speech_is_cut(cuts: tuple[int, ...]) -> None:
    config = SpeechEncoderConfig(width=24, dim=10, dilations=(1, 1, 2, 4, 8))
    network = random_weights(SpeechEncoder(config))
    fast = OnnxSpeechEncoder(config, arrays_of(network))
    samples = 0.1 * normal(41_000)
    with torch.no_grad():
        whole = network(torch.from_numpy(samples)[None])[0].numpy()
    got = np.concatenate(list(fast.stream(np.split(samples, cuts))))
    assert got.shape == whole.shape == (65, 10)
    np.testing.assert_allclose(got, whole, atol=1e-4 * np.abs(whole).max())


def test_speech_in_hops_equals_speech_at_once() -> None:
    config = SpeechEncoderConfig(width=24, dim=10)
    fast = OnnxSpeechEncoder(config, arrays_of(random_weights(SpeechEncoder(config))))
    samples = 0.1 * normal(120 * FRAME_SAMPLES)
    state, pieces = fast.start(), []
    for hop in np.split(samples, range(2 * FRAME_SAMPLES, len(samples), 2 * FRAME_SAMPLES)):
        features, state = fast.advance(hop, state)
        pieces.append(features)
    got = np.concatenate([*pieces, fast.finish(state)])
    np.testing.assert_allclose(got, np.concatenate(list(fast.stream([samples]))), atol=1e-4 * np.abs(got).max())


def test_silence_without_end_leaves_the_numbers_finite() -> None:
    config = SpeechEncoderConfig(width=8, dim=4, memory_s=0.5)
    fast = OnnxSpeechEncoder(config, arrays_of(random_weights(SpeechEncoder(config))))
    *_, last = fast.stream([np.zeros(16_000, np.float32)] * 120)
    assert np.isfinite(last).all()


@pytest.mark.parametrize("kind", ["compact", "whisper"])
def test_phones_add_the_same(kind: str) -> None:
    numbers = np.random.default_rng(0).integers(0, 7, 24)
    if kind == "compact":
        config = SpeechEncoderConfig(width=24, dim=10, n_phones=7)
        network = random_weights(SpeechEncoder(config))
        fast = OnnxSpeechEncoder(config, arrays_of(network))
    else:
        config = WhisperSpeechConfig(dim=10, n_features=16, components=6, width=8, n_phones=7)
        network = random_weights(WhisperSpeechEncoder(config))
        fast = OnnxWhisperSpeechEncoder(config, arrays_of(network))
    added = fast.added_by_phones(numbers)
    assert added.shape == (12, 10)
    np.testing.assert_allclose(added, network.added_by_phones(numbers), atol=1e-4)


def test_encoders_of_whisper_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    config = WhisperSpeechConfig(dim=10, n_features=16, components=6, width=8)
    network = random_weights(WhisperSpeechEncoder(config))
    network.projection.copy_(torch.from_numpy(normal(16, 6)))
    fast = OnnxWhisperSpeechEncoder(config, arrays_of(network))

    class Whisper:
        def features(self, samples: np.ndarray) -> np.ndarray:
            return normal(len(samples) // 320, 16)

    network._whisper = fast._whisper = Whisper()
    blocks = np.array_split(normal(30_000), 5)
    slow = torch.cat(list(network.stream(blocks))).numpy()
    np.testing.assert_allclose(np.concatenate(list(fast.stream(blocks))), slow, atol=1e-4)


@pytest.mark.parametrize(
    "change", [{}, {"pre_norm": False}, {"pooling": "mean"}, {"pooling": "mean", "positions": "length"}]
)
def test_style_encoders_agree(change: dict[str, object]) -> None:
    config = StyleEncoderConfig(motion_dim=6, dim=16, n_layers=2, n_heads=2, window=20, **change)
    network = random_weights(StyleEncoder(config))
    windows = normal(3, 20, 6)
    got = OnnxStyleEncoder(config, arrays_of(network)).styles(windows)
    np.testing.assert_allclose(got, network.styles(windows), atol=1e-4)


def test_wrong_weights_are_named() -> None:
    arrays = arrays_of(Denoiser(SMALL))
    for change, said in (
        (lambda: arrays.pop("blocks.1.norms.2.bias"), r"'blocks\.1\.norms\.2\.bias' is missing"),
        (lambda: arrays.update({"blocks.1.norms.2.bias": normal(3)}), r"is \(3,\), expected \(16,\)"),
        (lambda: arrays.update({"blocks.1.norms.2.bias": normal(16), "extra": normal(3)}), "'extra' is not of this"),
    ):
        change()
        with pytest.raises(ModelError, match=said):
            OnnxDenoiser(SMALL, arrays)
    with pytest.raises(ModelError, match="needs torch"):
        OnnxDenoiser(replace(SMALL, align_width=3), arrays)


def test_graphs_are_valid_onnx() -> None:
    onnx = pytest.importorskip("onnx")
    config, speech, style = (
        LAYOUTS["the bundled model's"],
        SpeechEncoderConfig(n_phones=5),
        StyleEncoderConfig(motion_dim=6),
    )
    denoiser = OnnxDenoiser(config, arrays_of(Denoiser(config))).graphs
    encoder = OnnxSpeechEncoder(speech, arrays_of(SpeechEncoder(speech)))
    whole = (denoiser.prepare(), denoiser.step(), denoiser.whole(), encoder.graph(), encoder.script_graph())
    for graph in (*whole, OnnxStyleEncoder(style, arrays_of(StyleEncoder(style))).graph()):
        onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)


# --------------------------------------------------------------------------------------------------
# Whole models


@pytest.mark.parametrize("sampler", ["dpmpp", "ddim", "ddpm"])
def test_the_same_seed_gives_the_same_motion_with_and_without_torch(tiny_model_path: Path, sampler: str) -> None:
    speech = Speech(0.1 * normal(16_000 * 6))
    slow, fast = (Talker(load(tiny_model_path)) for load in (load_model, load_onnx_model))
    for options in ({"style": "lively", "seed": 4}, {"threshold": (0.9, 0.1, 0.5)}, {"guidance": "independent"}):
        how = {"sampler": sampler, "non_speech": "move", **options}
        a, b = (talker.generate(speech, **how) for talker in (slow, fast))
        np.testing.assert_allclose(a.expression, b.expression, atol=1e-4)
        np.testing.assert_allclose(a.head_pose, b.head_pose, atol=1e-4)
        assert slow.read_style(a).encoder == fast.read_style(a).encoder
        np.testing.assert_allclose(slow.read_style(a).vector, fast.read_style(a).vector, atol=1e-4)


def test_the_bundled_model_says_the_same_with_and_without_torch(talker: Talker, sample_path: Path) -> None:
    from diffposetalk.generate.pretrained import model_path

    slow = Talker(load_model(model_path("lite")))
    a, b = (each.generate(sample_path, seed=2) for each in (slow, talker))
    np.testing.assert_allclose(a.expression, b.expression, atol=1e-4)
    np.testing.assert_allclose(a.head_pose, b.head_pose, atol=1e-4)


def test_a_model_is_saved_as_it_was(tiny_model: Model, tiny_model_path: Path, tmp_path: Path) -> None:
    load_onnx_model(tiny_model_path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == tiny_model_path.read_bytes()


def test_generating_loads_no_torch(tiny_model_path: Path) -> None:
    code = (
        "import sys, numpy as np; from diffposetalk import Speech, Talker;"
        f"talker = Talker.from_pretrained({str(tiny_model_path)!r});"
        "motion = talker.generate(Speech(np.zeros(80_000, np.float32)), 'lively');"
        "talker.read_style(motion); assert len(motion) == 125; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Guidance in one pass: the target is what sampling computes, the student learns it, and sampling uses it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.diffusion.guidance import guidance_entries, guided, with_same_evaluations
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.sides import evened, uneven_part
from diffposetalk.generate.talker import Talker
from diffposetalk.generate.window import folded_scales
from diffposetalk.model.checkpoint import Model, load_model
from diffposetalk.model.networks import WindowInput, arrays_of
from diffposetalk.model.onnx.denoiser import OnnxDenoiser
from diffposetalk.model.onnx.load import load_onnx_model
from diffposetalk.speech import Speech
from diffposetalk.workshop.train.distill.fold import FoldConfig, FoldLosses, student_of
from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowConfig, Windows
from diffposetalk.workshop.train.loop import LoopConfig, train
from diffposetalk.workshop.train.run import StageRun

CONFIG = FoldConfig()


def clips(model: Model, n: int = 6) -> list[EncodedClip]:
    rng = np.random.default_rng(0)
    dims = (model.space.dim, model.config.denoiser.speech_dim)
    motion, features = (rng.standard_normal((n, 140, dim)).astype(np.float32).cumsum(1) / 12 for dim in dims)
    return [EncodedClip(m, f[None], k, np.zeros(0, np.float32)) for k, (m, f) in enumerate(zip(motion, features))]


def losses_of(model: Model, config: FoldConfig = CONFIG) -> FoldLosses:
    windows = Windows(clips(model), WindowConfig(window=100, context=10), model.space)
    schedule = NoiseSchedule.make(model.config.schedule, model.config.noise_steps)
    return FoldLosses(config, model.denoiser, (1.6, 2.0), windows, model.style_encoder, schedule, model.space)


def window(model: Model, scales: list[list[float]]) -> WindowInput:
    n, config = len(scales), model.config.denoiser
    torch.manual_seed(0)
    return WindowInput(
        torch.randn(n, 100, config.speech_dim), torch.randn(n, config.style_dim), scales=torch.tensor(scales)
    )


@pytest.mark.parametrize("scales", [(1.6, 2.0), (0.0, 1.0), (1.3, 0.4), (2.5, 3.5)])
def test_the_target_is_the_guided_prediction_of_sampling(tiny_model: Model, scales: tuple[float, float]) -> None:
    inputs, x_n = window(tiny_model, [list(scales)]), torch.randn(1, 100, tiny_model.space.dim)
    target = losses_of(tiny_model).guided(inputs, x_n, torch.tensor([20]))
    both, one = with_same_evaluations(guidance_entries(*scales), guidance_entries(scales[0], 1.0))
    denoiser = tiny_model.denoiser
    conditions = denoiser.prepare_sets(inputs, [(entry.speech, entry.style) for entry in both])
    predictions = denoiser.predict_sets(x_n, 20, conditions)
    wanted = guided(predictions, both)
    if scales[1] > 1:
        wanted = evened(wanted, guided(predictions, one), torch.from_numpy(uneven_part(tiny_model.space)))
    torch.testing.assert_close(target, wanted, atol=1e-5, rtol=1e-4)


def test_a_new_student_says_what_its_teacher_says_without_guidance(tiny_model: Model) -> None:
    student = student_of(tiny_model.denoiser, CONFIG).eval()
    inputs, x_n = window(tiny_model, [[1.6, 2.0]]), torch.randn(1, 100, tiny_model.space.dim)
    one, other = (
        network.predict_sets(x_n, 20, network.prepare_sets(inputs, [(True, True)]))
        for network in (student, tiny_model.denoiser)
    )
    torch.testing.assert_close(one, other)


def test_a_student_learns_and_goes_on_after_an_interruption(tiny_model: Model, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    losses = losses_of(tiny_model)
    factors = {"guided": 1.0, "guided_velocity": 1.0, "plain": 1.0}

    def learn(folder: Path, steps: int) -> torch.nn.Module:
        loop = LoopConfig(
            steps, 8, 3e-3, warmup=0, schedule="constant", ema=0.0, checkpoint_every=steps, validate_every=10
        )
        student = student_of(tiny_model.denoiser, CONFIG)
        return train(student, losses, losses, factors, loop, StageRun(folder, {"loop": "x"}))

    whole = learn(tmp_path / "whole", 60)
    learn(tmp_path / "parts", 30)
    resumed = learn(tmp_path / "parts", 60)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, rtol=0, atol=0)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    figures = [row["val_guided"] for row in rows if "val_guided" in row]
    assert figures[-1] < 0.8 * figures[0], figures


def folded_model(model: Model) -> Model:
    """The model with a student that has random weights for the scales."""
    student = student_of(model.denoiser, CONFIG)
    torch.manual_seed(1)
    with torch.no_grad():
        student.scales[2].weight.normal_(0, 3)
    return replace(
        model, denoiser=student.eval().requires_grad_(False), config=replace(model.config, denoiser=student.config)
    )


def test_a_folded_model_takes_one_evaluation_a_step_with_and_without_torch(tiny_model: Model, tmp_path: Path) -> None:
    model = folded_model(tiny_model)
    model.save(tmp_path / "folded.safetensors")
    slow, fast = (Talker(load(tmp_path / "folded.safetensors")) for load in (load_model, load_onnx_model))
    speech = Speech((0.1 * np.random.default_rng(0).standard_normal(80_000)).astype(np.float32))
    motions = {}
    for scales in ((1.6, 2.0), (0.5, 3.0), (1.0, 1.0), (4.0, 2.0)):
        how = {"speech_scale": scales[0], "style_scale": scales[1], "steps": 3, "style": "lively"}
        a, b = (talker.generate(speech, **how) for talker in (slow, fast))
        np.testing.assert_allclose(a.expression, b.expression, atol=1e-4)
        motions[scales] = a.expression
    assert np.abs(motions[1.6, 2.0] - motions[0.5, 3.0]).max() > 1e-3

    asked: list[int] = []
    denoiser = fast.model.denoiser
    predict = denoiser.predict_sets
    denoiser.predict_sets = lambda x, n, c: asked.append(c.n_sets) or predict(x, n, c)
    for options, n_sets in (({}, 1), ({"speech_scale": 4.0}, 3), ({"guidance": "independent"}, 3)):
        asked.clear()
        fast.generate(speech, "lively", steps=2, **options)
        assert set(asked) == {n_sets}, options


def test_scales_that_were_learned(tiny_model: Model) -> None:
    config = folded_model(tiny_model).config.denoiser
    for options, scales in (
        (SamplingOptions(speech_scale=1.6, style_scale=2.0), (1.6, 2.0)),
        (SamplingOptions(speech_scale=1.6), (1.6, 1.0)),
        (SamplingOptions(speech_scale=2.6, style_scale=2.0), None),
        (SamplingOptions(speech_scale=1.6, style_scale=3.6), None),
    ):
        assert folded_scales(config, options, "incremental") == scales
        assert folded_scales(config, options, "independent") is None
        assert folded_scales(tiny_model.config.denoiser, options, "incremental") is None
    with pytest.raises(UsageError, match="folded_speech"):
        replace(config, folded_speech=0.0)


def test_graphs_agree_about_scales(tiny_model: Model) -> None:
    student = folded_model(tiny_model).denoiser
    inputs, x_n = window(tiny_model, [[1.6, 2.0], [0.3, 1.0]]), torch.randn(2, 100, tiny_model.space.dim)
    fast = OnnxDenoiser(student.config, arrays_of(student))
    slow = student.predict_sets(x_n, 9, student.prepare_sets(inputs, [(True, True)])).numpy()
    given = inputs.mapped(lambda value: value.numpy())
    np.testing.assert_allclose(
        fast.predict_sets(x_n.numpy(), 9, fast.prepare_sets(given, [(True, True)])), slow, atol=1e-4
    )

"""The paper's training step against the reference: targets, terms and gradients with recorded random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffposetalk.data.coefficients import coefficients_to_vector
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.networks import WindowInput
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.released_weights.convert import convert
from diffposetalk.released_weights.keys import DENOISER_KEYS, STYLE_KEYS, _renamed
from diffposetalk.workshop.train.loop import LoopConfig, Turn
from diffposetalk.workshop.train.paper.batches import SpeechBatch
from diffposetalk.workshop.train.paper.losses import PAPER_WEIGHTS, TERMS, Geometry, total
from diffposetalk.workshop.train.paper.step import (
    GeneratorDraws,
    Speaker,
    TwoWindows,
    WindowDraws,
    denoised,
    draw_window,
    two_window_terms,
)
from diffposetalk.workshop.train.paper.surface import JawSurface
from diffposetalk.workshop.train.style import StyleLearner, StyleLearning, StyleLosses

NAMES = dict(zip(("noise", "vert", "vel", "smooth", "head_angle", "head_vel", "head_smooth", "head_trans"), TERMS))
"""The reference's names of the terms and ours."""
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "trunc2": {"truncated_second": 1.0},
    "trunc1": {"truncated_first": 1.0},
    "ctx_trunc12": {"truncated_first": 1.0, "truncated_second": 1.0, "joint_speech": True},
    "noise": {"truncated_second": 1.0},
    "l1_indep": {"criterion": "l1", "guidance": "independent"},
}


class Recorded:
    """Draws that were recorded, in their order."""

    def __init__(self, data: Any, prefix: str) -> None:
        self.left = [torch.from_numpy(data[key]) for key in sorted(data.files) if key.startswith(f"{prefix}_draw")]

    def truncated(self, share: float) -> bool:
        return share == 1

    def ends(self, n: int, n_frames: int) -> Tensor:
        return self._next((n,), 1, n_frames - 1)

    def uniform(self, n: int) -> Tensor:
        return self._next((n,), 0, 1)

    def noise_steps(self, n: int, n_steps: int) -> Tensor:
        return self._next((n,), 1, n_steps)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        return self._next(shape, -10, 10).float()

    def _next(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        value = self.left.pop(0)
        assert value.shape == shape and value.min() >= low and value.max() <= high
        return value


def released(reference: Path, style: bool = True) -> Model:
    """The reference model C with its style encoder S, ready to learn: without dropout."""
    folder = reference / "experiments"
    model = convert(
        folder / "DPT" / "train-tiny" / "checkpoints" / "iter_0000000.pt",
        Statistics.load(reference / "stats_train.npz"),
        folder / "SE" / "head-tiny-L2H4-T0.1" / "checkpoints" / "iter_0000045.pt",
    ).model
    assert isinstance(model, Model)
    model.denoiser.requires_grad_(True)
    model.speech_encoder.requires_grad_(True)
    model.speech_encoder.freeze()
    return model


def batch_of(reference: Path, items: tuple[int, ...]) -> SpeechBatch:
    data = np.load(reference / "lmdb_expected.npz")

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([data[f"dpt{item}_{name}"] for item in items], axis=1))

    means, stds = (torch.tensor([float(data[f"dpt{item}_audio_{name}"]) for item in items]) for name in ("mean", "std"))
    motion = coefficients_to_vector(stacked("exp"), stacked("pose"))
    return SpeechBatch(stacked("audio"), stacked("shape"), motion, means, stds)


def geometry_of(model: Model, head: dict[str, np.ndarray]) -> Geometry:
    shapes, poses = np.moveaxis(head["shapes"], -1, 0), np.moveaxis(head["poses"], -1, 0)
    bases = (head["template"], shapes[:100], shapes[300:350], poses[9:18])
    surface = JawSurface.of(*bases, head["regressor"][2], head["weights"][:, 2], fold=False)
    return Geometry(model.space, surface, model.identity_space)


@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_equal_the_reference(reference: Path, flame_head: dict[str, np.ndarray], variant: str) -> None:
    data = np.load(reference / "train_step.npz")
    model = released(reference)
    assert model.style_encoder is not None and model.identity_space is not None
    speaker = Speaker(model.speech_encoder, model.denoiser)
    style_encoder = model.style_encoder
    target = "noise" if variant == "noise" else "sample"
    names = TERMS[:1] if variant == "noise" else TERMS
    options = TwoWindows(**{"truncated_first": 0.0, "truncated_second": 0.0, **VARIANTS[variant]})
    draws = Recorded(data, variant)
    terms = two_window_terms(
        speaker,
        batch_of(reference, (0, 1)),
        options,
        NoiseSchedule.make("cosine", 50),
        geometry_of(model, flame_head),
        draws,
        names,
        lambda batch, window: style_encoder(batch.motion[1 - window]),
        target,
    )
    assert not draws.left
    for theirs, ours in NAMES.items():
        if f"{variant}_train_{theirs}" in data:
            assert terms[ours].item() == pytest.approx(float(data[f"{variant}_train_{theirs}"]), rel=1e-4), ours
    loss = total(terms, PAPER_WEIGHTS)
    assert loss.item() == pytest.approx(float(data[f"{variant}_train_loss"]), rel=1e-4)
    loss.backward()
    check_gradients(data, variant, speaker)


def check_gradients(data: Any, variant: str, speaker: Speaker) -> None:
    """Compare which parameters learn, the norms of all gradients and some in full."""
    ours = dict(speaker.named_parameters())
    names = [str(name) for name in data[f"{variant}_grad_names"]]
    learns = dict(zip(names, data["requires_grad"])) if "requires_grad" in data else {}
    largest = np.nanmax(data[f"{variant}_grad_norms"])
    for name, norm in zip(names, data[f"{variant}_grad_norms"]):
        found = [ours[key] for key in our_names(name)]
        if name in learns:
            assert all(parameter.requires_grad == learns[name] for parameter in found), name
        gradients = [parameter.grad for parameter in found]
        if np.isnan(norm):
            assert all(gradient is None for gradient in gradients), name
            continue
        size = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None) ** 0.5
        assert size == pytest.approx(norm, rel=1e-3, abs=1e-6 * largest), name
    full = [key for key in data.files if key.startswith(f"{variant}_grad::")]
    for key in full:
        (gradient,) = (ours[name].grad for name in our_names(key.partition("::")[2]))
        assert gradient is not None
        expected = data[key].reshape(gradient.shape)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-3 * np.abs(expected).max(), err_msg=key)


def our_names(name: str) -> list[str]:
    """Return our parameters that a released one became."""
    joint = "in_proj" in name
    mapped = _renamed({name: torch.zeros(3 if joint else 1)}, DENOISER_KEYS, "reference")
    assert len(mapped) == (3 if joint else 1)
    return list(mapped)


@pytest.mark.parametrize("mode", ["incremental", "independent", "given"])
def test_forward_equals_the_reference(reference: Path, mode: str) -> None:
    """Condition dropout, noise step and noise, in the order in which they are drawn."""
    data = np.load(reference / "train_forward.npz")
    model = convert(
        reference / "experiments" / "DPT" / "head-SA-hubert-tiny" / "checkpoints" / "iter_0000123.pt",
        Statistics.load(reference / "stats_train.npz"),
    ).model
    assert isinstance(model, Model)
    schedule = NoiseSchedule.make("cosine", 20)
    motion, speech, identity, style = (
        torch.from_numpy(data[name]).float() for name in ("motion", "audio_feat", "shape", "style")
    )
    if mode == "given":
        draws = Recorded(data, "none")
        draws.left = [torch.from_numpy(data[f"given_{name}"]) for name in ("mask_flag", "eps")]
        draws.left.insert(1, torch.from_numpy(data["time_step_given"]))
    else:
        draws = Recorded(data, mode)
    guidance = "independent" if mode == "independent" else "incremental"
    drawn = draw_window(draws, tuple(motion.shape), schedule, model.denoiser.config.droppable, guidance)
    assert not draws.left and drawn.ends is None
    target = denoised(model.denoiser, schedule, motion, drawn, WindowInput(speech, style, identity))
    expected = data[f"{mode}_target"]
    np.testing.assert_allclose(target.detach(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_conditions_are_dropped_only_where_they_may_be() -> None:
    schedule = NoiseSchedule.make("cosine", 20)

    def drawn(droppable: tuple[str, ...], guidance: str) -> WindowDraws:
        draws = GeneratorDraws(np.random.default_rng(0))
        return draw_window(draws, (4000, 5, 2), schedule, droppable, guidance, truncated=1.0)

    for guidance in ("incremental", "independent"):
        none = drawn((), guidance)
        assert none.speech_dropped is None and none.style_dropped is None
        assert drawn(("speech",), guidance).style_dropped is None
        assert drawn(("style",), guidance).speech_dropped is None
    incremental, independent = drawn(("speech", "style"), "incremental"), drawn(("speech", "style"), "independent")
    shares = [
        float(value.float().mean())
        for value in (
            incremental.speech_dropped,
            incremental.style_dropped,
            independent.speech_dropped,
            independent.style_dropped,
            drawn(("speech",), "independent").speech_dropped,
            drawn(("speech",), "incremental").speech_dropped,
            drawn(("style",), "incremental").style_dropped,
        )
        if value is not None
    ]
    assert shares == pytest.approx([0.1, 0.45, 0.5, 0.5, 0.1, 0.1, 0.1], abs=0.03)
    assert incremental.ends is not None and set(incremental.ends.tolist()) == {1, 2, 3, 4}
    assert (int(incremental.noise_step.min()), int(incremental.noise_step.max())) == (1, 20)


def test_what_follows_the_end_of_a_window_has_no_influence(reference: Path, flame_head: dict[str, np.ndarray]) -> None:
    """Neither speech nor motion after the end of a truncated window changes the losses."""
    model = released(reference)
    speaker = Speaker(model.speech_encoder, model.denoiser).eval()
    geometry, schedule = geometry_of(model, flame_head), NoiseSchedule.make("cosine", 50)
    options = TwoWindows(truncated_first=0.0, truncated_second=1.0)
    batch = batch_of(reference, (0, 1))
    losses = []
    for _ in range(2):
        draws = GeneratorDraws(np.random.default_rng(3))
        draws.ends = lambda n, n_frames: torch.full((n,), 9)  # type: ignore[method-assign]
        with torch.no_grad():
            terms = two_window_terms(
                speaker, batch, options, schedule, geometry, draws, TERMS, lambda batch, _: batch.motion[0, :, 0, :32]
            )
        losses.append(total(terms))
        batch.motion[1, :, 9:] += 1
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=0)


def test_style_step_equals_the_reference(reference: Path) -> None:
    data, expected = np.load(reference / "lmdb_expected.npz"), np.load(reference / "train_step_style.npz")
    path = reference / "experiments" / "SE" / "head-tiny-L2H4-T0.1" / "checkpoints" / "iter_0000045.pt"
    converted = convert(path, Statistics.load(reference / "stats_train.npz")).model
    assert isinstance(converted, StyleReader)
    encoder = converted.encoder.requires_grad_(True)
    learner = StyleLearner(encoder.config, {})
    learner.encoder = encoder
    first, second = (torch.from_numpy(np.stack([data[f"se{item}_coef"][view] for item in range(4)])) for view in (0, 1))
    stage = StyleLearning(encoder.config, LoopConfig(1, 4), own_negatives=True)
    same = torch.zeros(4, dtype=torch.long)
    losses = StyleLosses(stage, lambda turn: (first, second, same, torch.zeros(4, 0)), None, True)
    terms = losses(learner.eval(), Turn(0, 4, np.random.default_rng(0)))
    assert list(terms) == ["contrast"]
    assert terms["contrast"].item() == pytest.approx(float(expected["loss"]), rel=1e-4)
    for name, view in (("feat_a", first), ("feat_b", second)):
        np.testing.assert_allclose(
            encoder(view).detach(), expected[name], rtol=0, atol=1e-5 * np.abs(expected[name]).max()
        )
    terms["contrast"].backward()
    ours = dict(encoder.named_parameters())
    for name, norm in zip(expected["grad_names"], expected["grad_norms"]):
        name = str(name).removeprefix("encoder.")
        mapped = _renamed({name: torch.zeros(3 if "in_proj" in name else 1)}, STYLE_KEYS, "reference")
        gradients = [ours[key.removeprefix("style_encoder.")].grad for key in mapped]
        size = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None) ** 0.5
        assert size == pytest.approx(norm, rel=1e-3, abs=1e-6), name
    full = expected["grad::encoder.motion_proj.weight"]
    np.testing.assert_allclose(encoder.projection.weight.grad, full, rtol=0, atol=1e-3 * np.abs(full).max())

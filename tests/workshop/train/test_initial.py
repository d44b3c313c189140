"""What training begins from and draws, as in the released code: spreads, Xavier, copies, masks, dropout of positions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.config import load_config
from diffposetalk.errors import UsageError
from diffposetalk.model.configs import DenoiserConfig, PretrainedSpeechConfig, StyleEncoderConfig
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.workshop.train.initial import UNIT_SPREAD, initialise
from diffposetalk.workshop.train.lite.denoiser import DenoiserStage
from diffposetalk.workshop.train.loop import LoopConfig
from diffposetalk.workshop.train.paper.recipe import PaperRecipe

CONFIGS = Path(__file__).parents[3] / "configs"
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop")
SPEECH = {
    "model_type": "hubert",
    **json.loads((Path(__file__).parents[2] / "model" / "tiny_speech.json").read_text()),
    **dict.fromkeys(DROPOUTS, 0.0),
}


def test_released_initialisation_of_a_denoiser() -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig(motion_dim=54, speech_dim=64, style_dim=32, dim=64, n_layers=3, n_heads=4))
    initialise(denoiser, "released")
    parameters = dict(denoiser.named_parameters())
    for name in UNIT_SPREAD:
        values = parameters[name]
        assert float(values.detach().std()) == pytest.approx(1, abs=4 / math.sqrt(2 * values.numel())), name
    bound = float(torch.nn.MultiheadAttention(64, 4).in_proj_weight.detach().abs().max())
    for block in denoiser.blocks:
        for attention in (block.attention, block.cross_attention):
            assert float(attention.query.weight.detach().abs().max()) == pytest.approx(bound, rel=0.02)
            assert not attention.key.bias.any() and not attention.out.bias.any()
        torch.testing.assert_close(block.attention.value.weight, denoiser.blocks[0].attention.value.weight)


def test_small_initialisation_changes_nothing() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(StyleEncoderConfig(motion_dim=54, dim=32, n_layers=2))
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    initialise(encoder, "small")
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())


def test_positions_of_the_style_encoder_are_followed_by_dropout_in_training_alone() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(StyleEncoderConfig(motion_dim=54, dim=32, n_layers=1, dropout=0.0, position_dropout=0.1))
    motion = torch.randn(2, 20, 54)
    with torch.no_grad():
        assert not torch.equal(encoder(motion), encoder(motion))
        assert torch.equal(encoder.eval()(motion), encoder(motion))


@pytest.fixture()
def numpy_state() -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.usefixtures("numpy_state")
def test_features_are_masked_in_training_alone_and_by_the_steps_seed() -> None:
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    speech = {**SPEECH, "mask_time_prob": 0.3}
    encoder = PretrainedSpeechEncoder(PretrainedSpeechConfig(8, speech))
    plain = PretrainedSpeechEncoder(PretrainedSpeechConfig(8, speech, masked=False))
    plain.load_state_dict(encoder.state_dict())
    samples = torch.randn(2, 16000)

    def once(network: PretrainedSpeechEncoder, seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return network(samples)

    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(once(encoder, 1), once(encoder, 1)) and not torch.equal(once(encoder, 1), once(encoder, 2))
    assert np.array_equal(np.random.get_state()[1], before), "the global generator is left alone"  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(once(plain, 1), once(plain, 2))
    assert torch.equal(once(encoder.eval(), 1), once(plain.eval(), 2))


def test_the_papers_recipes_follow_the_released_training() -> None:
    data = ["data=x"]
    recipe = load_config(PaperRecipe, CONFIGS / "paper" / "denoiser.toml", data)
    assert recipe.denoiser and recipe.speech
    assert recipe.denoiser.loop.precision == recipe.style.loop.precision == "fp32"
    assert recipe.denoiser.initialisation == recipe.style.initialisation == "released"
    assert recipe.style.encoder.position_dropout == 0.1 and recipe.speech.encoder.masked  # type: ignore[union-attr]
    assert (recipe.denoiser.loop.steps, recipe.style.loop.steps) == (110_000, 30_000)
    without = load_config(PaperRecipe, CONFIGS / "paper" / "ablations" / "no_head_pose.toml", data)
    assert without.denoiser and (without.denoiser.loop.steps, without.style.loop.steps) == (100_000, 34_000)


def test_earlier_names_of_loss_terms_are_refused_with_the_new_one() -> None:
    with pytest.raises(UsageError, match="'vertex_velocity' is now called 'vertex_velocity_mm2'"):
        DenoiserStage(
            DenoiserConfig(motion_dim=55, speech_dim=8), LoopConfig(1, 1), {"simple": 1.0, "vertex_velocity": 1.0}
        )

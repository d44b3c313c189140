"""The denoiser: what each frame may see, what dropping a condition does, caches that change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import DenoiserConfig, StyleEncoderConfig
from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.networks import WindowInput

CONFIG = DenoiserConfig(
    motion_dim=5, speech_dim=7, style_dim=4, dim=16, n_layers=2, n_heads=2, dropout=0.0, window=12, context=3
)


@pytest.fixture()
def denoiser() -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(CONFIG).eval()


def test_shapes_and_defaults(denoiser: Denoiser) -> None:
    conditions = denoiser.prepare(WindowInput(torch.randn(2, 12, 7)))
    assert denoiser(torch.randn(2, 12, 5), torch.tensor([1, 500]), conditions).shape == (2, 15, 5)


def test_each_part_of_the_condition_reaches_the_result(denoiser: Denoiser) -> None:
    speech, style = torch.randn(1, 12, 7), torch.randn(1, 4)
    motion, before = torch.randn(1, 3, 5), torch.randn(1, 3, 7)
    x_n, step = torch.randn(1, 12, 5), torch.tensor([7])
    full = denoiser(x_n, step, denoiser.prepare(WindowInput(speech, style, None, motion, before)))
    changes = {
        "speech": denoiser.prepare(WindowInput(speech + 1, style, None, motion, before)),
        "style": denoiser.prepare(WindowInput(speech, style + 1, None, motion, before)),
        "previous motion": denoiser.prepare(WindowInput(speech, style, None, motion + 1, before)),
        "previous speech": denoiser.prepare(WindowInput(speech, style, None, motion, before + 1)),
        "valid": denoiser.prepare(WindowInput(speech, style, None, motion, before, torch.arange(12)[None] < 5)),
    }
    for name, conditions in changes.items():
        assert (denoiser(x_n, step, conditions) - full).abs().max() > 1e-4, name
    assert (
        denoiser(x_n, torch.tensor([400]), denoiser.prepare(WindowInput(speech, style, None, motion, before))) - full
    ).any()


def test_dropped_conditions_are_the_learned_nulls(denoiser: Denoiser) -> None:
    speech, style = torch.randn(2, 12, 7), torch.randn(2, 4)
    x_n, step = torch.randn(2, 12, 5), torch.tensor([7, 7])
    both = torch.tensor([True, True])
    dropped = denoiser.prepare(WindowInput(speech, style), speech_dropped=both, style_dropped=both)
    other = denoiser.prepare(WindowInput(speech + 3, style - 2), speech_dropped=both, style_dropped=both)
    torch.testing.assert_close(denoiser(x_n, step, dropped), denoiser(x_n, step, other))
    without = denoiser.prepare(WindowInput(denoiser.null_speech.expand(2, 12, -1)))
    torch.testing.assert_close(denoiser(x_n, step, dropped), denoiser(x_n, step, without))


def test_rows_of_a_batch_are_independent(denoiser: Denoiser) -> None:
    speech, style, x_n = torch.randn(3, 12, 7), torch.randn(3, 4), torch.randn(3, 12, 5)
    step = torch.tensor([1, 20, 300])
    together = denoiser(x_n, step, denoiser.prepare(WindowInput(speech, style)))
    for row in range(3):
        alone = denoiser(
            x_n[row : row + 1],
            step[row : row + 1],
            denoiser.prepare(WindowInput(speech[row : row + 1], style[row : row + 1])),
        )
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


def test_identity_is_taken_where_configured() -> None:
    config = DenoiserConfig(**{**CONFIG.__dict__, "identity_dim": 6})
    denoiser = Denoiser(config).eval()
    speech, x_n, step = torch.randn(1, 12, 7), torch.randn(1, 12, 5), torch.tensor([3])
    one = denoiser(x_n, step, denoiser.prepare(WindowInput(speech, identity=torch.zeros(1, 6))))
    two = denoiser(x_n, step, denoiser.prepare(WindowInput(speech, identity=torch.ones(1, 6))))
    torch.testing.assert_close(one, denoiser(x_n, step, denoiser.prepare(WindowInput(speech))))
    assert (one - two).abs().max() > 1e-4


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="noisy_scales"):
        DenoiserConfig(motion_dim=5, speech_dim=7, noisy_scales=(0.0,))
    with pytest.raises(UsageError, match="multiple of n_heads"):
        DenoiserConfig(motion_dim=5, speech_dim=7, dim=10, n_heads=4)


def test_filter_adds_running_means_of_the_noisy_window_by_weights_of_the_step() -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig(**{**CONFIG.__dict__, "noisy_scales": (2.0,)})).eval()
    x_n, step = torch.randn(2, 12, 5), torch.tensor([3, 90])
    conditions = denoiser.prepare(WindowInput(torch.randn(2, 12, 7)))
    without = denoiser(x_n, step, conditions)
    assert denoiser.filter_weights is not None
    with torch.no_grad():
        denoiser.filter_weights.bias.copy_(torch.tensor([0.5] * 5 + [0.25] * 5))
    added = denoiser(x_n, step, conditions) - without
    frame = torch.arange(12.0)
    kernel = torch.exp(-0.5 * ((frame[:, None] - frame) / 2) ** 2)
    mean = torch.einsum("ts,bsd->btd", kernel / kernel.sum(1, keepdim=True), x_n)
    torch.testing.assert_close(added[:, 3:], 0.5 * x_n + 0.25 * mean, atol=1e-5, rtol=1e-5)
    assert not added[:, :3].any()


@pytest.mark.parametrize("width", [0, 1, 3])
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("scales", [(), (1.0, 3.0)])
def test_the_window_alone_equals_its_part_of_the_whole(width: int, pre_norm: bool, scales: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    config = replace(
        CONFIG,
        speech_dim=8,
        identity_dim=3,
        n_layers=3,
        context=4,
        align_width=width,
        pre_norm=pre_norm,
        noisy_scales=scales,
    )
    denoiser = Denoiser(config).eval()
    if denoiser.filter_weights is not None:
        torch.nn.init.normal_(denoiser.filter_weights.weight)
    n_sets, n = 3, 2
    x_n, step = torch.randn(n, 12, 5), torch.tensor([3, 40])
    previous, valid = torch.randn(n, 4, 5).repeat(3, 1, 1), (torch.arange(12) < 9).expand(6, -1)
    speech, style = torch.randn(6, 12, 8), torch.randn(6, 4)
    with torch.no_grad():
        conditions = denoiser.prepare(
            WindowInput(speech, style, torch.randn(6, 3), previous, torch.randn(6, 4, 8), valid)
        )
        whole = denoiser(x_n.repeat(n_sets, 1, 1), step.repeat(n_sets), conditions)
        window = denoiser.predict_window(x_n, step, conditions)
    torch.testing.assert_close(window.flatten(0, 1), whole[:, 4:], atol=1e-5, rtol=1e-5)


def test_modulation_starts_as_nothing_and_lets_style_weigh_the_noise() -> None:
    torch.manual_seed(0)
    plain = Denoiser(replace(CONFIG, noisy_scales=(1.0, 3.0))).eval()
    made = Denoiser(replace(CONFIG, noisy_scales=(1.0, 3.0), modulated=True)).eval()
    missing = made.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(key.startswith("modulation.") for key in missing)
    speech, style, x_n = torch.randn(2, 12, 7), torch.randn(2, 4), torch.randn(2, 12, 5)
    step = torch.tensor([3, 400])

    def of(network: Denoiser, noisy: torch.Tensor = x_n) -> torch.Tensor:
        return network(noisy, step, network.prepare(WindowInput(speech, style)))

    torch.testing.assert_close(of(made), of(plain))
    assert made.modulation is not None
    torch.nn.init.normal_(made.modulation[-1].weight, std=0.3)
    assert (of(made) - of(plain)).abs().max() > 1e-2
    # rows follow their own style, and several sets of conditions give what each gives alone
    both = made.prepare(WindowInput(speech.repeat(2, 1, 1), torch.cat([style, style + 1])))
    together = made.predict_window(x_n, step, both)
    alone = made(x_n, step, made.prepare(WindowInput(speech, style + 1)))[:, CONFIG.context :]
    torch.testing.assert_close(together[0], of(made)[:, CONFIG.context :])
    torch.testing.assert_close(together[1], alone)
    # without a filter there is nothing to weigh, but frames are still scaled and shifted
    bare = Denoiser(replace(CONFIG, modulated=True)).eval()
    assert bare.modulation is not None
    before = of(bare)
    torch.nn.init.normal_(bare.modulation[-1].bias)
    assert (of(bare) - before).abs().max() > 1e-2


def test_no_heads_are_refused() -> None:
    with pytest.raises(UsageError, match="multiple of n_heads 0"):
        DenoiserConfig(motion_dim=4, speech_dim=4, style_dim=4, dim=8, n_heads=0)
    with pytest.raises(UsageError, match="multiple of n_heads 0"):
        StyleEncoderConfig(motion_dim=4, n_heads=0)

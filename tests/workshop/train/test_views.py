"""Other people and other trackers: what variation and disturbance do to motion, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import UsageError
from diffposetalk.motion import MotionSpace
from diffposetalk.workshop.train.lite.views import Disturbance, Variation, there_and_back, varied

NAMES = (*CHANNELS, "head_x", "head_y", "head_z")
SPACE = MotionSpace("anny", 25.0, NAMES, np.full(55, 0.1, np.float32), np.full(55, 0.2, np.float32))


def windows(n: int = 6, n_frames: int = 100) -> torch.Tensor:
    raw = np.random.default_rng(0).random((n, n_frames, 55)).astype(np.float32) * 0.8
    raw[..., 52:] -= 0.4
    return torch.from_numpy((raw - SPACE.mean) / SPACE.std)


def raw(motion: torch.Tensor) -> np.ndarray:
    return motion.numpy() * SPACE.std + SPACE.mean


def test_variation_scales_movement_from_rest_by_group() -> None:
    motion = windows()
    variation = Variation(share=1.0, groups={"head_": 2.0, "jaw mouth": 1.5})
    factors = variation.draw(np.random.default_rng(1), len(motion), SPACE)
    found = raw(varied(motion, factors, SPACE))
    head, jaw, brow = NAMES.index("head_y"), NAMES.index("jawOpen"), NAMES.index("browInnerUp")
    assert np.allclose(found[..., head], raw(motion)[..., head] * factors[:, None, head].numpy(), atol=1e-5)
    assert np.allclose(found[..., jaw], (raw(motion)[..., jaw] * factors[:, None, jaw].numpy()).clip(0, 1), atol=1e-5)
    assert np.allclose(found[..., brow], raw(motion)[..., brow], atol=1e-5)
    assert factors[:, head].min() >= 0.5 and factors[:, head].max() <= 2.0 and factors[:, head].std() > 0.05
    assert torch.equal(factors[:, jaw], factors[:, NAMES.index("mouthClose")])  # lips that close go on closing
    assert found[..., :52].min() >= 0 and found[..., :52].max() <= 1


def test_variation_of_sides_keeps_the_mean_of_both_and_leaves_other_groups() -> None:
    variation = Variation(share=1.0, sides={"mouth": 1.5, "brow": 2.0})
    factors = variation.draw(np.random.default_rng(2), 2000, SPACE)

    def drawn(name: str) -> torch.Tensor:
        return factors[:, NAMES.index(name)]

    for stem, largest in (("mouthSmile", 1.5), ("browDown", 2.0)):
        left, right = drawn(f"{stem}Left"), drawn(f"{stem}Right")
        assert torch.allclose(left * right, torch.ones(2000), atol=1e-6)
        assert 0.9 * largest < (left / right).max() <= largest + 1e-6
    assert torch.equal(drawn("mouthSmileLeft"), drawn("mouthStretchLeft"))
    assert abs(float(torch.corrcoef(torch.stack([drawn("mouthSmileLeft"), drawn("browDownLeft")]))[0, 1])) < 0.1
    assert (drawn("eyeBlinkLeft") == 1).all() and (drawn("jawOpen") == 1).all()


def test_speakers_outside_the_share_stay_as_they_are() -> None:
    factors = Variation(share=0.5, groups={"head_": 2.0}).draw(np.random.default_rng(3), 200, SPACE)
    changed = (factors != 1).any(1).float().mean()
    assert 0.35 < changed < 0.65


def test_no_disturbance_changes_nothing() -> None:
    motion = windows()
    assert Disturbance()(motion, np.random.default_rng(0)) is motion
    assert torch.equal(Disturbance(share=0.0, noise=1.0, dropped=0.9)(motion, np.random.default_rng(0)), motion)


def test_the_same_generator_disturbs_alike() -> None:
    rough = Disturbance(noise=0.3, wander=0.2, offset=0.1, gain=0.1, dropped=0.1, smoothing=4, held=3, shortest=0.3)
    first, again = (rough(windows(), np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, windows(), atol=0.1)


def test_smoothing_is_a_running_mean() -> None:
    motion = windows(40)
    found = Disturbance(smoothing=3)(motion, np.random.default_rng(1)).numpy()
    wide = np.stack([motion[:, t : t + 3].mean(1) for t in range(98)], 1)
    is_wide = [np.allclose(found[k, 1:99], wide[k], atol=1e-4) for k in range(40)]
    is_same = [np.allclose(found[k], motion[k], atol=1e-4) for k in range(40)]
    assert 5 < sum(is_wide) < 25 and 5 < sum(is_same) < 25


def test_held_frames_lie_on_straight_lines() -> None:
    found = Disturbance(held=2)(windows(20), np.random.default_rng(1)).numpy()
    middle = (found[:, 0:98:2] + found[:, 2:100:2]) / 2
    straight = [np.allclose(found[k, 1:98:2], middle[k], atol=1e-4) for k in range(20)]
    assert 4 < sum(straight) < 16


def test_short_windows_go_to_and_fro() -> None:
    assert there_and_back(4, 9).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert there_and_back(1, 3).tolist() == [0, 0, 0]
    motion = torch.arange(100.0)[None, :, None].expand(5, 100, 55).contiguous()
    found = Disturbance(shortest=0.2)(motion, np.random.default_rng(2))
    for window in found[..., 0]:
        assert window.max() - window.min() < 100 and (window.diff().abs() == 1).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Variation(share=1.2),
        lambda: Variation(groups={"head_": 0.5}),
        lambda: Disturbance(noise=-1),
        lambda: Disturbance(smoothing=0),
        lambda: Disturbance(shortest=0),
    ],
)
def test_nonsense_is_refused(make) -> None:
    with pytest.raises(UsageError):
        make()

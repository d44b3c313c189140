"""Shares and probabilities of recipes lie in 0 to 1, whatever table they are in."""

from __future__ import annotations

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.train.distill.fold import FoldConfig
from diffposetalk.workshop.train.lite.augment import AugmentOptions
from diffposetalk.workshop.train.lite.views import Disturbance, Variation
from diffposetalk.workshop.train.lite.windows import WindowConfig
from diffposetalk.workshop.train.run import SpeakersRecipe


@pytest.mark.parametrize(
    ("settings", "name", "table"),
    [
        (AugmentOptions, "reverb", "augment"),
        (Disturbance, "dropped", "disturbance"),
        (Disturbance, "share", "disturbance"),
        (Variation, "share", "variation"),
        (WindowConfig, "start_share", "window"),
        (WindowConfig, "own_reference", "window"),
        (FoldConfig, "plain_share", "fold"),
    ],
)
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_share_beyond_its_range_is_refused(settings: type, name: str, table: str, value: float) -> None:
    assert settings(**{name: 0.0}) and settings(**{name: 1.0})
    with pytest.raises(UsageError, match=rf"^{table}\.{name} must lie in 0 to 1, got {value}$"):
        settings(**{name: value})


@pytest.mark.parametrize("value", [-0.1, 0.0, 1.0, 2.0])
def test_some_speakers_are_held_out_and_some_are_not(value: float) -> None:
    with pytest.raises(UsageError, match="validation_share must"):
        SpeakersRecipe(name="a", validation_share=value)

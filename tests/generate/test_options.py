"""Sampling options: defaults, and refusals in one line."""

from __future__ import annotations

import dataclasses
import math

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.generate.options import SamplingOptions


@pytest.mark.parametrize(
    "change",
    [
        {"sampler": "euler"},
        {"steps": 0},
        {"steps": -1},
        {"steps": 2.5},
        {"steps": True},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.0},
        {"speech_scale": -0.1},
        {"style_scale": math.nan},
        {"head_scale": math.inf},
        {"expression_scale": "1"},
        {"head_scale": None},
        {"guidance": "joint"},
        {"non_speech": "sing"},
        {"threshold": (0.99, 4, 1)},
        {"threshold": (1.5, 1, 4)},
        {"threshold": (0.99, 1)},
        {"threshold": (math.nan, 1, 4)},
        {"threshold": (0.99, 1, math.inf)},
        {"threshold": 0.99},
    ],
    ids=str,
)
def test_options_refuse_nonsense_in_one_line_that_names_it(change: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        SamplingOptions(**change)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message and next(iter(change)) in message and len(message) < 160


def test_options_default_to_the_fast_sampler_and_stay_as_made() -> None:
    options = SamplingOptions()
    assert options.sampler == "dpmpp" and options.threshold is None
    assert options.steps is options.speech_scale is options.style_scale is None  # the model's own
    assert dataclasses.replace(options, seed=3, threshold=(0.99, 1, 4)) != options
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.seed = 1  # type: ignore[misc]

"""Audio-video offset, estimated by comparing tracked lip motion with lip motion predicted from the sound.

The talking model predicts how far the lips open. The mean of a few of its samples is correlated with the tracked lips at
lags of up to 0.6 s in both directions. Slow changes are removed first, because a smile or a raised voice would correlate
over many lags.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.head.shared import shared_head
from diffposetalk.metrics.lips import mouth_gap
from diffposetalk.metrics.timing.sound_offset import FEWEST, FPS, Lag, lag_of_curves
from diffposetalk.speech import SAMPLE_RATE, Speech

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker
    from diffposetalk.motion import Motion

N_SAMPLES = 4
"""Number of model samples that are averaged into the prediction; with two, twice as many lags are wrong."""
WORTH_CORRECTING = 0.06
"""Seconds; smaller lags are within the error of the measurement."""


def measure_lag(motion: Motion, speech: Speech, talker: Talker | None = None, n_samples: int = N_SAMPLES) -> Lag:
    """Measure the audio-video offset.

    Costs 0.2 s of one core per second of video with four samples.

    Args:
        motion: tracked motion of the face; frame 0 is at the beginning of the sound.
        speech: sound at the same times.
        talker: model that predicts the lips; None for the bundled one.
        n_samples: number of its samples that are averaged.

    Returns:
        The lag. It is not known if lips or sound hardly change, or if there are too few frames.

    Raises:
        ModelError: a head has neither a jaw nor a lip gap.
    """
    tracked = _opening(motion.resampled(FPS))
    if len(tracked) < FEWEST:
        return lag_of_curves(tracked, tracked)
    samples = (talker or _bundled()).generate_many(speech.resampled(SAMPLE_RATE), n_samples)
    predicted = np.mean([_opening(sample.resampled(FPS)) for sample in samples], axis=0)
    return lag_of_curves(tracked, predicted)


def _opening(motion: Motion) -> np.ndarray:
    """Return the mouth opening, ``(T,)`` in any unit: the jaw's angle if the head has a jaw, else the lip gap."""
    return mouth_gap(motion, shared_head(motion.head)) if motion.jaw_pose is None else motion.jaw_pose[:, 0]


@cache
def _bundled() -> Talker:
    from diffposetalk.generate.talker import Talker

    return Talker.from_pretrained()

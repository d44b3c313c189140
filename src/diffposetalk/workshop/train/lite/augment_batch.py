"""Changes of a batch of speech while the speech encoder learns; cheap enough to be new in every step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from diffposetalk.model.speech_encoder import MEL_RANGE_HZ, hz_to_mel, mel_to_hz

_BEHIND_DB = (3.0, 20.0)
"""How far the speech of another crop lies below the crop that gets it, decibels."""
_LONGEST = 12
"""Bands, and steps of 10 ms, of the largest mask."""


def mixed(samples: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Put the speech of the next crop behind some crops of ``(B, n)``; the labels stay those of the crop itself."""
    chosen = rng.random(len(samples)) < share
    behind_db = rng.uniform(*_BEHIND_DB, len(samples))
    if len(samples) < 2 or not chosen.any():
        return samples
    others = samples.roll(1, 0)
    own, other = (each.square().mean(-1, keepdim=True).sqrt() for each in (samples, others))
    gain = torch.from_numpy((chosen * 10 ** (-behind_db / 20)).astype(np.float32)).to(samples.device)[:, None]
    return (samples + gain * own / other.clamp(min=1e-4) * others).clamp(-1, 1)


def warped(mels: Tensor, largest: float, rng: np.random.Generator) -> Tensor:
    """Scale the frequencies of log-mels ``(B, n_mels, T)`` by a random factor in each row (Jaitly and Hinton 2013).

    Args:
        mels: log-mels on the scale of `mel_filters`.
        largest: the factor lies between 1 - largest and 1 + largest; 0 changes nothing.
        rng: draws the factors.
    """
    if not largest:
        return mels
    n_mels = mels.shape[1]
    low, high = (hz_to_mel(hz) for hz in MEL_RANGE_HZ)
    centres = np.linspace(low, high, n_mels + 2)[1:-1]
    factors = rng.uniform(1 - largest, 1 + largest, (len(mels), 1))
    places = (hz_to_mel(mel_to_hz(centres) * factors) - centres[0]) / (centres[1] - centres[0])
    places = places.clip(0, n_mels - 1)
    below = np.minimum(places.astype(int), n_mels - 2)
    share = torch.from_numpy((places - below).astype(np.float32)).to(mels.device)[..., None]
    index = torch.from_numpy(below).to(mels.device)[..., None].expand(-1, -1, mels.shape[2])
    return mels.gather(1, index) * (1 - share) + mels.gather(1, index + 1) * share


def masked(mels: Tensor, share: float, rng: np.random.Generator, masks: int = 1) -> Tensor:
    """Hide bands and stretches of some crops of ``(B, n_mels, T)`` (SpecAugment, Park et al. 2019).

    Args:
        mels: normalised log-mels.
        share: of the crops.
        rng: draws crops and places.
        masks: bands of up to 12 hidden in each of them, and as many stretches of up to 120 ms.
    """
    mels = mels.clone()
    for row in np.flatnonzero(rng.random(len(mels)) < share):
        for _ in range(masks):
            band, step = (int(rng.integers(0, n - _LONGEST)) for n in mels.shape[1:])
            mels[row, band : band + int(rng.integers(1, _LONGEST + 1))] = 0
            mels[row, :, step : step + int(rng.integers(1, _LONGEST + 1))] = 0
    return mels

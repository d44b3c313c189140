"""Classifier-free guidance on speech and style: condition dropout, mixing, dynamic thresholding.

The whole way of guidance:

1. The options --speech-scale a and --style-scale s (Python: `speech_scale`, `style_scale`) are fields of `SamplingOptions`;
   `Talker.completed_options` replaces None by the model's own scales (`SamplingDefaults`), as --guidance by its own mode. A scale
   stays None if the model cannot be guided by that condition.
2. `guidance_entries(a, s, mode)` lists the evaluations r(speech, style) that are needed, each with its weight. `no`
   stands for a condition that is replaced by its learned null; the mode "incremental" gives
   `y = r(no, no) + a (r(speech, no) - r(no, no)) + s (r(speech, style) - r(speech, no))`.
3. `generate.window.sample_window` repeats the batch once for each entry; `Denoiser.prepare` puts the learned nulls in.
4. In every noise step the sampler (`diffusion.samplers.sample`) calls `denoise(x_n, n)`: one pass of the denoiser
   over all entries, then `guided` adds the predictions up, `y = sum_i w_i r_i`, and thresholds y if asked. For ARKit
   channels, `generate.sides` takes the difference of left and right from the result at style scale 1, so that guidance
   does not exaggerate an uneven face.
5. Where the model continues its windows (`SamplingDefaults`), `generate.window` joins y to the window before. The sampler
   goes on with the result as the prediction at x_n.

In training, `condition_dropout` replaces conditions by their nulls, so that the denoiser learns them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from diffposetalk.diffusion.noise import Array
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

GuidanceMode: TypeAlias = Literal["incremental", "independent"]
GUIDANCE_MODES: tuple[str, ...] = get_args(GuidanceMode)

RELEASED_INDEPENDENT = "independent-released"
"""The independent mode as the released code executes it: the second term starts from the guided result."""

Threshold: TypeAlias = tuple[float, float, float]

NEGLIGIBLE_WEIGHT = 1e-9
"""Terms of smaller weight are left out."""

INCREMENTAL_NO_STYLE = 0.35
"""Share of training samples without style only (incremental dropout)."""
INCREMENTAL_NEITHER = 0.10
"""Share of training samples without both conditions (incremental dropout)."""
INDEPENDENT_DROPOUT = 0.5
"""Share of training samples without each condition (independent dropout)."""


# --------------------------------------------------------------------------------------------------
# Guidance


@dataclass(frozen=True)
class GuidanceEntry:
    """One evaluation of the denoiser and its weight in the guided result."""

    speech: bool
    """True: with the real speech; False: with the learned null speech."""
    style: bool
    """True: with the real style; False: with the learned null style."""
    weight: float
    """Factor of this prediction in the sum."""


def guidance_entries(
    speech_scale: float | None, style_scale: float | None, mode: GuidanceMode | str = "incremental"
) -> tuple[GuidanceEntry, ...]:
    """List the evaluations that guidance needs, with their weights.

    With r(speech, style) the denoiser's prediction, and `no` for a condition that is replaced by its learned null:

    - "incremental": `r(no, no) + a (r(speech, no) - r(no, no)) + s (r(speech, style) - r(speech, no))`
    - "independent": `r(no, no) + a (r(speech, no) - r(no, no)) + s (r(no, style) - r(no, no))`. It needs a denoiser that
      was trained with independent condition dropout; with incremental dropout, style without speech never occurs.
    - "independent-released": what the released code computes in its independent mode, because it updates in place:
      `y = r(no, no) + a (r(speech, no) - r(no, no))`, then `y + s (r(no, style) - y)`. For comparison only.

    Args:
        speech_scale: a. None: no guidance by speech; every evaluation receives the speech.
        style_scale: s. None: no guidance by style; every evaluation receives the style (or, where none is given, the
            null style).
        mode: how the two scales combine.

    Returns:
        The terms of weight other than 0, in the order null, speech, style; the weights add up to 1. In incremental
        mode both scales 1 need a single evaluation, style scale 0 or speech scale 1 at most two.

    Raises:
        UsageError: an unknown mode.

    Source: DiffPoseTalk (arXiv:2310.00434), section on guidance, and its released code.
    """
    check_mode(mode, (*GUIDANCE_MODES, RELEASED_INDEPENDENT))
    a, s = speech_scale, style_scale
    weights: dict[tuple[bool, bool], float]  # (speech given, style given) -> weight
    if a is None:
        weights = {(True, True): 1.0} if s is None else {(True, False): 1 - s, (True, True): s}
    elif s is None:
        weights = {(False, True): 1 - a, (True, True): a}
    elif mode == "incremental":
        weights = {(False, False): 1 - a, (True, False): a - s, (True, True): s}
    elif mode == "independent":
        weights = {(False, False): 1 - a - s, (True, False): a, (False, True): s}
    else:
        weights = {(False, False): (1 - a) * (1 - s), (True, False): a * (1 - s), (False, True): s}
    return tuple(
        GuidanceEntry(speech, style, weight)
        for (speech, style), weight in weights.items()
        if abs(weight) > NEGLIGIBLE_WEIGHT
    )


def with_same_evaluations(
    entries: Sequence[GuidanceEntry], others: Sequence[GuidanceEntry]
) -> tuple[tuple[GuidanceEntry, ...], tuple[GuidanceEntry, ...]]:
    """Return both lists over the evaluations that either needs, in one order; weights of evaluations not needed are 0.

    So the predictions of one pass can be combined in both ways.
    """
    kinds = list(dict.fromkeys((entry.speech, entry.style) for entry in (*entries, *others)))

    def over_all(listed: Sequence[GuidanceEntry]) -> tuple[GuidanceEntry, ...]:
        weights = {(entry.speech, entry.style): entry.weight for entry in listed}
        return tuple(GuidanceEntry(*kind, weights.get(kind, 0.0)) for kind in kinds)

    return over_all(entries), over_all(others)


def guided(
    predictions: Array | Sequence[Array],
    entries: Sequence[GuidanceEntry],
    *,
    threshold: Threshold | None = None,
    threshold_each: bool = False,
    last_frames: int | None = None,
    valid: Array | None = None,
) -> Array:
    """Combine the predictions of the guidance entries: `y = sum_i w_i r_i`, then threshold it if asked.

    Args:
        predictions: ``(K, B, T, D)``, one ``(B, T, D)`` prediction of x_0 for each of the K entries, in their order.
        entries: the K entries.
        threshold: (ratio, low, high) of `dynamic_threshold`; None is off.
        threshold_each: threshold every prediction before the sum, as the released code does (the guided result is
            then not bounded); otherwise the guided result.
        last_frames: as in `dynamic_threshold`.
        valid: as in `dynamic_threshold`.

    Returns:
        ``(B, T, D)`` guided prediction.

    Raises:
        ValueError: a number of predictions other than the number of entries.
        UsageError: an impossible threshold.
    """
    if len(predictions) != len(entries):
        raise ValueError(f"{len(predictions)} predictions for {len(entries)} guidance entries")
    terms = list(predictions)
    if threshold is not None and threshold_each:
        terms = [dynamic_threshold(term, threshold, last_frames, valid) for term in terms]
    result: Array = terms[0] * entries[0].weight
    for term, entry in zip(terms[1:], entries[1:], strict=True):
        result = result + term * entry.weight
    if threshold is not None and not threshold_each:
        result = dynamic_threshold(result, threshold, last_frames, valid)
    return result


def dynamic_threshold(
    x_0: Array, threshold: Threshold, last_frames: int | None = None, valid: Array | None = None
) -> Array:
    """Clamp each sample to [-c, c], c being a high quantile of its absolute values within bounds.

    Args:
        x_0: ``(..., T, D)`` normalised motion; each leading index is a sample with its own c.
        threshold: (ratio, low, high): c = clamp(quantile(|x_0|, ratio), low, high).
        last_frames: take the quantile over the last so many frames only (all frames are clamped); None is all.
        valid: ``(..., T)``, True where the frame is real: others are left out of the quantile; None is all.

    Returns:
        ``(..., T, D)``, in the type of `x_0`. A sample without any valid frame is clamped to `low`.

    Raises:
        UsageError: an impossible threshold.

    Source: Saharia et al. 2022 (Imagen), section 2.3, without their rescaling; bounds as in DiffPoseTalk's released
    code, which takes the quantile over the current window's frames and applies this before guidance.
    """
    ratio, low, high = check_threshold(threshold)
    size: Array = abs(x_0)
    if isinstance(x_0, np.ndarray):
        if valid is not None:
            size = np.where(valid[..., None], size, np.nan)
        size = size if last_frames is None else size[..., -last_frames:, :]
        size = size.reshape(*size.shape[:-2], -1)
        empty = np.isnan(size).all(-1, keepdims=True)
        limit = np.nanquantile(np.where(empty, low, size), ratio, axis=-1)
        limit = np.clip(limit, low, high).astype(x_0.dtype)[..., None, None]
        return np.clip(x_0, -limit, limit)
    import torch

    size = size.float()
    if valid is not None:
        size = torch.where(valid[..., None], size, torch.nan)
    if last_frames is not None:
        size = size[..., -last_frames:, :]
    quantile = torch.nanquantile(size.flatten(start_dim=-2), ratio, dim=-1)
    bound = torch.nan_to_num(quantile, nan=low).clamp(low, high).to(x_0.dtype)[..., None, None]
    return torch.maximum(torch.minimum(x_0, bound), -bound)


# --------------------------------------------------------------------------------------------------
# Condition dropout in training


@dataclass(frozen=True, eq=False)
class ConditionDropout:
    """Which conditions of which samples are replaced by their learned null in a training step."""

    speech: Tensor
    """``(B,)`` bool, True where the speech is dropped."""
    style: Tensor
    """``(B,)`` bool, True where the style is dropped."""


def condition_dropout(
    uniform: Tensor,
    mode: GuidanceMode | str = "incremental",
    *,
    no_style: float = INCREMENTAL_NO_STYLE,
    neither: float = INCREMENTAL_NEITHER,
    independent: float = INDEPENDENT_DROPOUT,
) -> ConditionDropout:
    """Turn uniform draws into dropped conditions.

    Args:
        uniform: draws in [0, 1): incremental ``(B,)``; independent ``(B, 2)``, for style and for speech.
        mode: incremental drops the style alone or both, never the speech alone; independent drops each by itself.
        no_style: incremental: share of samples without style only.
        neither: incremental: share of samples without both.
        independent: independent: share dropped of each.

    Returns:
        The dropped conditions.

    Raises:
        UsageError: an unknown mode, or shares that are not probabilities.
        ValueError: draws of the wrong shape.

    Source: DiffPoseTalk's released code as executed: full .55, no style .35, neither .10; independent .5 each.
    """
    check_mode(mode, GUIDANCE_MODES)
    if min(no_style, neither, independent) < 0 or no_style + neither > 1 or independent > 1:
        raise UsageError(f"condition dropout needs shares, not {no_style}, {neither} and {independent}")
    if mode == "incremental":
        if uniform.ndim != 1:
            raise ValueError(f"incremental dropout takes draws of shape (B,), not {tuple(uniform.shape)}")
        return ConditionDropout(speech=uniform > 1 - neither, style=uniform > 1 - neither - no_style)
    if uniform.ndim != 2 or uniform.shape[1] != 2:
        raise ValueError(f"independent dropout takes draws of shape (B, 2), not {tuple(uniform.shape)}")
    return ConditionDropout(speech=uniform[:, 1] < independent, style=uniform[:, 0] < independent)


# --------------------------------------------------------------------------------------------------


def is_number(value: object) -> bool:
    """Return whether a value is an int or a float; True and False are not numbers here."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_mode(mode: str, known: Sequence[str]) -> None:
    """Refuse an unknown mode of guidance. The message names the modes for users; `RELEASED_INDEPENDENT` is not one.

    Raises:
        UsageError: the mode is not among the known ones.
    """
    if mode not in known:
        raise UsageError(f"unknown guidance {mode!r}: choose from {', '.join(GUIDANCE_MODES)}")


def check_threshold(threshold: object) -> Threshold:
    """Return (ratio, low, high) as given.

    Raises:
        UsageError: these are not three numbers with 0 < ratio <= 1 and 0 < low <= high.
    """
    if isinstance(threshold, (tuple, list)) and len(threshold) == 3 and all(map(is_number, threshold)):
        ratio, low, high = threshold
        if 0 < ratio <= 1 and 0 < low <= high < math.inf:
            return ratio, low, high
    raise UsageError(
        f"threshold must be three numbers (ratio, low, high), 0 < ratio <= 1 and 0 < low <= high, not {threshold!r}"
    )

"""The names of the released weights and ours: every key is mapped, checked or dropped for a written reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.errors import ModelError
from diffposetalk.model.configs import DenoiserConfig

if TYPE_CHECKING:
    from torch import Tensor

DENOISER_KEYS = {
    r"start_motion_feat": "denoiser.start_motion",
    r"start_audio_feat": "denoiser.start_speech",
    r"null_style_feat": "denoiser.null_style",
    r"null_audio_feat": "denoiser.null_speech",
    r"audio_feature_map\.(weight|bias)": r"speech_encoder.projection.\1",
    r"audio_encoder\.(.*conv)\.weight_g": r"speech_encoder.base.\1.parametrizations.weight.original0",
    r"audio_encoder\.(.*conv)\.weight_v": r"speech_encoder.base.\1.parametrizations.weight.original1",
    r"audio_encoder\.(.+)": r"speech_encoder.base.\1",
    r"denoising_net\.PE": "denoiser.positions",
    r"denoising_net\.diff_step_map\.([02]\..+)": r"denoiser.step_embedding.\1",
    r"denoising_net\.person_proj\.(.+)": r"denoiser.person_projection.\1",
    r"denoising_net\.feature_proj\.(.+)": r"denoiser.motion_projection.\1",
    r"denoising_net\.motion_dec\.([02]\..+)": r"denoiser.out.\1",
    r"denoising_net\.transformer\.layers\.(\d+)\.(.+)": r"denoiser.blocks.\1.\2",
}
"""Released name -> ours, for denoisers; the first that matches the whole name counts."""
STYLE_KEYS = {
    r"motion_proj\.(.+)": r"style_encoder.projection.\1",
    r"transformer\.layers\.(\d+)\.(.+)": r"style_encoder.blocks.\1.\2",
}
"""The same for style encoders."""
BLOCK_KEYS = {
    r"self_attn\.(in_proj_weight|in_proj_bias|out_proj\..+)": r"attention.\1",
    r"multihead_attn\.(in_proj_weight|in_proj_bias|out_proj\..+)": r"cross_attention.\1",
    r"linear1\.(.+)": r"feed_forward.0.\1",
    r"linear2\.(.+)": r"feed_forward.3.\1",
}
"""Names within a transformer layer; ``normK`` becomes ``norms.K-1``."""


@dataclass(frozen=True)
class Mapped:
    """Released weights under our names."""

    tensors: dict[str, Tensor]
    """By network and name, ``denoiser.out.0.weight``."""
    dropped: dict[str, str]
    """Released keys that are not needed, and why."""

    def of(self, network: str) -> dict[str, Tensor]:
        """Return the tensors of one network."""
        start = f"{network}."
        return {key.removeprefix(start): value for key, value in self.tensors.items() if key.startswith(start)}


def map_denoiser(
    weights: Mapping[str, Tensor], config: DenoiserConfig, schedule: NoiseSchedule, where: object
) -> Mapped:
    """Map a released denoiser file's weights, those of its speech encoder among them.

    Args:
        weights: by released name.
        config: of the denoiser to be filled.
        schedule: that its options name, against which its buffers are checked.
        where: file, for errors.

    Raises:
        ModelError: a key is unknown, or a buffer contradicts the options.
    """
    import torch

    from diffposetalk.model.layers import alignment_mask, sinusoid

    remaining, dropped = dict(weights), {}
    n_tokens = 1 + config.context + config.window
    for name, ours in {"betas": schedule.betas, "alphas": schedule.alphas, "alpha_bars": schedule.alpha_bar}.items():
        theirs = remaining.get(f"diffusion_sched.{name}")
        if theirs is not None and (theirs.shape != ours.shape or not np.allclose(theirs.numpy(), ours, atol=1e-6)):
            raise ModelError(
                f"{where}: the buffer 'diffusion_sched.{name}' is not that of a {schedule.kind} schedule of "
                f"{schedule.n_steps} steps, which its options name"
            )
    mask = remaining.pop("denoising_net.alignment_mask", None)
    expected = alignment_mask(config.context + config.window, config.align_width)
    if mask is not None:
        if expected is None or mask.shape != expected.shape or not torch.equal(mask.bool(), expected):
            raise ModelError(
                f"{where}: the buffer 'denoising_net.alignment_mask' is not that of width {config.align_width}, "
                "which its options name"
            )
        dropped["denoising_net.alignment_mask"] = "made anew from the options; equal"
    table = remaining.pop("denoising_net.PE.pe", None)
    if table is not None:
        dropped["denoising_net.PE.pe"] = "its one row in use becomes the constant position of every token"
    if "denoising_net.PE" not in remaining:
        remaining["denoising_net.PE"] = sinusoid(torch.tensor(n_tokens), config.dim).expand(1, n_tokens, -1)
    for key in [key for key in remaining if key.startswith("diffusion_sched.")]:
        del remaining[key]
        dropped[key] = "made anew from the options; equal where it is used"
    if remaining.pop("denoising_net.TE.pe", None) is not None:
        dropped["denoising_net.TE.pe"] = "made anew from the number of noise steps"
    return Mapped(_renamed(remaining, DENOISER_KEYS, where), dropped)


def map_style_encoder(weights: Mapping[str, Tensor], where: object) -> Mapped:
    """Map a released style encoder's weights.

    Raises:
        ModelError: a key is unknown.
    """
    remaining, dropped = dict(weights), {}
    for key in [key for key in remaining if key.startswith("PE.")]:
        del remaining[key]
        dropped[key] = "made anew from the number of frames"
    return Mapped(_renamed(remaining, STYLE_KEYS, where), dropped)


def _renamed(weights: Mapping[str, Tensor], keys: Mapping[str, str], where: object) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        ours = next((re.sub(pattern, new, name) for pattern, new in keys.items() if re.fullmatch(pattern, name)), None)
        if ours is None:
            raise ModelError(f"{where}: the weight {name!r} is not known of released checkpoints")
        renamed |= _in_block(ours, value) if ".blocks." in ours else {ours: _squeezed(ours, value)}
    return renamed


def _squeezed(name: str, value: Tensor) -> Tensor:
    """Drop the leading axes of size 1 that the released parameters carry."""
    n_axes = {"start_motion": 2, "start_speech": 2, "positions": 2, "null_style": 1, "null_speech": 1}
    n_expected = n_axes.get(name.rpartition(".")[2], value.dim())
    while value.dim() > n_expected and value.shape[0] == 1:
        value = value[0]
    return value


def _in_block(name: str, value: Tensor) -> dict[str, Tensor]:
    """Rename within a transformer layer; the joint projection of an attention becomes three."""
    start, layer, rest = re.fullmatch(r"(.+\.blocks)\.(\d+)\.(.+)", name).groups()  # type: ignore[union-attr]
    for pattern, new in BLOCK_KEYS.items():
        if re.fullmatch(pattern, rest):
            rest = re.sub(pattern, new, rest)
            break
    norm = re.fullmatch(r"norm(\d)\.(.+)", rest)
    if norm:
        rest = f"norms.{int(norm[1]) - 1}.{norm[2]}"
    joint = re.fullmatch(r"(.+)\.in_proj_(weight|bias)", rest)
    if joint:
        thirds = value.chunk(3)
        return {
            f"{start}.{layer}.{joint[1]}.{part}.{joint[2]}": third.contiguous()
            for part, third in zip(("query", "key", "value"), thirds, strict=True)
        }
    return {f"{start}.{layer}.{rest.replace('.out_proj.', '.out.')}": value}

"""A denoiser for sampling on x86 processors: the same numbers from weights laid out once for oneDNN's kernels.

Plain torch lays a matrix out anew in every product. A window takes tens to thousands of products with the same
weights, so it pays to do it once (about 13 % of a step at paper size, see benchmarks/README.md).
"""

from __future__ import annotations

import copy
import platform
from typing import cast

import torch
from torch import Tensor, nn

from diffposetalk.model.denoiser import Denoiser
from diffposetalk.model.layers import DecoderBlock


class PackedLinear(nn.Module):
    """A linear layer with its weight in oneDNN's own layout, and the GELU after it in the same pass if requested."""

    def __init__(self, layer: nn.Linear, n_rows: int, gelu: bool = False) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), n_rows)
        self.bias, self.after = layer.bias.detach(), "gelu" if gelu else "none"

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, self.after, [], "none")


def can_pack(denoiser: Denoiser) -> bool:
    """Tell whether this machine and this build of torch have the kernels, and the weights are of their kind."""
    weight = denoiser.positions
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
    )


def packed(denoiser: Denoiser) -> Denoiser:
    """Return a copy of a denoiser for inference alone, with the layers of its blocks packed; itself where that cannot be.

    Later changes of the denoiser's weights do not reach the copy.
    """
    if not can_pack(denoiser):
        return denoiser
    config = denoiser.config
    n_rows = 1 + config.context + config.window
    twin = copy.deepcopy(denoiser).eval().requires_grad_(False)
    for block in twin.blocks:
        block = cast(DecoderBlock, block)
        for name in ("query", "key", "value", "out"):
            setattr(block.attention, name, PackedLinear(getattr(block.attention, name), n_rows))
        hidden, back = cast(nn.Linear, block.feed_forward[0]), cast(nn.Linear, block.feed_forward[3])
        block.feed_forward[0], block.feed_forward[3] = PackedLinear(hidden, n_rows, True), PackedLinear(back, n_rows)
        block.feed_forward[1] = nn.Identity()  # its GELU is done with the layer before
    return twin

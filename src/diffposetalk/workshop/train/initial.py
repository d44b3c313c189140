"""Weights that training begins from."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import nn

from diffposetalk.model.layers import Attention, DecoderBlock, EncoderBlock

Initialisation: TypeAlias = Literal["released", "small"]
"""How weights are drawn: "released" as the released code does; "small" as the networks make themselves, with small
positions and null conditions, which suits small networks."""
UNIT_SPREAD = ("positions", "start_motion", "start_speech", "null_speech", "null_style")
"""Parameters that the released code draws with spread 1."""


@torch.no_grad()
def initialise(network: nn.Module, how: Initialisation) -> None:
    """Draw the weights of a denoiser or a style encoder anew, in place, from torch's global generator.

    "released": learned positions, starts and null conditions with spread 1; the joint projection of an attention by
    Xavier's rule, its biases 0; all transformer blocks begin alike, as copies of the first. Other layers keep torch's
    own rule, as in the released code.

    Args:
        network: what is drawn.
        how: see `Initialisation`.

    Source: DiffPoseTalk's released code, with torch's ``MultiheadAttention`` and ``TransformerDecoder``.
    """
    if how == "small":
        return
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2] in UNIT_SPREAD:
            nn.init.normal_(parameter)
    for module in network.modules():
        if isinstance(module, Attention):
            dim = module.query.in_features
            bound = math.sqrt(6 / (dim + 3 * dim))  # of the joint matrix (3 dim, dim)
            for layer in (module.query, module.key, module.value):
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.zeros_(layer.bias)
            nn.init.zeros_(module.out.bias)
    for module in network.modules():
        if isinstance(module, nn.ModuleList) and all(
            isinstance(block, EncoderBlock | DecoderBlock) for block in module
        ):
            for block in list(module)[1:]:
                block.load_state_dict(module[0].state_dict())

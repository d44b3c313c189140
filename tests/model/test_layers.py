"""Masks, positions, cached cross-attention: equal to the plain formulations."""

from __future__ import annotations

import pytest
import torch

from diffposetalk.model.layers import Attention, DecoderBlock, alignment_mask, sinusoid


def test_alignment_mask_opens_own_frame_only() -> None:
    blocked = alignment_mask(5, 1)
    assert blocked is not None
    assert not blocked[0].any()
    assert torch.equal(~blocked[1:], torch.eye(5, dtype=torch.bool))
    wide = alignment_mask(5, 2)
    assert wide is not None and (~wide[1:]).sum() == 5 + 4 + 4
    assert alignment_mask(5, 0) is None


def test_sinusoid_matches_the_formula() -> None:
    code = sinusoid(torch.tensor([0.0, 3.0]), 8)
    assert code.shape == (2, 8)
    for i in range(4):
        angle = 3.0 * 10000 ** (-2 * i / 8)
        assert code[1, 2 * i] == pytest.approx(float(torch.tensor(angle).sin()), abs=1e-6)
        assert code[1, 2 * i + 1] == pytest.approx(float(torch.tensor(angle).cos()), abs=1e-6)


def test_attention_equals_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 7, 16)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_width_one_equals_masked_attention() -> None:
    """What is computed once per window is what the alignment mask gives in every step."""
    torch.manual_seed(0)
    quick = DecoderBlock(16, 4, 32, 0.0, False, width=1).eval()
    plain = DecoderBlock(16, 4, 32, 0.0, False, width=2).eval()
    plain.load_state_dict(quick.state_dict())
    tokens, speech = torch.randn(3, 10, 16), torch.randn(3, 9, 16)
    torch.testing.assert_close(
        quick(tokens, quick.prepare(speech)), plain(tokens, plain.prepare(speech), alignment_mask(9, 1))
    )

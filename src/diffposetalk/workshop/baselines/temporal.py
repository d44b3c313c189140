"""Convolutions over time that encode motion and decode it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """A residual convolution of 5 frames."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.Conv1d(dim, dim, 5, padding=2)
        self.exit = nn.Conv1d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, dim, T)`` to the same shape."""
        return x + self.exit(functional.gelu(self.mix(self.norm(x.mT).mT)))


class TemporalNetwork(nn.Module):
    """Map ``(B, T, inputs)`` to ``(B, T, outputs)`` with residual convolutions between."""

    def __init__(self, inputs: int, dim: int, outputs: int, n_blocks: int) -> None:
        super().__init__()
        self.entry = nn.Linear(inputs, dim)
        self.blocks = nn.Sequential(*(Residual(dim) for _ in range(n_blocks)))
        self.exit = nn.Linear(dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map a sequence."""
        return self.exit(self.blocks(self.entry(x).mT).mT)

"""IdentitySpace: normalisation of identity coefficients for a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.motion.motion import finite_float32


@dataclass(frozen=True)
class IdentitySpace:
    """Mean and standard deviation of identity coefficients."""

    mean: np.ndarray
    """``(I,)`` float32."""
    std: np.ndarray
    """``(I,)`` float32, all above 0."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, finite_float32(getattr(self, name), f"identity {name}"))
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ModelError(f"identity space: mean is {self.mean.shape}, std {self.std.shape}; both must be (I,)")
        if not (self.std > 0).all():
            raise ModelError("identity space: every standard deviation must be above 0")

    @property
    def dim(self) -> int:
        """Number ``I`` of coefficients."""
        return len(self.mean)

    def encode(self, identity: np.ndarray | None) -> np.ndarray:
        """Return normalised coefficients ``(I,)``.

        Args:
            identity: ``(I,)``; None for the mean person of the head, all zeros.

        Raises:
            UsageError: the number of coefficients is wrong.
        """
        values = np.zeros(self.dim, np.float32) if identity is None else np.asarray(identity, np.float32)
        if values.shape != (self.dim,):
            raise UsageError(f"identity must have {self.dim} numbers for this model, got {values.shape}")
        return (values - self.mean) / self.std

    def to_dict(self) -> dict[str, Any]:
        """Return the values for the header of a checkpoint."""
        return {"mean": [float(value) for value in self.mean], "std": [float(value) for value in self.std]}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> IdentitySpace:
        """Rebuild from `to_dict`.

        Raises:
            ModelError: a field is missing or of the wrong shape.
        """
        try:
            return IdentitySpace(np.array(values["mean"], np.float32), np.array(values["std"], np.float32))
        except KeyError as error:
            raise ModelError(f"identity space: the field {error} is missing") from None
        except (TypeError, ValueError, InputError) as error:
            raise ModelError(f"identity space: a field is damaged ({error})") from None

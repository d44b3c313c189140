"""What generation needs of the three networks, whichever program runs them; and the input of a window.

Two programs can run a model: torch (`model.denoiser.Denoiser` and its neighbours; training needs it) and onnxruntime
(`model.onnx`). Both give the same motion to 1e-4. Nothing here needs either of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeAlias

import numpy as np

from diffposetalk.diffusion.noise import Array
from diffposetalk.model.configs import DenoiserConfig, StyleEncoderConfig

Given: TypeAlias = tuple[bool, bool]
"""Whether an evaluation of the denoiser receives the speech, and whether it receives the style."""


@dataclass(frozen=True)
class WindowInput:
    """What a window of motion is made from, for a batch of B."""

    speech: Array
    """``(B, L, speech_dim)`` features of the window."""
    style: Array | None = None
    """``(B, style_dim)``; None for the learned null style."""
    identity: Array | None = None
    """``(B, identity_dim)`` normalised; None for zeros."""
    previous_motion: Array | None = None
    """``(B, P, D)`` normalised motion before the window; None for the learned start."""
    previous_speech: Array | None = None
    """``(B, P, speech_dim)`` features before the window; None for the learned start."""
    valid: Array | None = None
    """``(B, L)`` True where the frame is real; None for all."""
    scales: Array | None = None
    """``(B, 2)`` scales of speech and style, for a denoiser into which guidance is folded; None for 1."""

    def mapped(self, change: Any) -> WindowInput:
        """Return the input with ``change`` applied to every array."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return WindowInput(**{name: None if value is None else change(value) for name, value in values.items()})


class DenoisingNetwork(Protocol):
    """A denoiser, as sampling uses it."""

    config: DenoiserConfig

    def array(self, values: Any) -> Array:
        """Return numbers as an array of the kind, and on the device, that the network takes."""

    def prepare_sets(self, inputs: WindowInput, sets: Sequence[Given]) -> Any:
        """Compute everything that the noise steps of a window share.

        Args:
            inputs: what the window is made from, for a batch of B.
            sets: K sets of conditions; those not given are replaced by their learned nulls.

        Raises:
            UsageError: a condition is to be left out that the model has not learned to do without.
        """

    def predict_sets(self, x_n: Array, noise_step: int, conditions: Any) -> Array:
        """Predict the clean window (or the noise) for each set of conditions: ``(B, L, D) -> (K, B, L, D)``."""


class SpeechNetwork(Protocol):
    """A speech encoder, as generation uses it."""

    config: Any

    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[Array]:
        """Encode speech of any length piece by piece: ``(t, dim)`` features, together one for every 40 ms.

        Args:
            blocks: ``(n,)`` float32 samples at 16 kHz, of any lengths.
            multiple: the speech is filled up to so many motion frames or a multiple of them.
            replicate: fill up with the last sample, not with zeros.
        """


class ScriptedNetwork(SpeechNetwork, Protocol):
    """A speech encoder that may take the phones of a transcript beside the speech."""

    @property
    def takes_phones(self) -> bool:
        """Whether it was trained with phones."""

    def added_by_phones(self, phones: np.ndarray) -> np.ndarray:
        """Return what phones ``(2 F,)``, 50 a second, add to the features ``(F, dim)``."""


class StyleNetwork(Protocol):
    """A style encoder, as `StyleReader` uses it."""

    config: StyleEncoderConfig

    def styles(self, windows: np.ndarray) -> np.ndarray:
        """Return the styles ``(N, S)`` of windows of normalised motion ``(N, T, D)``."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the weights by name, as in a model file."""


def to_numpy(values: Array) -> np.ndarray:
    """Return an array of either kind as a numpy array."""
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()


def in_single_precision(values: Any) -> np.ndarray:
    """Return numbers as an array of its own, floating ones in float32."""
    array = np.array(values)
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def arrays_of(network: Any) -> dict[str, np.ndarray]:
    """Return a network's weights by name as numpy arrays, as files want them."""
    return {key: np.ascontiguousarray(to_numpy(value)) for key, value in network.state_dict().items()}

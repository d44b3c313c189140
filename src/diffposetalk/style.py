"""Style: a manner of speaking as a vector, and its files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.files.atomic import HEADER_KEY, write_atomically
from diffposetalk.files.npz import read_npy
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tensor_files import read_header
from diffposetalk.motion import finite_float32

STYLE_KIND = "diffposetalk.style"
"""Kind of file, in the header."""


def check_shares(n_styles: int, shares: Sequence[float]) -> None:
    """Refuse shares that do not fit to the number of styles to mix.

    Raises:
        UsageError: no styles, another number of shares, a negative share, or all shares 0.
    """
    if not n_styles or len(shares) != n_styles or min(shares) < 0 or not 0 < sum(shares) < np.inf:
        raise UsageError(f"{n_styles} styles need as many shares, none negative and not all 0, got {list(shares)}")


@dataclass(frozen=True)
class Style:
    """A manner of speaking, read from motion by a style encoder."""

    vector: np.ndarray
    """``(S,)`` float32."""
    encoder: str
    """Fingerprint of the encoder's weights; empty if unknown."""
    source: str
    """Origin of the style, for people."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", finite_float32(self.vector, "style vector"))
        if self.vector.ndim != 1:
            raise InputError(f"a style vector must be (S,), got {self.vector.shape}")

    def __repr__(self) -> str:
        return f"Style({self.source!r}, {len(self.vector)} numbers, encoder {self.encoder or 'unknown'})"

    @staticmethod
    def blended(styles: Sequence[Style], shares: Sequence[float] | None = None) -> Style:
        """Mix styles: the weighted mean of the vectors, scaled to the weighted mean of their lengths.

        Args:
            styles: styles of one encoder.
            shares: weight of each style, at least 0 and not all 0; they need not sum to 1. None for equal weights.

        Raises:
            UsageError: there are no styles, or the shares do not fit.
            ModelError: the styles are of different encoders.
        """
        shares = [1.0] * len(styles) if shares is None else list(shares)
        check_shares(len(styles), shares)
        if len({(style.encoder, style.vector.shape) for style in styles}) > 1:
            raise ModelError("styles of different encoders cannot be mixed; read them again with one model")
        if len(styles) == 1:
            return styles[0]
        part = np.array(shares) / sum(shares)
        vectors = np.stack([style.vector for style in styles])
        mean = part @ vectors
        length = part @ np.linalg.norm(vectors, axis=1)
        mean *= length / max(float(np.linalg.norm(mean)), 1e-12)
        source = " + ".join(f"{share:.2g} {style.source}" for share, style in zip(part, styles))
        return Style(mean, styles[0].encoder, source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.style.safetensors`` file, atomically."""
        from safetensors.numpy import save

        header = {"kind": STYLE_KIND, **{k: v for k, v in self.__dict__.items() if k != "vector"}}
        write_atomically(path, save({"vector": self.vector}, {HEADER_KEY: json.dumps(header, sort_keys=True)}))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Style:
        """Read a style written by `save`.

        Raises:
            InputError: the file is missing or is not a style file.
        """
        from safetensors import safe_open

        header, shapes = read_header(path, "style file")
        if header.get("kind") != STYLE_KIND or "vector" not in shapes:
            raise InputError(f"{path}: not a style file; make one with `diffposetalk style`")
        with parsing(path, "style file"), safe_open(path, "numpy") as file:
            return Style(file.get_tensor("vector"), str(header["encoder"]), str(header["source"]))

    @staticmethod
    def load_vector(path: str | os.PathLike[str], encoder: str = "") -> Style:
        """Read a bare style vector (``.npy``, ``(S,)`` or ``(1, S)``), as the released code writes it.

        Args:
            path: the file.
            encoder: fingerprint of the encoder, which the file does not hold.

        Raises:
            InputError: the file is missing or is not a style vector.
        """
        vector = read_npy(path, "style vector")
        if vector.ndim == 2 and len(vector) == 1:
            vector = vector[0]
        if vector.ndim != 1 or vector.dtype.kind != "f":
            raise InputError(f"{path}: not a style vector; it must hold (S,) numbers")
        with parsing(path, "style vector"):
            return Style(vector, encoder, os.path.basename(path))

"""A style encoder with its motion space: motion -> style. It can be saved as a file of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from diffposetalk.config import from_dict, to_dict
from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tensor_files import header_table
from diffposetalk.model.checkpoint import fingerprint, load_weights, read_tensors, weights, write_tensors
from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.fitting import check_shapes, check_sizes
from diffposetalk.model.networks import StyleNetwork
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.style import Style

KIND = "diffposetalk.style_encoder"
"""Kind of file, in the header."""
FORMAT = 1
"""Format version, in the header. Newer versions are refused."""
SHORTEST_S = 1.0
"""Shortest motion from which a style can be read, seconds."""


@dataclass(frozen=True)
class StyleReader:
    """Reads the style of a motion."""

    encoder: StyleNetwork
    space: MotionSpace

    def __post_init__(self) -> None:
        if self.space.dim != self.encoder.config.motion_dim:
            raise ModelError(
                f"the motion space has {self.space.dim} channels, the style encoder {self.encoder.config.motion_dim}"
            )

    def read_style(self, motion: Motion, source: str = "motion") -> Style:
        """Read the style of a motion: the mean over windows that overlap by half.

        The mean is rescaled to the length of the encoder's own styles, unless the encoder's pooling is "mean".

        A motion as long as one window gives the output of the encoder itself.

        Raises:
            InputError: the motion is too short or lacks channels.
        """
        try:
            vectors = self.space.encode(motion).astype(np.float32)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        if len(vectors) < SHORTEST_S * self.space.fps:
            raise InputError(
                f"{source}: {motion.duration:.2f} s of motion is too short to read a style from (1 s at least)"
            )
        styles = self.encoder.styles(overlapping_windows(vectors, self.encoder.config.window))
        mean = styles.mean(0)
        if self.encoder.config.pooling != "mean":
            mean = mean * (np.linalg.norm(styles[0]) / np.linalg.norm(mean))
        return Style(mean, self.fingerprint, source)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the encoder's weights. A `Style` stores it as ``encoder``."""
        return fingerprint(self.encoder)

    def save(self, path: str | Path) -> None:
        """Write the encoder and its motion space to one file, atomically."""
        header = {
            "kind": KIND,
            "format_version": str(FORMAT),
            "config": json.dumps(to_dict(self.encoder.config)),
            "motion_space": json.dumps(self.space.to_dict()),
        }
        write_tensors(path, {f"style_encoder.{k}": v for k, v in weights(cast(Any, self.encoder)).items()}, header)

    @staticmethod
    def load(path: str | Path) -> StyleReader:
        """Read a file written by `save`.

        Raises:
            ModelError: the file is missing, of another kind or of a newer format, or a weight has the wrong shape.
        """
        with parsing(path, "style encoder"):
            return StyleReader._loaded(path)

    @staticmethod
    def _loaded(path: str | Path) -> StyleReader:
        from diffposetalk.model.style_encoder import StyleEncoder

        tensors, header = read_tensors(path, KIND)
        if int(header.get("format_version", 0)) > FORMAT:
            raise ModelError(
                f"{path}: style encoder format {header['format_version']} is newer than this program reads"
            )
        settings = header_table(path, header, "config")
        tensors = {key.removeprefix("style_encoder."): value for key, value in tensors.items()}
        shapes = {key: tuple(value.shape) for key, value in tensors.items()}
        check_sizes(settings, shapes, path)
        try:
            config = from_dict(StyleEncoderConfig, settings, f"{path}: config")
            space = MotionSpace.from_dict(header_table(path, header, "motion_space"))
            check_shapes(lambda: {"style_encoder": StyleEncoder(config)}, {"style_encoder": shapes}, path)
        except DiffPoseTalkError as error:
            raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
        encoder = StyleEncoder(config)
        load_weights(encoder, tensors, path)
        return StyleReader(encoder.eval().requires_grad_(False), space)


def overlapping_windows(vectors: np.ndarray, window: int) -> np.ndarray:
    """Cut ``(T, D)`` into windows that overlap by half: ``(N, window, D)``. Shorter motion gives ``(1, T, D)``."""
    last = max(0, len(vectors) - window)
    starts = sorted({*range(0, last, window // 2), last})
    return np.stack([vectors[start : start + window] for start in starts])

"""Style from a preset, a style file, a vector, a motion file of any program, or a video."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning, InputError, ModelError, UsageError
from diffposetalk.media import VIDEOS
from diffposetalk.motion import Motion
from diffposetalk.style import Style

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel
    from diffposetalk.model.style_reader import StyleReader
    from diffposetalk.progress import Progress

StyleSource: TypeAlias = str | os.PathLike[str] | Style | Motion | np.ndarray
"""The name of a preset; a style, vector, motion or video file; a `Style`; a `Motion`; or a vector ``(S,)``."""
STYLE_FILES = (".safetensors",)
"""Suffixes of style files."""
VECTOR_FILES = (".npy",)
"""Suffixes of files that hold a bare style vector."""


def style_of(
    source: StyleSource,
    reader: StyleReader | None,
    presets: Mapping[str, Style],
    *,
    head: str | HeadModel | None = None,
    landmarker: str | Path | None = None,
    progress: Progress | None = None,
) -> Style:
    """Return the style that a source holds or shows.

    Args:
        source: the name of a preset; a style file (``.safetensors``); a style vector (``.npy`` or an array), which is
            assumed to come from this model's encoder; a motion file of any program (``.npz``, ``.csv``, ``.json``,
            ...); a video of a person who talks; a `Style`; or a `Motion`.
        reader: the style encoder with its motion space; None if the model has no style encoder.
        presets: styles by name.
        head: FLAME head (name or file) to track a video on, if the model speaks FLAME, or of a FLAME motion. Default:
            the FLAME head in the asset folder.
        landmarker: MediaPipe's face landmark model. Default: as for `track`.
        progress: called while a video is tracked, in seconds of the video.

    Raises:
        UsageError: there is neither a preset nor a file of this name, or no style can be read from this kind of file.
        InputError: the file cannot be read, or its motion is too short.
        ModelError: the source is a motion or a video, and the model has no style encoder.
    """
    encoder = reader.fingerprint if reader else ""
    if isinstance(source, Style):
        return source
    if isinstance(source, Motion):
        return _style_of_motion(source, "motion", reader, head)
    if isinstance(source, np.ndarray):
        return Style(source, encoder, "array")
    if not isinstance(source, (str, os.PathLike)):
        raise UsageError(
            "a style must be the name of a preset, a file, a vector, a Motion or a Style, "
            f"not {getattr(type(source), '__name__', source)}"
        )
    name = os.fspath(source)
    if not name:
        raise UsageError("the name of a style is empty; name a preset or a file")
    if name in presets:
        return replace(presets[name], source=name)
    path = Path(name)
    if not path.exists():
        if path.suffix and not path.suffix[1:].isdigit():
            raise UsageError(f"{path}: no such file, from which to read the style")
        known = f"the presets are {', '.join(presets)}" if presets else "this model has no presets"
        raise UsageError(f"no style {name!r}: {known}, and there is no such file")
    suffix = path.suffix.lower()
    if suffix in STYLE_FILES:
        return Style.load(path)
    if suffix in VECTOR_FILES:
        return Style.load_vector(path, encoder)
    if suffix in VIDEOS:
        return _style_of_motion(_tracked(path, reader, head, landmarker, progress), path.name, reader, head)
    from diffposetalk.exchange import load_motion, suffixes

    if suffix not in suffixes(reading=True):
        known = ", ".join((*STYLE_FILES, *VECTOR_FILES, *suffixes(reading=True), *VIDEOS))
        raise UsageError(f"{path}: cannot read a style from a '{suffix}' file; use a preset or one of {known}")
    return _style_of_motion(load_motion(path), path.name, reader, head)


def _style_of_motion(motion: Motion, name: str, reader: StyleReader | None, head: str | HeadModel | None) -> Style:
    """Read the style of a motion. FLAME motion is first converted to ARKit channels if the model speaks those."""
    if reader is None:
        raise ModelError(
            f"{name}: this model has no style encoder, which reads motion; convert it with --style-encoder"
        )
    if motion.head == "flame" and reader.space.head != "flame":
        from diffposetalk.head import load_head
        from diffposetalk.retarget import to_arkit

        flame = head or "flame"
        try:
            motion = to_arkit(motion, load_head(flame) if isinstance(flame, str) else flame)[0]
        except InputError as error:
            raise InputError(
                f"{name}: motion of the head 'flame' needs that head to become ARKit motion: {error}"
            ) from None
    return reader.read_style(motion, name)


def _tracked(
    path: Path,
    reader: StyleReader | None,
    head: str | HeadModel | None,
    landmarker: str | Path | None,
    progress: Progress | None,
) -> Motion:
    """Track the main face of a video on the head of the model, and pass on the warnings of the tracker."""
    from diffposetalk.track import track

    on_flame = reader is not None and reader.space.head == "flame"
    result = track(path, (head or "flame") if on_flame else "anny", landmarker, progress=progress)
    for warning in result.quality.warnings:
        warnings.warn(f"{path}: {warning}", DiffPoseTalkWarning, stacklevel=4)
    return result.reference

"""What evaluation measures: anything that turns speech into motion."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import UsageError
from diffposetalk.model.checkpoint import header_kind
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.speech import Speech
from diffposetalk.style import Style

if TYPE_CHECKING:
    from diffposetalk.generate.script_of import TranscriptSource
    from diffposetalk.generate.talker import Talker

AnyStyle = str | Style | Motion | None
"""A preset's name or file, a style, motion to read one from, or the generator's own choice."""


class Generator(Protocol):
    """Speech in, motion out."""

    def __call__(self, speech: Speech, *, seed: int = 0, style: AnyStyle = None) -> Motion:
        """Return motion for the speech; another seed gives another sample, the same seed the same one."""
        ...


def energy_follower(speech: Speech, *, seed: int = 0, style: AnyStyle = None) -> Motion:
    """Move the jaw with the loudness of 40 ms around each frame: a trivial baseline.

    Returns:
        Motion of the head "anny" at 25 fps; ``seed`` and ``style`` change nothing.
    """
    n_frames = max(1, round(speech.duration * 25))
    hop = round(speech.sample_rate / 25)
    padded = np.pad(speech.samples.astype(np.float64), (hop // 2, 2 * hop))
    loudness = np.sqrt((padded[: (n_frames + 1) * hop].reshape(-1, hop)[:n_frames] ** 2).mean(-1))
    expression = np.zeros((n_frames, len(CHANNELS)), np.float32)
    expression[:, INDEX["jawOpen"]] = np.clip(0.5 * loudness / max(np.percentile(loudness, 95), 1e-3), 0, 1)
    return Motion(expression, CHANNELS, np.zeros((n_frames, 3), np.float32), 25.0)


@dataclass(frozen=True)
class ModelGenerator:
    """A model with its sampling options as a `Generator`."""

    talker: Talker
    """The model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `SamplingOptions` that differ from the model's own."""
    progress: Progress | None = None
    """Called while motion is made, with the seconds done of each speech."""

    def __call__(self, speech: Speech, *, seed: int = 0, style: AnyStyle = None) -> Motion:
        """Return motion for the speech. A model without a style encoder speaks in its default style."""
        return self.talker.generate(speech, self._style(style), seed=seed, progress=self.progress, **self.options)

    def _style(self, style: AnyStyle) -> AnyStyle:
        """Return the style, or None where the model cannot read it from motion: that is what such a model can do."""
        return None if isinstance(style, Motion) and self.talker.model.style_encoder is None else style

    def samples(
        self, speech: Speech, n_samples: int, style: AnyStyle = None, transcript: TranscriptSource | None = None
    ) -> list[Motion]:
        """Return the motion of seeds ``0..n_samples - 1``, made in one batch."""
        how = {"transcript": transcript, "progress": self.progress, **self.options}
        return self.talker.generate_many(speech, n_samples, self._style(style), seed=0, **how)


def samples_of(
    generate: Generator,
    speech: Speech,
    n_samples: int,
    style: AnyStyle = None,
    transcript: TranscriptSource | None = None,
) -> list[Motion]:
    """Return the motion of seeds ``0..n_samples - 1``; in one batch where the generator can.

    Raises:
        UsageError: a transcript is given to a generator that is not a model.
    """
    if isinstance(generate, ModelGenerator):
        return generate.samples(speech, n_samples, style, transcript)
    if transcript is not None:
        raise UsageError("only a model takes transcripts; leave out --transcripts")
    return [generate(speech, seed=seed, style=style) for seed in range(n_samples)]


@dataclass(frozen=True)
class Generation:
    """How the motion that is measured is made."""

    generator: str = "lite"
    """As for `load_generator`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Sampling options of a model (``steps``, ``speech_scale``, ...)."""
    style: AnyStyle = None
    """Manner that is spoken in; None for the generator's own."""
    samples: int = 1
    """Motions made for each speech, of seeds 0, 1..."""

    def load(self, progress: Progress | None = None) -> Generator:
        """Return the generator; see `load_generator`."""
        return load_generator(self.generator, self.options, progress)


def load_generator(what: str, options: Mapping[str, Any] | None = None, progress: Progress | None = None) -> Generator:
    """Return the generator that a command line names.

    Args:
        what: ``energy``; ``rhubarb``, where Rhubarb Lip Sync is installed; ``module:function`` with the signature of
            `Generator`; a file of a baseline (`workshop.baselines`); else a model's name or file.
        options: sampling options of a model (``steps``, ``speech_scale``, ...).
        progress: called by a model with the seconds done of each speech.

    Raises:
        UsageError: there is no such thing, or it takes no options.
        ModelError: the model cannot be loaded.
    """
    if (fixed := _without_options(what)) is not None:
        if options:
            raise UsageError(f"the generator {what!r} has no options, got {', '.join(options)}")
        return fixed
    module, colon, function = what.partition(":")
    if colon and not Path(what).exists():
        try:
            made: Generator = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise UsageError(f"--generator {what}: {error}") from None
        return made
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.generate.talker import Talker

    known = [option.name for option in fields(SamplingOptions) if option.name != "seed"]
    for name in options or {}:
        if name not in known:
            raise UsageError(f"unknown sampling option '{name}': choose from {', '.join(known)}; seeds are 0, 1, ...")
    return ModelGenerator(Talker.from_pretrained(what), options or {}, progress)


def _without_options(what: str) -> Generator | None:
    """Return the generator if it is one of those that take no options."""
    if what == "energy":
        return energy_follower
    if what == "rhubarb":
        from diffposetalk.workshop.baselines.floors.rhubarb import check_installed, rhubarb

        check_installed()
        return rhubarb
    if Path(what).is_file():
        from diffposetalk.workshop.baselines.model import KIND, BaselineModel

        if header_kind(what) == KIND:
            return BaselineModel.load(what)
    return None

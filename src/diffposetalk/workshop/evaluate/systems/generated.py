"""Models and baselines that speak the clips themselves."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError
from diffposetalk.workshop.evaluate.generators import Generator, ModelGenerator, load_generator, samples_of
from diffposetalk.workshop.evaluate.protocol.contents import PinnedClip, hash_of, n_frames
from diffposetalk.workshop.evaluate.protocol.material import EvaluationClip, sha256_of
from diffposetalk.workshop.evaluate.systems.base import Output
from diffposetalk.workshop.evaluate.systems.checks import check_length


@dataclass(frozen=True)
class GeneratedSystem:
    """A generator as a system."""

    name: str
    generator: Generator
    key: str
    """Hash of the generator: its weights and its options."""
    about: str
    fps: float
    """Frame rate of the protocol."""

    def fingerprint(self, clip: PinnedClip) -> str:
        """Return the hash of the generator; it gives the same for the same clip."""
        return self.key

    def outputs(self, clip: EvaluationClip, seeds: Sequence[int]) -> list[Output]:
        """Speak the clip, once for each seed."""
        if list(seeds) == list(range(len(seeds))):
            motions = samples_of(self.generator, clip.speech, len(seeds), clip.style)
        else:
            motions = [self.generator(clip.speech, seed=seed, style=clip.style) for seed in seeds]
        for motion in motions:
            check_length(motion, n_frames(clip.pinned, self.fps) / self.fps, Path(self.name))
        return list(motions)


def open_generator(what: str, fps: float, options: Mapping[str, Any] | None = None, name: str = "") -> GeneratedSystem:
    """Load a model or a baseline by name or file; see `load_generator`.

    Args:
        what: as for `load_generator`.
        fps: frame rate of the protocol.
        options: sampling options of a model; baselines have none.
        name: name in the report; by default that of the model.

    Raises:
        UsageError, ModelError: see `load_generator`.
    """
    generator = load_generator(what)
    weights = ""
    about = "baseline"
    if isinstance(generator, ModelGenerator):
        from diffposetalk.generate.pretrained import model_path

        weights = sha256_of(model_path(what))
        about = f"model, head {generator.talker.space.head}, weights {weights[:12]}"
        if options:
            generator = load_generator(what, options)
            about += ", " + ", ".join(f"{key} {value}" for key, value in options.items())
    elif Path(what).is_file():
        weights = sha256_of(what)
        about = f"baseline {Path(what).stem}, weights {weights[:12]}"
    used = dict(options or {}) if isinstance(generator, ModelGenerator) else {}
    key = hash_of([version("diffposetalk"), weights or _code_of(what, generator), used])
    return GeneratedSystem(name or Path(what).stem, generator, key, about, fps)


def _code_of(what: str, generator: Generator) -> str:
    """Return the name of a generator without weights, and the hash of the file with its code where there is one."""
    path = inspect.getsourcefile(type(generator) if not inspect.isroutine(generator) else generator)
    return f"{what} {sha256_of(path) if path else ''}"


@dataclass(frozen=True)
class TruthSystem:
    """The true motion as a system: the best that each measure can give."""

    name: str = "truth"
    about: str = "the true motion, measured like a system"

    def fingerprint(self, clip: PinnedClip) -> str:
        """Return the hash of the true motion."""
        return clip.truth.sha256

    def outputs(self, clip: EvaluationClip, seeds: Sequence[int]) -> list[Output]:
        """Return the true motion."""
        if not seeds:
            raise InputError("no seeds")
        return [clip.truth]

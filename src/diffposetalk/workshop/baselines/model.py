"""The file of a trained baseline, and motion from it: a system that evaluation accepts like a model of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diffposetalk.config import from_dict, to_dict
from diffposetalk.errors import DiffPoseTalkError, ModelError, UsageError
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tensor_files import header_lines, header_table
from diffposetalk.generate.style_of import StyleSource, style_of
from diffposetalk.model.checkpoint import load_weights, read_tensors, weights, write_tensors
from diffposetalk.model.configs import SpeechEncoderConfig, StyleEncoderConfig
from diffposetalk.model.fitting import check_shapes, check_sizes
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.workshop.baselines.kinds import AnyBaselineConfig, baseline_class, build_baseline
from diffposetalk.workshop.baselines.network import Baseline, Widths
from diffposetalk.workshop.baselines.styles import TrainingSpeakers
from diffposetalk.workshop.train.lite.frozen import log_mels

KIND = "diffposetalk.baseline"
"""Kind of file, in the header."""
PARTS = ("network", "speech_encoder", "style_encoder")
"""Networks of a file; the beginnings of their weights' names."""
FORMAT = 1
"""Format version, in the header. Newer versions are refused."""


@dataclass(frozen=True)
class BaselineConfig:
    """Everything needed to rebuild the networks."""

    name: str
    """Name of the baseline."""
    network: AnyBaselineConfig
    """Kind and sizes of the network."""
    speech_encoder: SpeechEncoderConfig
    style_encoder: StyleEncoderConfig | None = None
    """For a baseline that reads the style as our model does."""


@dataclass(frozen=True)
class BaselineModel:
    """A trained baseline: ``model(speech, seed=0, style=None) -> Motion``."""

    config: BaselineConfig
    space: MotionSpace
    network: Baseline
    speech_encoder: SpeechEncoder
    style_encoder: StyleEncoder | None = None
    """Reads styles; None for other kinds of style."""
    speakers: TrainingSpeakers | None = None
    """The one-hot styles; None for other kinds of style."""
    mean_style: np.ndarray | None = None
    """``(S,)`` stands for no style, where a style encoder reads them: the mean over the training speakers."""
    sources: tuple[str, ...] = ()
    """What it learned from."""

    def __repr__(self) -> str:
        return f"BaselineModel({self.config.name!r}, {self.space})"

    @torch.inference_mode()
    def __call__(self, speech: Speech, *, seed: int = 0, style: StyleSource | None = None) -> Motion:
        """Return motion as long as the speech.

        Args:
            speech: what is said.
            seed: another seed gives another motion, unless the baseline is deterministic.
            style: motion, or a file of motion, of the person whose manner is wanted. With a one-hot style also the name of
                a training speaker. None for the mean style. A baseline without styles ignores it.

        Raises:
            UsageError: the style is of a kind that the baseline cannot use.
            InputError: the style's file cannot be read.
        """
        samples = speech.resampled(SAMPLE_RATE).samples
        generator = torch.Generator().manual_seed(seed)
        vectors = self.network.generate(self._heard(samples), self.style(style), generator)
        return self.space.decode(vectors.cpu().numpy())

    def style(self, source: StyleSource | None) -> Tensor:
        """Return the style ``(S,)`` that a source holds or shows; see the call."""
        if self.network.style_kind == "none":
            return torch.zeros(0)
        if self.style_encoder is not None:
            if source is None:
                if self.mean_style is None:
                    raise ModelError(f"{self.config.name} has no mean style; give a reference motion")
                return torch.from_numpy(self.mean_style)
            return torch.from_numpy(style_of(source, StyleReader(self.style_encoder, self.space), {}).vector)
        if self.speakers is None:
            raise ModelError(f"{self.config.name} has lost the speakers of its training; train it again")
        if isinstance(source, str | Path) and Path(source).exists():
            from diffposetalk.exchange import load_motion

            source = load_motion(source)
        if source is None or isinstance(source, str | Motion):
            return self.speakers.style_of(source, self.space)
        raise UsageError(
            f"{self.config.name} has one style for each training speaker and reads no {type(source).__name__}; give motion "
            "or the name of a training speaker"
        )

    def _heard(self, samples: np.ndarray) -> Tensor:
        """Return what the network hears of samples ``(n,)`` at 16 kHz: ``(T, F)``, one row for every begun 40 ms."""
        if self.network.hears == "mels":
            missing = -len(samples) % FRAME_SAMPLES
            return torch.from_numpy(log_mels(self.speech_encoder, np.pad(samples, (0, missing))).astype(np.float32))
        return torch.stack(list(self._stream(samples)))

    def _stream(self, samples: np.ndarray) -> Iterator[Tensor]:
        size = 250 * FRAME_SAMPLES
        for features in self.speech_encoder.stream(
            samples[start : start + size] for start in range(0, len(samples), size)
        ):
            yield from features

    def save(self, path: str | Path) -> None:
        """Write everything to one file, atomically."""
        tensors = {
            f"{name}.{key}": value for name, part in self._parts().items() for key, value in weights(part).items()
        }
        if self.speakers is not None:
            tensors["speakers.statistics"] = torch.from_numpy(self.speakers.statistics)
        if self.mean_style is not None:
            tensors["mean_style"] = torch.from_numpy(self.mean_style)
        header = {
            "kind": KIND,
            "format_version": str(FORMAT),
            "config": json.dumps(to_dict(self.config)),
            "motion_space": json.dumps(self.space.to_dict()),
            "speakers": json.dumps(self.speakers.names if self.speakers else []),
            "sources": json.dumps(self.sources, ensure_ascii=False),
        }
        write_tensors(path, tensors, header)

    def _parts(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"network": self.network, "speech_encoder": self.speech_encoder}
        return parts if self.style_encoder is None else parts | {"style_encoder": self.style_encoder}

    @staticmethod
    def load(path: str | Path) -> BaselineModel:
        """Read a file written by `save`.

        Raises:
            ModelError: the file is missing, damaged, of another kind or of a newer format, or a weight is misshapen.
        """
        with parsing(path, "baseline"):
            return _loaded(path)


def widths_of(
    network: AnyBaselineConfig, space: MotionSpace, speech: SpeechEncoderConfig, n_speakers: int, style_dim: int
) -> Widths:
    """Return the widths that a baseline has with this motion, speech encoder, number of speakers and style encoder."""
    kind = baseline_class(network)
    styles = {"one-hot": n_speakers, "encoder": style_dim, "none": 0}
    return Widths(space.dim, speech.n_mels if kind.hears == "mels" else speech.dim, styles[kind.style_kind])


def _loaded(path: str | Path) -> BaselineModel:
    tensors, header = read_tensors(path, KIND)
    if int(header.get("format_version", 0)) > FORMAT:
        raise ModelError(
            f"{path}: baseline format {header['format_version']} is newer than this program reads; update it"
        )
    settings = header_table(path, header, "config")
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    check_sizes(settings, shapes, path)
    speakers = header_lines(path, header, "speakers")
    of_part = {
        name: {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        for name in PARTS
    }
    try:
        config = from_dict(BaselineConfig, settings, f"{path}: config")
        space = MotionSpace.from_dict(header_table(path, header, "motion_space"))
        part_shapes = {name: {key: tuple(value.shape) for key, value in part.items()} for name, part in of_part.items()}
        check_shapes(lambda: _built(config, space, len(speakers)), part_shapes, path)
        parts = _built(config, space, len(speakers))
        one_hot = _speakers(speakers, tensors, space)
    except DiffPoseTalkError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    for name, part in parts.items():
        load_weights(part, of_part[name], path)
        part.eval().requires_grad_(False)
    return BaselineModel(
        config,
        space,
        parts["network"],
        parts["speech_encoder"],
        parts.get("style_encoder"),
        one_hot,
        tensors["mean_style"].numpy() if "mean_style" in tensors else None,
        header_lines(path, header, "sources"),
    )


def _speakers(names: tuple[str, ...], tensors: Mapping[str, Tensor], space: MotionSpace) -> TrainingSpeakers | None:
    """Return the one-hot styles of a file; None where it has none."""
    if not names:
        return None
    statistics = tensors.get("speakers.statistics", torch.empty(0))
    if statistics.shape != (len(names), 3 * space.dim):
        raise ModelError(
            f"its statistics of speakers are {tuple(statistics.shape)}, expected ({len(names)}, {3 * space.dim})"
        )
    return TrainingSpeakers(names, statistics.float().numpy())


def _built(config: BaselineConfig, space: MotionSpace, n_speakers: int) -> dict[str, Any]:
    style_dim = config.style_encoder.dim if config.style_encoder else 0
    widths = widths_of(config.network, space, config.speech_encoder, n_speakers, style_dim)
    parts: dict[str, Any] = {
        "network": build_baseline(config.network, widths),
        "speech_encoder": SpeechEncoder(config.speech_encoder),
    }
    if config.style_encoder is not None:
        parts["style_encoder"] = StyleEncoder(config.style_encoder)
    return parts

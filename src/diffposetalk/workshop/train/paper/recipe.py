"""What decides a model of the paper's kind: the recipe, and the data set it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from diffposetalk.data.convert import layout_of
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.data.tfhp import TfhpReader, speaker_of
from diffposetalk.diffusion.noise import ScheduleKind, Target
from diffposetalk.errors import InputError, UsageError
from diffposetalk.model.configs import DenoiserConfig, PretrainedSpeechConfig, SamplingDefaults, SpeechEncoderConfig
from diffposetalk.motion import IdentitySpace, MotionSpace
from diffposetalk.workshop.train.initial import Initialisation
from diffposetalk.workshop.train.loop import LoopConfig
from diffposetalk.workshop.train.paper.batches import Batches
from diffposetalk.workshop.train.paper.losses import PAPER_WEIGHTS, used_weights
from diffposetalk.workshop.train.paper.resident import ResidentReader, ShardVideos
from diffposetalk.workshop.train.paper.step import TwoWindows
from diffposetalk.workshop.train.run import BaseRecipe
from diffposetalk.workshop.train.style import StyleLearning


@dataclass(frozen=True)
class SpeechPart:
    """The speech encoder that learns with the denoiser."""

    encoder: SpeechEncoderConfig | PretrainedSpeechConfig
    """A network of transformers, which begins from ``source``, or the compact one."""
    start: str = ""
    """For the compact encoder: the bundled model's name or a model file whose encoder it begins from."""
    learns: bool = True
    """Whether it learns on, apart from the parts that stay as they are."""


@dataclass(frozen=True)
class PaperDenoiserStage:
    """Configuration of the denoiser's training."""

    RENAMED_KEYS: ClassVar = {"denoiser": "network"}
    network: DenoiserConfig
    loop: LoopConfig
    windows: TwoWindows = field(default_factory=TwoWindows)
    weights: dict[str, float] = field(default_factory=lambda: dict(PAPER_WEIGHTS))
    """Factor of each loss term; a term of weight 0 is not computed."""
    style: Literal["encoder", "one-hot", "none"] = "encoder"
    """Where styles come from: the style encoder, a 1 at the speaker's place (``style_dim`` follows from the data), or
    nowhere."""
    schedule: ScheduleKind = "cosine"
    """Noise schedule."""
    noise_steps: int = 500
    """Steps N of the schedule."""
    target: Target = "sample"
    """What the denoiser predicts."""
    initialisation: Initialisation = "released"
    """What the weights begin from: see `initial.initialise`."""


@dataclass(frozen=True, kw_only=True)
class PaperRecipe(BaseRecipe):
    """Everything that decides a model of the paper's kind, given the data."""

    data: Path
    """TFHP data set (LMDB), or a folder of our shards."""
    style: StyleLearning
    speech: SpeechPart | None = None
    """With ``denoiser``: its speech encoder."""
    denoiser: PaperDenoiserStage | None = None
    """Left out: the style encoder alone is trained."""
    kind: Literal["paper"] = "paper"
    """Tells such a recipe from those of the bundled model."""
    statistics: Path | None = None
    """Left out: ``stats_train.npz`` beside the data."""
    head: str = "flame"
    """Head of the vertex losses: "flame" or a file."""
    head_pose: bool = True
    """Whether the motion vector has the head's rotation."""
    workers: int = 0
    """Processes that read ahead; 0 to read when needed."""
    resident: bool = False
    """Keep all data in memory, decoded once (about 230 MB an hour); for small data sets."""
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    """Sampling defaults of the model."""

    def __post_init__(self) -> None:
        if self.workers and self.resident:
            raise UsageError("recipe: data that is resident needs no workers; set workers = 0")
        if (self.denoiser is None) != (self.speech is None):
            raise UsageError("recipe: the tables speech and denoiser go together; one of them is missing")
        if self.denoiser is None or self.speech is None:
            return
        stage, denoiser = self.denoiser, self.denoiser.network
        used_weights(stage.weights, stage.target, self.head_pose)
        if (stage.style == "none") != (denoiser.style_dim == 0):
            raise UsageError(f"recipe: style is {stage.style!r} but denoiser.network.style_dim {denoiser.style_dim}")
        if stage.style == "encoder" and denoiser.style_dim != self.style.encoder.dim:
            raise UsageError(
                f"recipe: denoiser.network.style_dim is {denoiser.style_dim}, style.encoder.dim {self.style.encoder.dim}"
            )
        if stage.style == "encoder" and self.style.encoder.window != denoiser.window:
            raise UsageError(
                f"recipe: denoiser.network.window is {denoiser.window}, style.encoder.window {self.style.encoder.window}; "
                "styles are read from whole windows"
            )
        if denoiser.speech_dim != self.speech.encoder.dim:
            raise UsageError(
                f"recipe: denoiser.network.speech_dim is {denoiser.speech_dim}, speech.encoder.dim {self.speech.encoder.dim}"
            )
        if self.speech.start and isinstance(self.speech.encoder, PretrainedSpeechConfig):
            raise UsageError("recipe: speech.start is for the compact encoder; give speech.encoder.source instead")

    @property
    def needs_style_encoder(self) -> bool:
        """Whether the first stage is trained."""
        return self.denoiser is None or self.denoiser.style == "encoder"


@dataclass(frozen=True)
class PaperData:
    """The data set with what follows from its statistics."""

    reader: TfhpReader
    statistics: Statistics
    space: MotionSpace
    identity_space: IdentitySpace
    speakers: tuple[str, ...]
    """Of the training videos, in the order of their first appearance."""

    @staticmethod
    def open(recipe: PaperRecipe) -> PaperData:
        """Open a recipe's data.

        Raises:
            InputError: data or statistics are missing, damaged, or of other widths than the networks.
        """
        reader: TfhpReader
        if layout_of(recipe.data) == "shards":
            reader = ShardVideos(recipe.data)
        else:
            reader = (ResidentReader if recipe.resident else TfhpReader)(recipe.data)
        statistics = Statistics.load(recipe.statistics or reader.path / "stats_train.npz")
        space, people = statistics.motion_space(recipe.head_pose), statistics.identity_space()
        widths: dict[str, tuple[int, int]] = {}
        if recipe.needs_style_encoder:
            widths["style.encoder.motion_dim"] = (recipe.style.encoder.motion_dim, space.dim)
        if recipe.denoiser is not None:
            denoiser = recipe.denoiser.network
            widths["denoiser.network.motion_dim"] = (denoiser.motion_dim, space.dim)
            widths["denoiser.network.identity_dim"] = (denoiser.identity_dim, people.dim)
        for name, (width, data_width) in widths.items():
            if width != data_width:
                raise InputError(f"recipe: {name} is {width}, but the data of {statistics.where} has {data_width}")
        speakers = tuple(dict.fromkeys(speaker_of(video) for video in reader.split("train")))
        return PaperData(reader, statistics, space, people, speakers)


class Feed:
    """Batches by number, read ahead by other processes where that is asked for."""

    def __init__(self, batches: Batches, n_workers: int) -> None:
        self.batches, self.n_workers = batches, n_workers
        self._next = -1
        self._stream: Any = None

    def __call__(self, index: int) -> Any:
        """Return batch ``index``."""
        if not self.n_workers:
            return self.batches[index]
        if index != self._next:
            self._stream = self.batches.iterate(index, index + 2**40, self.n_workers)
        self._next = index + 1
        return next(self._stream)

"""What every training has: a folder that it holds alone, the resolved recipe in it, and stages that can be resumed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from diffposetalk.config import to_dict
from diffposetalk.errors import UsageError
from diffposetalk.progress import Progress, labelled
from diffposetalk.workshop.train.lock import training_lock
from diffposetalk.workshop.train.shares import Shares


@dataclass(frozen=True, kw_only=True)
class BaseRecipe:
    """What recipes of all kinds have."""

    name: str
    """Name of the model and of its file."""
    device: str = "cpu"
    """Where the networks learn."""
    threads: int = 0
    """Processor threads; 0 for one per core."""


@dataclass(frozen=True, kw_only=True)
class SpeakersRecipe(BaseRecipe, Shares):
    """A recipe that learns from some speakers of a corpus and holds out the others."""

    validation_share: float = 0.08
    """Share of a corpus's speakers held out for validation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation_share in (0, 1):
            raise UsageError("recipe: validation_share must hold out some of the speakers: above 0 and below 1")


@dataclass(frozen=True)
class StageRun:
    """Where one stage is trained and what identifies it."""

    folder: Path
    """Holds the stage's state and logs."""
    header: Mapping[str, str] = field(default_factory=dict)
    """The stage's configuration; a checkpoint of another configuration is refused."""
    device: str = "cpu"
    """Where the network learns."""
    progress: Progress | None = None
    """Called after each step."""


@dataclass(frozen=True)
class Run:
    """One training, made of stages."""

    folder: Path
    """Holds the recipe, a folder for each stage, and the model."""
    device: str
    """Where the networks learn."""
    progress: Progress | None = None
    """Called as the work goes on."""

    def stage(self, name: str, config: Mapping[str, Any], **inputs: str) -> StageRun:
        """Return the run of one stage.

        Args:
            name: of the stage and of its folder.
            config: the stage's configuration.
            inputs: fingerprints of the networks that the stage builds on.
        """
        header = {"config": json.dumps(config, sort_keys=True), **inputs}
        return StageRun(self.folder / name, header, self.device, self.report(name))

    def report(self, stage: str) -> Progress | None:
        """Return the progress of a stage: every line begins with its name."""
        return labelled(self.progress, stage)


class Savable(Protocol):
    """A model."""

    def save(self, path: Path) -> None:
        """Write its file."""
        ...


def train_stages(
    recipe: BaseRecipe,
    folder: str | Path,
    stages: Callable[[Run], tuple[Savable, dict[str, float]]],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train all stages of a recipe and save the model. Finished stages and checkpoints in ``folder`` are taken up.

    Args:
        recipe: the resolved recipe.
        folder: of the training; made if absent.
        stages: trains; returns the model and validation figures of the stages.
        progress: called as the work goes on.

    Returns:
        Path of the model and the figures.
    """
    with training_run(recipe, folder, progress) as run:
        model, figures = stages(run)
        target = run.folder / f"{recipe.name}.safetensors"
        model.save(target)
    return {"model": str(target), "figures": figures}


@contextlib.contextmanager
def training_run(recipe: BaseRecipe, folder: str | Path, progress: Progress | None = None) -> Iterator[Run]:
    """Hold a folder for one training, write the resolved recipe there and set the processor threads.

    Args:
        recipe: the resolved recipe.
        folder: of the training; made if absent.
        progress: called as the work goes on.

    Raises:
        UsageError: another process trains in the folder.
        DiffPoseTalkError: the folder cannot be made or written.
    """
    folder = Path(folder)
    with training_lock(folder):
        (folder / "recipe.json").write_text(json.dumps(to_dict(recipe), indent=1))
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        yield Run(folder, recipe.device, progress)

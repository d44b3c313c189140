"""Train many systems by their recipes on the same corpus, and compare them; a run that was stopped goes on."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diffposetalk.config import load_config, read_config, to_dict
from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import check_run_folder, write_atomically
from diffposetalk.progress import Progress, labelled
from diffposetalk.workshop.baselines.floors.rhubarb import installed
from diffposetalk.workshop.baselines.recipe import train_baseline
from diffposetalk.workshop.evaluate.comparison import command
from diffposetalk.workshop.evaluate.protocol.make import make_protocol
from diffposetalk.workshop.evaluate.protocol.selection import Selection
from diffposetalk.workshop.evaluate.tables import table
from diffposetalk.workshop.train.lite.frozen import FrozenEncoders
from diffposetalk.workshop.train.lite.recipe import train_recipe

TRAININGS = {"lite": train_recipe, "baseline": train_baseline}
"""Training of each kind of recipe that a table may have."""


@dataclass(frozen=True)
class TableSystem:
    """One line of the table: something that speaks at once, or that a recipe trains."""

    model: str = ""
    """As for `load_generator`: a bundled model, a file, ``energy``, ``rhubarb``."""
    recipe: str = ""
    """Recipe that trains it, by name or file."""
    set: tuple[str, ...] = ()
    """Changes of the recipe, ``a.b=value``."""
    same_weights: str = ""
    """Another system whose trained stages are taken, because its recipe differs only in how motion is sampled."""

    def __post_init__(self) -> None:
        if bool(self.model) == bool(self.recipe):
            raise UsageError("table: each system needs either a model or a recipe")


@dataclass(frozen=True)
class Table:
    """Everything that decides a table."""

    name: str
    """Name of the table."""
    systems: dict[str, TableSystem]
    """Systems by their names in the report, in the order of training."""
    corpus: Path
    """Folder made by ``diffposetalk corpus``, that the systems learn from."""
    data: Path | None = None
    """Protocol or folder of clips on which they are compared; None for clips of the corpus's held-out speakers."""
    kind: Literal["table"] = "table"
    """Tells it from the recipes of trainings."""
    clips: int = 24
    """Clips of held-out speakers that are compared, where ``data`` is not given."""
    samples: int = 10
    """Motions that each system makes of a clip, of seeds 0, 1, ..."""
    frozen: FrozenEncoders = field(default_factory=FrozenEncoders)
    """Model whose encoders and motion space all trained systems take, and how much of the corpus they learn from."""
    copies: int = 0
    """Augmented copies of the speech that they learn from."""
    threads: int = 0
    """Processor threads; 0 for one per core."""
    device: str = "cpu"
    """Where the networks learn."""

    def __post_init__(self) -> None:
        for name, system in self.systems.items():
            if system.same_weights and system.same_weights not in self.systems:
                raise UsageError(f"table: {name} takes the weights of {system.same_weights!r}, which is no system")

    def overrides(self, folder: Path) -> Iterator[str]:
        """Yield what all recipes are told: the data, the frozen encoders, and where their features are kept."""
        yield from (f"corpus={_text(self.corpus)}", f"copies={self.copies}")
        yield from (f"threads={self.threads}", f"device={_text(self.device)}")
        frozen = {"heard": str(folder / "heard")} | to_dict(self.frozen)
        yield from (f"frozen.{key}={json.dumps(value)}" for key, value in frozen.items())


def evaluate(
    recipe: str | Path,
    output: Path,
    changes: Sequence[str] = (),
    films: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train all systems of a table and compare them.

    Args:
        recipe: the table's TOML file, or its name.
        output: folder of the table: a folder for each trained system, ``heard`` with the frozen features, and ``report``.
        changes: ``a.b=value`` changes of the table.
        films: whether some clips are filmed.
        progress: called as the work goes on.

    Returns:
        As for `comparison.command.evaluate`, with ``trained``: for each trained system its ``model``, its ``figures`` and
        the ``seconds`` of all runs.
    """
    settings = load_config(Table, recipe, changes)
    folder = check_run_folder(output)
    folder.mkdir(parents=True, exist_ok=True)
    words, trained, notes = [], {}, []
    for name, system in settings.systems.items():
        if system.model == "rhubarb" and not installed():
            notes.append(f"{name} was left out: Rhubarb Lip Sync is not installed")
            continue
        model = system.model
        if system.recipe:
            trained[name] = _trained(settings, name, folder, labelled(progress, name))
            model = trained[name]["model"]
        words.append(f"{name}={model}")
    data = settings.data or folder / "protocol.toml"
    if settings.data is None and not data.exists():
        make_protocol(settings.corpus, data, Selection(settings.clips, samples=settings.samples), progress)
    clips = settings.corpus if settings.data is None else None
    result = command.evaluate(words, data, folder / "report", clips, films, progress=progress)
    return result | {"trained": trained, "notes": [*result["notes"], *notes]}


def report(result: dict[str, Any]) -> str:
    """Return the result of `evaluate` as text."""
    rows = [
        [
            name,
            f"{training['seconds'] / 60:.1f}",
            ", ".join(f"{key} {value:.3f}" for key, value in training["figures"].items()),
        ]
        for name, training in result["trained"].items()
    ]
    costs = [table(["trained", "minutes", "on held-out speakers"], rows)] if rows else []
    return "\n".join([command.report(result), *costs])


def _trained(settings: Table, name: str, folder: Path, progress: Progress | None) -> dict[str, Any]:
    """Train a system unless it has been trained with the same recipe; return its model, time and figures."""
    system, run = settings.systems[name], folder / name
    kind = str(read_config(system.recipe).get("kind", "lite"))
    if kind not in TRAININGS:
        raise UsageError(f"table: {system.recipe} is of the kind {kind!r}; choose recipes of {', '.join(TRAININGS)}")
    overrides = [*settings.overrides(folder), *system.set]
    resolved = json.dumps(read_config(system.recipe, overrides), sort_keys=True, default=str)
    kept = run / "training.json"
    before: Mapping[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    if before.get("recipe") != resolved:
        before = {}
    elif "model" in before and Path(before["model"]).exists():
        return {key: before[key] for key in ("model", "seconds", "figures")}
    if system.same_weights:
        shutil.copytree(folder / system.same_weights, run, dirs_exist_ok=True, ignore=_only_stages)
    began = time.monotonic()
    result: dict[str, Any] = {}
    try:
        result = TRAININGS[kind](system.recipe, run, overrides, progress)
    finally:  # the time of an interrupted run counts, too
        result = {**result, "seconds": round(before.get("seconds", 0.0) + time.monotonic() - began, 1)}
        run.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, json.dumps({**result, "recipe": resolved}, indent=1).encode())
    return result


def _only_stages(folder: str, names: list[str]) -> list[str]:
    """Leave out all but the folders of stages: the model, the recipe and the lock are a run's own."""
    here = Path(folder)
    return [] if (here / "state.safetensors").exists() else [name for name in names if not (here / name).is_dir()]


def _text(value: object) -> str:
    """Write a text as TOML does."""
    return json.dumps(str(value))

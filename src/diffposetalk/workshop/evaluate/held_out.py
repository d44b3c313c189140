"""A style encoder that no generator was trained with: learned from speakers, sentences and performances of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.files.atomic import check_output
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.progress import Progress, labelled
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.evaluate import references

if TYPE_CHECKING:
    from diffposetalk.model.style_reader import StyleReader
    from diffposetalk.workshop.train.lite.windows import EncodedClip

SEED = references.SEED + 50_000
"""First seed of its speakers, apart from those of references and of training corpora."""


@dataclass(frozen=True)
class Speaker:
    """Somebody to learn from."""

    motions: Sequence[Motion]
    """How several sentences were spoken."""
    manner: np.ndarray
    """``(M,)`` float32 parameters of the manner in [0, 1]; empty where unknown."""


def drawn_speakers(n_speakers: int, n_sentences: int = 48, per_speaker: int = 3, seed: int = SEED) -> list[Speaker]:
    """Return speakers whose manners are drawn at random, some sentences each.

    Raises:
        DiffPoseTalkError: no voice is installed.
    """
    rng = np.random.default_rng(seed)
    spoken = references.utterances(n_sentences, seed, shortest_s=5.0)
    people = []
    for number in range(n_speakers):
        chosen = [spoken[k] for k in rng.choice(len(spoken), min(per_speaker, len(spoken)), replace=False)]
        manner = Manner.sample(rng)
        people.append(Speaker(references.motions(manner, chosen, seed + number), manner.vector()))
    return people


def fit(
    people: Sequence[Speaker],
    steps: int = 1200,
    width: int = 128,
    seed: int = SEED,
    progress: Progress | None = None,
) -> StyleReader:
    """Train the encoder to tell speakers apart and, where it is known, to name their manner.

    Args:
        people: whom to learn from; every tenth validates.
        steps: of the optimiser.
        width: of tokens and style vector.
        seed: of weights and batches.
        progress: called after each step.
    """
    import torch

    from diffposetalk.model.configs import StyleEncoderConfig
    from diffposetalk.model.style_reader import StyleReader
    from diffposetalk.workshop.train.lite.windows import EncodedClip, WindowConfig
    from diffposetalk.workshop.train.loop import LoopConfig
    from diffposetalk.workshop.train.run import StageRun
    from diffposetalk.workshop.train.style import StyleStage, train_style

    space = MotionSpace.fit(
        (motion for person in people for motion in person.motions),
        (*CHANNELS, "head_x", "head_y", "head_z"),
        floor=0.02,
    )
    sets: tuple[list[EncodedClip], list[EncodedClip]] = ([], [])
    for number, person in enumerate(people):
        for motion in person.motions:
            empty = np.zeros((0, len(motion), 0), np.float32)
            sets[number % 10 == 9].append(EncodedClip(space.encode(motion), empty, number, person.manner))
    config = StyleEncoderConfig(motion_dim=space.dim, dim=width, n_layers=3)
    batch = max(2, min(32, len(people) * 9 // 10))
    average = min(0.99, max(0.5, 1 - 10 / steps))
    loop = LoopConfig(steps, batch, 1e-3, warmup=min(100, steps // 4), ema=average, validate_every=steps, seed=seed)
    stage = StyleStage(config, loop, windows=WindowConfig(context=0), weights={"contrast": 1.0, "manner": 10.0})
    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        run = StageRun(Path(folder), {"kind": "held-out"}, progress=progress)
        network = train_style(stage, *sets, space, run)
    return StyleReader(network.eval().requires_grad_(False), space)


def evaluate(
    output: str | Path, speakers: int = 300, steps: int = 1200, progress: Progress | None = None
) -> dict[str, Any]:
    """Train a style encoder and write it.

    Args:
        output: file to write (.safetensors).
        speakers: how many people to learn from.
        steps: of the optimiser.
        progress: called after each step.
    """
    check_output(output, (".safetensors",))
    fit(drawn_speakers(speakers), steps, progress=labelled(progress, "training")).save(output)
    return {"output": str(output)}


def report(result: Mapping[str, Any]) -> str:
    """Say what was written."""
    return f"wrote {result['output']}"

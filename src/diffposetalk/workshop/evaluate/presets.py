"""Is each preset recognised? Generated motion is read by a style encoder that the generator was not trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.metrics import nearest_centroid
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, over
from diffposetalk.speech import Speech
from diffposetalk.workshop.corpus.motion.manner import PRESETS
from diffposetalk.workshop.evaluate import references as reference_motions
from diffposetalk.workshop.evaluate.generators import Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.recordings.clips import real_speech
from diffposetalk.workshop.evaluate.tables import table, verdict

TARGET = 0.9
"""Share of generated motions whose nearest preset must be the right one."""
Encoder = Callable[[Motion], np.ndarray]
"""Motion in, style vector ``(S,)`` out."""


def recognise(
    generate: Generator,
    encode: Encoder,
    presets: Mapping[str, Sequence[Motion]],
    speeches: Mapping[str, Speech],
    n_samples: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Generate in every preset and ask the encoder which it was.

    Args:
        generate: the generator; it knows the presets by name.
        encode: a style encoder that the generator was not trained with.
        presets: reference motions of each preset, of which the centroids are made.
        speeches: what is said, by name.
        n_samples: samples of each preset and speech.
        progress: called after each preset.

    Returns:
        ``accuracy``; ``per_preset``; ``confusion`` (rows: the preset asked for, columns: recognised, counts);
        ``per_speech``; ``reference_accuracy`` of the reference motions among each other (each left out of its own
        centroid): about what the encoder can tell at all; ``target_met``.
    """
    names = list(presets)
    known = {name: np.stack([_unit(encode(motion)) for motion in presets[name]]) for name in names}
    centroids = np.stack([known[name].mean(0) for name in names])
    right: list[bool] = []
    for row, name in enumerate(names):
        for left_out in range(len(known[name]) if len(known[name]) > 1 else 0):
            others = centroids.copy()
            others[row] = np.delete(known[name], left_out, axis=0).mean(0)
            right.append(nearest_centroid(known[name][left_out : left_out + 1], others)[0] == row)
    confusion = np.zeros((len(names), len(names)), int)
    per_speech: dict[str, list[bool]] = {name: [] for name in speeches}
    for row, name in enumerate(over(names, progress, "generating")):
        for sentence, speech in speeches.items():
            vectors = np.stack([encode(motion) for motion in samples_of(generate, speech, n_samples, name)])
            for guess in nearest_centroid(vectors, centroids):
                confusion[row, guess] += 1
                per_speech[sentence].append(bool(guess == row))
    accuracy = float(np.trace(confusion) / confusion.sum())
    return {
        "accuracy": accuracy,
        "n": int(confusion.sum()),
        "per_preset": {name: float(confusion[i, i] / confusion[i].sum()) for i, name in enumerate(names)},
        "confusion": {name: dict(zip(names, confusion[i].tolist())) for i, name in enumerate(names)},
        "per_speech": {sentence: float(np.mean(hits)) for sentence, hits in per_speech.items()},
        "reference_accuracy": float(np.mean(right)) if right else float("nan"),
        "target_met": accuracy >= TARGET,
    }


def load_encoder(path: Path) -> Encoder:
    """Return the style encoder of a file: one alone (`held_out` makes such), or that of a whole model.

    Raises:
        UsageError: there is no such file.
        ModelError: it is neither.
    """
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.checkpoint import header_kind
    from diffposetalk.model.style_reader import KIND, StyleReader

    reader = StyleReader.load(path) if header_kind(path) == KIND else Talker.from_pretrained(path)
    return lambda motion: reader.read_style(motion).vector


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table with a verdict."""
    names = list(result["confusion"])
    rows = [
        [name, *(result["confusion"][name][other] for other in names), result["per_preset"][name]] for name in names
    ]
    return "\n".join(
        [
            table(["asked for \\ recognised", *names, "share right"], rows),
            "",
            f"nearest preset right: {result['accuracy']:.3f} of {result['n']} motions",
            f"reference motions among each other: {result['reference_accuracy']:.3f}",
            f"at least {TARGET:g}: {verdict(result['target_met'])}",
        ]
    )


def evaluate(
    recordings: Path, encoder: Path, generation: Generation, references: int = 12, progress: Progress | None = None
) -> dict[str, Any]:
    """Recognise the presets in generated motion by a style encoder of its own.

    Args:
        recordings: folder with speech.
        encoder: style encoder made by `held_out`.
        generation: how motion is made for each preset and recording.
        references: reference motions of each preset.
        progress: called after each preset.
    """
    generate = generation.load()
    spoken = reference_motions.utterances(references)
    known = {name: reference_motions.motions(manner, spoken) for name, manner in PRESETS.items()}
    speeches = real_speech(recordings, shortest_s=4.0)
    result = recognise(generate, load_encoder(encoder), known, speeches, generation.samples, progress)
    return result | {"generator": generation.generator, "encoder": str(encoder)}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)

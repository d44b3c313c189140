"""A made-up corpus of three speakers whose jaws follow the loudness, each by a measure of its own."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.model.checkpoint import Model
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus.shards import SpeakerInfo, save_motion, save_speech

SECONDS = 4.8
"""Length of a clip."""
OPENNESS = {"s00001": 0.06, "s00002": 0.12, "s00003": 0.09}
"""How far each speaker opens the jaw."""


def speak(seed: int) -> tuple[np.ndarray, list[Phone], np.ndarray]:
    """Return samples, phones, and the loudness at each frame of motion, of syllables "ma" of random lengths."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    edges = np.cumsum(np.concatenate([[0.0], rng.uniform(0.1, 0.3, 60)]))
    edges = [*edges[edges < SECONDS - 0.1], SECONDS]
    phones = [Phone("aa" if k % 2 else "m", a, b) for k, (a, b) in enumerate(itertools.pairwise(edges))]
    loud = np.zeros_like(time)
    for phone in phones:
        if phone.symbol == "aa":
            inside = (time >= phone.start) & (time < phone.end)
            loud[inside] = np.sin(np.pi * (time[inside] - phone.start) / phone.duration)
    tone = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 9))
    samples = (0.2 * (0.05 + loud) * tone).astype(np.float32)
    frames = loud.reshape(-1, SAMPLE_RATE // 25).mean(1)
    return samples, phones, frames


@pytest.fixture(scope="session")
def spoken() -> Callable[[int], tuple[np.ndarray, list[Phone], np.ndarray]]:
    """`spoken(seed)`: more speech of that kind; see `speak`."""
    return speak


@pytest.fixture(scope="session")
def made_up_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus: two speakers to learn from and one held out, three clips each."""
    folder = tmp_path_factory.mktemp("made-up") / "corpus"
    for part in ("speech", "motion"):
        (folder / part).mkdir(parents=True)
    for number, (name, openness) in enumerate(OPENNESS.items()):
        speech = [speak(10 * number + k) for k in range(3)]
        motions = []
        for _, _, loudness in speech:
            expression = np.full((len(loudness), len(CHANNELS)), 0.05, np.float32)
            expression[:, INDEX["jawOpen"]] = 0.05 + openness * loudness
            head = np.zeros((len(loudness), 3), np.float32)
            head[:, 0] = 0.05 + 0.5 * openness * loudness
            motions.append(Motion(expression, CHANNELS, head, 25.0))
        info = SpeakerInfo(name, "made up", "en", (1.0, 1.0, 0.0), 1.0, 1.0)
        save_speech(folder, info, [(samples, phones, "ma") for samples, phones, _ in speech])
        save_motion(folder, name, np.zeros(1, np.float32), motions)
    return folder


@pytest.fixture(scope="session")
def start_model(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model whose features of speech are about as large as those of a trained one."""
    model = copy.deepcopy(tiny_model)
    with torch.no_grad():
        for parameter in model.speech_encoder.exit.parameters():
            parameter *= 10
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    model.save(path)
    return path

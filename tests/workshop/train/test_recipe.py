"""A whole model from a ten-minute corpus, in small: it trains, animates, and a killed run ends up the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.workshop.corpus.build import build_corpus
from diffposetalk.workshop.corpus.voices import list_voices
from diffposetalk.workshop.train.lite.material import split_speakers
from diffposetalk.workshop.train.lite.recipe import train_recipe

RECIPE = """
name = "small"
corpus = "{corpus}"
copies = 1
validation_share = 0.2
preset_seconds = 10
[speech]
crop_frames = 60
encoder = {{ n_mels = 24, width = 16, dim = 16 }}
loop = {{ steps = 30, batch = 4, learning_rate = 3e-3, warmup = 3, validate_every = 15, checkpoint_every = 5 }}
[style]
encoder = {{ motion_dim = 55, dim = 16, n_layers = 1, n_heads = 2 }}
windows = {{ context = 0, variation = {{ share = 0.5, groups = {{ "head_" = 2.0 }} }} }}
disturbance = {{ noise = 0.2, dropped = 0.05 }}
loop = {{ steps = 20, batch = 6, learning_rate = 1e-3, warmup = 3, validate_every = 10, checkpoint_every = 5 }}
[denoiser]
noise_steps = 50
network = {{ motion_dim = 55, speech_dim = 16, style_dim = 16, dim = 32, n_layers = 2, n_heads = 2 }}
loop = {{ steps = {steps}, batch = 4, learning_rate = 1e-3, warmup = 3, validate_every = 20, checkpoint_every = 5 }}
[denoiser.weights]
simple = 1
vertex_mm2 = 0.1
vertex_velocity_mm2 = 0.3
vertex_smoothness_mm2 = 0.02
lip_gap_mm2 = 0.05
join_error = 0.1
head = 0.3
head_velocity = 2
head_smoothness = 0.2
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "c"
    voices = [voice for voice in list_voices() if voice.engine == "espeak"]
    if not voices:
        pytest.skip("needs espeak-ng, which the `train` extra brings")
    report = build_corpus(folder, 10 / 60, seed=3, clips_per_speaker=3, voices=voices)
    assert 0.12 < report.hours < 0.25
    return folder


def recipe(folder: Path, corpus: Path, steps: int = 40) -> Path:
    path = folder / "small.toml"
    path.write_text(RECIPE.format(corpus=corpus, steps=steps))
    return path


def rows(run: Path, stage: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / stage / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train_recipe(recipe(folder, corpus), folder / "run")
    return folder / "run"


def test_every_stage_learns(finished: Path) -> None:
    for stage in ("speech", "style", "denoiser"):
        losses = [row["loss"] for row in rows(finished, stage)]
        assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5]), stage


def test_the_model_animates_with_its_presets(finished: Path, sample_path: Path) -> None:
    talker = Talker.from_pretrained(finished / "small.safetensors")
    assert set(talker.presets) >= {"neutral", "lively", "calm", "smiling", "serious", "expressive-head"}
    speech = Speech.load(sample_path).slice(0, 5)
    motion = talker.generate(speech, style="lively", steps=3)
    assert len(motion) == 125 and np.isfinite(motion.expression).all()


def test_the_model_names_what_it_learned_from(finished: Path) -> None:
    (line,) = Talker.from_pretrained(finished / "small.safetensors").model.sources
    assert line.startswith("speech synthesised by espeak: ") and line.endswith(" h")


def test_a_killed_run_ends_up_the_same(finished: Path, corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "diffposetalk", "train", str(recipe(tmp_path, corpus)), "-o", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 300
    while not (run / "denoiser" / "state.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline, "the run never reached its last stage"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    train_recipe(tmp_path / "small.toml", run)
    again = {row["step"]: row["loss"] for row in rows(run, "denoiser")}
    assert again == {row["step"]: row["loss"] for row in rows(finished, "denoiser")}
    assert (run / "small.safetensors").read_bytes() == (finished / "small.safetensors").read_bytes()


def test_speakers_are_divided_without_overlap(corpus: Path) -> None:
    training, held_out = split_speakers(corpus, 0.2)
    assert not set(training) & set(held_out) and len(held_out) >= 2
    assert split_speakers(corpus, 0.2) == (training, held_out)


def test_phone_labels_are_those_at_the_middle_of_each_step() -> None:
    from diffposetalk.speech.transcript.phones import SYMBOL_INDEX, Phone

    phones = [Phone("sil", 0, 0.05), Phone("m", 0.05, 0.11), Phone("aa", 0.11, 0.2)]
    expected = ["sil", "sil", "sil", "m", "m", "aa", "aa", "aa", "aa", "aa"]
    labels = phone_labels(phones, 10)
    assert [list(SYMBOL_INDEX)[label] for label in labels[[0, 1, 3, 4, 6, 9]]] == [
        expected[i] for i in (0, 1, 3, 4, 6, 9)
    ]


def test_lip_gap_basis_is_the_change_of_the_heads_lip_gap() -> None:
    from diffposetalk.head import load_head

    head = load_head("anny")
    basis = head.lip_gap_basis()
    weights = np.zeros(52, np.float32)
    jaw = list(head.expression_names).index("jawOpen")
    weights[jaw] = 0.5
    opened = float(head.lip_gap(head.vertices(weights)))
    assert opened == pytest.approx(0.5 * basis[jaw].mean(), rel=0.15)


def test_a_misspelt_recipe_is_refused(corpus: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, corpus)
    path.write_text(path.read_text().replace("noise_steps", "noisy_steps"))
    with pytest.raises(UsageError, match=r"denoiser: unknown key 'noisy_steps'"):
        train_recipe(path, tmp_path / "run")

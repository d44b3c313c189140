"""Probes of hearing on a small corpus in which every phone is a tone of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.configs import PretrainedSpeechConfig
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus.shards import SpeakerInfo, save_speech
from diffposetalk.workshop.evaluate.hearing import probe, scores
from diffposetalk.workshop.evaluate.hearing.inputs import Inputs, LogMels, encoder_inputs
from diffposetalk.workshop.train.lite.material import split_speakers

TONES = {"sil": 0.0, "p": 300.0, "m": 500.0, "aa": 900.0, "iy": 1500.0, "s": 4000.0}
"""Frequency of each phone, Hz."""
SHARE = 0.5
"""Share of speakers held out."""
DEAF = "xx"
"""Language in which phones have nothing to do with the sound."""


def spoken(rng: np.random.Generator, n_phones: int = 40, deaf: bool = False) -> tuple[np.ndarray, list[Phone], str]:
    samples, phones, clock = [], [], 0.0
    for _ in range(n_phones):
        symbol = str(rng.choice(list(TONES)))
        seconds = int(rng.integers(3, 8)) * 0.02
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = TONES[str(rng.choice(list(TONES)))] if deaf else TONES[symbol]
        samples.append(0.3 * np.sin(2 * np.pi * tone * time))
        phones.append(Phone(symbol, clock, clock + seconds))
        clock += seconds
    return np.concatenate(samples).astype(np.float32), phones, "tones"


def add_speaker(corpus: Path, name: str, language: str, source: str) -> None:
    (corpus / "speech").mkdir(exist_ok=True)
    rng = np.random.default_rng([*name.encode()])
    info = SpeakerInfo(name, name, language, (1.0, 1.0, 0.0), 1.0, 1.0, source, "CC0-1.0" if source else "")
    save_speech(corpus, info, [spoken(rng, deaf=language == DEAF) for _ in range(2)])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    for number in range(24):
        language = ("en", "en-gb", "fi", DEAF)[number % 4]
        add_speaker(folder, f"r{number:05d}", language, "Booth" if number % 2 else "Street")
    for number in range(8):
        add_speaker(folder, f"s{number:05d}", "en", "")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "STEPS", 60)
    monkeypatch.setattr(probe, "BATCH", 128)
    monkeypatch.setattr(probe, "LEARNING_RATE", 2e-2)
    monkeypatch.setattr(scores, "FEWEST_STEPS", 100)


def test_phones_are_read_from_speakers_held_out(
    corpus: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "hearing", "--recordings", str(corpus), "--model", str(tiny_model_path)]
    assert run([*command, "--validation-share", str(SHARE), "--hours", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    training, held_out = ([n for n in names if n.startswith("r")] for names in split_speakers(corpus, SHARE))
    assert result["fitted"]["speakers"] == len(training) >= 4
    floor, encoder = result["log_mels"], result["encoder"]
    assert encoder["all"]["speakers"] == floor["all"]["speakers"] == len(held_out)
    assert sum(row["speakers"] for row in encoder["languages"].values()) == len(held_out)
    assert set(encoder["sources"]) == {"Booth", "Street"}
    english = [row for name, row in encoder["languages"].items() if name.startswith("en")]
    assert encoder["english"]["steps"] == sum(row["steps"] for row in english)
    for ear in (floor, encoder):
        assert ear["english"]["phones"] > 0.8 and ear["english"]["bilabials_found"] > 0.8
        assert ear["languages"][DEAF]["phones"] < 0.4  # a sixth by chance
        assert ear["languages"][DEAF]["false_closures"] > ear["english"]["false_closures"]
    assert result["targets_met"]["phones_at_least_0.62"]


def test_the_report_names_languages_with_enough_speech(
    corpus: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, held_out = split_speakers(corpus, SHARE)
    clips = [list(scores.heard_clips(corpus, names, tiny_model.speech_encoder)) for names in (training, held_out)]
    result = scores.measure(*clips) | {
        "model": "tiny",
        "validation_share": SHARE,
        "fitted": {"speakers": 3, "hours": 0.1},
    }
    text = scores.report(result)
    assert "language fi" in text and "source Booth" in text and "phones at least 0.62: " in text
    assert "language en-gb" in text and "language en " in text  # parts of English
    for ear in ("encoder", "log_mels"):
        result[ear]["languages"] = {"en": result[ear]["english"]}
    assert "language en" not in scores.report(result)  # the same as English
    monkeypatch.setattr(scores, "FEWEST_STEPS", 10**9)
    text = scores.report(result)
    assert "source Booth" not in text and "all languages" in text


def test_without_english_there_is_no_verdict(tmp_path: Path, tiny_model: Model) -> None:
    add_speaker(tmp_path, "r00000", "fi", "Booth")
    clips = list(scores.heard_clips(tmp_path, ["r00000"], tiny_model.speech_encoder, longest_s=1.0))
    assert [len(clip.phones) for clip in clips] == [50]  # one second
    result = scores.measure(clips, clips)
    assert result["encoder"]["english"] is None and result["targets_met"] == {}


def test_inputs_are_the_hidden_layer_around_each_step(tiny_model: Model) -> None:
    encoder = tiny_model.speech_encoder
    first, second = (
        encoder_inputs(encoder, spoken(np.random.default_rng(k))[0][: n * FRAME_SAMPLES])
        for k, n in enumerate((10, 20))
    )
    both = Inputs.joined([first, second])
    assert (len(first), len(second), len(both)) == (20, 40, 60)
    torch.testing.assert_close(both.at(torch.arange(20)), first.at(torch.arange(20)))
    torch.testing.assert_close(both.at(torch.arange(20, 60)), second.at(torch.arange(40)))
    before, own, after = second.at(torch.tensor([4, 5, 6]))[1].chunk(3)
    torch.testing.assert_close(torch.stack([before, own, after]), second.rows[5:8].float())
    with torch.no_grad():
        samples = torch.from_numpy(spoken(np.random.default_rng(1))[0][None, : 20 * FRAME_SAMPLES])
        features = encoder(samples)[0]
        from_rows = encoder.exit(second.rows.T[None].float())[0].T
    torch.testing.assert_close(from_rows, features, atol=1e-2, rtol=1e-2)  # what the model itself makes of the rows


def test_log_mels_are_those_at_the_step() -> None:
    samples = np.zeros(25 * FRAME_SAMPLES, np.float32)
    samples[10 * FRAME_SAMPLES : 10 * FRAME_SAMPLES + 320] = 0.3 * np.sin(np.arange(320))  # step 20
    inputs = LogMels().inputs(samples)
    loud = inputs.at(torch.arange(50)).unflatten(1, (9, 80)).mean(-1)
    assert len(inputs) == 50 and int(loud[:, 4].argmax()) == 20
    assert int(loud[:, 0].argmax()) == 24 and int(loud[:, 8].argmax()) == 16


def test_a_pretrained_encoder_is_heard_through_its_features() -> None:
    pytest.importorskip("transformers", reason="needs transformers, which is not installed")
    sizes = json.loads((Path(__file__).parents[2] / "model" / "tiny_speech.json").read_text())
    encoder = PretrainedSpeechEncoder(PretrainedSpeechConfig(6, {"model_type": "hubert", **sizes})).eval()
    samples = np.random.default_rng(0).normal(0, 0.1, 12 * FRAME_SAMPLES).astype(np.float32)
    inputs = encoder_inputs(encoder, samples)
    assert len(inputs) == 24 and inputs.width == 3 * 6
    with torch.no_grad():
        features = encoder(encoder.standardise(torch.from_numpy(samples)[None]))[0]
    own = inputs.at(torch.arange(24)).unflatten(1, (3, 6))[:, 1]
    pairs = own.unflatten(0, (12, 2)).mean(1)[1:-1]
    torch.testing.assert_close(pairs, features[1:-1] * 0.75 + (features[:-2] + features[2:]) / 8, atol=1e-2, rtol=1e-2)


def test_speakers_are_drawn_until_the_hours_are_full() -> None:
    seconds = {f"r{k:05d}": 3600.0 if k == 7 else 20.0 for k in range(100)}
    chosen = scores.chosen_speakers(seconds, 0.1)
    assert chosen == scores.chosen_speakers(seconds, 0.1) and len(set(chosen)) == len(chosen)
    assert 17 <= len(chosen) <= 18  # 360 s of 20 s each; one speaker counts 30 s at most
    assert sorted(scores.chosen_speakers(seconds, 1000)) == sorted(seconds)


def test_a_corpus_without_recorded_speakers_is_one_line(tmp_path: Path, tiny_model_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus here"):
        scores.evaluate(tmp_path, str(tiny_model_path))
    for number in range(3):
        add_speaker(tmp_path, f"s{number:05d}", "en", "")
    with pytest.raises(InputError, match="no recorded speakers to learn from") as caught:
        scores.evaluate(tmp_path, str(tiny_model_path))
    assert "\n" not in str(caught.value)

"""Voices are found; music, noise and silence are told from them."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.activity.music import musical
from diffposetalk.workshop.footage.voice import measure_sound


def chords(duration: float, seed: int = 0) -> np.ndarray:
    """Three-note chords of an organ-like timbre, one a second, at -20 dB."""
    rng = np.random.default_rng(seed)
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    bars = []
    for _ in range(int(np.ceil(duration))):
        notes = 220 * 2 ** ((np.array([0, 4, 7]) + rng.integers(0, 12)) / 12)
        bars.append(sum(np.sin(2 * np.pi * f * h * t) / h for f in notes for h in (1, 2, 3, 4)))
    music = np.concatenate(bars)[: round(duration * SAMPLE_RATE)]
    return (0.1 * music / music.std()).astype(np.float32)


def over(speech: Speech, other: np.ndarray, below_db: float) -> Speech:
    """Lay another sound under a voice, so many decibels quieter."""
    gain = np.sqrt((speech.samples**2).mean() / (other**2).mean()) * 10 ** (-below_db / 20)
    return Speech(np.clip(speech.samples + gain * other[: len(speech)], -1, 1).astype(np.float32))


@pytest.fixture(scope="module")
def sample(sample_path) -> Speech:
    return Speech.load(sample_path)


def test_a_voice_is_found_between_silences(sample):
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    words = sample.slice(0.26, 2.2).samples
    sound_quality = measure_sound(Speech(np.concatenate([silence, words, silence])))
    assert len(sound_quality.spans) == 1
    start, stop = sound_quality.spans[0]
    assert start == pytest.approx(2.0, abs=0.15)
    assert stop == pytest.approx(2.0 + len(words) / SAMPLE_RATE, abs=0.25)
    assert sound_quality.speech_share == pytest.approx((stop - start) / 5.94, abs=0.01)
    assert sound_quality.music_share == 0
    assert sound_quality.background_db < -40
    assert sound_quality.problem() is None


def test_level_is_that_of_the_voice(sample):
    quieter = Speech(sample.samples * 0.1)
    assert measure_sound(quieter).level_db == pytest.approx(measure_sound(sample).level_db - 20, abs=0.5)


@pytest.mark.parametrize("kind", ["silence", "hum", "white", "clapping"])
def test_no_voice_in_noise(kind):
    rng, n = np.random.default_rng(1), 4 * SAMPLE_RATE
    t = np.arange(n) / SAMPLE_RATE
    claps = rng.standard_normal(n) * (rng.random(n) < 0.02)
    sound = {
        "silence": np.zeros(n),
        "hum": sum(0.1 * np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 6)),
        "white": 0.1 * rng.standard_normal(n),
        "clapping": 0.3 * np.convolve(claps, np.exp(-np.arange(400) / 80), "same"),
    }[kind]
    sound_quality = measure_sound(Speech(np.clip(sound, -1, 1).astype(np.float32)))
    assert sound_quality.spans == ()
    assert sound_quality.music_share < 0.1
    assert sound_quality.problem() == "nobody speaks"


def test_music_alone_is_music_and_no_voice():
    sound_quality = measure_sound(Speech(chords(6)))
    assert sound_quality.speech_share < 0.1
    assert sound_quality.music_share > 0.9


@pytest.mark.parametrize("below_db", [0, 6, 12])
def test_music_under_a_voice_is_refused(sample, below_db):
    sound_quality = measure_sound(over(sample, chords(11), below_db))
    assert sound_quality.speech_share > 0.7
    assert sound_quality.music_share > 0.5
    assert sound_quality.problem().startswith("music sounds")


def test_a_voice_between_musical_pauses_is_over_music():
    """Where the voice hides the notes, pauses tell: here only they hold music."""
    sound = np.zeros(6 * SAMPLE_RATE, np.float32)
    rng = np.random.default_rng(0)
    sound[2 * SAMPLE_RATE : 4 * SAMPLE_RATE] = 0.1 * rng.standard_normal(2 * SAMPLE_RATE)
    sound[: 2 * SAMPLE_RATE] = chords(2)
    spans = [(2.0, 4.0)]
    assert musical(sound, spans).mean() < 0.4
    sound[4 * SAMPLE_RATE :] = chords(2, seed=1)
    assert musical(sound, spans).mean() > 0.9


def test_noise_beside_the_voice_is_told(sample):
    noise = np.random.default_rng(0).standard_normal(len(sample)).astype(np.float32)
    loud, quiet = measure_sound(over(sample, noise, 6)), measure_sound(over(sample, noise, 25))
    assert loud.problem().startswith("noise")
    assert quiet.problem() is None
    assert loud.background_db - quiet.background_db == pytest.approx(19, abs=3)


def test_other_rates_are_heard(sample):
    narrow = sample.slice(0, 4).resampled(8000)
    assert measure_sound(narrow).speech_share == pytest.approx(measure_sound(sample.slice(0, 4)).speech_share, abs=0.15)


def test_the_number_of_threads_is_left_alone():
    import subprocess
    import sys

    code = (
        "import torch; torch.set_num_threads(2); import numpy as np;"
        "from diffposetalk.workshop.footage.voice import measure_sound;"
        "from diffposetalk.speech import Speech; measure_sound(Speech(np.zeros(16000, np.float32)));"
        "print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"


def test_real_recordings_pass(shared):
    for name in ("jfk.flac", "spk1_snt1.wav", "LJ001-0001.flac", "Mark_sadness.wav", "cn1.16k.flac", "jp2.16k.flac"):
        sound_quality = measure_sound(Speech.load(shared / "speech" / name))
        assert sound_quality.problem() is None, name
        assert sound_quality.speech_share > 0.7, name

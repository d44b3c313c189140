"""Engines speak with exact phone times; one voice per engine, skipped where the engine is not installed."""

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.speech.transcript.phones import check_phones
from diffposetalk.workshop.corpus.engines.base import Line, Voice
from diffposetalk.workshop.corpus.voices import (
    _GROUP_SHARES,
    VoiceTransform,
    _colour,
    _group,
    find_voice,
    list_voices,
    pick_voice,
    speak,
    speak_lines,
)

ENGLISH = "Bob may buy five puppies, my friend."
SAMPLES = {  # each with at least one p between sounds
    "flite:rms": ENGLISH,
    "flite:kal16": ENGLISH,
    "rhvoice:bdl": ENGLISH,
    "festival:kal_diphone": ENGLISH,
    "festival:lp_diphone": "Papà, la bambina beve poco, mamma apre.",
    "festival:suo_fi_lj_diphone": "Pappa ja mamma, hyvää päivää.",
    "festival:czech_dita": "Dobrý den, máma peče pivo.",
    "festival:upc_ca_ona_hts": "Bon dia, la meva mare fa pa i papa.",
    "espeak:en-us:": ENGLISH,
    "espeak:de:klatt3": "Papa mäht im Park, zwei Pferde gähnen am Baum.",
}


def voice_or_skip(name: str) -> Voice:
    if name not in {voice.name for voice in list_voices()}:
        pytest.skip(f"voice {name} is not installed here")
    return find_voice(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_speaks_with_times_on_the_closures(name):
    utterance = speak(SAMPLES[name], voice_or_skip(name))
    check_phones(utterance.phones, utterance.speech.duration)
    assert utterance.phones[0].start == 0.0
    assert utterance.phones[-1].end == pytest.approx(utterance.speech.duration, abs=1e-3)
    assert utterance.phones[0].symbol == "sil"
    energy = np.square(utterance.speech.samples)

    def level(phone):
        middle, quarter = (phone.start + phone.end) / 2, phone.duration / 4
        return energy[int((middle - quarter) * 16000) : int((middle + quarter) * 16000)].mean()

    vowels = np.median([level(p) for p in utterance.phones if p.features.vowel])
    stops = [level(p) for p in utterance.phones if p.symbol == "p"]
    assert stops and np.median(stops) < 0.1 * vowels
    assert sum(p.features.bilabial for p in utterance.phones) >= 3


def test_pip_engine_always_there():
    pytest.importorskip("espeakng_loader", reason="espeakng-loader comes with the train extra")
    voices = [voice for voice in list_voices() if voice.engine == "espeak"]
    assert len({voice.name for voice in voices}) == len(voices) > 300
    assert len({voice.language for voice in voices}) >= 12


def test_rate_and_resampling_change_times_consistently():
    voice = voice_or_skip("espeak:en-us:")
    plain = speak(ENGLISH, voice)
    fast = speak(ENGLISH, voice, rate=1.25)
    assert fast.speech.duration < 0.9 * plain.speech.duration
    small = speak(ENGLISH, voice, transform=VoiceTransform(resample=1.12))
    assert small.speech.duration == pytest.approx(plain.speech.duration, rel=0.06)
    assert [p.symbol for p in small.phones] == [p.symbol for p in plain.phones]


def test_formant_shift_keeps_length_and_moves_the_spectrum():
    rng = np.random.default_rng(0)
    pulses = np.zeros(16000, np.float32)
    pulses[::133] = 1.0
    time = np.arange(400) / 16000
    formant = np.exp(-time * 400) * np.sin(2 * np.pi * 1500 * time)
    voiced = (np.convolve(pulses, formant)[:16000] + 1e-4 * rng.standard_normal(16000)).astype(np.float32)
    moved = _colour(voiced, VoiceTransform(formant=1.09))
    assert moved.shape == voiced.shape

    def centre(x):
        spectrum = np.abs(np.fft.rfft(x)) ** 2
        band = slice(800, 2400)
        return (np.arange(len(spectrum))[band] * spectrum[band]).sum() / spectrum[band].sum()

    assert 1.04 < centre(moved) / centre(voiced) < 1.14
    assert _colour(voiced, VoiceTransform()) is voiced


def test_few_speakers_spread_over_engines():
    voices = list_voices()
    if not {"flite", "festival", "espeak"} <= {voice.engine for voice in voices}:
        pytest.skip("not all engines are installed here")
    picked = [_group(pick_voice(index, voices)) for index in range(100)]
    total = sum(_GROUP_SHARES[group] for group in {_group(voice) for voice in voices})
    for group in {_group(voice) for voice in voices}:
        assert picked.count(group) == pytest.approx(100 * _GROUP_SHARES[group] / total, abs=3)


def test_errors_are_one_clear_line():
    with pytest.raises(UsageError, match="voice 'nobody:none' is not installed"):
        find_voice("nobody:none")
    with pytest.raises(DiffPoseTalkError, match="no speech engine"):
        pick_voice(0, [])
    voice = voice_or_skip("espeak:en-us:")
    with pytest.raises(DiffPoseTalkError, match="could not speak"):
        speak("...", voice)


@pytest.mark.parametrize("name", ["flite:rms", "festival:kal_diphone", "rhvoice:slt"])
def test_same_line_same_samples(name):
    voice = voice_or_skip(name)
    lines = [Line("What a big movie."), Line(ENGLISH)]
    first, second = speak_lines(lines, voice)[1], speak_lines(lines[1:], voice)[0]
    assert first is not None and second is not None
    assert first.phones == second.phones
    np.testing.assert_array_equal(first.speech.samples, second.speech.samples)

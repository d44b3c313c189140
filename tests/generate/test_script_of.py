"""A transcript beside the speech, in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.errors import InputError, UsageError
from diffposetalk.generate.script_of import script_of
from diffposetalk.generate.talker import Talker
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript import Transcript
from diffposetalk.speech.transcript.phones import Phone

PHONES = (Phone("b", 0.4, 0.5), Phone("aa", 0.5, 0.8), Phone("m", 1.2, 1.3))


@pytest.fixture(scope="module")
def scripted(scripted_model_path: Path) -> Talker:
    return Talker.from_pretrained(scripted_model_path)


@pytest.fixture
def noise() -> Speech:
    return Speech(np.random.default_rng(0).uniform(-0.01, 0.01, 32000).astype(np.float32))


def test_phones_change_the_motion_where_they_are(scripted: Talker, noise: Speech) -> None:
    transcript = Transcript("talk", phones=PHONES)
    without = scripted.generate(noise, steps=1)
    with_ = scripted.generate(noise, steps=1, transcript=transcript)
    assert len(with_) == len(without) and not np.array_equal(with_.expression, without.expression)
    samples = scripted.generate_many(noise, 2, steps=1, transcript=transcript)
    np.testing.assert_allclose(samples[0].expression, with_.expression, atol=1e-5)
    frames = list(scripted.frames(noise, steps=1, transcript=transcript, non_speech="rest"))
    assert len(frames) == len(with_)


def test_the_sound_alone_counts_where_the_words_are_unknown(scripted: Talker, noise: Speech) -> None:
    encoder = scripted.model.speech_encoder
    added = script_of(Transcript("talk", phones=PHONES), noise, encoder)
    partly = script_of(Transcript("talk", phones=PHONES, unknown=((1.0, 1.5),)), noise, encoder)
    assert added.shape == (50, encoder.config.dim)
    unknown = torch.arange(50).ge(25) & torch.arange(50).lt(37)
    assert (partly[unknown] == 0).all() and (added[unknown] != 0).any()
    torch.testing.assert_close(partly[~unknown], added[~unknown])


def test_what_is_no_transcript_is_one_line(scripted: Talker, tiny_model_path: Path, noise: Speech) -> None:
    with pytest.raises(InputError, match=r"Transcript\.of_text"):
        scripted.generate(noise, transcript="Ask not what your country can do")
    with pytest.raises(UsageError, match="must be a file or a Transcript, not int"):
        scripted.generate(noise, transcript=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes no transcript"):
        Talker.from_pretrained(tiny_model_path).generate(noise, transcript=Transcript.of_text("hello"))

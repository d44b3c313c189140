"""The encoder on top of Whisper, with a stand-in for Whisper and, where it is installed, with Whisper base itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.model.configs import WhisperSpeechConfig
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.whisper_speech import CHUNK_FRAMES, WhisperSpeechEncoder
from diffposetalk.speech.whisper import whisper_folder


class Loudness:
    """Features of a stand-in: the loudness of every 20 ms, four times."""

    def features(self, samples: np.ndarray) -> np.ndarray:
        steps = samples[: len(samples) // 320 * 320].reshape(-1, 320)
        return np.repeat(np.abs(steps).mean(1)[:, None], 4, axis=1).astype(np.float32)


@pytest.fixture
def encoder() -> WhisperSpeechEncoder:
    torch.manual_seed(0)
    made = WhisperSpeechEncoder(WhisperSpeechConfig(dim=8, n_features=4, components=3, width=12, n_phones=5)).eval()
    made.projection.copy_(torch.randn(4, 3) * 5)
    made._whisper = Loudness()  # type: ignore[assignment]
    return made


def test_one_feature_for_each_frame(encoder: WhisperSpeechEncoder) -> None:
    samples = torch.randn(2, FRAME_SAMPLES * 20 + 100) * 0.1
    assert encoder(samples).shape == (2, 21, 8)
    assert encoder(samples, 10).shape == (2, 10, 8)


def test_long_speech_in_chunks_equals_the_whole(encoder: WhisperSpeechEncoder) -> None:
    samples = (np.random.default_rng(0).normal(0, 0.1, FRAME_SAMPLES * (2 * CHUNK_FRAMES + 130))).astype(np.float32)
    pieces = torch.cat(list(encoder.stream(np.array_split(samples, 7))))
    components = encoder.components(samples)
    whole = encoder.features(encoder.hidden(components[None]))[0]
    assert len(pieces) == len(whole) == 2 * CHUNK_FRAMES + 130
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-5)


def test_the_last_window_is_filled_up(encoder: WhisperSpeechEncoder) -> None:
    samples = np.full(FRAME_SAMPLES * 7, 0.1, np.float32)
    assert len(torch.cat(list(encoder.stream([samples], multiple=5)))) == 10


def test_a_transcript_adds_to_the_features(encoder: WhisperSpeechEncoder) -> None:
    samples, phones = torch.randn(1, FRAME_SAMPLES * 6) * 0.1, torch.randint(5, (1, 12))
    torch.testing.assert_close(encoder(samples, phones=phones), encoder(samples))  # 0 before training
    assert encoder.script is not None
    torch.nn.init.normal_(encoder.script.exit.weight)
    assert not torch.allclose(encoder(samples, phones=phones), encoder(samples))


def test_another_whisper_model_is_refused(encoder: WhisperSpeechEncoder) -> None:
    other = WhisperSpeechEncoder(WhisperSpeechConfig(dim=8, n_features=6, components=3, width=12))
    other._whisper = Loudness()  # type: ignore[assignment]
    with pytest.raises(UsageError, match="features of 4 numbers"):
        other.components(np.zeros(3200, np.float32))


def test_a_name_that_is_no_model_is_one_line() -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    with pytest.raises(InputError, match="nosuchmodel"):
        whisper_folder("nosuchmodel")


def test_whisper_base_itself(encoder: WhisperSpeechEncoder) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    config = WhisperSpeechConfig(dim=8, components=3, width=12)
    real = WhisperSpeechEncoder(config).eval()
    try:
        real.load_whisper()
    except DiffPoseTalkError as error:
        pytest.skip(str(error))
    assert real(torch.randn(1, FRAME_SAMPLES * 30) * 0.1).shape == (1, 30, 8)

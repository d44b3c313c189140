"""The speech encoders of all kinds of models, by torch."""

from __future__ import annotations

from typing import TypeAlias

from diffposetalk.model.configs import AnySpeechConfig, SpeechEncoderConfig, WhisperSpeechConfig
from diffposetalk.model.pretrained_speech import PretrainedSpeechEncoder
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.whisper_speech import WhisperSpeechEncoder

AnySpeechEncoder: TypeAlias = SpeechEncoder | PretrainedSpeechEncoder | WhisperSpeechEncoder
"""A speech encoder."""


def build_speech_encoder(config: AnySpeechConfig) -> AnySpeechEncoder:
    """Return a speech encoder with freshly initialised weights."""
    if isinstance(config, SpeechEncoderConfig):
        return SpeechEncoder(config)
    if isinstance(config, WhisperSpeechConfig):
        return WhisperSpeechEncoder(config)
    return PretrainedSpeechEncoder(config)

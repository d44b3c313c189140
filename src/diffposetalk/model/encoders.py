"""The speech encoders of all kinds of models."""

from __future__ import annotations

from typing import TypeAlias

from diffposetalk.model.pretrained_speech import PretrainedSpeechConfig, PretrainedSpeechEncoder
from diffposetalk.model.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from diffposetalk.model.whisper_speech import WhisperSpeechConfig, WhisperSpeechEncoder

AnySpeechConfig: TypeAlias = SpeechEncoderConfig | PretrainedSpeechConfig | WhisperSpeechConfig
"""Configuration of a speech encoder; its ``kind`` tells which."""
AnySpeechEncoder: TypeAlias = SpeechEncoder | PretrainedSpeechEncoder | WhisperSpeechEncoder
"""A speech encoder."""


def build_speech_encoder(config: AnySpeechConfig) -> AnySpeechEncoder:
    """Return a speech encoder with freshly initialised weights."""
    if isinstance(config, SpeechEncoderConfig):
        return SpeechEncoder(config)
    if isinstance(config, WhisperSpeechConfig):
        return WhisperSpeechEncoder(config)
    return PretrainedSpeechEncoder(config)

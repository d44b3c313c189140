"""Sound and video in and out: the only code that decodes or encodes them (PyAV; no ffmpeg binary is needed)."""

from diffposetalk.media.decode import LOUDEST, MediaInfo, audio_blocks, probe, read_frames
from diffposetalk.media.encode import VideoWriter, save_audio, save_wav_blocks
from diffposetalk.media.memory import decode_bytes, flac_bytes

VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
"""File name endings that are taken for video."""

__all__ = [
    "LOUDEST",
    "VIDEOS",
    "MediaInfo",
    "VideoWriter",
    "audio_blocks",
    "decode_bytes",
    "flac_bytes",
    "probe",
    "read_frames",
    "save_audio",
    "save_wav_blocks",
]

"""Sound and video in and out: the only code that decodes or encodes them (PyAV; no ffmpeg binary is needed)."""

from diffposetalk.media.decode import LOUDEST, MediaInfo, audio_blocks, probe, read_frames
from diffposetalk.media.encode import VideoWriter, save_audio, save_wav_blocks
from diffposetalk.media.memory import decode_bytes, flac_bytes

__all__ = [
    "LOUDEST",
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

"""Reading and writing of sound and video, with PyAV; no ffmpeg program is needed."""

from diffposetalk.media.encode import save_audio, save_recording, save_wav_blocks
from diffposetalk.media.memory import decode_bytes, flac_bytes
from diffposetalk.media.pictures import read_frames
from diffposetalk.media.sound import HIGHEST_RATE, LOUDEST, audio_blocks, check_sound
from diffposetalk.media.soundtrack import Recording
from diffposetalk.media.source import MediaInfo, probe
from diffposetalk.media.video import TRANSPARENT_OUTPUTS, VIDEO_OUTPUTS, VideoWriter

VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
"""File name endings of videos."""

__all__ = [
    "HIGHEST_RATE",
    "LOUDEST",
    "TRANSPARENT_OUTPUTS",
    "VIDEOS",
    "VIDEO_OUTPUTS",
    "MediaInfo",
    "Recording",
    "VideoWriter",
    "audio_blocks",
    "check_sound",
    "decode_bytes",
    "flac_bytes",
    "probe",
    "read_frames",
    "save_audio",
    "save_recording",
    "save_wav_blocks",
]

"""RHVoice 1.x, run as a program (`RHVoice-test`): four English HMM voices, phone times by forced alignment.

Optional: Debian keeps RHVoice outside `main`; the four voices used here are LGPL-2.1+. Without the program or without
PocketSphinx this engine has no voices.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffposetalk.speech.transcript import alignment
from diffposetalk.workshop.corpus.engines.base import EngineOutput, Line, Voice, samples_from_int16

_PROGRAM = "RHVoice-test"
"""RHVoice's program that speaks to a file."""
_VOICES = ("alan", "bdl", "clb", "slt")
"""English voices."""
_FOLDERS = (Path("/usr/share/RHVoice/voices"), Path("/usr/local/share/RHVoice/voices"))
"""Folders of installed voices."""


class RHVoice:
    """The RHVoice engine; lines whose words the aligner does not know come back as None."""

    name = "rhvoice"

    def voices(self) -> list[Voice]:
        """Return the installed ones of alan, bdl, clb and slt."""
        if shutil.which(_PROGRAM) is None or not alignment.available():
            return []
        installed = {path.name for folder in _FOLDERS if folder.is_dir() for path in folder.iterdir()}
        return [
            Voice("rhvoice", f"rhvoice:{name}", "en", 1.0, True, "LGPL-2.1+") for name in _VOICES if name in installed
        ]

    def speak(self, voice: Voice, lines: Sequence[Line]) -> list[EngineOutput | None]:
        """Speak lines; rate and pitch are obeyed."""
        with tempfile.TemporaryDirectory(prefix="rhvoice-") as folder:
            return [self._speak_line(voice.name.split(":", 1)[1], line, Path(folder) / "line.wav") for line in lines]

    @staticmethod
    def _speak_line(name: str, line: Line, path: Path) -> EngineOutput | None:
        import soxr

        command = [
            _PROGRAM,
            "-p",
            name,
            "-r",
            str(round(100 * line.rate)),
            "-t",
            str(round(100 * line.pitch)),
            "-o",
            str(path),
        ]
        try:
            subprocess.run(command, input=line.text.encode(), capture_output=True, timeout=60, check=True)
            with wave.open(str(path)) as sound:
                sample_rate = sound.getframerate()
                pcm = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
        except (OSError, subprocess.SubprocessError, EOFError, wave.Error):
            return None
        samples = soxr.resample(samples_from_int16(pcm), sample_rate, 16000).astype(np.float32)
        phones = alignment.align(samples, line.text)
        return None if phones is None else EngineOutput(samples, 16000, phones)

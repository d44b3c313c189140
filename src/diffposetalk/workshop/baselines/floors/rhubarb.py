"""The floor "rhubarb": Rhubarb Lip Sync itself, where its program is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.files.parsing import parsing
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.workshop.baselines.floors.shapes import FPS, NAMES, motion_of_shapes, shapes_of_cues

PROGRAM = "rhubarb"
"""Name of the program on the PATH (https://github.com/DanielSWolf/rhubarb-lip-sync, MIT)."""
LONGEST_S = 600
"""Longest that it may take for one speech, seconds."""


def installed() -> bool:
    """Return whether the program is on the PATH."""
    return shutil.which(PROGRAM) is not None


def check_installed() -> None:
    """Check that the program is on the PATH.

    Raises:
        DiffPoseTalkError: it is not.
    """
    if not installed():
        raise DiffPoseTalkError("Rhubarb Lip Sync is not installed: put its program `rhubarb` on the PATH")


def rhubarb(speech: Speech, *, seed: int = 0, style: object = None) -> Motion:
    """Let Rhubarb choose mouth shapes and blend them into motion.

    The recogniser "phonetic" is used, which knows no language. Head and upper face stay at rest.

    Returns:
        Motion of the head "anny" at 25 fps; ``seed`` and ``style`` change nothing.

    Raises:
        DiffPoseTalkError: the program is not installed, fails or takes too long.
        InputError: its output is not what its documentation says.
    """
    check_installed()
    with tempfile.TemporaryDirectory() as folder:
        sound, output = Path(folder) / "speech.wav", Path(folder) / "shapes.json"
        speech.resampled(SAMPLE_RATE).save(sound)
        command = [PROGRAM, "--quiet", "--exportFormat", "json", "--recognizer", "phonetic"]
        command += ["--extendedShapes", "GHX", "--output", str(output), str(sound)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            raise DiffPoseTalkError(f"rhubarb took longer than {LONGEST_S} s for {speech.duration:.0f} s") from None
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DiffPoseTalkError(f"rhubarb failed: {reason}")
        with parsing(output, "output of rhubarb"):
            cues = json.loads(output.read_text())["mouthCues"]
            read = [(float(cue["start"]), float(cue["end"]), _shape(cue["value"])) for cue in cues]
    n_frames = max(1, -(-len(speech.samples) * round(FPS) // speech.sample_rate))
    return motion_of_shapes(shapes_of_cues(read, 2 * n_frames))


def _shape(value: str) -> str:
    if value not in NAMES:
        raise ValueError(f"unknown mouth shape {value!r}")
    return value

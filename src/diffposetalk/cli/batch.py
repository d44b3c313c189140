"""Several sounds in one call of `animate`: the sound files, and the outputs of each."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.cli.outputs import PICTURES, Outputs
from diffposetalk.errors import InputError, UsageError

SOUNDS = (
    ".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".weba", ".mka", ".wma", ".aif", ".aiff", ".caf",
    ".w64", ".amr", ".au",
)  # fmt: skip
"""Suffixes of the sound files that are read from a folder."""
DEFAULT_FORMAT = "mp4"
"""Format of the outputs in a folder if `--format` is not given."""


@dataclass(frozen=True)
class Job:
    """One sound and its outputs."""

    speech: Path
    outputs: Outputs


def jobs(args: argparse.Namespace, pictures: tuple[Path, ...] = ()) -> list[Job]:
    """Return the jobs of a command line. Every output is checked before any work.

    Args:
        args: options with ``speech`` (files or folders), ``output`` and ``format``.
        pictures: further rendered outputs, for a single sound only.

    Raises:
        UsageError: several sounds have no output folder, a format is unknown, two sounds have the same name, or an
            output cannot be written.
        InputError: a folder holds no sounds.
    """
    if "" in args.speech:
        raise UsageError("the name of a sound file is empty; give the name of a sound or video file")
    if not (has_several(args) or _is_folder(args.output)):
        return [Job(Path(args.speech[0]), Outputs.of(args, pictures))]
    if pictures:
        raise UsageError("--contact-sheet goes with one sound and -o FILE; with a folder write --format mp4,png")
    if len(args.output) != 1 or (Path(args.output[0]).suffix and not Path(args.output[0]).is_dir()):
        raise UsageError("several sounds need one folder to write to, such as -o out/; --format says which files")
    folder = Path(args.output[0])
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; several sounds need a folder to write to")
    speeches = _sounds(args.speech)
    first: dict[str, Path] = {}
    for speech in speeches:
        other = first.setdefault(speech.stem, speech)
        if other is not speech:
            raise UsageError(f"{other} and {speech} would be written under one name; rename one, or use two folders")
    for speech in speeches:
        args.file_set.reads(speech, "SPEECH")
    names = {speech: _names(speech.stem, args.format or DEFAULT_FORMAT) for speech in speeches}
    folder.mkdir(parents=True, exist_ok=True)
    options = vars(args) | {"format": None}
    return [
        Job(speech, Outputs.of(argparse.Namespace(**options | {"output": [str(folder / name) for name in outputs]})))
        for speech, outputs in names.items()
    ]


def has_several(args: argparse.Namespace) -> bool:
    """Return whether a command line asks for more than one sound file."""
    return len(args.speech) > 1 or Path(args.speech[0]).is_dir()


def _is_folder(output: Sequence[str]) -> bool:
    return len(output) == 1 and (output[0].endswith(("/", os.sep)) or Path(output[0]).is_dir())


def _sounds(words: Sequence[str]) -> list[Path]:
    """Return the given files, and the sound and video files in the given folders."""
    from diffposetalk.media import VIDEOS

    speeches: list[Path] = []
    for path in map(Path, words):
        if not path.is_dir():
            speeches.append(path)
            continue
        inside = [
            file for file in sorted(path.iterdir()) if file.is_file() and file.suffix.lower() in (*SOUNDS, *VIDEOS)
        ]
        if not inside:
            raise InputError(f"{path}: this folder holds no sound or video files")
        speeches += inside
    return list(dict.fromkeys(speeches))


def _names(stem: str, formats: str) -> list[str]:
    """Return the file names for one sound, one for each format of a list such as ``mp4,npz,livelink``."""
    from diffposetalk.exchange import FORMATS, format_of, suffixes

    names = []
    for word in formats.split(","):
        ending = "." + word.strip().lower().removeprefix(".")
        if ending in (*PICTURES, *suffixes()):
            names.append(stem + ending)
            continue
        row = FORMATS.get(word.strip())
        if row is None:
            known = ", ".join(dict.fromkeys((*(suffix[1:] for suffix in PICTURES), *FORMATS)))
            raise UsageError(f"unknown format {word!r}; there are {known}")
        ending = row.suffixes[0]
        plain, hinted = stem + ending, [f"{stem}_{hint}{ending}" for hint in row.hints]
        matching = [name for name in (plain, *hinted) if format_of(name).name == row.name]
        if not matching:
            raise UsageError(f"{plain}: this name means another format than {row.name}; rename the sound")
        names.append(matching[0])
    return list(dict.fromkeys(names))

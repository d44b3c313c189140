"""Outputs of several files, which appear together or not at all, and the sound file beside a scene."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import UsageError
from diffposetalk.exchange.formats import SOUND
from diffposetalk.files.atomic import keep_mode, locked, write_error
from diffposetalk.files.companions import check_companion, check_companions, mark
from diffposetalk.files.partial import partial_beside, remove, remove_abandoned
from diffposetalk.files.paths import real_path
from diffposetalk.speech import Speech, SpeechFile

if TYPE_CHECKING:
    from diffposetalk.exchange.formats import Format


@contextlib.contextmanager
def replacing_together(path: Path) -> Iterator[Path]:
    """Provide an empty temporary folder beside `path`; on success move its files next to `path`.

    The files already have their final names there, so that one can refer to another by a relative name. On any
    failure the folder is removed. When two writers run at once, all files are those of the last to finish.

    Args:
        path: the main file, which is moved last.

    Yields:
        Absolute path of the main file in the temporary folder.

    Raises:
        UsageError: a companion would overwrite a file of the user's.
        DiffPoseTalkError: the operating system refused a write; the message names `path` and the reason.
    """
    target = real_path(path)
    remove_abandoned(target)
    folder = partial_beside(target)
    try:
        folder.mkdir()
        main = folder / target.name
        yield main
        companions = [file for file in sorted(folder.rglob("*")) if file.is_file() and file != main]
        for file in companions:
            mark(file)
        with locked(target.parent):
            for file in companions:
                check_companion(path, target.parent / file.relative_to(folder), file)
            for file in (*companions, main):
                _move(file, target.parent / file.relative_to(folder))
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        remove(folder)


def _move(new: Path, place: Path) -> None:
    """Move a file to its place; on failure, remove the folder that was made for it."""
    place.parent.mkdir(exist_ok=True)
    if place.is_file():
        keep_mode(place, new)
    try:
        os.replace(new, place)
    except OSError:
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # goes only if it is empty
        raise


def companions_of(path: Path, file_format: Format, speech: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the files and folders that a format writes beside the output that the user named.

    Args:
        path: the output.
        file_format: its format.
        speech: name of the sound file; None without sound.
    """
    if path.suffix.lower() == ".usdz":
        return []  # all is inside
    names = []
    for pattern in file_format.companions:
        if pattern == SOUND and speech is None:
            continue
        names.append(sound_beside(path, speech) if pattern == SOUND else pattern.format(stem=path.stem))
    return [path.with_name(name.rstrip("/")) for name in names]


def check_beside(path: Path, file_format: Format, speech: str | os.PathLike[str] | None = None) -> None:
    """Refuse an output whose companions would overwrite files of the user's.

    Raises:
        UsageError: a file of the user's, or a folder, has the name of a companion, or a file has the name of a
            companion folder.
    """
    folders = {
        pattern.format(stem=path.stem).rstrip("/") for pattern in file_format.companions if pattern.endswith("/")
    }
    companions = companions_of(path, file_format, speech)
    check_companions(path, [file.name for file in companions if file.name not in folders])
    for folder in companions:
        if folder.name in folders and os.path.lexists(folder) and not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder, and {path} needs a folder of that name beside it; move it")


def sound_beside(path: Path, speech: str | os.PathLike[str] | None) -> str:
    """Return the name of the sound file beside an output; it never equals the name of the speech file itself."""
    name = SOUND.format(stem=path.stem)
    return f"{path.stem}_sound.wav" if speech is not None and Path(speech).name == name else name


def write_sound(speech: Speech | SpeechFile | None, path: Path) -> str | None:
    """Write the sound beside a file as 16-bit `.wav`, which every engine, browser and USD package plays.

    Args:
        speech: the sound; a file keeps its own sample rate and channels.
        path: the file that it goes with.

    Returns:
        Its name, `NAME_speech.wav` (never that of the file the speech comes from), or None without speech.
    """
    from diffposetalk import media

    if speech is None:
        return None
    name = sound_beside(path, getattr(speech, "path", None))
    if isinstance(speech, SpeechFile):
        media.save_recording(path.with_name(name), speech.path)
    else:
        media.save_wav_blocks(path.with_name(name), speech.blocks(), speech.sample_rate)
    return name

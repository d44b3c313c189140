"""Outputs of more than one file: all of them appear, or none; and the sound that lies beside a moving head."""

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
    """Give the file's own name in an empty folder beside `path`; on success move all that is in the folder next to `path`.

    So what a file refers to by relative names is called in it as it will be. On any failure the folder goes. Of two
    writers at once, all files are those of the last to finish.

    Args:
        path: the main file; it is moved last.

    Yields:
        An absolute path of the same name.

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
        files = [each for each in sorted(folder.rglob("*")) if each.is_file() and each != main]
        for each in files:
            mark(each)
        with locked(target.parent):
            for each in files:
                check_companion(path, target.parent / each.relative_to(folder), each)
            for each in (*files, main):
                _move(each, target.parent / each.relative_to(folder))
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        remove(folder)


def _move(new: Path, place: Path) -> None:
    """Move a file to its place; a folder made for it goes again where that fails."""
    place.parent.mkdir(exist_ok=True)
    if place.is_file():
        keep_mode(place, new)
    try:
        os.replace(new, place)
    except OSError:
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # goes only if it is empty
        raise


def companions_of(path: Path, row: Format, speech: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the files and folders that a format writes beside its own, which the user does not name.

    Args:
        path: the output.
        row: its format.
        speech: name of the sound that goes with it; None for none.
    """
    if path.suffix.lower() == ".usdz":
        return []  # all is inside
    names = []
    for pattern in row.companions:
        if pattern == SOUND and speech is None:
            continue
        names.append(sound_beside(path, speech) if pattern == SOUND else pattern.format(stem=path.stem))
    return [path.with_name(name.rstrip("/")) for name in names]


def check_beside(path: Path, row: Format, speech: str | os.PathLike[str] | None = None) -> None:
    """Refuse an output whose companions would overwrite files of the user's.

    Raises:
        UsageError: a file that is not ours, or a folder, has a companion's name, or a file that of a companion folder.
    """
    folders = {pattern.format(stem=path.stem).rstrip("/") for pattern in row.companions if pattern.endswith("/")}
    companions = companions_of(path, row, speech)
    check_companions(path, [each.name for each in companions if each.name not in folders])
    for each in companions:
        if each.name in folders and os.path.lexists(each) and not each.is_dir():
            raise UsageError(f"{each}: is not a folder, and {path} needs a folder of that name beside it; move it")


def sound_beside(path: Path, speech: str | os.PathLike[str] | None) -> str:
    """Return the name of the sound beside a file: never that of the file from which the speech is read."""
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

"""Outputs of more than one file: all of them appear, or none; and the sound that lies beside a moving head."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from diffposetalk.files.atomic import write_error
from diffposetalk.speech import Speech, SpeechFile


@contextlib.contextmanager
def replacing_together(path: Path) -> Iterator[Path]:
    """Give the file's own name in an empty folder beside `path`; on success move all that is in the folder next to `path`.

    So what a file refers to by relative names is called in it as it will be. On any failure the folder goes.

    Args:
        path: the main file; it is moved last.

    Yields:
        A path of the same name.

    Raises:
        DiffPoseTalkError: the operating system refused a write; the message names `path` and the reason.
    """
    folder = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        folder.mkdir()
        main = folder / path.name
        yield main
        files = sorted(each for each in folder.rglob("*") if each.is_file())
        for each in sorted(files, key=lambda each: each == main):
            place = path.parent / each.relative_to(folder)
            place.parent.mkdir(exist_ok=True)
            try:
                os.replace(each, place)
            except OSError:
                with contextlib.suppress(OSError):
                    place.parent.rmdir()  # goes only if it is empty
                raise
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_sound(speech: Speech | SpeechFile | None, path: Path) -> str | None:
    """Write the sound beside a file as 16-bit mono `.wav`, which every engine, browser and USD package plays.

    Args:
        speech: a file is written at its own sample rate.
        path: the file it goes with.

    Returns:
        Its name, `NAME_speech.wav` (never that of the file the speech comes from), or none without speech.
    """
    from diffposetalk import media

    if speech is None:
        return None
    name = f"{path.stem}_speech.wav"
    rate = speech.sample_rate
    if isinstance(speech, SpeechFile):
        if speech.path.name == name:
            name = f"{path.stem}_sound.wav"
        rate = int(speech.info.sample_rate or rate)
        media.save_wav_blocks(path.with_name(name), media.audio_blocks(speech.path, rate), rate)
    else:
        media.save_wav_blocks(path.with_name(name), speech.blocks(), rate)
    return name

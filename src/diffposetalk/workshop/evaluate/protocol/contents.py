"""What a protocol pins."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from diffposetalk.errors import InputError

PROTOCOL_FORMAT = 1
"""Version written into protocol files; a reader refuses versions above its own."""
TOLERANCE_S = 0.08
"""Seconds by which an output may be shorter or longer than its clip: two frames at 25 frames a second."""


@dataclass(frozen=True)
class Part:
    """A stretch of a file that is pinned by its hash."""

    file: str
    """Path from the folder of clips, or from that of the protocol file. ``shard.safetensors#001`` is clip 001 in a shard of a
    corpus."""
    sha256: str
    """SHA-256 of the whole file, 64 hexadecimal digits."""
    start: float = 0.0
    """Where the stretch begins, seconds from the start of the file."""
    seconds: float | None = None
    """Length of the stretch; None means the length of the clip, or for a style the rest of the file."""


@dataclass(frozen=True)
class PinnedClip:
    """One clip: its sound, the true motion, the source of its style, its phones."""

    name: str
    """Name of the clip. Outputs of a system are files of this name."""
    speaker: str
    """Who speaks."""
    seconds: float
    """Length of the clip."""
    sound: Part
    truth: Part
    """Motion file. Its ``start`` includes the offset between picture and sound of the clip."""
    style: Part | None = None
    """Motion from which systems read the style; None means that each system speaks in its default style."""
    phones: tuple[tuple[str, float, float], ...] = ()
    """Symbol, start and end of each phone, seconds from the start of the clip; empty where they are not known."""


@dataclass(frozen=True)
class Topology:
    """Where the face of a mesh is, for systems whose outputs are vertices: a head, or lists of vertices."""

    vertices: int
    """Number of vertices, by which the topology of an output is recognised."""
    head: str = ""
    """Name or file of a head with these vertices; its landmarks and regions are used."""
    lip_pairs: tuple[tuple[int, int], ...] = ()
    """Facing points of the upper and the lower inner lip."""
    lip_corners: tuple[tuple[int, int], ...] = ()
    """Right and left corner of the mouth."""
    jaw_pairs: tuple[tuple[int, int], ...] = ()
    """Points of the nose and of the chin."""
    lid_pairs: tuple[tuple[int, int], ...] = ()
    """Points of the upper and the lower lid."""
    brow_pairs: tuple[tuple[int, int], ...] = ()
    """Points of the brow and of the eye below it."""
    lips: tuple[int, ...] = ()
    """Vertices of the lips, for the lip vertex error."""
    upper_face: tuple[int, ...] = ()
    """Vertices of the upper face, for its dynamics."""


@dataclass(frozen=True)
class Protocol:
    """Everything that a comparison depends on, except the systems."""

    name: str
    clips: tuple[PinnedClip, ...]
    format: int = PROTOCOL_FORMAT
    root: str = "."
    """Folder from which the paths of sounds and motion start, from the folder of the protocol file."""
    fps: float = 25.0
    """Frames per second at which everything is compared."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the samples. The first one is the sample that is compared on its own."""
    metrics: tuple[str, ...] = ()
    """Names of the metrics; empty means all."""
    about: str = ""
    """Where the clips are from and how their styles were chosen, for readers."""
    notes: tuple[str, ...] = ()
    """What could not be used when the protocol was made, for readers."""
    left_out: tuple[str, ...] = ()
    """Names of clips of the folder that were not taken."""
    topologies: tuple[Topology, ...] = ()
    """Meshes that systems may give as vertices."""

    def __post_init__(self) -> None:
        if self.format > PROTOCOL_FORMAT:
            raise InputError(
                f"protocol format {self.format} is newer than this program reads ({PROTOCOL_FORMAT}); update diffposetalk"
            )
        if not self.clips:
            raise InputError("the protocol has no clips")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InputError("seeds must be different whole numbers from 0, at least one")
        if not 1 <= self.fps <= 240:
            raise InputError(f"fps must be between 1 and 240, got {self.fps:g}")
        twice = [name for name, count in Counter(clip.name for clip in self.clips).items() if count > 1]
        if twice:
            raise InputError(f"two clips are called {twice[0]!r}")
        for clip in self.clips:
            _check_clip(clip)

    @property
    def hash(self) -> str:
        """The first 12 digits of the SHA-256 of all that decides a score; names of files and texts do not count."""
        content = asdict(self)
        for word in ("name", "root", "about", "format", "notes", "left_out"):
            del content[word]
        for clip in content["clips"]:
            for part in ("sound", "truth", "style"):
                if clip[part]:
                    clip[part]["file"] = clip[part]["file"].partition("#")[2]
        return hash_of(content)[:12]

    @property
    def seconds(self) -> float:
        """Length of all clips."""
        return sum(clip.seconds for clip in self.clips)


def n_frames(clip: PinnedClip, fps: float) -> int:
    """Return the number of frames of a clip."""
    return max(1, round(clip.seconds * fps))


def hash_of(content: Any) -> str:
    """Return the SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _check_clip(clip: PinnedClip) -> None:
    """Refuse impossible numbers.

    Raises:
        InputError: a time is negative, not finite or out of order, or a hash is not one.
    """
    where = f"clip {clip.name!r}"
    if not clip.name or clip.name.startswith("/") or ".." in clip.name.split("/"):
        raise InputError(f"{where}: a clip needs a name without '..' that does not begin with '/'")
    if not 0 < clip.seconds < 1e5:
        raise InputError(f"{where}: seconds must be above 0, got {clip.seconds:g}")
    for what, part in (("sound", clip.sound), ("truth", clip.truth), ("style", clip.style)):
        if part is None:
            continue
        if len(part.sha256) != 64 or set(part.sha256.lower()) - set("0123456789abcdef"):
            raise InputError(f"{where}: the sha256 of its {what} must have 64 hexadecimal digits")
        if not 0 <= part.start < 1e6:
            raise InputError(f"{where}: the start of its {what} must be a time from 0, got {part.start:g}")
        if part.seconds is not None and not 0 < part.seconds < 1e6:
            raise InputError(f"{where}: the seconds of its {what} must be above 0, got {part.seconds:g}")
    before = 0.0
    for symbol, start, end in clip.phones:
        if not before - 1e-6 <= start <= end < 1e6:
            raise InputError(f"{where}: the phone {symbol!r} at {start:g} to {end:g} s is out of order")
        before = start

"""Finished videos of a build that is under way, a file each: what an interrupted build goes on from."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from diffposetalk.data.clip import Clip
from diffposetalk.data.shards import PARTS, decode_sample, encode_sample
from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import write_atomically, write_error
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tar import tar_members
from diffposetalk.media import probe
from diffposetalk.parallel import Unable, within
from diffposetalk.workshop.footage.cut import LONGEST_VIDEO_S, Cut, cut, ready
from diffposetalk.workshop.footage.manifest import Finding
from diffposetalk.workshop.footage.options import CutOptions

STAGING_VERSION = 2
"""To be raised when cutting changes, so that what was cut before is cut anew."""
PATIENCE_S, PATIENCE = 600.0, 30.0
"""How long a video may take, seconds and times its own length (about twenty times what it should), before its worker is
taken to hang and is ended."""


def cut_to_bytes(video: str, options: CutOptions) -> bytes:
    """Cut a video; what a worker does and sends back.

    A worker that hangs is ended: its process exits.

    Raises:
        Unable: a package, a model file or the video is missing on this machine.
    """
    import torch

    torch.set_num_threads(1)
    try:
        _ready_once(options)
    except DiffPoseTalkError as error:
        raise Unable(f"{platform.node()}: {error}") from None
    if not Path(video).exists():
        raise Unable(f"{video}: is not there on {platform.node()}; all machines need the videos at the same path")
    with within(PATIENCE_S):
        try:
            length = probe(video).duration or LONGEST_VIDEO_S
        except InputError:
            length = 0.0
    with within(PATIENCE_S + PATIENCE * min(length, LONGEST_VIDEO_S)):
        return encode_cut(cut(video, options))


@cache
def _ready_once(options: CutOptions) -> None:
    ready(options)


def encode_cut(found: Cut) -> bytes:
    """Return what came of a video as the bytes of a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        findings = json.dumps([finding.to_dict() for finding in found.findings]).encode()
        for name, data in [("findings.json", findings), *_parts(found.clips)]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _parts(clips: tuple[Clip, ...]) -> Iterator[tuple[str, bytes]]:
    for number, clip in enumerate(clips):
        for part, data in zip(PARTS, encode_sample(clip)):
            yield f"{number:04d}.{part}", data


def decode_cut(data: bytes, where: str) -> Cut:
    """Read what `encode_cut` wrote.

    Raises:
        InputError: it is damaged.
    """
    findings, samples = _unpacked(data, where)
    return Cut(findings, tuple(decode_sample(name, parts, f"{where}: {name}") for name, parts in samples.items()))


def _unpacked(data: bytes, where: str) -> tuple[tuple[Finding, ...], dict[str, dict[str, bytes]]]:
    """Return findings, and the parts of each clip by its number, still encoded; all are there."""
    with parsing(where, "cut video"):
        files = dict(tar_members(io.BytesIO(data), where, "cut video"))
        findings = tuple(Finding.from_dict(values) for values in json.loads(files["findings.json"]))
        numbers = [f"{number:04d}" for number in range(sum(finding.kind == "clip" for finding in findings))]
        samples = {number: {part: files[f"{number}.{part}"] for part in PARTS} for number in numbers}
    if not findings:
        raise InputError(f"{where}: is damaged (it says nothing of the video)")
    return findings, samples


class Staging:
    """A folder of finished videos, by what they hold and how they were cut: others' entries do no harm."""

    def __init__(self, folder: Path, options: CutOptions) -> None:
        """Name the folder, which may be absent, and how videos are cut."""
        self.folder = folder
        self._options = _fingerprint(options)

    def make(self) -> None:
        """Make the folder if it is absent.

        Raises:
            DiffPoseTalkError: the disk refuses.
        """
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error

    def key(self, digest: str) -> str:
        """Return under which name the video with that digest is kept."""
        return hashlib.sha256(f"{self._options} {digest}".encode()).hexdigest()[:32]

    def add(self, key: str, data: bytes) -> None:
        """Keep a finished video, whole or not at all."""
        write_atomically(self.path(key), data)

    def path(self, key: str) -> Path:
        """Return where a finished video is kept."""
        return self.folder / f"{key}.tar"

    def findings(self, key: str) -> tuple[Finding, ...] | None:
        """Return what became of a finished video; None if it is not there, whole."""
        path = self.path(key)
        try:
            return _unpacked(path.read_bytes(), str(path))[0]
        except (OSError, InputError):
            return None

    def clips(self, key: str) -> tuple[Clip, ...]:
        """Return the clips of a finished video.

        Raises:
            InputError: it is not there, or damaged.
        """
        path = self.path(key)
        try:
            return decode_cut(path.read_bytes(), str(path)).clips
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def digest_of(path: Path) -> str:
    """Return a digest of a file's content.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, _blake).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _blake() -> Any:
    return hashlib.blake2b(digest_size=16)


def _fingerprint(options: CutOptions) -> str:
    """Return a digest of all that decides what comes of a video, beside its content."""
    from diffposetalk.files.asset_folder import HEADS, placed
    from diffposetalk.track.detection import model_file

    model_digest = digest_of(model_file(options.landmarker))
    named = [path for each in HEADS if options.head in ("flame", each) for path in placed(each)]
    head = named[0] if named else Path(options.head)
    values = asdict(replace(options, landmarker=None, head=digest_of(head) if head.is_file() else options.head))
    everything = {"version": [STAGING_VERSION, version_of("diffposetalk")], "landmarker": model_digest, **values}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def version_of(package: str) -> str:
    """Return the version of an installed package, or "none"."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "none"

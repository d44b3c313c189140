"""Finished videos of a build, one file each, so that an interrupted build can be resumed."""

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
from diffposetalk.workshop.footage.cut import LONGEST_VIDEO_S, Cut, check_installed, cut
from diffposetalk.workshop.footage.manifest import Finding
from diffposetalk.workshop.footage.options import CutOptions

STAGING_VERSION = 2
"""Version of the cutting; raise it when cutting changes, so that older results are not reused."""
PATIENCE_S = 600.0
"""Time limit of a worker for a video, seconds; `PATIENCE` adds to it. After that the worker counts as hanging and is ended."""
PATIENCE = 30.0
"""Further time limit, as a multiple of the video's length; about twenty times the usual time."""


def cut_to_bytes(video: str, options: CutOptions) -> bytes:
    """Cut a video in a worker, and return the result as bytes. The process of a worker that hangs exits.

    Raises:
        Unable: a package, a model file or the video is missing on this machine.
    """
    import torch

    torch.set_num_threads(1)
    try:
        _check_installed_once(options)
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
def _check_installed_once(options: CutOptions) -> None:
    check_installed(options)


def encode_cut(result: Cut) -> bytes:
    """Return the result for a video as the bytes of a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        findings = json.dumps([finding.to_dict() for finding in result.findings]).encode()
        for name, data in [("findings.json", findings), *_parts(result.clips)]:
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
    """Return findings, and the encoded parts of each clip by its number; all are complete."""
    with parsing(where, "cut video"):
        files = dict(tar_members(io.BytesIO(data), where, "cut video"))
        findings = tuple(Finding.from_dict(values) for values in json.loads(files["findings.json"]))
        numbers = [f"{number:04d}" for number in range(sum(finding.kind == "clip" for finding in findings))]
        samples = {number: {part: files[f"{number}.{part}"] for part in PARTS} for number in numbers}
    if not findings:
        raise InputError(f"{where}: is damaged (it has no entry about the video)")
    return findings, samples


class Staging:
    """Folder of finished videos. Names depend on content and options, so that builds can share a folder."""

    def __init__(self, folder: Path, options: CutOptions) -> None:
        """Set the folder, which may be absent, and the options with which videos are cut."""
        self.folder = folder
        self._options = _fingerprint(options)

    def make(self) -> None:
        """Make the folder if it is absent.

        Raises:
            DiffPoseTalkError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error

    def key(self, digest: str) -> str:
        """Return the name of the entry for the video with that digest."""
        return hashlib.sha256(f"{self._options} {digest}".encode()).hexdigest()[:32]

    def add(self, key: str, data: bytes) -> None:
        """Write a finished video, completely or not at all."""
        write_atomically(self.path(key), data)

    def path(self, key: str) -> Path:
        """Return the path of a finished video."""
        return self.folder / f"{key}.tar"

    def findings(self, key: str) -> tuple[Finding, ...] | None:
        """Return the findings of a finished video; None if the entry is absent or damaged."""
        path = self.path(key)
        try:
            return _unpacked(path.read_bytes(), str(path))[0]
        except (OSError, InputError):
            return None

    def clips(self, key: str) -> tuple[Clip, ...]:
        """Return the clips of a finished video.

        Raises:
            InputError: the entry is absent or damaged.
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
    """Return a digest of everything except the video that determines the result."""
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

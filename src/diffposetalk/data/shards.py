"""Our own data sets: folders of tar files that any WebDataset loader streams, for every head and frame rate.

dataset.json             number of clips in each shard, and where they are from
<split>-000000.tar       samples of a split: "train", "val", "test", or "other"; shards of bounded size
  <speaker>/<clip>.flac          16-bit mono sound
  <speaker>/<clip>.safetensors   `expression (T, E)`, `head_pose (T, 3)`, `identity (I,)`, where there are such also
                                 `jaw_pose (T, 3)`, `eye_pose (T, 6)`, `identity_frames (T, I)`; all float32
  <speaker>/<clip>.json          `format_version`, `speaker`, `fps`, `head`, `expression_names`, `source`
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.errors import InputError
from diffposetalk.files.atomic import check_new_folder, replacing_folder
from diffposetalk.files.json_text import read_json
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tar import tar_members
from diffposetalk.media import decode_bytes, flac_bytes
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress
from diffposetalk.speech import Speech

SHARD_FORMAT = 1
"""Version written into samples; a reader refuses versions above its own."""
SHARD_BYTES = 1 << 28
"""Size at which the next shard is begun."""
OTHER = "other"
"""Split of clips that are in none."""
PARTS = ("flac", "safetensors", "json")
"""Suffixes of the files of a clip."""
_NAME = re.compile(r"[^\s/]+/[^\s/.]+")
"""Name of a clip: `speaker/take`."""
_SHARD = re.compile(r"([a-z]+)-(\d{6})\.tar")
"""File name of a shard: split and number."""
_POSES = ("jaw_pose", "eye_pose")
"""Fields of a motion that not every head has."""


def write_shards(
    clips: Iterable[Clip],
    path: str | Path,
    splits: Mapping[str, Sequence[str]] | Callable[[str], str] | None = None,
    source: str = "",
    shard_bytes: int = SHARD_BYTES,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write clips as a folder of shards, beside its place and renamed when complete.

    Args:
        clips: in the order they shall have within their split.
        path: the folder; must not exist yet, or be empty.
        splits: names by split, or a function from a clip's name to its split; None puts all in "train".
        source: where the clips are from, in a few words.
        shard_bytes: size at which the next shard is begun.
        progress: called with the number of clips done.

    Returns:
        Number of clips by shard name.

    Raises:
        UsageError: the folder already exists, or its parent is not.
        InputError: there are no clips, or one's name is no ``<speaker>/<clip>`` without dots.
    """
    path = check_new_folder(path)
    split_of = _split_function(splits)
    writers: dict[str, _Writer] = {}
    names: set[str] = set()
    with replacing_folder(path) as temporary:
        try:
            for done, clip in enumerate(clips, 1):
                if not _NAME.fullmatch(clip.name):
                    raise InputError(
                        f"clip {clip.name!r}: needs a name <speaker>/<clip> without spaces or a dot in <clip>"
                    )
                if clip.name in names:
                    raise InputError(f"clip {clip.name}: two clips have this name")
                names.add(clip.name)
                split = split_of(clip.name)
                writers.setdefault(split, _Writer(temporary, split, shard_bytes)).add(clip, source)
                if progress:
                    progress(done)
            if not names:
                raise InputError(f"{path}: no clips to write")
            counts: dict[str, int] = {}
            for split in sorted(writers):
                counts |= writers[split].close()
        finally:
            for writer in writers.values():
                writer.close()
        about = {"format_version": SHARD_FORMAT, "source": source, "shards": counts}
        (temporary / "dataset.json").write_text(json.dumps(about, indent=1) + "\n")
    return counts


def _split_function(splits: Mapping[str, Sequence[str]] | Callable[[str], str] | None) -> Callable[[str], str]:
    if splits is None:
        return lambda name: "train"
    if callable(splits):
        return splits
    of_name = {name: split for split in reversed(list(splits)) for name in splits[split]}
    return lambda name: of_name.get(name, OTHER)


class _Writer:
    """The shards of one split."""

    def __init__(self, folder: Path, split: str, shard_bytes: int) -> None:
        self._folder, self._split, self._limit = folder, split, shard_bytes
        self._tar: tarfile.TarFile | None = None
        self.counts: dict[str, int] = {}

    def add(self, clip: Clip, source: str) -> None:
        """Append a clip, to a new shard where the last is full."""
        if self._tar is not None and self._tar.offset >= self._limit:
            self.close()
        if self._tar is None:
            name = f"{self._split}-{len(self.counts):06d}.tar"
            self._tar = tarfile.open(self._folder / name, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
            self.counts[name] = 0
        for part, data in zip(PARTS, encode_sample(clip, source)):
            member = tarfile.TarInfo(f"{clip.name}.{part}")
            member.size, member.mode = len(data), 0o644
            self._tar.addfile(member, io.BytesIO(data))
        self.counts[next(reversed(self.counts))] += 1

    def close(self) -> dict[str, int]:
        """Finish the last shard; return the number of clips in each."""
        if self._tar is not None:
            self._tar.close()
            self._tar = None
        return self.counts


def encode_sample(clip: Clip, source: str = "") -> tuple[bytes, bytes, bytes]:
    """Return a clip as the bytes of its `.flac`, `.safetensors` and `.json`."""
    from safetensors.numpy import save

    motion = clip.motion
    arrays = {"expression": motion.expression, "head_pose": motion.head_pose, "identity": clip.identity}
    arrays |= {name: getattr(motion, name) for name in _POSES if getattr(motion, name) is not None}
    if clip.identity_frames is not None:
        arrays["identity_frames"] = clip.identity_frames
    about = {
        "format_version": SHARD_FORMAT,
        "speaker": clip.speaker,
        "fps": motion.fps,
        "head": motion.head,
        "expression_names": list(motion.expression_names),
        "source": source,
    }
    tensors = save({name: np.ascontiguousarray(value, np.float32) for name, value in arrays.items()})
    return flac_bytes(clip.speech.samples, clip.speech.sample_rate), tensors, json.dumps(about).encode()


def decode_sample(name: str, parts: Mapping[str, bytes], where: str) -> Clip:
    """Return the clip of a sample.

    Args:
        name: ``<speaker>/<clip>``.
        parts: content by ending, `PARTS`.
        where: what to call it in errors.

    Raises:
        InputError: a part is missing, damaged, of a newer format, or they do not fit together.
    """
    from safetensors.numpy import load

    missing = [part for part in PARTS if part not in parts]
    if missing:
        raise InputError(f"{where}: the sample lacks {', '.join(f'.{part}' for part in missing)}")
    with parsing(where, "sample"):
        about: dict[str, Any] = json.loads(parts["json"])
        version = int(about["format_version"])
        if version > SHARD_FORMAT:
            raise InputError(f"{where}: format {version} is newer than this program reads ({SHARD_FORMAT})")
        arrays = load(parts["safetensors"])
        rate, samples = decode_bytes(parts["flac"], f"{where}.flac")
        return Clip(
            speech=Speech(samples, rate),
            motion=Motion(
                expression=arrays["expression"],
                expression_names=tuple(about["expression_names"]),
                head_pose=arrays["head_pose"],
                fps=float(about["fps"]),
                head=str(about["head"]),
                **{pose: arrays[pose] for pose in _POSES if pose in arrays},
            ),
            identity=arrays["identity"],
            speaker=str(about["speaker"]),
            name=name,
            identity_frames=arrays.get("identity_frames"),
        )


class ShardReader:
    """Reads a folder of shards, clip after clip."""

    def __init__(self, path: str | Path) -> None:
        """Look at the folder's files.

        Raises:
            InputError: there are no shards, or one that ``dataset.json`` names is missing.
        """
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such folder of shards")
        self.counts: dict[str, int] = {}
        about = self.path / "dataset.json"
        if about.is_file():
            with parsing(about, "description of shards"):
                counts = read_json(about, "description of shards")["shards"]
                self.counts = {name: int(n) for name, n in counts.items()}
        names = {entry.name for entry in self.path.iterdir() if _SHARD.fullmatch(entry.name)}
        self.shards = sorted(names | set(self.counts))
        missing = sorted(set(self.counts) - names)
        if missing:
            raise InputError(f"{self.path / missing[0]}: no such shard, which dataset.json names")
        if not self.shards:
            raise InputError(f"{self.path}: no shards here (files such as train-000000.tar)")

    @property
    def splits(self) -> dict[str, list[str]]:
        """Names of the shards by split."""
        by_split: dict[str, list[str]] = {}
        for name in self.shards:
            by_split.setdefault(name.rpartition("-")[0], []).append(name)
        return by_split

    def clips(self, split: str | None = None) -> Iterator[Clip]:
        """Yield the clips of a split (None: of all), in the order they were written.

        Raises:
            InputError: no such split, a shard is truncated or damaged, or a sample is.
        """
        if split is not None and split not in self.splits:
            raise InputError(f"{self.path}: has no split {split!r}, only {', '.join(self.splits)}")
        for name in self.shards if split is None else self.splits[split]:
            n_clips = 0
            for clip_name, parts in _samples(self.path / name):
                n_clips += 1
                yield decode_sample(clip_name, parts, f"{self.path / name}: {clip_name}")
            if n_clips != self.counts.get(name, n_clips):
                raise InputError(f"{self.path / name}: holds {n_clips} clips of {self.counts[name]}; copy it again")


def _samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield names and parts of a tar file's samples, whose members lie side by side; nothing is unpacked to disk."""
    current = ""
    parts: dict[str, bytes] = {}
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    with file:
        for member, data in tar_members(file, path, "shard"):
            folder, slash, last = member.rpartition("/")
            stem, _, ending = last.partition(".")
            name = f"{folder}{slash}{stem}"
            if name != current:
                if parts:
                    yield current, parts
                current, parts = name, {}
            parts[ending] = data
    if parts:
        yield current, parts

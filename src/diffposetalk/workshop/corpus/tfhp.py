"""The self-made corpus as a TFHP data set: the same speech, its motion in FLAME coefficients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.data.tfhp_write import Written, write_tfhp
from diffposetalk.errors import InputError
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, with_total
from diffposetalk.workshop.corpus.shards import list_speakers, load_shard, shard_summary

N_IDENTITY = 100
"""Shape coefficients of a TFHP data set."""
IDENTITY_SPREAD = 0.3
"""Standard deviation of the coefficients drawn for a speaker (1 is the spread of people in FLAME)."""
HELD_OUT = 0.06
"""Share of the speakers in each of "val" and "test"."""


def identity_of(speaker: str) -> np.ndarray:
    """Return ``(100,)`` shape coefficients that follow from a speaker's name."""
    seed = int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:8], "little")
    return (IDENTITY_SPREAD * np.random.default_rng(seed).standard_normal(N_IDENTITY)).astype(np.float32)


def splits_of(speakers: Sequence[str], share: float = HELD_OUT) -> dict[str, str]:
    """Return "train", "val" or "test" for each speaker, by a hash of the names.

    Raises:
        InputError: fewer than three speakers, which no split can divide.
    """
    if len(speakers) < 3:
        raise InputError(f"{len(speakers)} speakers are too few to train, validate and test with different ones")
    ranked = sorted(speakers, key=lambda name: hashlib.sha256(f"split {name}".encode()).digest())
    n_held = max(1, round(share * len(ranked)))
    return {name: ("val", "test", "train")[min(index // n_held, 2)] for index, name in enumerate(ranked)}


def flame_clips(folder: Path, speakers: Sequence[str], to_flame: Callable[[Motion], Motion]) -> Iterator[Clip]:
    """Yield the corpus's clips on the head "flame".

    Args:
        folder: the corpus.
        speakers: whose clips.
        to_flame: ARKit motion to FLAME expression, jaw and head.

    Raises:
        InputError: the motion stage of the corpus has not been run, or a shard is broken.
    """
    for speaker in speakers:
        identity = identity_of(speaker)
        for clip in load_shard(folder, speaker):
            if clip.motion is None:
                raise InputError(f"{folder}: {clip.name} has no motion yet; run `diffposetalk corpus` to the end")
            yield Clip(clip.speech, to_flame(clip.motion), identity, speaker, clip.name)


def tfhp_of_corpus(
    folder: str | Path,
    path: str | Path,
    to_flame: Callable[[Motion], Motion],
    seg_len: int = 100,
    progress: Progress | None = None,
) -> Written:
    """Write a corpus as a TFHP data set, split by speakers, with statistics; an interrupted run goes on.

    Args:
        folder: the corpus.
        path: the LMDB folder to be made.
        to_flame: see `flame_clips`.
        seg_len: frames in a segment.
        progress: called with the clips done and all clips.

    Raises:
        InputError: see `flame_clips` and `splits_of`.
        UsageError: `path` already exists.
    """
    folder = Path(folder)
    speakers = list_speakers(folder)
    splits = splits_of(speakers)
    counts = {speaker: len(shard_summary(folder, speaker)[1]) for speaker in speakers}
    total = sum(counts.values())
    return write_tfhp(
        flame_clips(folder, speakers, to_flame),
        path,
        seg_len,
        lambda video: splits[video.partition("/")[0]],
        with_total(progress, total),
        job=f"corpus {folder.resolve()} {total} clips",
    )

"""A protocol from the speakers of a corpus that were held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.progress import Progress, over
from diffposetalk.workshop.corpus.shards import load_shard, motion_path, shard_summary, speech_path
from diffposetalk.workshop.evaluate.protocol.contents import Part, PinnedClip
from diffposetalk.workshop.evaluate.protocol.material import sha256_of
from diffposetalk.workshop.evaluate.protocol.selection import Selection, evenly, whole_frames


@dataclass(frozen=True)
class _Pair:
    """A speaker with the number of the clip that is tested, its length, and the number of the clip of the style."""

    speaker: str
    tested: int
    seconds: float
    style: int | None


def is_corpus(folder: Path) -> bool:
    """Return whether a folder was made by `diffposetalk corpus`."""
    return (folder / "speech").is_dir() and (folder / "corpus.json").is_file()


def corpus_clips(folder: Path, selection: Selection, progress: Progress | None = None) -> list[PinnedClip]:
    """Pin one clip of each of some held-out speakers; the style is read from another clip of the speaker.

    Speakers are chosen evenly from the list of those held out (see `split_speakers`). Speakers with one clip cannot
    show a style that the tested clip does not contain, so they are left out where the style is that of another clip.

    Raises:
        InputError: there is no corpus, or no speaker that fits.
    """
    from diffposetalk.workshop.train.lite.material import split_speakers

    _, held_out = split_speakers(folder, selection.validation_share)
    pairs = _pairs(folder, held_out, selection)
    if not pairs:
        raise InputError(
            f"{folder}: none of {len(held_out)} held-out speakers has motion and enough clips of "
            f"{selection.shortest_s:g} s; use --style none, or a corpus with more clips for each speaker"
        )
    return [_pinned(folder, pair, selection) for pair in over(evenly(pairs, selection.clips), progress, "clips")]


def _pairs(folder: Path, speakers: Sequence[str], selection: Selection) -> list[_Pair]:
    pairs = []
    for speaker in speakers:
        _, lengths, moves = shard_summary(folder, speaker)
        long_enough = [number for number, length in enumerate(lengths) if length >= selection.shortest_s]
        if not moves or not long_enough:
            continue
        tested = long_enough[-1]
        others = [number for number in long_enough if number != tested]
        if selection.style == "other" and not others:
            continue
        style = {"other": others[0] if others else None, "self": tested, "none": None}[selection.style]
        pairs.append(_Pair(speaker, tested, lengths[tested], style))
    return pairs


def _pinned(folder: Path, pair: _Pair, selection: Selection) -> PinnedClip:
    clip = load_shard(folder, pair.speaker)[pair.tested]
    seconds = whole_frames(min(pair.seconds, selection.longest_s, clip.motion.duration if clip.motion else 0.0))
    sound, motion = speech_path(folder, pair.speaker), motion_path(folder, pair.speaker)

    def part(path: Path, number: int) -> Part:
        return Part(f"{path.relative_to(folder).as_posix()}#{number:03d}", sha256_of(path))

    return PinnedClip(
        clip.name,
        pair.speaker,
        seconds,
        part(sound, pair.tested),
        part(motion, pair.tested),
        None if pair.style is None else part(motion, pair.style),
        tuple(
            (phone.symbol, round(phone.start, 4), round(min(phone.end, seconds), 4))
            for phone in clip.phones
            if phone.start < seconds
        ),
    )

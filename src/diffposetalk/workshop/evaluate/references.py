"""Motions that styles are read from: people who were filmed, and synthesised sentences put through the articulation
model in manners that are known, by seeds that no corpus has."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, DiffPoseTalkWarning, InputError
from diffposetalk.exchange import load_motion
from diffposetalk.media import VIDEOS
from diffposetalk.motion import Motion
from diffposetalk.workshop.corpus.language.text import sentence
from diffposetalk.workshop.corpus.motion.articulation import articulate
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.voices import Utterance, list_voices, pick_voice, speak

SEED = 770_001
"""First seed of reference sentences, far from those of training corpora."""


def references(folder: Path, manners: int = 0) -> dict[str, Motion]:
    """Return the motion of a folder's files by name, or of so many synthetic manners instead.

    Raises:
        InputError: the folder has none.
        DiffPoseTalkError: no voice is installed to make synthetic ones.
    """
    if manners:
        return synthetic(manners)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiffPoseTalkWarning)
        return filmed(folder)


def filmed(folder: Path) -> dict[str, Motion]:
    """Read every file of motion and track every video of a folder: by name.

    Of a video, this is the motion that a style is read from; see `track.reference`.

    Raises:
        InputError: there are none.
    """
    chosen = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in VIDEOS:
            from diffposetalk.track import track

            chosen[path.stem] = track(path).reference
        elif path.suffix == ".npz":
            chosen[path.stem] = load_motion(path)
    if not chosen:
        raise InputError(f"{folder}: neither videos nor motion files (.npz) here; name a folder with --references")
    return chosen


def synthetic(n: int, sentences: int = 6) -> dict[str, Motion]:
    """Return motion of so many manners drawn at random, each of so many sentences (about 3 s each)."""
    rng = np.random.default_rng(SEED)
    spoken = utterances(min(n, 12), sentences=sentences)
    return {
        f"manner {number}": motions(Manner.sample(rng), [spoken[number % len(spoken)]], SEED + number)[0]
        for number in range(n)
    }


def utterances(
    n: int, seed: int = SEED, shortest_s: float = 4.0, languages: Sequence[str] = ("en",), sentences: int = 2
) -> list[Utterance]:
    """Speak sentences with the voices installed here.

    Args:
        n: how many.
        seed: of texts and voices; in a fresh process, the same seed gives the same speech.
        shortest_s: shorter ones are left out and others spoken instead.
        languages: of the voices used.
        sentences: in each.

    Raises:
        DiffPoseTalkError: no voice is installed, or none speaks this long.
    """
    rng = np.random.default_rng(seed)
    voices = [voice for voice in list_voices() if voice.language[:2] in languages]
    chosen: list[Utterance] = []
    for attempt in range(20 * n):
        voice = pick_voice(attempt, voices, offset=seed * 0.1)
        try:
            spoken = speak(" ".join(sentence(voice.language[:2], rng) for _ in range(sentences)), voice)
        except DiffPoseTalkError:
            continue
        if spoken.speech.duration >= shortest_s:
            chosen.append(spoken)
        if len(chosen) == n:
            return chosen
    raise DiffPoseTalkError(f"the voices installed here gave {len(chosen)} of {n} sentences of {shortest_s:g} s")


def motions(manner: Manner, spoken: Sequence[Utterance], seed: int = SEED) -> list[Motion]:
    """Return how somebody of this manner speaks each utterance; another seed, another performance."""
    return [
        articulate(one.speech, one.phones, manner, np.random.default_rng([seed, number]))
        for number, one in enumerate(spoken)
    ]

"""Motions whose manner is known: synthesised sentences put through the articulation model, by seeds of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from diffposetalk.corpus.articulation import articulate
from diffposetalk.corpus.manner import Manner
from diffposetalk.corpus.text import sentence
from diffposetalk.corpus.voices import Utterance, list_voices, pick_voice, speak
from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.motion import Motion

SEED = 770_001
"""First seed of reference sentences, far from those of training corpora."""


def utterances(
    n: int, seed: int = SEED, shortest_s: float = 4.0, languages: Sequence[str] = ("en",)
) -> list[Utterance]:
    """Speak sentences with the voices installed here.

    Args:
        n: how many.
        seed: of texts and voices; the same seed gives the same speech.
        shortest_s: shorter ones are left out and others spoken instead.
        languages: of the voices used.

    Raises:
        DiffPoseTalkError: no voice is installed, or none speaks this long.
    """
    rng = np.random.default_rng(seed)
    voices = [voice for voice in list_voices() if voice.language[:2] in languages]
    found: list[Utterance] = []
    for attempt in range(20 * n):
        voice = pick_voice(attempt, voices, offset=seed * 0.1)
        try:
            spoken = speak(" ".join(sentence(voice.language[:2], rng) for _ in range(2)), voice)
        except DiffPoseTalkError:
            continue
        if spoken.speech.duration >= shortest_s:
            found.append(spoken)
        if len(found) == n:
            return found
    raise DiffPoseTalkError(f"the voices installed here gave {len(found)} of {n} sentences of {shortest_s:g} s")


def motions(manner: Manner, spoken: Sequence[Utterance], seed: int = SEED) -> list[Motion]:
    """Return how somebody of this manner speaks each utterance; another seed, another performance."""
    return [
        articulate(one.speech, one.phones, manner, np.random.default_rng([seed, number]))
        for number, one in enumerate(spoken)
    ]

"""What a corpus is made of, in lines for the header of a model that learns from it: sources, licences, amounts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from diffposetalk.workshop.corpus import listening, shards

TEACHER = "training targets of a teacher that reads features of Whisper; nothing of Whisper is in this file"
"""Line of a corpus that a teacher has listened to."""


def sources_of(corpus: Path) -> tuple[str, ...]:
    """Describe a corpus: a line for each source of recordings, one for synthesised speech, one for the teacher.

    Returns:
        Such as ``LibriSpeech, CC-BY-4.0: 250 speakers, 0.9 h``; the largest source first.

    Raises:
        InputError: a shard is damaged.
    """
    speakers: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    engines = set()
    names = shards.list_speakers(corpus)
    for name in names:
        info, lengths, _ = shards.shard_summary(corpus, name)
        source = ""
        if info.source:
            source = f"{info.source}, {info.licence or 'licence not stated'}"
        else:
            engines.add(info.voice.partition(":")[0])
        speakers[source] += 1
        seconds[source] += sum(lengths)
    lines = []
    for source in sorted(speakers, key=lambda source: -seconds[source]):
        title = source or f"speech synthesised by {', '.join(sorted(engines))}"
        lines.append(f"{title}: {_number(speakers[source])}, {seconds[source] / 3600:.2g} h")
    if any(listening.clips_path(corpus, name).exists() for name in names):
        lines.append(TEACHER)
    return tuple(lines)


def _number(speakers: int) -> str:
    return f"{speakers} speaker{'s' if speakers > 1 else ''}"

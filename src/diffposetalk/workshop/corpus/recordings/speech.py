"""Recordings of people -> speech shards of the corpus: phones by alignment, clips of the corpus's length.

English recordings with text are aligned by PocketSphinx. Recordings whose corpus gives phone times use those. All
others, and those that align badly, are left out with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.workshop.corpus import shards
from diffposetalk.workshop.corpus.engines import align
from diffposetalk.workshop.corpus.language.phone_maps import from_ipa, from_radio
from diffposetalk.workshop.corpus.language.phones import Phone, fill_silence, shift_phones
from diffposetalk.workshop.corpus.recordings.layouts import read_recordings
from diffposetalk.workshop.corpus.recordings.recording import Recording, Word

LONGEST_CLIP_S = 20.0
"""Length that a clip of joined recordings does not exceed, seconds."""
PAUSES_S = (0.2, 0.8)
"""Shortest and longest pause between two recordings of a clip, seconds."""
SHORTEST_S = 0.5
"""Shortest recording that is used, seconds."""
LONGEST_PHONE_S = 0.6
"""An alignment with a longer phone is wrong, seconds."""
LONGEST_ONSET_S = 0.2
"""A stop after a pause that is aligned longer has swallowed the pause, seconds."""
ONSET_S = 0.09
"""Length that such a stop keeps, seconds."""
FARTHEST_WORD_S = 0.2
"""An alignment that begins or ends farther from the word times of the corpus is wrong, seconds."""
RATE_PER_S = (3.0, 25.0)
"""Fewest and most phones a second of speech in a right alignment."""


@dataclass(frozen=True, slots=True)
class RecordedSpeaker:
    """A person with everything that was recorded of them."""

    info: shards.SpeakerInfo
    """Who it is, with source and licence."""
    recordings: tuple[Recording, ...]
    """In the order of their names."""
    seed: int
    """Seed of the pauses between recordings."""


class Unusable(Exception):
    """A recording is left out; the text is the reason."""


def plan_recorded(folders: Sequence[Path], seed: int) -> list[RecordedSpeaker]:
    """List the speakers of folders of recordings.

    Raises:
        InputError: a folder holds no recordings in a known layout.
        UsageError: PocketSphinx, which finds the times of phones, is not installed.
    """
    if not align.available():
        raise UsageError("--recordings needs PocketSphinx to find the times of phones: pip install pocketsphinx")
    by_speaker: dict[str, list[Recording]] = {}
    for folder in folders:
        for recording in read_recordings(folder):
            by_speaker.setdefault(recording.speaker, []).append(recording)
    plans = []
    for index, (name, recordings) in enumerate(sorted(by_speaker.items())):
        first = recordings[0]
        info = shards.SpeakerInfo(
            f"r{index:05d}", name, first.language, (1.0, 1.0, 0.0), 1.0, 1.0, first.source, first.licence
        )
        plans.append(RecordedSpeaker(info, tuple(recordings), seed))
    return plans


def report_path(folder: Path, speaker: str) -> Path:
    """Return where it is noted which recordings of a speaker were used."""
    return folder / "recordings" / f"{speaker}.json"


def make_recorded_speech(folder: Path, plan: RecordedSpeaker) -> None:
    """Align one speaker's recordings, join them to clips, and write the shard and the note of what was used.

    A speaker without a usable recording gets the note alone.
    """
    rng = np.random.default_rng([plan.seed, int(plan.info.speaker[1:]), 4])
    used: list[str] = []
    left_out: dict[str, str] = {}
    pieces: list[tuple[np.ndarray, tuple[Phone, ...], str]] = []
    for recording in plan.recordings:
        try:
            speech = Speech.load(recording.path, SAMPLE_RATE)
            pieces.append((speech.samples, phones_of(recording, speech), recording.text or ""))
            used.append(recording.name)
        except Unusable as reason:
            left_out[recording.name] = str(reason)
        except DiffPoseTalkError:
            left_out[recording.name] = "the sound cannot be read"
    clips = joined(pieces, rng)
    if clips:
        shards.save_speech(folder, plan.info, clips)
    note = {
        "speaker": plan.info.speaker,
        "name": plan.info.voice,
        "source": plan.info.source,
        "licence": plan.info.licence,
        "recordings": used,
        "left_out": left_out,
    }
    write_atomically(report_path(folder, plan.info.speaker), json.dumps(note, ensure_ascii=False).encode())


def phones_of(recording: Recording, speech: Speech) -> tuple[Phone, ...]:
    """Find the phones of a recording with their times; they tile the speech.

    Raises:
        Unusable: there is no text, the language cannot be aligned, or the alignment is implausible.
    """
    if speech.duration < SHORTEST_S:
        raise Unusable("it is too short")
    if recording.phones:
        phones = fill_silence(labelled(recording.phones), speech.duration)
    elif not recording.text:
        raise Unusable("it has no transcript")
    elif recording.language[:2] != "en":
        raise Unusable("its language cannot be aligned")
    else:
        aligned = align.align(speech.samples, recording.text)
        if aligned is None:
            raise Unusable("a word is not in the dictionary, or no alignment was found")
        phones = fill_silence(without_swallowed_pauses(aligned), speech.duration)
    sounds = [phone for phone in phones if phone.symbol != "sil"]
    seconds = sum(phone.duration for phone in sounds)
    if not sounds or max(phone.duration for phone in sounds) > LONGEST_PHONE_S:
        raise Unusable("a phone is implausibly long")
    if not RATE_PER_S[0] <= len(sounds) / seconds <= RATE_PER_S[1]:
        raise Unusable("the number of phones a second is implausible")
    if (
        recording.words
        and max(abs(sounds[0].start - recording.words[0].start), abs(sounds[-1].end - recording.words[-1].end))
        > FARTHEST_WORD_S
    ):
        raise Unusable("the alignment disagrees with the word times of the corpus")
    return phones


def without_swallowed_pauses(phones: Sequence[Phone]) -> list[Phone]:
    """Shorten stops that follow a pause and are aligned with a part of it, as PocketSphinx does before p, b, t, d, k, g."""
    shortened: list[Phone] = []
    for phone in phones:
        after_pause = not shortened or shortened[-1].symbol == "sil"
        if phone.features.stop and after_pause and phone.duration > LONGEST_ONSET_S:
            phone = replace(phone, start=phone.end - ONSET_S)
        shortened.append(phone)
    return [phone for phone in shortened if phone.symbol != "sil"]


def labelled(labels: Sequence[Word]) -> list[Phone]:
    """Translate phone labels, ARPAbet (``AH0``) or IPA, to the corpus's phones."""
    phones: list[Phone] = []
    for label in labels:
        arpabet = label.text.isascii() and label.text.rstrip("012").isalpha()
        phones += (from_radio if arpabet else from_ipa)(label.text, label.start, label.end)
    return phones


def joined(
    pieces: Sequence[tuple[np.ndarray, Sequence[Phone], str]], rng: np.random.Generator
) -> list[tuple[np.ndarray, tuple[Phone, ...], str]]:
    """Join recordings, in order and with pauses, to clips of at most `LONGEST_CLIP_S`; a longer one stays whole.

    Args:
        pieces: samples ``(n,)`` at 16 kHz, phones and text of each recording.
        rng: source of the pauses.
    """
    clips: list[tuple[np.ndarray, tuple[Phone, ...], str]] = []
    samples: list[np.ndarray] = []
    phones: list[Phone] = []
    texts: list[str] = []
    n_samples = 0

    def close() -> None:
        nonlocal samples, phones, texts, n_samples
        if samples:
            whole = np.concatenate(samples)
            clips.append((whole, fill_silence(phones, len(whole) / SAMPLE_RATE), " ".join(texts)))
        samples, phones, texts, n_samples = [], [], [], 0

    for piece, piece_phones, text in pieces:
        pause = np.zeros(round(rng.uniform(*PAUSES_S) * SAMPLE_RATE), np.float32)
        if n_samples and (n_samples + len(pause) + len(piece)) / SAMPLE_RATE > LONGEST_CLIP_S:
            close()
        if n_samples:
            samples.append(pause)
            n_samples += len(pause)
        phones += shift_phones(piece_phones, offset=n_samples / SAMPLE_RATE)
        samples.append(piece)
        texts.append(text)
        n_samples += len(piece)
    close()
    return clips


def write_notes(folder: Path) -> dict[str, int]:
    """Write `recordings.jsonl`, a line for each speaker, from the notes; return how often each reason left one out."""
    counts: dict[str, int] = {}
    lines = []
    for path in sorted((folder / "recordings").glob("r*.json")):
        text = path.read_text(encoding="utf-8")
        for reason in json.loads(text)["left_out"].values():
            counts[reason] = counts.get(reason, 0) + 1
        lines.append(text)
    if lines:
        write_atomically(folder / "recordings.jsonl", ("\n".join(lines) + "\n").encode())
    return counts

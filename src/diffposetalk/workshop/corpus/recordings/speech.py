"""Recordings of people -> speech shards of the corpus: phones by alignment, clips of the corpus's length.

Recordings whose corpus gives phone times use those. English recordings with text are aligned by PocketSphinx. If a
teacher has listened, it aligns all others: with the phones that espeak-ng reads from the text or, without text, with the
phones that it hears. What aligns badly is left out with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript import alignment
from diffposetalk.speech.transcript.alphabets import phones_of_labels
from diffposetalk.speech.transcript.phones import Phone, fill_silence, shift_phones
from diffposetalk.speech.transcript.timing import without_swallowed_pauses
from diffposetalk.speech.whisper import FEATURE_HZ
from diffposetalk.workshop.corpus import listening, shards
from diffposetalk.workshop.corpus.engines.base import Line, Voice
from diffposetalk.workshop.corpus.engines.espeak import Espeak
from diffposetalk.workshop.corpus.recordings.layouts import read_recordings
from diffposetalk.workshop.corpus.recordings.recording import Recording
from diffposetalk.workshop.corpus.teacher.phones import aligned, decoded
from diffposetalk.workshop.corpus.teacher.teacher import Heard

LONGEST_CLIP_S = 20.0
"""Length that a clip of joined recordings does not exceed, seconds."""
PAUSES_S = (0.2, 0.8)
"""Shortest and longest pause between two recordings of a clip, seconds."""
GRID_S = 0.04
"""Recordings of a clip begin at multiples of this, a motion frame, seconds."""
SHORTEST_S = 0.5
"""Shortest recording that is used, seconds."""
LONGEST_PHONE_S = 0.6
"""An alignment with a longer phone is wrong, seconds."""
FARTHEST_WORD_S = 0.2
"""An alignment that begins or ends farther from the word times of the corpus is wrong, seconds."""
RATE_PER_S = (3.0, 25.0)
"""Fewest and most phones a second of speech in a right alignment."""
WORST_FIT = -1.1
"""An alignment by the teacher that fits worse is wrong; see `teacher.phones.aligned`."""
ESPEAK_VOICES = {"zh": "cmn", "zh-cn": "cmn", "zh-tw": "cmn", "zh-hk": "yue"}
"""espeak-ng's name of a language, where it is another one."""


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
    if not alignment.available():
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
    pieces: list[Piece] = []
    listened = listening.load_recordings(folder, plan.info.speaker)
    for recording in plan.recordings:
        heard = listened.get(recording.name)
        try:
            speech = Speech.load(recording.path, SAMPLE_RATE)
            pieces.append(Piece(speech.samples, phones_of(recording, speech, heard), recording.text or "", heard))
            used.append(recording.name)
        except Unusable as reason:
            left_out[recording.name] = str(reason)
        except DiffPoseTalkError:
            left_out[recording.name] = "the sound cannot be read"
    clips = joined(pieces, rng)
    if clips and listened:
        listening.save_clips(folder, plan.info.speaker, [clip.heard for clip in clips])
    if clips:
        shards.save_speech(folder, plan.info, [(clip.samples, clip.phones, clip.text) for clip in clips])
    note = {
        "speaker": plan.info.speaker,
        "name": plan.info.voice,
        "source": plan.info.source,
        "licence": plan.info.licence,
        "recordings": used,
        "left_out": left_out,
    }
    write_atomically(report_path(folder, plan.info.speaker), json.dumps(note, ensure_ascii=False).encode())


def phones_of(recording: Recording, speech: Speech, heard: Heard | None = None) -> tuple[Phone, ...]:
    """Find the phones of a recording with their times; they tile the speech.

    Args:
        recording: with text or times, if its corpus gives them.
        speech: its sound.
        heard: what the teacher hears in it; None without a teacher.

    Raises:
        Unusable: there is no text, the language cannot be aligned, or the alignment is implausible.
    """
    if speech.duration < SHORTEST_S:
        raise Unusable("it is too short")
    phones = fill_silence(_timed_phones(recording, speech, heard), speech.duration)
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


def _timed_phones(recording: Recording, speech: Speech, heard: Heard | None) -> Sequence[Phone]:
    """Find phones by the best means that there is."""
    if recording.phones:
        return phones_of_labels(recording.phones)
    english = recording.language[:2] == "en"
    if english and recording.text:
        by_words = alignment.align(speech.samples, recording.text)
        if by_words is not None:
            return without_swallowed_pauses(by_words)
        if heard is None:
            raise Unusable("a word is not in the dictionary, or no alignment was found")
    if heard is None:
        raise Unusable("its language cannot be aligned" if recording.text else "it has no transcript")
    symbols = read_aloud(recording.text, recording.language) if recording.text else None
    if symbols is None:
        return decoded(heard.phones)
    by_phones = aligned(heard.phones, symbols)
    if by_phones is None or by_phones[1] < WORST_FIT:
        raise Unusable("the text does not fit the sound")
    return by_phones[0]


def read_aloud(text: str, language: str) -> list[str] | None:
    """Return the phones that espeak-ng reads from a text; None if it does not know the language."""
    code = language.lower()
    for name in (ESPEAK_VOICES.get(code, code), code.partition("-")[0]):
        voice = Voice("espeak", f"espeak:{name}:", language, 1.0, False, "")
        (output,) = Espeak().speak(voice, [Line(text, 1.0, 1.0)])
        if output is not None:
            return [phone.symbol for phone in output.phones]
    return None


@dataclass(frozen=True)
class Piece:
    """A recording, or a clip of several."""

    samples: np.ndarray
    """``(n,)`` float32 at 16 kHz."""
    phones: Sequence[Phone]
    """With times from the beginning of the samples."""
    text: str
    """What is said; may be empty."""
    hearing: Heard | None = None
    """What the teacher hears in it."""

    @property
    def heard(self) -> dict[str, np.ndarray]:
        """Return what a clip keeps of what the teacher hears."""
        assert self.hearing is not None
        return self.hearing.of_clip


def joined(pieces: Sequence[Piece], rng: np.random.Generator) -> list[Piece]:
    """Join recordings, in order and with pauses, to clips of at most `LONGEST_CLIP_S`; a longer one stays whole.

    Each recording begins at a multiple of `GRID_S`, so that frames and what the teacher hears stay in step.

    Args:
        pieces: the recordings.
        rng: source of the pauses.
    """
    clips: list[Piece] = []
    group: list[Piece] = []
    starts: list[float] = []
    end = 0.0
    for piece in pieces:
        pause = rng.uniform(*PAUSES_S)
        length = len(piece.samples) / SAMPLE_RATE
        start = math.ceil((end + pause) / GRID_S) * GRID_S if group else 0.0
        if group and start + length > LONGEST_CLIP_S:
            clips.append(_clip(group, starts))
            group, starts, start = [], [], 0.0
        group.append(piece)
        starts.append(start)
        end = start + length
    if group:
        clips.append(_clip(group, starts))
    return clips


def _clip(pieces: Sequence[Piece], starts: Sequence[float]) -> Piece:
    """Put pieces at their starts, in seconds, into one clip."""
    length = round(starts[-1] * SAMPLE_RATE) + len(pieces[-1].samples)
    samples = np.zeros(length, np.float32)
    phones: list[Phone] = []
    for piece, start in zip(pieces, starts):
        first = round(start * SAMPLE_RATE)
        samples[first : first + len(piece.samples)] = piece.samples
        phones += shift_phones(piece.phones, offset=start)
    text = " ".join(piece.text for piece in pieces)
    return Piece(samples, fill_silence(phones, length / SAMPLE_RATE), text, _heard(pieces, starts, length))


def _heard(pieces: Sequence[Piece], starts: Sequence[float], length: int) -> Heard | None:
    """Put what was heard in pieces in its places; NaN in between. None if nobody has listened to one of them."""
    n_steps = round(length / SAMPLE_RATE * FEATURE_HZ)
    arrays: dict[str, np.ndarray] = {}
    for piece, start in zip(pieces, starts):
        if piece.hearing is None:
            return None
        first = round(start * FEATURE_HZ)
        for name, values in vars(piece.hearing).items():
            whole = arrays.setdefault(name, np.full((n_steps, *values.shape[1:]), np.nan, np.float32))
            room = min(len(values), n_steps - first)
            whole[first : first + room] = values[:room]
    return Heard(**arrays)


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

"""Make a corpus in parallel, speaker by speaker: first everybody's speech, then everybody's motion.

A speaker depends only on the seed and the speaker's number. Each one speaks in a process of its own, because espeak-ng
keeps state from sentence to sentence. So the bytes do not depend on `jobs` or on interruptions. A finished file is never
made twice; delete a file to make it anew.
"""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.files.json_text import read_json
from diffposetalk.parallel import Function, Processes
from diffposetalk.progress import Progress
from diffposetalk.speech import SAMPLE_RATE
from diffposetalk.speech.transcript.phones import Phone, fill_silence, shift_phones
from diffposetalk.workshop.corpus import listening, shards
from diffposetalk.workshop.corpus.engines.base import Line, Voice
from diffposetalk.workshop.corpus.language.text import sentence
from diffposetalk.workshop.corpus.recordings.speech import (
    RecordedSpeaker,
    make_recorded_speech,
    plan_recorded,
    report_path,
    write_notes,
)
from diffposetalk.workshop.corpus.teacher.teacher import Ear
from diffposetalk.workshop.corpus.voices import Utterance, VoiceTransform, list_voices, pick_voice, speak_lines

CLIP_SECONDS = (9.0, 20.0)
"""Shortest and longest clip."""

MEAN_CLIP_S = 12.7
"""Mean length of a clip in seconds, by which the number of speakers is chosen."""
RECIPE_VERSION = 1
"""Version of the corpus; another one gives other bytes."""
FIRST_RECORDED = 1_000_000
"""Number of the first recorded speaker, beyond those of synthesised ones: numbers decide manners."""
RECIPE_KEYS = ("version", "seed", "clips_per_speaker", "recorded_speakers")
"""Entries of `corpus.json` that must agree when a corpus is continued."""
LOGGER = logging.getLogger("diffposetalk")
"""Receives the reason of each failure."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What `build_corpus` did."""

    folder: Path
    """The corpus."""
    speakers: int
    """Speakers in the corpus now."""
    clips: int
    """Clips in the corpus now."""
    hours: float
    """Hours of speech in the corpus now."""
    made: int
    """Files made in this run."""
    failed: tuple[str, ...]
    """Speakers that could not be made."""
    seconds: float
    """Wall time of this run."""
    left_out: dict[str, int] = field(default_factory=dict)
    """How many recordings were left out, by reason."""


@dataclass(frozen=True, slots=True)
class SpeakerPlan:
    """Everything that decides a speaker's speech."""

    info: shards.SpeakerInfo
    """Who it is."""
    voice: Voice
    """The engine's voice."""
    index: int
    """Number in the corpus."""
    seed: int
    """Seed of the corpus."""
    n_clips: int
    """Clips to make."""


def build_corpus(
    out: str | Path,
    hours: float,
    seed: int = 0,
    jobs: int | None = None,
    clips_per_speaker: int = 4,
    motion: bool = True,
    remotion: bool = False,
    voices: Sequence[Voice] | None = None,
    progress: Progress | None = None,
    recordings: Sequence[str | Path] = (),
    ear: Ear | None = None,
) -> BuildReport:
    """Make or continue a corpus.

    Args:
        out: folder of the corpus; made if missing, its parent must exist.
        hours: about how much speech is synthesised; more speakers make more hours; 0 for recordings only.
        seed: decides voices, texts, manners: everything.
        jobs: processes at a time; None for one per processor.
        clips_per_speaker: clips of 9 to 20 s for each speaker.
        motion: also make face and head motion; False makes speech only.
        remotion: make motion anew from speech that is there; nothing is spoken.
        voices: voices to use; None for all that are installed.
        progress: called with the speakers done, all speakers, and "speaking", "aligning" or "moving".
        recordings: folders of recorded speech, in a layout of `recordings.layouts`; each person becomes a speaker.
        ear: teacher that listens to all speech; None makes a corpus by phones alone, with aligned recordings only.

    Raises:
        UsageError: a number is out of range.
        InputError: the folder holds a corpus made otherwise.
        DiffPoseTalkError: no voice is installed, nothing could be made, or the disk refuses.
    """
    started = time.monotonic()
    folder = Path(out)
    if not (0 <= hours <= 1000) or (hours == 0 and not recordings):
        raise UsageError(f"hours must lie above 0 and at most at 1000, not {hours}")
    if clips_per_speaker < 2:
        raise UsageError(f"clips_per_speaker must be at least 2 (a style needs two clips), not {clips_per_speaker}")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder}: the folder {folder.parent} does not exist; create it first")
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")
    jobs = jobs or multiprocessing.cpu_count()
    made: list[str] = []
    failed: list[str] = []
    if remotion:
        for speaker in shards.list_speakers(folder):
            shards.motion_path(folder, speaker).unlink(missing_ok=True)
    else:
        plans = []
        if hours:
            plans = plan_speakers(hours, seed, clips_per_speaker, list_voices() if voices is None else voices)
        recorded = plan_recorded([Path(each) for each in recordings], seed) if recordings else []
        _prepare(folder, seed, clips_per_speaker, plans, recorded)
        silent = [plan for plan in plans if not shards.speech_path(folder, plan.info.speaker).exists()]
        tasks: dict[str, tuple[Any, ...]] = {plan.info.speaker: (folder, plan) for plan in silent}
        made, failed = _run("speaking", make_speech, tasks, len(plans), jobs, progress, fresh=True)
        if ear is not None:
            people = {plan.info.speaker: plan.recordings for plan in recorded}
            listening.listen_to_recordings(folder, people, ear, jobs, progress)
        unread = [plan for plan in recorded if not report_path(folder, plan.info.speaker).exists()]
        tasks = {plan.info.speaker: (folder, plan) for plan in unread}
        aligned, unaligned = _run("aligning", make_recorded_speech, tasks, len(recorded), jobs, progress)
        made, failed = made + aligned, failed + unaligned
    speakers = shards.list_speakers(folder) if not failed or made else []
    if not speakers:
        raise DiffPoseTalkError(f"{folder}: no speaker could be made; do the speech engines work?")
    if ear is not None:
        listening.listen_to_clips(folder, speakers, ear, jobs, progress)
    if motion or remotion:
        (folder / "motion").mkdir(exist_ok=True)
        recipe_seed = _recipe_seed(folder)
        still = [name for name in speakers if not shards.motion_path(folder, name).exists()]
        tasks = {name: (folder, name, recipe_seed) for name in still}
        moved, unmoved = _run("moving", make_motion, tasks, len(speakers), jobs, progress)
        made, failed = made + moved, failed + unmoved
    clips, seconds = write_manifest(folder)
    return BuildReport(
        folder,
        len(speakers),
        clips,
        seconds / 3600,
        len(made),
        tuple(sorted(set(failed))),
        time.monotonic() - started,
        write_notes(folder),
    )


def _recipe_seed(folder: Path) -> int:
    path = folder / "corpus.json"
    seed = read_json(path, "corpus recipe").get("seed")
    if not isinstance(seed, int):
        raise InputError(f"{path}: seed is not a whole number")
    return seed


def plan_speakers(hours: float, seed: int, clips_per_speaker: int, voices: Sequence[Voice]) -> list[SpeakerPlan]:
    """Decide every speaker's voice, transform, speed and pitch.

    The first speakers of a longer corpus are those of a shorter one with the same seed.
    """
    count = max(2, math.ceil(hours * 3600 / (clips_per_speaker * MEAN_CLIP_S)))
    offset = float(np.random.default_rng([seed, 9]).random())
    plans = []
    for index in range(count):
        rng = np.random.default_rng([seed, index, 0])
        voice = pick_voice(index, voices, offset)
        transform = VoiceTransform.sample(rng, voice.natural)
        rate = float(np.exp(rng.uniform(np.log(0.84), np.log(1.2))))
        pitch = float(np.exp(rng.uniform(-0.22, 0.22)))
        info = shards.SpeakerInfo(
            f"s{index:05d}",
            voice.name,
            voice.language,
            (transform.resample, transform.formant, transform.tilt_db),
            rate,
            pitch,
        )
        plans.append(SpeakerPlan(info, voice, index, seed, clips_per_speaker))
    return plans


def make_speech(folder: Path, plan: SpeakerPlan) -> None:
    """Speak all clips of one speaker and write the shard."""
    rng = np.random.default_rng([plan.seed, plan.index, 1])
    transform = VoiceTransform(*plan.info.transform)
    clips: list[tuple[np.ndarray, Sequence[Phone], str]] = []
    utterances: list[Utterance] = []
    for number in range(plan.n_clips):
        length = float(rng.uniform(*CLIP_SECONDS))
        opening, closing = _pause(rng, 0.25), _pause(rng, 0.25)
        pieces, pauses, total = [], [opening], opening + closing
        for _ in range(200):
            if not utterances:
                utterances = _speak_batch(plan, transform, rng, math.ceil((plan.n_clips - number) * length / 2.6))
            utterance = utterances.pop()
            pause = _pause(rng, 0.05)
            if total + utterance.speech.duration + pause > length:
                if total >= CLIP_SECONDS[0]:
                    break
                if total + utterance.speech.duration + pause > CLIP_SECONDS[1]:
                    continue
            pieces.append(utterance)
            pauses.append(pause)
            total += utterance.speech.duration + pause
        pauses[-1] = max(closing, CLIP_SECONDS[0] - (total - closing - pauses[-1]))
        clips.append(_join(pieces, pauses, rng))
    shards.save_speech(folder, plan.info, clips)


def make_motion(folder: Path, speaker: str, seed: int) -> None:
    """Move one speaker's face and head to the speech that is there and write the shard."""
    from diffposetalk.workshop.corpus.motion.articulation import articulate
    from diffposetalk.workshop.corpus.motion.manner import Manner

    index = int(speaker[1:]) + (FIRST_RECORDED if speaker.startswith("r") else 0)
    manner = Manner.sample(np.random.default_rng([seed, index, 2]))
    heard = listening.load_clips(folder, speaker)
    motions = [
        articulate(
            clip.speech,
            clip.phones,
            manner,
            np.random.default_rng([seed, index, 3, number]),
            gap=heard[clip.number]["gap"] if heard else None,
        )
        for number, clip in enumerate(shards.load_shard(folder, speaker))
    ]
    shards.save_motion(folder, speaker, manner.vector(), motions)


def write_manifest(folder: Path) -> tuple[int, float]:
    """Write `manifest.jsonl` anew from the shards; return the number of clips and the seconds of speech."""
    rows, n_clips, total = [], 0, 0.0
    for speaker in shards.list_speakers(folder):
        info, seconds, motion = shards.shard_summary(folder, speaker)
        row = {**asdict(info), "clips": len(seconds), "seconds": round(sum(seconds), 3), "motion": motion}
        rows.append(json.dumps(row, ensure_ascii=False))
        n_clips += len(seconds)
        total += row["seconds"]
    write_atomically(folder / "manifest.jsonl", ("\n".join(rows) + "\n").encode())
    return n_clips, total


def _pause(rng: np.random.Generator, long_share: float) -> float:
    """Draw a pause in seconds: 0.15 to 1.5, mostly short; now and then 1.5 to 3."""
    if rng.random() < long_share:
        return float(rng.uniform(1.5, 3.0))
    return float(np.clip(np.exp(rng.normal(np.log(0.45), 0.55)), 0.15, 1.5))


def _speak_batch(plan: SpeakerPlan, transform: VoiceTransform, rng: np.random.Generator, count: int) -> list[Utterance]:
    """Speak about ``count`` new sentences; those that fail are skipped.

    Raises:
        DiffPoseTalkError: the voice could speak none of them.
    """
    lines = []
    for _ in range(count):
        rate = plan.info.rate * float(np.exp(rng.normal(0.0, 0.06)))
        pitch = plan.info.pitch * float(np.exp(rng.normal(0.0, 0.05)))
        lines.append(Line(sentence(plan.voice.language, rng), float(np.clip(rate, 0.78, 1.3)), pitch))
    utterances = [utterance for utterance in speak_lines(lines, plan.voice, transform) if utterance is not None]
    if not utterances:
        raise DiffPoseTalkError(f"{plan.info.speaker}: voice {plan.voice.name} could speak none of {count} sentences")
    return utterances[::-1]


def _join(
    pieces: Sequence[Utterance], pauses: Sequence[float], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[Phone, ...], str]:
    """Put utterances and pauses in a row, each sentence a little louder or softer than the last."""
    samples: list[np.ndarray] = []
    phones: list[Phone] = []
    n_samples = 0
    for position, pause in enumerate(pauses):
        silence = np.zeros(int(pause * SAMPLE_RATE), np.float32)
        samples.append(silence)
        n_samples += len(silence)
        if position < len(pieces):
            piece = pieces[position].speech.samples
            gain = 10 ** (rng.normal(0.0, 1.2) / 20)
            samples.append((piece * min(gain, 0.98 / np.abs(piece).max())).astype(np.float32))
            phones += shift_phones(pieces[position].phones, offset=n_samples / SAMPLE_RATE)
            n_samples += len(piece)
    text = " ".join(piece.text for piece in pieces)
    return np.concatenate(samples), fill_silence(phones, n_samples / SAMPLE_RATE), text


def _prepare(
    folder: Path,
    seed: int,
    clips_per_speaker: int,
    plans: Sequence[SpeakerPlan],
    recorded: Sequence[RecordedSpeaker],
) -> None:
    """Make the folders and write the recipe, or check that it is the one the folder was made by."""
    recipe = {
        "version": RECIPE_VERSION,
        "seed": seed,
        "clips_per_speaker": clips_per_speaker,
        "voices": sorted({plan.voice.engine for plan in plans}),
    }
    if recorded:
        recipe["recorded_speakers"] = len(recorded)
    path = folder / "corpus.json"
    try:
        for part in ("speech", "recordings") if recorded else ("speech",):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiffPoseTalkError(f"{folder}: the folder cannot be made: {error.strerror}") from error
    if path.exists():
        before = read_json(path, "corpus recipe")
        for key in RECIPE_KEYS:
            if before.get(key) != recipe.get(key):
                raise InputError(
                    f"{folder}: holds a corpus made with {key}={before.get(key)}, not {recipe.get(key)}; "
                    "use another folder"
                )
    write_atomically(path, (json.dumps(recipe, indent=1) + "\n").encode())


def _run(
    what: str,
    function: Function,
    tasks: dict[str, tuple[Any, ...]],
    n_speakers: int,
    jobs: int,
    progress: Progress | None,
    fresh: bool = False,
) -> tuple[list[str], list[str]]:
    """Run a task for each speaker that lacks a file; return the speakers whose file was made, and the failed ones.

    A process that crashes gets a second try. The reason of every failure is logged. ``fresh`` gives each speaker a process
    of its own.
    """
    made: list[str] = []
    failed: list[str] = []
    n_finished = n_speakers - len(tasks)
    if progress:
        progress(n_finished, n_speakers, what)
    for result in Processes(jobs, fresh=fresh).results(function, tasks):
        if result.died or result.error:
            failed.append(result.name)
            LOGGER.warning("%s: %s", result.name, result.error or "its process crashed twice")
        else:
            made.append(result.name)
        n_finished += 1
        if progress:
            progress(n_finished, n_speakers, what)
    return made, failed

"""From corpus or data set to what the stages learn from: augmented copies, labels, encoded clips, preset references."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from diffposetalk.data.shards import ShardReader
from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.speech_encoder import SpeechEncoder
from diffposetalk.model.whisper_speech import WhisperSpeechEncoder
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.parallel import Processes
from diffposetalk.progress import Progress
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.workshop.corpus import listening
from diffposetalk.workshop.corpus.motion.articulation import articulate
from diffposetalk.workshop.corpus.motion.manner import PRESETS, Manner
from diffposetalk.workshop.corpus.shards import iter_clips, list_speakers, load_shard
from diffposetalk.workshop.train.lite.augment import SAMPLE_RATE, augment
from diffposetalk.workshop.train.lite.ear import components_of
from diffposetalk.workshop.train.lite.speech import SpeechClip
from diffposetalk.workshop.train.lite.windows import EncodedClip

FPS = 25.0
"""Motion frames per second."""
HEAD_CHANNELS = ("head_x", "head_y", "head_z")
"""Names of the head rotation's channels in the motion vector."""
MOUTH_PREFIXES = ("jaw", "mouth", "cheekPuff", "tongue")
"""Channels of the neutral speaker's mouth that the speech encoder learns to predict."""


@dataclass(frozen=True)
class MovingClip:
    """The motion of one corpus clip."""

    speaker: str
    """Name of the speaker."""
    motion: Motion
    manner: np.ndarray
    """``(M,)`` the speaker's manner, empty where unknown."""


Versions = tuple[np.ndarray, ...]
"""The same speech several times, each ``(n,)`` int16 at 16 kHz: itself, then augmented copies."""


def split_speakers(corpus: Path, validation_share: float) -> tuple[list[str], list[str]]:
    """Divide a corpus's speakers into those to learn from and those held out, by a hash of their names."""
    speakers = list_speakers(corpus)
    ranked = sorted(speakers, key=lambda name: hashlib.sha256(name.encode()).digest())
    n_held_out = max(1, round(len(speakers) * validation_share))
    if len(speakers) <= n_held_out:
        raise InputError(f"{corpus}: {len(speakers)} speakers are too few to hold some out; make a larger corpus")
    held_out = set(ranked[:n_held_out])
    return [name for name in speakers if name not in held_out], sorted(held_out)


def make_copies(
    corpus: Path, speakers: Sequence[str], folder: Path, n_copies: int, progress: Progress | None = None
) -> None:
    """Write ``n_copies`` augmented copies of every clip and its neutral mouth, one file for each speaker.

    Finished files stay.

    Raises:
        DiffPoseTalkError: the copies of a speaker cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in speakers if not (folder / f"{name}.safetensors").exists()]
    tasks = {name: (corpus, name, folder, n_copies) for name in missing}
    for done, result in enumerate(Processes(os.cpu_count() or 1).results(_copy_speaker, tasks), 1):
        if result.died or result.error:
            reason = result.error or "the process died twice"
            raise DiffPoseTalkError(f"{corpus}: no augmented copies of {result.name} ({reason})")
        if progress:
            progress(done, len(tasks))


def _copy_speaker(corpus: Path, speaker: str, folder: Path, n_copies: int) -> None:
    from safetensors.numpy import save

    tensors = {}
    heard = listening.load_clips(corpus, speaker)
    for clip in load_shard(corpus, speaker):
        gap = heard[clip.number]["gap"] if heard else None
        motion = articulate(clip.speech, clip.phones, Manner(), np.random.default_rng(0), FPS, gap)
        mouth = [name.startswith(MOUTH_PREFIXES) for name in motion.expression_names]
        tensors[f"{clip.name}/curves"] = np.ascontiguousarray(motion.expression[:, mouth])  # or its bytes are mixed up
        for k, version in enumerate(versions_of(clip.name, clip.speech.samples, n_copies)[1:]):
            tensors[f"{clip.name}/{k}"] = version
    write_atomically(folder / f"{speaker}.safetensors", save(tensors))


def versions_of(name: str, samples: np.ndarray, n_copies: int) -> Versions:
    """Return speech ``(n,)`` at 16 kHz and ``n_copies`` augmented at random; the seed is the clip's name."""
    copies = (augment(samples, np.random.default_rng([*name.encode(), k])) for k in range(n_copies))
    return tuple(to_int16(version) for version in (samples, *copies))


def shard_clips(
    folder: Path, split: str, space: MotionSpace, n_copies: int, progress: Progress | None = None
) -> tuple[list[MovingClip], list[Versions]]:
    """Read a split of a data set of shards, whose motion is on the space's head.

    Raises:
        InputError: there is no such split, or motion of other heads or without the space's channels.
    """
    reader = ShardReader(folder)
    total = sum(n for name, n in reader.counts.items() if name.startswith(f"{split}-"))
    clips, versions = [], []
    for done, clip in enumerate(reader.clips(split), 1):
        if clip.motion.head != space.head:
            raise InputError(f"{folder}: {clip.name} is on the head {clip.motion.head!r}, the model on {space.head!r}")
        clips.append(MovingClip(clip.speaker, clip.motion.resampled(space.fps), np.zeros(0, np.float32)))
        versions.append(versions_of(clip.name, clip.speech.resampled(SAMPLE_RATE).samples, n_copies))
        if progress:
            progress(done, max(done, total))
    return clips, versions


def speech_clips(corpus: Path, speakers: Sequence[str], copies: Path, n_copies: int) -> list[SpeechClip]:
    """Read speech, its augmented copies and its labels."""
    from safetensors.numpy import load_file

    clips = []
    for speaker in speakers:
        made = load_file(copies / f"{speaker}.safetensors")
        listened = listening.load_clips(corpus, speaker)
        for clip in load_shard(corpus, speaker):
            n_frames = len(clip.speech.samples) // FRAME_SAMPLES
            versions = (to_int16(clip.speech.samples), *(made[f"{clip.name}/{k}"] for k in range(n_copies)))
            heard = listened.get(clip.number, {}).get("features", np.zeros((0, 0)))
            whole = np.full((2 * n_frames, heard.shape[1]), np.nan, np.float16)
            whole[: len(heard)] = heard[: 2 * n_frames]
            curves = made[f"{clip.name}/curves"][:n_frames]
            clips.append(SpeechClip(versions, phone_labels(clip.phones, 2 * n_frames), curves, whole))
    spread = np.concatenate([clip.curves for clip in clips[:200]])
    mean, std = spread.mean(0), np.maximum(spread.std(0), 0.02)
    return [replace(clip, curves=(clip.curves - mean) / std) for clip in clips]


def read_motions(corpus: Path, speakers: Sequence[str]) -> list[MovingClip]:
    """Read the motion of every clip.

    Raises:
        InputError: the motion stage of the corpus has not been run.
    """
    clips = []
    for clip in iter_clips(corpus, speakers):
        if clip.motion is None or clip.manner is None:
            raise InputError(f"{corpus}: {clip.name} has no motion yet; run `diffposetalk corpus` to the end")
        clips.append(MovingClip(clip.speaker.speaker, clip.motion, clip.manner))
    return clips


@torch.inference_mode()
def speech_features(
    encoder: SpeechEncoder, speech: Sequence[Versions], phones: Sequence[np.ndarray], progress: Progress | None = None
) -> list[np.ndarray]:
    """Encode every version of each clip's speech: ``(K, T, F)`` float16.

    Args:
        encoder: trained speech encoder.
        speech: of each clip.
        phones: ``(2 T,)`` of each clip; with them, one more version is speech with its transcript. Empty for none.
        progress: called after each clip.
    """
    clips = []
    for done, versions in enumerate(speech, 1):
        n_frames = len(versions[0]) // FRAME_SAMPLES
        wave = np.stack([version[: n_frames * FRAME_SAMPLES] for version in versions])
        features = encoder(torch.from_numpy(wave.astype(np.float32) / 32768))
        if len(phones):
            script = torch.from_numpy(phones[done - 1][None, : 2 * n_frames])
            features = torch.cat([features, features[:1] + encoder.scripted(script)])
        clips.append(features.numpy().astype(np.float16))
        if progress:
            progress(done, len(speech))
    return clips


@torch.inference_mode()
def heard_features(
    encoder: WhisperSpeechEncoder, clips: Sequence[SpeechClip], progress: Progress | None = None
) -> list[np.ndarray]:
    """Encode what the teacher heard in each clip, without and, where the encoder takes one, with its transcript."""
    encoded = []
    for done, clip in enumerate(clips, 1):
        components = torch.from_numpy(components_of(clip))[None]
        features = encoder.features(encoder.hidden(components))
        if encoder.script is not None:
            features = torch.cat([features, features + encoder.scripted(torch.from_numpy(clip.phones)[None])])
        encoded.append(features.numpy().astype(np.float16))
        if progress:
            progress(done, len(clips))
    return encoded


def encode_clips(
    clips: Sequence[MovingClip], features: Sequence[np.ndarray], space: MotionSpace, first_speaker: int
) -> list[EncodedClip]:
    """Normalise motion and put it together with the features of its speech.

    Args:
        clips: with motion.
        features: ``(K, T, F)`` of the same clips, in the same order.
        space: of the motion.
        first_speaker: number given to the first speaker.
    """
    numbers: dict[str, int] = {}
    encoded = []
    for clip, versions in zip(clips, features, strict=True):
        n_frames = min(len(clip.motion), versions.shape[1])
        number = numbers.setdefault(clip.speaker, first_speaker + len(numbers))
        motion = space.encode(clip.motion)[:n_frames]
        encoded.append(EncodedClip(motion, versions[:, :n_frames], number, clip.manner))
    return encoded


def preset_motions(corpus: Path, speakers: Sequence[str], seconds: float) -> dict[str, Motion]:
    """Articulate held-out speech in every preset's manner, ``seconds`` of each."""
    clips = []
    for clip in iter_clips(corpus, speakers):
        clips.append(clip)
        if sum(item.duration for item in clips) >= seconds:
            break
    return {
        name: Motion.joined(
            articulate(clip.speech, clip.phones, manner, np.random.default_rng([7, k]), FPS)
            for k, clip in enumerate(clips)
        )
        for name, manner in PRESETS.items()
    }


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Return samples in [-1, 1] as int16."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)

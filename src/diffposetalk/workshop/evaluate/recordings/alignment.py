"""Where the phones of known words lie in real speech, by PocketSphinx: for evaluation only, no part of generation."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import write_atomically
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.alignment import FRAME_S, aligned_phones
from diffposetalk.workshop.evaluate.recordings.clips import Transcript

Phones = list[tuple[str, float, float]]
"""Symbol (lower-case ARPAbet, "sil"), start and end in seconds."""

_ATTEMPTS = ((0.0, False), (0.0, True), (0.3, False))
"""Silence added on either side (s) and whether the lattice's best path is used instead of Viterbi's, tried in turn."""


def align(samples: np.ndarray, words: str) -> Phones:
    """Find the times of the phones of known English words.

    Two passes, words and then their phones, by a fresh decoder, so that the result does not depend on what was
    aligned before. The second pass now and then finds no path; other settings are tried then.

    Args:
        samples: ``(n,)`` float at 16 kHz.
        words: what is said; punctuation is ignored. Letters are words ("f", "k").

    Returns:
        The phones in order; pauses and noises as "sil".

    Raises:
        InputError: a word is not in PocketSphinx's dictionary (nothing is guessed), or no alignment was found.
        DiffPoseTalkError: PocketSphinx is not installed.
    """
    spelled = re.findall(r"[a-z]+(?:'[a-z]+)*", words.lower())
    for pad, best_path in _ATTEMPTS:
        decoder = _decoder(best_path)
        unknown = [word for word in spelled if decoder.lookup_word(word) is None]
        if unknown:
            raise InputError(f"not in PocketSphinx's dictionary: {', '.join(unknown)}")
        padded = np.pad(np.asarray(samples, np.float64), round(pad * 16000))
        pcm = (np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes()
        phones = aligned_phones(decoder, pcm, spelled)
        if phones is None:
            continue
        return [
            (
                "sil" if phone.name == "SIL" or phone.name.startswith("+") else phone.name.lower(),
                max(phone.start * FRAME_S - pad, 0.0),
                (phone.start + phone.duration) * FRAME_S - pad,
            )
            for phone in phones
        ]
    raise InputError(f"no alignment found for the words '{words}'")


def aligned(
    recordings: Sequence[Transcript], cache: Path | None = None
) -> tuple[dict[str, tuple[Speech, Phones]], dict[str, str]]:
    """Align recordings with their words.

    Args:
        recordings: what to align.
        cache: JSON file of alignments made before; read if there, written if given.

    Returns:
        Speech and phones by name; and for each recording left out, why.
    """
    known: dict[str, Any] = json.loads(cache.read_text()) if cache and cache.exists() else {}
    phones, left_out = {}, {}
    for recording in recordings:
        speech = Speech.load(recording.path)
        key = f"{recording.name}|{recording.words}"
        try:
            if key not in known:
                known[key] = align(speech.samples, recording.words)
            phones[recording.name] = (speech, [(str(p), float(a), float(b)) for p, a, b in known[key]])
        except InputError as error:
            left_out[recording.name] = str(error)
    if cache:
        write_atomically(cache, json.dumps(known).encode())
    return phones, left_out


def _decoder(best_path: bool) -> Any:
    try:
        import pocketsphinx
    except ImportError:
        raise DiffPoseTalkError("aligning speech needs PocketSphinx: pip install 'diffposetalk[dev]'") from None
    return pocketsphinx.Decoder(samprate=16000, bestpath=best_path, loglevel="FATAL")

"""What a model's header says about the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus import listening, shards
from diffposetalk.workshop.corpus.sources import TEACHER, sources_of


def test_sources_are_counted_with_their_licences(tmp_path: Path) -> None:
    (tmp_path / "speech").mkdir()
    for speaker, voice, source, licence, hours in (
        ("r00000", "ann", "Big", "CC0-1.0", 0.2),
        ("r00001", "bob", "Big", "CC0-1.0", 0.1),
        ("r00002", "eve", "Own", "", 0.25),
        ("s00000", "flite:rms", "", "", 0.05),
        ("s00001", "espeak:en", "", "", 0.06),
    ):
        info = shards.SpeakerInfo(speaker, voice, "en", (1.0, 1.0, 0.0), 1.0, 1.0, source, licence)
        samples = np.zeros(round(hours * 3600 * 16000), np.float32)
        shards.save_speech(tmp_path, info, [(samples, [Phone("sil", 0.0, hours * 3600)], "")])
    lines = (
        "Big, CC0-1.0: 2 speakers, 0.3 h",
        "Own, licence not stated: 1 speaker, 0.25 h",
        "speech synthesised by espeak, flite: 2 speakers, 0.11 h",
    )
    assert sources_of(tmp_path) == lines
    listening.save_clips(tmp_path, "r00001", [{"gap": np.zeros(4)}])
    assert sources_of(tmp_path) == (*lines, TEACHER)

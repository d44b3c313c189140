"""Recordings become speakers of the corpus: clips, phones, terms, and what is left out with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.media import save_audio
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.phones import Phone, check_phones
from diffposetalk.workshop.corpus.build import build_corpus
from diffposetalk.workshop.corpus.recordings.recording import Recording
from diffposetalk.workshop.corpus.recordings.speech import Piece, Unusable, joined, phones_of
from diffposetalk.workshop.corpus.shards import list_speakers, load_shard

pytest.importorskip("pocketsphinx", reason="needs PocketSphinx, which is not installed")


def recording(**changes: object) -> Recording:
    values: dict[str, object] = {
        "name": "a",
        "path": Path("a.wav"),
        "speaker": "ann",
        "language": "en",
        "text": "hello",
        "source": "Here",
        "licence": "CC0-1.0",
    }
    return Recording(**values | changes)  # type: ignore[arg-type]


def voiced(seconds: float) -> Speech:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return Speech((0.1 * np.sin(2 * np.pi * 150 * time)).astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "seconds", "reason"),
    [
        ({}, 0.3, "too short"),
        ({"text": None}, 2.0, "no transcript"),
        ({"language": "de"}, 2.0, "language cannot be aligned"),
        ({"text": "qwrtzpl"}, 2.0, "not in the dictionary"),
        ({"phones": (Label("AA1", 0.0, 1.5),)}, 2.0, "implausibly long"),
        ({"phones": tuple(Label("T", k / 50, (k + 1) / 50) for k in range(90))}, 2.0, "phones a second"),
    ],
)
def test_what_is_left_out(changes: dict[str, object], seconds: float, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        phones_of(recording(**changes), voiced(seconds))


def test_given_phones_are_taken() -> None:
    phones = phones_of(
        recording(phones=(Label("HH", 0.5, 0.6), Label("AY1", 0.6, 0.9), Label("ʃ", 0.9, 1.0))), voiced(2.0)
    )
    assert [phone.symbol for phone in phones if phone.symbol != "sil"] == ["hh", "ay", "sh"]
    check_phones(phones, 2.0)


def test_recordings_are_joined_to_clips() -> None:
    pieces = [Piece(np.full(6 * SAMPLE_RATE, k + 1, np.float32), (Phone("aa", 1.0, 2.0),), f"t{k}") for k in range(4)]
    clips = joined(pieces, np.random.default_rng(0))
    assert [clip.text for clip in clips] == ["t0 t1 t2", "t3"]
    samples, phones = clips[0].samples, clips[0].phones
    assert 18.4 < len(samples) / SAMPLE_RATE <= 20
    for k, phone in enumerate(phone for phone in phones if phone.symbol == "aa"):
        inside = samples[round(phone.start * SAMPLE_RATE) + 1 : round(phone.end * SAMPLE_RATE) - 1]
        assert (inside == k + 1).all()  # phones move with their recording
    check_phones(phones, len(samples) / SAMPLE_RATE)


def folder_of_recordings(path: Path, sample_path: Path) -> Path:
    speech = Speech.load(sample_path)
    (path / "ann").mkdir(parents=True)
    save_audio(path / "ann" / "1.wav", speech.slice(0, 4).samples, SAMPLE_RATE)
    (path / "ann" / "1.TextGrid").write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n4\n<exists>\n1\n"IntervalTier"\n"phones"\n0\n4\n3\n'
        '0.5\n0.6\n"B"\n0.6\n0.9\n"AE1"\n0.9\n1.0\n"D"\n'
    )
    (path / "bob").mkdir()
    save_audio(path / "bob" / "2.wav", speech.slice(4, 6).samples, SAMPLE_RATE)
    (path / "bob" / "2.txt").write_text("qwrtzpl")
    return path


def test_a_corpus_of_recordings(tmp_path: Path, sample_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = folder_of_recordings(tmp_path / "people", sample_path)
    report = build_corpus(tmp_path / "corpus", 0, recordings=[people], jobs=1)
    assert list_speakers(tmp_path / "corpus") == ["r00000"] and report.clips == 1
    assert report.left_out == {"its language cannot be aligned": 1}
    (clip,) = load_shard(tmp_path / "corpus", "r00000")
    assert clip.speaker.voice == "people_ann" and clip.speaker.source == "people"
    assert [phone.symbol for phone in clip.phones if phone.symbol != "sil"] == ["b", "ae", "d"]
    assert clip.motion is not None and clip.motion.expression.std() > 0
    notes = [json.loads(line) for line in (tmp_path / "corpus" / "recordings.jsonl").read_text().splitlines()]
    assert [note["recordings"] for note in notes] == [["ann/1"], []]
    assert notes[1]["left_out"] == {"bob/2": "its language cannot be aligned"}
    again = build_corpus(tmp_path / "corpus", 0, recordings=[people], jobs=1)
    assert again.made == 0 and again.left_out == report.left_out
    assert run(["corpus", str(tmp_path / "corpus"), "--recordings", str(people)]) == 0
    assert "left out 1 recordings: its language cannot be aligned" in capsys.readouterr().out
    with pytest.raises(InputError, match="recorded_speakers"):
        build_corpus(tmp_path / "corpus", 0.01, jobs=1)

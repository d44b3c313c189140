"""Bad files are refused at once, in one line that says what is wrong."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.media.recordings import wav_bytes

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.media import decode_bytes, probe, save_audio
from diffposetalk.speech import Speech, SpeechFile

PCM = (8000 * np.sin(np.arange(16000) / 10)).astype(np.int16)

BAD = {
    "nothing in it": (b"", "is empty"),
    "zeros": (bytes(50000), "is not a sound or video file"),
    "a web page": (
        b"<!doctype html><html>" + b"<p>not found</p>" * 2000,
        "is not a sound or video file but text, which begins with '<!doc",
    ),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n", "is not a sound or video file but text"),
    "a list of files": (b"ffconcat version 1.0\nfile other.wav\n", "is not a sound or video file but text"),
    "an unknown codec": (wav_bytes(PCM, tag=999), "unknown codec"),
    "one sample": (wav_bytes(PCM[:1], rate=48000), "holds 0.02.* ms of sound, which is not one sample"),
    "no sample": (wav_bytes(PCM[:0]), "holds no sound"),
    "a rate of 0": (wav_bytes(PCM, rate=0), "states a sample rate of 0 Hz"),
    "a rate of 1": (wav_bytes(PCM, rate=1), "1 Hz is too low"),
    "a rate of 2e9": (wav_bytes(PCM, rate=2 * 10**9), "states a sample rate of 2000000000 Hz"),
    "a rate of 4e9": (wav_bytes(PCM, rate=4 * 10**9), "states a sample rate of 4000000000 Hz"),
    "300 channels": (wav_bytes(PCM, n_channels=300), "states 300 channels|states 0 channels"),
    "a truncated file": (
        wav_bytes(PCM, data_size=320000),
        "is truncated: its header says 10.00 s, but it ends after 1.00",
    ),
}
"""Content of a file `talk.wav`, and the message about it."""


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_sound_is_refused_before_the_work(tmp_path: Path, kind: str) -> None:
    data, message = BAD[kind]
    path = tmp_path / "talk.wav"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        SpeechFile(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < len(str(path)) + 200


def test_names_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path, message in (
        (tmp_path / "pipe.wav", "is a pipe or a device"),
        (Path("/dev/null"), "is a pipe or a device"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.wav", "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            SpeechFile(path)
    with pytest.raises(InputError, match="name of the sound file is empty"):
        Speech.load("")


def test_names_with_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("2026-11-27T12:30.wav", "http:a.flac", "concat:b.wav"):
        save_audio(name, PCM / 32768)
        assert Speech.load(name).duration == 1.0
        assert probe(name).duration == 1.0
    assert len(list(tmp_path.iterdir())) == 3


def test_inputs_that_once_showed_faults(faults: Path) -> None:
    files = [*faults.glob("hand/*.wav"), *faults.glob("fuzz/sound__*")]
    assert files
    for path in files:
        with pytest.raises(InputError, match=path.name):
            SpeechFile(path)


def test_mutated_files_end_in_our_own_error(tmp_path: Path, sample_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = {"wav": wav_bytes(PCM), "flac": sample_path.read_bytes()[:40000]}
    refused = 0
    for k in range(120):
        suffix = ("wav", "flac")[k % 2]
        data = bytearray(whole[suffix])
        for at in rng.integers(0, 60 if k % 4 < 2 else len(data), rng.integers(1, 8)):
            data[at] = rng.integers(256)
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(data[: rng.integers(1, len(data))] if k % 3 == 0 else data)
        for read in (lambda path=path: Speech.load(path), lambda data=data: decode_bytes(bytes(data), "a clip")):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read()
            except DiffPoseTalkError as error:
                refused += 1
                assert "\n" not in str(error) and len(str(error)) < 400
    assert refused > 20

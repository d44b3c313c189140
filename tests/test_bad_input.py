"""Bad sound, bad styles, bad places to write, a full disk, an interrupt: one clear line, nothing half-written."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.files.atomic import check_run_folder
from diffposetalk.media import save_audio
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

Captured = pytest.CaptureFixture[str]
Animate = Callable[..., tuple[int, str]]


def wav(samples: np.ndarray, rate: int = 16000, channels: int = 1, n_bytes: int | None = None) -> bytes:
    """Return a wav file of float32 or int16 samples; `n_bytes` lies about the length of its data."""
    kind, width = (3, 4) if samples.dtype == np.float32 else (1, 2)
    data = samples.tobytes()
    n = len(data) if n_bytes is None else n_bytes
    head = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * channels * width, channels * width, 8 * width)
    return (
        b"RIFF" + struct.pack("<I", min(36 + n, 2**32 - 1)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", n) + data
    )


def noise(seconds: float, rate: int = 16000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, round(seconds * rate)).astype(np.float32)


@pytest.fixture
def animate(capsys: Captured, tmp_path: Path, tiny_model_path: Path) -> Animate:
    """Run `animate FILE ... -o out/a.npz`; check that it said at most one line; return exit code and that line."""
    (tmp_path / "out").mkdir()

    def call(speech: Path, *words: object, output: str = "out/a.npz") -> tuple[int, str]:
        given = ["animate", speech, "--model", tiny_model_path, "-o", tmp_path / output, *words]
        code = run([str(word) for word in given])
        err = capsys.readouterr().err
        assert err.count("\n") <= 1
        assert "Traceback" not in err
        if code:
            assert err.startswith("diffposetalk: ")
            assert not list((tmp_path / "out").iterdir())
        return code, err

    return call


def test_missing(animate: Animate, tmp_path: Path) -> None:
    assert animate(tmp_path / "none.wav") == (1, f"diffposetalk: {tmp_path / 'none.wav'}: no such file\n")


def test_a_folder(animate: Animate, tmp_path: Path) -> None:
    code, line = animate(tmp_path)
    assert code == 2
    assert "several sounds need one folder to write to" in line


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"This is no sound at all.\n" * 50, "is not a sound or video file"),
        ("header.wav", wav(noise(0.0)), "holds no sound"),
        ("cut.wav", wav(noise(1.0), n_bytes=4 * 16000 * 5), "is truncated: its header says 5.00 s"),
        ("nan.wav", wav(np.where(np.arange(16000) == 8000, np.nan, noise(1.0)).astype(np.float32)), "NaN"),
        ("loud.wav", wav(noise(1.0) * np.float32(32768)), "float sound must lie in [-1, 1]"),
        ("slow.wav", wav(noise(1.0), rate=2000), "2000 Hz is too low"),
    ],
)
def test_what_is_no_speech(animate: Animate, tmp_path: Path, name: str, data: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(data)
    code, line = animate(tmp_path / name)
    assert code == 1
    assert what in line
    assert name in line


def test_nan_is_told_with_its_place(animate: Animate, tmp_path: Path) -> None:
    samples = noise(3.0)
    samples[40000:] = np.nan
    (tmp_path / "nan.wav").write_bytes(wav(samples))
    assert "the first at 2.500 s" in animate(tmp_path / "nan.wav")[1]


def test_truncated_flac(animate: Animate, tmp_path: Path, sample_path: Path) -> None:
    (tmp_path / "cut.flac").write_bytes(sample_path.read_bytes()[:60000])
    code, line = animate(tmp_path / "cut.flac")
    assert code == 1
    assert "truncated" in line or "damaged" in line


def test_a_picture_and_a_silent_film(animate: Animate, tmp_path: Path) -> None:
    from diffposetalk.media import VideoWriter

    with VideoWriter(tmp_path / "film.mp4") as video:
        for _ in range(5):
            video.write(np.zeros((64, 64, 3), np.uint8))
    code, line = animate(tmp_path / "film.mp4")
    assert code == 1
    assert "has no sound track" in line


def test_eight_hours(animate: Animate, tmp_path: Path) -> None:
    n_bytes = 8 * 3600 * 16000 * 2
    path = tmp_path / "day.wav"
    path.write_bytes(wav(np.zeros(0, np.int16), n_bytes=n_bytes))
    os.truncate(path, 44 + n_bytes)  # sparse: takes no room on the disk
    started = time.monotonic()
    code, line = animate(path)
    assert code == 1
    assert "lasts 8:00:00, more than the limit of 4:00:00" in line
    assert "--max-hours" in line
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 6)])
def test_rates_and_channels_are_no_errors(
    animate: Animate, tmp_path: Path, speech: Speech, rate: int, channels: int
) -> None:
    samples = np.repeat(speech.slice(0.2, 1.2).resampled(rate).samples, channels)
    (tmp_path / "a.wav").write_bytes(wav(samples, rate, channels))
    code, line = animate(tmp_path / "a.wav")
    assert code == 0
    assert len(Motion.load(tmp_path / "out" / "a.npz")) == 25
    assert ("warning" in line and "8000 Hz" in line) if rate == 8000 else line == ""


def test_silence_is_no_error(animate: Animate, tmp_path: Path) -> None:
    save_audio(tmp_path / "silent.wav", np.zeros(16000 * 2))
    assert animate(tmp_path / "silent.wav") == (0, "")


def test_one_sample_is_no_error(animate: Animate, tmp_path: Path) -> None:
    save_audio(tmp_path / "short.wav", np.zeros(1))
    assert animate(tmp_path / "short.wav") == (0, "")
    assert len(Motion.load(tmp_path / "out" / "a.npz")) == 1


def test_unknown_style(animate: Animate, sample_path: Path) -> None:
    code, line = animate(sample_path, "--style", "grumpy")
    assert code == 2
    assert "no style 'grumpy'" in line
    assert "lively" in line


def test_missing_style_file(animate: Animate, sample_path: Path) -> None:
    code, line = animate(sample_path, "--style", "somebody.mp4")
    assert code == 2
    assert "somebody.mp4: no such file" in line and "preset" not in line


def test_misspelt_option(animate: Animate, sample_path: Path) -> None:
    code, line = animate(sample_path, "--stile", "lively")
    assert code == 2
    assert "unknown argument --stile; did you mean --style? (see `diffposetalk animate --help`)" in line


def test_output_without_ending(animate: Animate, sample_path: Path, tmp_path: Path) -> None:
    code, line = animate(sample_path, "-o", tmp_path / "talk")
    assert code == 2
    assert "talk: the name lacks an ending that tells the format; use one of .mp4" in line


def test_wrong_style_file(animate: Animate, sample_path: Path) -> None:
    code, line = animate(sample_path, "--style", sample_path)
    assert code == 2
    assert "cannot read a style from a '.flac' file" in line


def test_style_of_another_encoder(animate: Animate, tmp_path: Path, sample_path: Path, other_model_path: Path) -> None:
    from diffposetalk.generate.talker import Talker

    Talker.from_pretrained(other_model_path).style("lively").save(tmp_path / "s.safetensors")
    code, line = animate(sample_path, "--style", tmp_path / "s.safetensors")
    assert code == 1
    assert "another style encoder" in line


def test_a_model_that_is_none(capsys: Captured, tmp_path: Path, sample_path: Path) -> None:
    assert run(["animate", str(sample_path), "--model", str(sample_path), "-o", str(tmp_path / "a.npz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("output", "what"),
    [("none/a.npz", "does not exist"), ("out/a.bmp", "cannot write '.bmp'")],
)
def test_wrong_places_are_refused_before_any_work(animate: Animate, tmp_path: Path, output: str, what: str) -> None:
    code, line = animate(tmp_path / "not-even-looked-at.wav", output=output)
    assert code == 2
    assert what in line


def test_a_run_is_refused_where_no_folder_can_be(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "r.toml").write_text('name = "x"')
    words = ["train", str(tmp_path / "r.toml"), "-o"]
    assert run([*words, str(tmp_path / "notes" / "run")]) == 2
    assert f"{tmp_path / 'notes'} is a file, not a folder" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"
    assert check_run_folder(tmp_path / "not" / "yet" / "there") == tmp_path / "not" / "yet" / "there"


def test_damaged_motion(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(b"PK\x03\x04 not really")
    assert run(["render", str(tmp_path / "m.npz"), "-o", str(tmp_path / "m.mp4")]) == 1
    assert "m.npz: not a readable motion file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_a_video_whose_sound_ends_badly_is_not_left_behind(
    capsys: Captured, tmp_path: Path, motion: Motion, gl: None
) -> None:
    motion.save(tmp_path / "m.npz")
    (tmp_path / "cut.wav").write_bytes(wav(noise(1.0), n_bytes=4 * 16000 * 5))
    words = ["render", tmp_path / "m.npz", "--speech", tmp_path / "cut.wav", "-o", tmp_path / "m.mp4", "--size", 64]
    assert run([str(word) for word in words]) == 1
    assert "truncated" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.wav", "m.npz"]


FULL_DISK = """
import resource, sys
from diffposetalk.cli import run
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # every file: at most so many bytes
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("name", ["a.npz", "a.mp4", "a.png"])
def test_a_full_disk(tmp_path: Path, speech: Speech, tiny_model_path: Path, gl: None, name: str) -> None:
    sound = tmp_path.parent / f"{tmp_path.name}.wav"
    speech.save(sound)
    option = "--contact-sheet" if name.endswith("png") else "-o"
    words = ["animate", sound, "--model", tiny_model_path, "--size", "64", option, tmp_path / name]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *map(str, words)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"{name}: could not be written" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupt_while_writing(
    tmp_path: Path, motion: Motion, gl: None, number: signal.Signals, code: int, word: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    Motion.joined([motion] * 60).save(tmp_path / "long.npz")
    Speech(noise(120.0)).save(tmp_path / "long.flac")
    words = ["render", tmp_path / "long.npz", "--speech", tmp_path / "long.flac", "-o", out / "a.mp4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "diffposetalk", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler
        ),  # a job in the background ignores it
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in out.iterdir()) and process.poll() is None:
        assert time.monotonic() < deadline, "writing never began"
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if "frames at" not in line]  # how long it takes may have been said
    assert lines == [f"diffposetalk: {word}; nothing half-written was left behind"]
    assert process.returncode == code
    assert not list(out.iterdir())

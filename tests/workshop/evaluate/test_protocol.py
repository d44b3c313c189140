"""Protocols: made from folders and corpora, pinned by hashes, read back unchanged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.errors import InputError, UsageError
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.generators import energy_follower
from diffposetalk.workshop.evaluate.protocol.contents import Part, PinnedClip, Protocol
from diffposetalk.workshop.evaluate.protocol.folder import files_of
from diffposetalk.workshop.evaluate.protocol.make import make_protocol, open_protocol
from diffposetalk.workshop.evaluate.protocol.material import Material, window_of
from diffposetalk.workshop.evaluate.protocol.selection import Selection, evenly
from diffposetalk.workshop.evaluate.protocol.toml_file import read_protocol, write_protocol


def syllables(seconds: float, seed: int) -> Speech:
    """Bursts of noise, four a second."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(16000 * seconds)) / 16000
    return Speech(
        (0.2 * rng.standard_normal(len(times)) * np.maximum(0, np.sin(8 * np.pi * times)) ** 2).clip(-1, 1), 16000
    )


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of two speakers: sounds and motion files."""
    folder = tmp_path / "clips"
    for number, name in enumerate(("ann/one", "ann/two", "bob/one")):
        speech = syllables(2.5, number)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        speech.save(folder / f"{name}.wav")
        energy_follower(speech).save(folder / f"{name}.npz")
    return folder


def test_a_folder_becomes_a_protocol(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.toml"
    protocol = make_protocol(clips, out, Selection())
    assert [clip.name for clip in protocol.clips] == ["ann/one", "ann/two", "bob/one"]
    assert [clip.speaker for clip in protocol.clips] == ["ann", "ann", "bob"]
    styles = [clip.style.file if clip.style else None for clip in protocol.clips]
    assert styles == ["ann/two.npz", "ann/one.npz", None]
    assert "none for 1 of 3 clips" in protocol.about
    assert any("phones of 3 of 3 clips" in note for note in protocol.notes)
    assert read_protocol(out) == protocol
    clip = Material(protocol, tmp_path).clip(protocol.clips[0])
    assert len(clip.truth) == round(2.5 * 25)
    assert clip.speech.duration == pytest.approx(2.48, abs=0.03)
    assert clip.style is not None


def test_the_hash_follows_content_and_not_names(clips: Path, tmp_path: Path) -> None:
    protocol = make_protocol(clips, tmp_path / "set.toml", Selection())
    moved = tmp_path / "elsewhere"
    shutil.copytree(clips, moved)
    again = make_protocol(moved, tmp_path / "other.toml", Selection())
    assert again.hash == protocol.hash
    fewer = make_protocol(clips, tmp_path / "seeds.toml", Selection(samples=2))
    assert fewer.hash != protocol.hash


def test_a_changed_clip_is_refused(clips: Path, tmp_path: Path) -> None:
    material, _ = open_protocol(clips, tmp_path / "report", Selection())
    assert len(material.protocol.clips) == 3
    syllables(2.5, 9).save(clips / "bob/one.wav")
    with pytest.raises(
        InputError, match=r"bob/one\.wav: was changed since the protocol was made.*'bob/one'.*remove .*protocol"
    ):
        open_protocol(clips, tmp_path / "report", Selection())
    (clips / "bob/one.wav").unlink()
    with pytest.raises(InputError, match=r"bob/one\.wav: no such file"):
        open_protocol(clips, tmp_path / "report", Selection())


def test_notes_are_those_of_the_first_run(clips: Path, tmp_path: Path) -> None:
    syllables(1.0, 5).save(clips / "bob/short.wav")
    energy_follower(syllables(1.0, 5)).save(clips / "bob/short.npz")
    _, first = open_protocol(clips, tmp_path / "report", Selection())
    assert any(note.startswith("bob/short is left out") for note in first)
    assert open_protocol(clips, tmp_path / "report", Selection())[1] == first
    for ending in (".wav", ".npz"):
        shutil.copy(clips / f"ann/one{ending}", clips / f"ann/new{ending}")
    notes = open_protocol(clips, tmp_path / "report", Selection())[1]
    assert notes[:-1] == first and "1 clips were added" in notes[-1]


def test_moved_clips_are_named(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "set.toml"
    make_protocol(clips, out, Selection())
    moved = tmp_path / "moved"
    clips.rename(moved)
    with pytest.raises(InputError, match="no such file"):
        open_protocol(out, tmp_path / "report", Selection())
    material, _ = open_protocol(out, tmp_path / "report", Selection(), clips=moved)
    assert material.clip(material.protocol.clips[2]).name == "bob/one"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "ann/one.npz").unlink(), r"one\.wav: has no motion beside it"),
        (lambda f: shutil.copy(f / "ann/one.wav", f / "ann/one.flac"), "two sounds are called ann/one"),
        (lambda f: shutil.copy(f / "ann/one.npz", f / "ann/one.csv"), "two motion files are called ann/one"),
        (lambda f: [path.unlink() for path in f.rglob("*.wav")], "neither videos nor sounds"),
        (lambda f: (f / "ann/one.npz").write_bytes(b"no"), r"one\.npz"),
    ],
)
def test_bad_folders(clips: Path, tmp_path: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    spoil(clips)
    with pytest.raises(InputError, match=message) as error:
        make_protocol(clips, tmp_path / "set.toml", Selection())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "set.toml").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seeds = [0, 1, 2]", "seeds = []"), "seeds must be"),
        (("seeds = [0, 1, 2]", "seeds = [0, 0]"), "seeds must be"),
        (("format = 1", "format = 2"), "newer than this program"),
        (("fps = 25.0", "fps = 0.0"), "fps must be between"),
        (("fps = 25.0", "speed = 25.0"), "unknown key 'speed'"),
        (('name = "ann/two"', 'name = "ann/one"'), "two clips are called 'ann/one'"),
        (('name = "ann/two"', 'name = "../two"'), r"without '\.\.'"),
        (("seconds = 2.4", "seconds = -2.4"), "seconds must be above 0"),
        (('sha256 = "', 'sha256 = "x'), "64 hexadecimal digits"),
    ],
)
def test_bad_protocols(clips: Path, tmp_path: Path, change: tuple[str, str], message: str) -> None:
    out = tmp_path / "set.toml"
    make_protocol(clips, out, Selection())
    text = out.read_text()
    assert change[0] in text
    out.write_text(text.replace(*change))
    with pytest.raises(InputError, match=message) as error:
        read_protocol(out)
    assert str(out) in str(error.value)


def test_the_window_of_a_motion_is_interpolated_between_frames() -> None:
    values = np.arange(50, dtype=np.float32)[:, None]
    motion = Motion(values, ("jawOpen",), np.zeros((50, 3)), 50.0)
    window = window_of(motion, 0.11, 10, 25.0, Path("a.npz"))
    assert window.expression[:, 0] == pytest.approx(5.5 + 2 * np.arange(10))
    with pytest.raises(InputError, match=r"a\.npz: its motion ends at 1\.00 s, 1\.20 s are needed"):
        window_of(motion, 0.2, 25, 25.0, Path("a.npz"))


def test_the_style_can_be_the_clip_itself_or_none(clips: Path, tmp_path: Path) -> None:
    itself = make_protocol(clips, tmp_path / "a.toml", Selection(style="self"))
    assert [clip.style and clip.style.file for clip in itself.clips] == [f"{clip.name}.npz" for clip in itself.clips]
    none = make_protocol(clips, tmp_path / "b.toml", Selection(style="none"))
    assert all(clip.style is None for clip in none.clips)


def test_transcripts_beside_the_clips_give_phones(clips: Path, tmp_path: Path) -> None:
    labels = ("p", "aa", "m", "hh", "ow", "s", "iy")
    lines = [f"{k * 1_500_000} {(k + 1) * 1_500_000} {label}" for k, label in enumerate(labels)]
    (clips / "ann/one.lab").write_text("\n".join(lines) + "\n")
    protocol = make_protocol(clips, tmp_path / "set.toml", Selection())
    assert [phone[0] for phone in protocol.clips[0].phones][:3] == ["p", "aa", "m"]
    assert protocol.clips[0].phones[1][1:] == pytest.approx((0.15, 0.3), abs=0.01)
    assert not protocol.clips[1].phones


def test_evenly_spread() -> None:
    assert evenly(range(10), None) == list(range(10))
    assert evenly(range(10), 2) == [2, 7]
    assert evenly(range(3), 5) == [0, 1, 2]


def test_files_of_ignores_what_is_no_clip(clips: Path) -> None:
    (clips / "README.md").write_text("words")
    (clips / "lonely.npz").write_bytes(b"")
    assert [files.name for files in files_of(clips)] == ["ann/one", "ann/two", "bob/one"]


def test_write_and_read_again(tmp_path: Path) -> None:
    digest = "ab" * 32
    part = Part('a "quoted" name é.wav', digest, 0.123456)
    protocol = Protocol("x", (PinnedClip("a", "b", 1.5, part, part, None, (("p", 0.0, 0.25),)),), about="line")
    write_protocol(protocol, tmp_path / "x.toml")
    assert read_protocol(tmp_path / "x.toml") == protocol


def test_the_command(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set.toml"
    assert run(["evaluate", "protocol", str(clips), "-o", str(out), "--clips", "2", "--samples", "1"]) == 0
    assert "2 clips of 2 speakers" in capsys.readouterr().out
    assert read_protocol(out).seeds == (0,)
    assert run(["evaluate", "protocol", str(tmp_path / "none"), "-o", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError):
        make_protocol(clips, tmp_path / "set.txt", Selection())

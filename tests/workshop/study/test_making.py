"""Making a study: what goes into the file, the anchors, and what is refused in one line."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.workshop.study.examples import CONSENT, plan, write_folders, write_video, written

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.media import audio_blocks, probe, read_frames, save_audio
from diffposetalk.workshop.study.design import pages_for
from diffposetalk.workshop.study.plan import ANCHOR, FIVE, PAIRS, REFERENCE, Study
from diffposetalk.workshop.study.study_file import StudyFile, open_study


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `reference`, `ours` and `other` of two clips each, and a consent text."""
    folder = tmp_path_factory.mktemp("videos")
    write_folders(folder)
    (folder / "consent.txt").write_text(CONSENT)
    return folder


def make(folder: Path, output: Path, *options: str, systems: tuple[str, ...] = ("ours", "other")) -> int:
    words = [
        "study",
        "make",
        "--reference",
        str(folder / REFERENCE),
        "-o",
        str(output),
        "--consent",
        str(folder / "consent.txt"),
    ]
    for name in systems:
        words += ["--system", f"{name}={folder / name}"]
    return run([*words, *options])


def made(folder: Path, output: Path, *options: str) -> StudyFile:
    assert make(folder, output, *options) == 0
    return open_study(output, check_videos=True)


def extracted(file: StudyFile, clip: str, system: str, folder: Path) -> Path:
    video = file.study.videos[clip][system]
    path = folder / f"{clip}-{system}.mp4"
    path.write_bytes(file.read(video, 0, file.places[video.sha256].size))
    return path


def pitch_of(path: Path, start_s: float = 0.1) -> float:
    """Return the frequency of the strongest tone, Hz."""
    samples = np.concatenate(list(audio_blocks(path, 16000, start_s=start_s)))[:4000]
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * 16000 / len(samples))


def test_the_paper_preset(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = made(folders, tmp_path / "paper.pyz", "--preset", "paper", "--json")
    study = file.study
    assert (study.scale, study.questions, study.raters) == (FIVE, ("lips", "style", "natural"), 26)
    assert study.consent == CONSENT and study.systems == ("ours", "other") and study.clips == ("clip0", "clip1")
    page = pages_for(study, 0)[0]
    assert page.questions == study.questions and page.sound and study.shows_style(page.questions)
    printed = json.loads(capsys.readouterr().out)
    assert printed["study"] == study.identity() and printed["balance"]["pages"] == 8
    assert set(printed["videos"]["clip0"]) == {"ours", "other", REFERENCE, ANCHOR}


def test_options_change_a_preset(folders: Path, tmp_path: Path) -> None:
    study = made(folders, tmp_path / "s.pyz", "--preset", "paper", "--raters", "4", "--questions", "natural").study
    assert (study.scale, study.questions, study.raters) == (FIVE, ("natural",), 4)


def test_videos_are_encoded_alike_and_tell_nothing(folders: Path, tmp_path: Path) -> None:
    """The same codec for all, whatever the format of the source; names are hashes, and sizes are even."""
    moved = tmp_path / "videos"
    shutil.copytree(folders, moved)
    for clip in ("clip0", "clip1"):
        (moved / "ours" / f"{clip}.mp4").unlink()
        write_video(moved / "ours" / f"{clip}.webm", (10, 200, 30))
    file = made(moved, tmp_path / "study.pyz")
    kinds = set()
    for name in ("ours", "other", REFERENCE, ANCHOR):
        info = probe(extracted(file, "clip0", name, tmp_path))
        kinds.add((info.container, info.video_codec, info.audio_codec, info.width, info.fps))
    assert len(kinds) == 1 and next(iter(kinds))[1:3] == ("h264", "aac")
    names = zipfile.ZipFile(file.path).namelist()
    assert not any("ours" in name or "clip0" in name for name in names)
    assert b"ours" not in b"".join(file.read(video, 0, 10**6) for video in file.study.all_videos())


def test_hashes_are_those_of_the_files(folders: Path, tmp_path: Path) -> None:
    import hashlib

    file = made(folders, tmp_path / "study.pyz")
    for clip, row in file.study.videos.items():
        source = hashlib.sha256((folders / "ours" / f"{clip}.mp4").read_bytes()).hexdigest()
        assert row["ours"].source_sha256 == source
        assert all(video.seconds == pytest.approx(0.6, abs=0.05) for video in row.values())


def test_the_frozen_anchor(folders: Path, tmp_path: Path) -> None:
    """One picture for the whole length, with the sound of the reference."""
    path = extracted(made(folders, tmp_path / "s.pyz"), "clip1", ANCHOR, tmp_path)
    pictures = np.stack([picture for _, picture in read_frames(path)]).astype(int)
    assert len(pictures) == 15 and np.abs(pictures - pictures[0]).max() < 12
    truth = next(iter(read_frames(folders / REFERENCE / "clip1.mp4")))[1].astype(int)
    assert np.abs(pictures[0] - truth).mean() < 6
    assert pitch_of(path) == pytest.approx(400, abs=8)


def test_the_anchor_with_another_sound(folders: Path, tmp_path: Path) -> None:
    file = made(folders, tmp_path / "s.pyz", "--anchor", "other-sound")
    assert pitch_of(extracted(file, "clip0", ANCHOR, tmp_path)) == pytest.approx(400, abs=8)
    assert pitch_of(extracted(file, "clip1", ANCHOR, tmp_path)) == pytest.approx(300, abs=8)
    pictures = [picture for _, picture in read_frames(extracted(file, "clip0", ANCHOR, tmp_path))]
    assert np.abs(pictures[0].astype(int) - pictures[7]).max() > 60


def test_the_shifted_anchor(folders: Path, tmp_path: Path) -> None:
    """Silence, then the sound half a second late."""
    path = extracted(made(folders, tmp_path / "s.pyz", "--anchor", "shifted"), "clip0", ANCHOR, tmp_path)
    samples = np.abs(np.concatenate(list(audio_blocks(path, 16000))))
    assert samples[: int(0.46 * 16000)].max() < 0.02 < 0.2 < samples[int(0.53 * 16000) : int(0.58 * 16000)].max()


def test_a_given_anchor_and_a_style_reference(folders: Path, tmp_path: Path) -> None:
    for clip in ("clip0", "clip1"):
        write_video(tmp_path / "bad" / f"{clip}.mp4", (5, 5, 5))
        write_video(tmp_path / "style" / f"{clip}.mp4", (7, 7, 7), 1.5, pitch=None)
    options = ("--preset", "paper", "--anchor", str(tmp_path / "bad"), "--style-reference", str(tmp_path / "style"))
    study = made(folders, tmp_path / "s.pyz", *options).study
    assert study.anchor == "given" and study.checks("natural")
    assert study.style_video("clip0").seconds == pytest.approx(1.5, abs=0.05)


def test_texts_in_another_language(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text('language = "de"\n[start]\nbegin = "Los"\n')
    study = made(folders, tmp_path / "s.pyz", "--strings", str(tmp_path / "de.toml")).study
    assert study.strings == {"language": "de", "start.begin": "Los"}


def test_the_same_videos_give_the_same_study(folders: Path, tmp_path: Path) -> None:
    one, other = made(folders, tmp_path / "a.pyz"), made(folders, tmp_path / "b.pyz")
    assert one.study.identity() == other.study.identity()
    assert one.path.read_bytes() == other.path.read_bytes()


@pytest.mark.parametrize("text", [None, "", " \n\n\t"])
def test_no_study_without_consent(
    folders: Path, tmp_path: Path, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", "make", "--reference", str(folders / REFERENCE), "--system", f"ours={folders / 'ours'}"]
    if text is not None:
        (tmp_path / "consent.txt").write_text(text)
        words += ["--consent", str(tmp_path / "consent.txt")]
    assert run([*words, "-o", str(tmp_path / "s.pyz")]) == 2
    error = capsys.readouterr().err
    assert "consent text" in error and error.count("\n") == 1
    assert not (tmp_path / "s.pyz").exists()


def test_a_study_file_without_consent_is_refused(tmp_path: Path) -> None:
    study = Study(**{**plan(PAIRS).__dict__, "consent": " "})
    with pytest.raises(InputError, match=r"study\.pyz: study: it has no consent text"):
        written(study, tmp_path / "study.pyz")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def nothing(folder: Path) -> None:
    pass


GREY = (90, 90, 90)
SPOILED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "lacks a clip": (lambda f: (f / "clip1.mp4").unlink(), "ours lacks 'clip1' of 2 clips"),
    "a clip too many": (lambda f: write_video(f / "clip9.mp4", GREY), "ours has 'clip9' that the reference lacks"),
    "longer": (
        lambda f: write_video(f / "clip1.mp4", GREY, 1.2),
        "clip1.mp4: lasts 1.20 s, the reference of this clip 0.60 s",
    ),
    "silent": (lambda f: write_video(f / "clip1.mp4", GREY, pitch=None), "clip1.mp4: has no sound"),
    "the same": (
        lambda f: shutil.copy(f.parent / "other" / "clip1.mp4", f / "clip1.mp4"),
        "other and ours have the same video for 'clip1'",
    ),
    "damaged": (lambda f: (f / "clip1.mp4").write_bytes(b"\x00\x01" * 400), "clip1.mp4: is not a sound or video file"),
    "cut": (lambda f: cut(f / "clip1.mp4"), "ours/clip1.mp4"),
    "twice": (lambda f: shutil.copy(f / "clip1.mp4", f / "clip1.mov"), "has the clip 'clip1' twice"),
    "empty": (lambda f: [path.unlink() for path in f.iterdir()], "holds no videos"),
    "missing": (shutil.rmtree, "no such folder"),
    "only sound": (lambda f: (f / "clip1.mp4").write_bytes(sound_only(f)), "clip1.mp4: has no moving pictures"),
}
"""What is done to the folder of a system, and the message."""
REFUSED: dict[str, tuple[list[str], str]] = {
    "unknown clip": (["--clips", "clip0,clip7"], "lacks 'clip7'"),
    "no clip": (["--clips", ","], "--clips names no clip"),
    "taken name": (["--system", "Anchor=x"], "this name is taken"),
    "odd name": (["--system", "a/b=x"], "letters, digits"),
    "twice named": (["--system", "ours=x"], "named twice"),
    "no folder": (["--system", "ours"], "write NAME=FOLDER"),
    "question": (["--questions", "lips,teeth"], "'teeth' is none of"),
    "questions twice": (["--questions", "lips,lips"], "names 'lips' twice"),
    "no question": (["--questions", ","], "--questions names no question"),
    "muted lips": (["--sound", "off"], "lip sync cannot be judged without sound"),
    "anchor of sound": (["--questions", "natural", "--anchor", "shifted"], "which is not asked"),
    "anchor": (["--anchor", "upside-down"], "frozen, other-sound, shifted"),
    "one clip": (["--anchor", "other-sound", "--clips", "clip0"], "needs at least two clips"),
    "against whom": (["--against", "nobody"], "no such system; known: ours, other, reference"),
    "against": (["--scale", "1-5", "--against", "ours"], "--against is for pairs"),
    "style": (["--style-reference", "."], "which is not asked"),
    "checks": (["--scale", "1-5", "--pages", "2"], "careless raters could not be told"),
    "title": (["--title", " "], "--title is empty"),
    "raters": (["--raters", "0"], "between 1 and 1000"),
}
"""Options, and the message."""
BAD = {name: (spoil, [], message) for name, (spoil, message) in SPOILED.items()}
BAD |= {name: (nothing, options, message) for name, (options, message) in REFUSED.items()}


def sound_only(folder: Path) -> bytes:
    path = folder.parent / "sound.wav"
    save_audio(path, np.zeros(9600))
    return path.read_bytes()


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_line(name: str, folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, options, message = BAD[name]
    folder = tmp_path / "videos"
    shutil.copytree(folders, folder)
    spoil(folder / "ours")
    assert make(folder, tmp_path / "study.pyz", *options) in (1, 2)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1, error
    assert not (tmp_path / "study.pyz").exists() and "defect of ours" not in error


def test_a_changed_video_is_noticed(tmp_path: Path) -> None:
    file = written(plan(PAIRS), tmp_path / "study.pyz")
    place = next(iter(file.places.values()))
    data = bytearray(file.path.read_bytes())
    data[place.start] ^= 1
    file.path.write_bytes(data)
    open_study(file.path)
    with pytest.raises(InputError, match=r"study\.pyz: the video videos/.* was changed"):
        open_study(file.path, check_videos=True)


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x05\x06" + b"\0" * 18])
def test_other_files_are_no_studies(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "study.pyz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"study\.pyz: "):
        open_study(path)
    with pytest.raises(InputError, match="is a folder"):
        open_study(tmp_path)
    with pytest.raises(InputError, match="no such study file"):
        open_study(tmp_path / "none.pyz")

"""Corpora of recordings in the layouts that they are published in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import InputError
from diffposetalk.media import save_audio
from diffposetalk.workshop.corpus.recordings.layouts import read_recordings


def sound(path: Path) -> Path:
    """Write a tenth of a second of sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        save_audio(path, np.zeros(1600, np.float32), 16000)
    else:
        path.write_bytes(b"not decoded here")
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_our_table(tmp_path: Path) -> None:
    sound(tmp_path / "a" / "one.ogg")
    write(
        tmp_path / "speech.tsv",
        "file\tseconds\tspeaker\tlanguage\ttranscript\tsource\tlicence\n"
        'a/one.ogg\t1.0\tann\tde\tsie sagte "nein"\tHere\tCC0-1.0\n'
        "a/absent.ogg\t1.0\tbob\tde\tx\tHere\tCC0-1.0\n",
    )
    (recording,) = read_recordings(tmp_path)
    assert (recording.name, recording.speaker, recording.language) == ("a/one", "ann", "de")
    assert recording.text == 'sie sagte "nein"' and recording.licence == "CC0-1.0"


def test_common_voice_takes_validated_clips(tmp_path: Path) -> None:
    for name in ("x1.mp3", "x2.mp3"):
        sound(tmp_path / "clips" / name)
    head = "client_id\tpath\tsentence\tlocale\n"
    write(tmp_path / "validated.tsv", f"{head}{'c' * 64}\tx1.mp3\tHallo.\tde\n")
    write(tmp_path / "train.tsv", f"{head}{'d' * 64}\tx2.mp3\tNein.\tde\n")
    (recording,) = read_recordings(tmp_path)
    assert recording.name == "x1" and recording.language == "de" and recording.licence == "CC0-1.0"
    (tmp_path / "validated.tsv").unlink()
    assert [each.name for each in read_recordings(tmp_path)] == ["x2"]


def test_librispeech(tmp_path: Path) -> None:
    sound(tmp_path / "84" / "121123" / "84-121123-0000.flac")
    write(tmp_path / "84" / "121123" / "84-121123.trans.txt", "84-121123-0000 GO DO YOU HEAR\n84-121123-0001 GONE\n")
    (recording,) = read_recordings(tmp_path)
    assert (recording.speaker, recording.text, recording.licence) == ("ls_84", "go do you hear", "CC-BY-4.0")


def test_speechocean(tmp_path: Path) -> None:
    folder = tmp_path / "speechocean762"
    sound(folder / "WAVE" / "SPEAKER0001" / "000010011.WAV")
    for name, line in (
        ("wav.scp", "000010011\tWAVE/SPEAKER0001/000010011.WAV"),
        ("utt2spk", "000010011\t0001"),
        ("text", "000010011\tWE CALL IT BEAR"),
    ):
        write(folder / "train" / name, line + "\n")
    (recording,) = read_recordings(folder)
    assert recording.speaker == "speechocean762_0001" and recording.text == "we call it bear"
    assert recording.language == "en" and recording.licence == "CC-BY-4.0"


def test_grid_has_times_of_words(tmp_path: Path) -> None:
    sound(tmp_path / "s9" / "bbaf3s.mpg")
    write(
        tmp_path / "s9" / "align" / "bbaf3s.align", "0 17750 sil\n17750 22500 bin\n22500 27000 blue\n27000 74500 sil\n"
    )
    (recording,) = read_recordings(tmp_path)
    assert recording.speaker == "grid_s9" and recording.text == "bin blue"
    assert [(word.text, word.start, word.end) for word in recording.words] == [("bin", 0.71, 0.9), ("blue", 0.9, 1.08)]


def test_sounds_with_labels_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    sound(folder / "ann" / "1.wav")
    write(folder / "ann" / "1.txt", "Hello there.\n")
    sound(folder / "bob" / "2.wav")
    write(folder / "bob" / "2.lab", "0 1000000 sil\n1000000 5000000 hh\n5000000 9000000 ay\n")
    sound(folder / "bob" / "3.wav")
    write(folder / "bob" / "3.TextGrid", TEXTGRID)
    sound(folder / "bob" / "nothing.wav")
    ann, two, three = read_recordings(folder, language="en")
    assert (ann.speaker, ann.text, ann.language) == ("mine_ann", "Hello there.", "en")
    assert [(phone.text, phone.start, phone.end) for phone in two.phones] == [("hh", 0.1, 0.5), ("ay", 0.5, 0.9)]
    assert three.text == "hi" and [phone.text for phone in three.phones] == ["HH", "AY1"]
    assert three.words[0].start == 0.1 and three.words[0].end == 0.9


def test_short_textgrid_is_read_alike(tmp_path: Path) -> None:
    short = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n1\n"IntervalTier"\n"phones"\n0\n1\n2\n'
    )
    sound(tmp_path / "a.wav")
    write(tmp_path / "a.TextGrid", short + '0\n0.5\n"B"\n0.5\n1\n""\n')
    (recording,) = read_recordings(tmp_path)
    assert [(phone.text, phone.end) for phone in recording.phones] == [("B", 0.5)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no recordings; give speech.tsv"),
        ({"speech.tsv": "name\tspeaker\n"}, "lacks the column file"),
        ({"speech.tsv": "file\tspeaker\na.wav\n"}, "line 2 has too few columns"),
        ({"align/x.align": "0 5000 bin\n3000 9000 blue\n", "x.wav": ""}, "out of order"),
        ({"align/x.align": "zero 5 bin\n", "x.wav": ""}, "not a readable GRID alignment"),
        ({"x.wav": "", "x.TextGrid": "nothing"}, "not a TextGrid"),
        (
            {"x.wav": "", "x.TextGrid": 'File type = "ooTextFile"\n"TextGrid"\n0 1 <exists> 9\n"IntervalTier"'},
            "x.TextGrid",
        ),
        ({"wav.scp": "a sox x |\n", "utt2spk": "a b\n"}, "made by a command"),
    ],
)
def test_damaged_corpora_are_one_line(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(InputError, match=message) as caught:
        read_recordings(tmp_path)
    assert "\n" not in str(caught.value)


def text_grid(**tiers: list[tuple[float, float, str]]) -> str:
    """Return Praat's long text of a second with these tiers of (start, end, label)."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"\n',
        f"xmin = 0\nxmax = 1\ntiers? <exists>\nsize = {len(tiers)}\nitem []:",
    ]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", "        xmax = 1", f"        intervals: size = {len(intervals)}"]
        for k, (start, end, label) in enumerate(intervals, 1):
            lines += [f"        intervals [{k}]:", f"            xmin = {start}", f"            xmax = {end}"]
            lines += [f'            text = "{label}"']
    return "\n".join(lines) + "\n"


TEXTGRID = text_grid(words=[(0, 0.1, ""), (0.1, 0.9, "hi"), (0.9, 1, "")], phones=[(0.1, 0.4, "HH"), (0.4, 0.9, "AY1")])

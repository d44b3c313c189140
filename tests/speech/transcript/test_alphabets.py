"""Phone labels and TextGrids of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.speech.transcript.alphabets import are_phones, phones_of_labels
from diffposetalk.speech.transcript.labels import Label
from diffposetalk.speech.transcript.reading import Phrase, Transcript, read_transcript


def labels(text: str, step: float = 0.1) -> list[Label]:
    return [Label(label, step * i, step * (i + 1)) for i, label in enumerate(text.split())]


def textgrid(folder: Path, **tiers: str) -> Transcript:
    """Write tiers of labels of 0.1 s and read them."""
    text = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n9\n<exists>\n{len(tiers)}\n'
    for name, written in tiers.items():
        rows = "".join(f'{each.start}\n{each.end}\n"{each.text}"\n' for each in labels(written))
        text += f'"IntervalTier"\n"{name.replace("_", "-")}"\n0\n9\n{len(labels(written))}\n{rows}'
    path = folder / "a.TextGrid"
    path.write_text(text, encoding="utf-8")
    return read_transcript(path)


@pytest.mark.parametrize(
    ("written", "symbols"),
    [
        ("HH AH0 L OW1", "hh ax l ow"),
        ("h# bcl b iy tcl t epi ax-h", "sil b b iy t t sil ax"),
        ("tʃ ʌ m ə ŋ", "ch ah m ax ng"),
        ("tS V m @ N {n 3: aI S T D O: r\\ t_h", "ch ah m ax ng ae n er ay sh th dh ao r t"),
        ("g e h @ n 6 y: 2: C", "g e hh ax n ax ue oe sh"),
    ],
)
def test_alphabets(written: str, symbols: str) -> None:
    assert " ".join(phone.symbol for phone in phones_of_labels(labels(written))) == symbols


def test_unknown_labels(recwarn: pytest.WarningsRecorder) -> None:
    assert [phone.symbol for phone in phones_of_labels(labels("HH AH0 spn L <unk> OW1"))] == ["hh", "ax", "l", "ow"]
    assert not recwarn.list
    with pytest.warns(DiffPoseTalkWarning, match=r"neutral vowel: \$\$"):
        phones_of_labels(labels("HH AH0 L OW1 M IY0 P $$ B AA1 T"))
    with pytest.raises(InputError, match=r"not phones in ARPAbet, IPA or X-SAMPA: \$\$"):
        phones_of_labels(labels("$$ $! HH"))


def test_phones_and_words_look_different() -> None:
    assert are_phones(labels("hh ax l ow"))
    assert not are_phones(labels("hello my name is"))
    assert not are_phones(labels("a b c", 0.5))


@pytest.mark.parametrize("name", ["phones", "Ann - phones", "phonemes", "MAU", "Phone", "segments"])
def test_tiers_of_phones(tmp_path: Path, name: str) -> None:
    transcript = textgrid(tmp_path, ORT_MAU="hello", KAN_MAU="h@l@U", **{name: "HH AH0 L OW1 spn"})
    assert [phone.symbol for phone in transcript.phones] == ["hh", "ax", "l", "ow"]
    assert transcript.unknown == ((pytest.approx(0.4), pytest.approx(0.5)),)


@pytest.mark.parametrize("name", ["words", "Ann - words", "ORT_MAU", "Transcription", "anything"])
def test_tiers_of_words(tmp_path: Path, name: str) -> None:
    transcript = textgrid(tmp_path, **{name: "hello <unk> again [laughter]"})
    phrases = (Phrase("hello", 0.0, 0.1), Phrase("again", pytest.approx(0.2), pytest.approx(0.3)))
    assert transcript.phrases == phrases


def test_two_speakers_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tier of one speaker alone"):
        textgrid(tmp_path, **{"Ann - phones": "HH AH0 L OW1", "Bob - phones": "M IY0"})


def test_labels_of_phones_are_not_words(tmp_path: Path) -> None:
    path = tmp_path / "a.lab"
    path.write_text("0 1000000 sil\n1000000 2000000 hh\n2000000 3000000 ay\n")
    assert [phone.symbol for phone in read_transcript(path).phones] == ["hh", "ay"]


def test_words_without_times_go_with_their_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    words = [{"word": "in"}, {"word": "May", "start": 1, "end": 1.5}, {"word": "four"}]
    path.write_text(json.dumps({"segments": [{"words": words}]}))
    assert read_transcript(path).phrases == (Phrase("in May four", 1.0, 1.5),)
    for times in ('"start": NaN, "end": 1', '"start": 2, "end": 1', '"start": 0, "end": Infinity', '"end": 3'):
        path.write_text(f'[{{"word": "a", {times}}}]')
        with pytest.raises(InputError, match=r"a\.json"):
            read_transcript(path)

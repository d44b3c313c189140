"""Which videos are found, whose they are, and who is held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.errors import InputError, UsageError
from diffposetalk.workshop.footage.sources import Source, find_videos, split_notes, split_speakers


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for name in (
        "ann/a.mp4",
        "ann/deep/b.MOV",
        "loose one.mp4",
        "ann/notes.txt",
        ".trash/c.mp4",
        "bob/a.mkv",
        "bob/a.mp4",
    ):
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "films"


def speakers(sources: list[Source]) -> dict[str, str]:
    return {source.name: source.speaker for source in sources}


def test_a_folder(films: Path) -> None:
    sources = find_videos([films])
    assert speakers(sources) == {
        "ann/a.mp4": "ann", "ann/deep/b.MOV": "ann", "bob/a.mkv": "bob", "bob/a.mp4": "bob", "loose one.mp4": "loose_one",
    }  # fmt: skip
    assert [source.name for source in sources] == sorted(source.name for source in sources)
    stems = [source.stem for source in sources if source.speaker == "bob"]
    assert len(set(stems)) == 2 and all(stem.startswith("a-") for stem in stems)
    assert sources == find_videos([films, films / "ann", films / "loose one.mp4"]), "named twice, used once"


def test_files_and_several_folders(films: Path) -> None:
    assert speakers(find_videos([films / "ann" / "a.mp4", films / "ann" / "notes.txt"])) == {
        "a.mp4": "a", "notes.txt": "notes",
    }  # fmt: skip
    assert speakers(find_videos([films / "ann", films / "bob"])) == {
        "ann/a.mp4": "ann_a", "bob/a.mp4": "bob_a", "a.mkv": "bob_a", "deep/b.MOV": "deep",
    }  # fmt: skip
    assert len({source.stem for source in find_videos([films / "ann", films / "bob"])}) == 4


def test_names_do_not_depend_on_where_the_folder_lies(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(given: str | Path) -> list[tuple[str, str, str]]:
        return [(source.name, source.speaker, source.stem) for source in find_videos([given])]

    here = names(films)
    monkeypatch.chdir(films)
    assert names(".") == here
    monkeypatch.chdir(films.parent)
    assert names("films") == here
    (films / "films").mkdir()
    (films / "films" / "x.mp4").write_text("x")
    assert "films/x.mp4" in [name for name, *_ in names(films)]


def test_a_table_of_speakers(films: Path, tmp_path: Path) -> None:
    table = tmp_path / "who.csv"
    table.write_text("file,speaker,more\nann/a.mp4,Eve B.,1\nloose one.mp4,ann,2\nb.MOV,ann,\n", encoding="utf-8-sig")
    assert speakers(find_videos([films], table)) == {
        "ann/a.mp4": "Eve_B", "ann/deep/b.MOV": "ann", "bob/a.mkv": "bob", "bob/a.mp4": "bob", "loose one.mp4": "ann",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,who\na,b\n", "columns file,speaker"),
        ("", "columns file,speaker"),
        ("file,speaker\nnone.mp4,ann\n", "line 2: none.mp4 is none of the videos"),
        ("file,speaker\na.mp4,ann\n", "could be several videos; write its path"),
        ("file,speaker\na.mkv,\n", "line 2 lacks the file or the speaker"),
        ("file,speaker\na.mkv,x\nbob/a.mkv,y\n", "line 3: bob/a.mkv has two speakers"),
    ],
)
def test_wrong_tables(films: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "who.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        find_videos([films], tmp_path / "who.csv")


def test_nothing_there(films: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given, said in ((tmp_path / "empty", "holds no videos"), (tmp_path / "absent", "no such file or folder")):
        with pytest.raises(InputError, match=said):
            find_videos([given])
    with pytest.raises(InputError, match="no such table of speakers"):
        find_videos([films], tmp_path / "who.csv")


def test_splits() -> None:
    people = [f"person{k}" for k in range(100)]
    split = split_speakers(people, 0.1, 0.2)
    assert [list(split.values()).count(name) for name in ("train", "val", "test")] == [70, 10, 20]
    assert split == split_speakers(reversed(people * 2), 0.1, 0.2)
    assert set(split_speakers(people[:2], 0.1, 0.1).values()) == {"train"}
    assert sorted(split_speakers(people[:3], 0.1, 0.1).values()) == ["test", "train", "val"]
    assert set(split_speakers(people[:1], 0.1, 0.1).values()) == {"train"}
    assert set(split_speakers(people, 0, 0).values()) == {"train"}
    for wrong in ((0.5, 0.5), (-0.1, 0), (1.0, 0)):
        with pytest.raises(UsageError, match="leave nothing to train on"):
            split_speakers(people, *wrong)


def test_splits_that_are_not_as_asked_are_said() -> None:
    def splits(**clips: int) -> dict[str, dict[str, float]]:
        return {name: {"speakers": 1 if name != "train" else 2, "clips": n} for name, n in clips.items()}

    assert split_notes(splits(train=80, val=10, test=10), 0.1, 0.1) == ()
    (line,) = split_notes(splits(train=40, val=50, test=10), 0.1, 0.1)
    assert "50 % of the clips are in val, not 10 %" in line and "there are 4" in line
    (line,) = split_notes(splits(train=7), 0.1, 0.1)
    assert "all 2 speakers are in the training split" in line
    (line,) = split_notes({"train": {"speakers": 1, "clips": 3}}, 0.1, 0.1)
    assert "the one speaker is in the training split" in line
    assert split_notes(splits(train=7), 0.0, 0.0) == ()

"""Real lips with and without transcripts, on the recordings beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.errors import InputError, UsageError
from diffposetalk.workshop.evaluate import real_lips
from diffposetalk.workshop.evaluate.generators import Generation, energy_follower, samples_of
from diffposetalk.workshop.evaluate.recordings.clips import tracked_clips


@pytest.fixture
def few(shared: Path, tmp_path: Path) -> Path:
    """Return a folder with two GRID clips and one whose words its name does not tell."""
    for folder in ("clips", "tracks"):
        (tmp_path / folder).mkdir()
        for name in ("grid_bbaf2n", "grid_sbia1a", "vr_1"):
            (original,) = (shared / folder).glob(f"{name}.*")
            (tmp_path / folder / original.name).symlink_to(original)
    return tmp_path


def test_both_are_measured_on_the_clips_with_words(few: Path, scripted_model_path: Path) -> None:
    pytest.importorskip("pocketsphinx", reason="PocketSphinx is not installed")
    generation = Generation(str(scripted_model_path), {"steps": 1}, samples=2)
    result = real_lips.evaluate(few, generation, baseline=False, transcripts="names")
    both = result["with_transcripts"]
    for each in both.values():
        assert list(each["per_clip"]) == ["grid_bbaf2n", "grid_sbia1a"]
    assert list(result["per_clip"]) == ["grid_bbaf2n", "grid_sbia1a", "vr_1"]
    assert both["without"]["per_clip"]["grid_bbaf2n"] == result["per_clip"]["grid_bbaf2n"]
    assert both["with"]["each_seed_r0"] != both["without"]["each_seed_r0"]
    assert "clip with a transcript" in real_lips.report(result)


def test_words_of_clips(few: Path, tmp_path: Path) -> None:
    clips = tracked_clips(few)
    assert sorted(real_lips.known_words(few, clips, "names")) == ["grid_bbaf2n", "grid_sbia1a"]
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "vr_1.txt").write_text("hello")
    (folder / "notes.md").write_text("no transcript")
    assert sorted(real_lips.known_words(few, clips, str(folder))) == ["grid_bbaf2n", "grid_sbia1a", "vr_1"]
    with pytest.raises(InputError, match="no such folder"):
        real_lips.known_words(few, clips, str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"no clip|no recordings"):
        real_lips.known_words(tmp_path / "absent", clips, "names")
    with pytest.raises(UsageError, match="only a model"):
        samples_of(energy_follower, clips[0].speech, 1, None, "words.txt")

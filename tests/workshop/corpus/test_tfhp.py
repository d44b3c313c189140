"""The corpus as a TFHP data set: same speech, FLAME motion, splits that share no speaker."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.data.check import check
from diffposetalk.data.tfhp import TfhpReader
from diffposetalk.errors import InputError
from diffposetalk.head.flame.free import FreeFlame
from diffposetalk.motion import Motion, flame_channels
from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus.shards import SpeakerInfo, save_motion, save_speech
from diffposetalk.workshop.corpus.tfhp import identity_of, splits_of, tfhp_of_corpus


def to_flame(motion: Motion) -> Motion:
    """Stand in for the fit to FLAME: 50 channels as they are, the jaw from the 51st."""
    jaw = np.zeros((len(motion), 3), np.float32)
    jaw[:, 0] = 0.3 * motion.expression[:, 50]
    return Motion(motion.expression[:, :50], flame_channels(50)[:50], motion.head_pose, motion.fps, "flame", jaw)


@pytest.fixture
def corpus(motion: Motion, tmp_path: Path) -> Path:
    """A corpus of four speakers with two clips each of 2 s."""
    folder = tmp_path / "corpus"
    for part in ("speech", "motion"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        info = SpeakerInfo(f"s{number:05d}", "a voice", "en", (1.0, 1.0, 0.0), 1.0, 1.0)
        samples = (0.1 * rng.standard_normal((2, 32000))).astype(np.float32)
        phones = [Phone("sil", 0.0, 2.0, 0)]
        save_speech(folder, info, [(row, phones, "text") for row in samples])
        save_motion(folder, info.speaker, np.zeros(3), [motion, motion])
    return folder


def test_corpus_becomes_a_tfhp_set(corpus: Path, motion: Motion, tmp_path: Path) -> None:
    written = tfhp_of_corpus(corpus, tmp_path / "set", to_flame, seg_len=20)
    assert written.videos == 8
    assert written.splits == {"train": 4, "val": 2, "test": 2}
    reader = TfhpReader(tmp_path / "set")
    clip = reader.clip("s00001/001")
    np.testing.assert_array_equal(clip.identity, identity_of("s00001"))
    np.testing.assert_allclose(clip.motion.head_pose, motion.head_pose, atol=1e-6)
    np.testing.assert_allclose(clip.motion.expression, motion.expression[:, :50], atol=1e-3)  # kept as float16
    assert check(tmp_path / "set").problems == []


def test_from_corpus_command(corpus: Path, motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set"
    assert run(["dataset", "from-corpus", str(corpus), "-o", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == {"train": 4, "val": 2, "test": 2}
    coefficients = FreeFlame.load(path / "flame-free.npz").coefficients(motion)
    clip = TfhpReader(path).clip("s00002/000")
    np.testing.assert_allclose(clip.motion.expression, coefficients.expression, atol=0.01)  # the corpus keeps float16
    assert run(["dataset", "check", str(path)]) == 0
    again = str(tmp_path / "again")
    assert run(["dataset", "from-corpus", str(corpus), "-o", again, "--head", str(path / "flame-free.npz")]) == 0
    assert not (tmp_path / "again" / "flame-free.npz").exists()
    assert run(["dataset", "from-corpus", str(corpus), "-o", again]) == 2


def test_splits_follow_from_names() -> None:
    names = [f"s{number:05d}" for number in range(100)]
    splits = splits_of(names)
    assert [list(splits.values()).count(split) for split in ("train", "val", "test")] == [88, 6, 6]
    assert splits == splits_of(names[::-1])
    with pytest.raises(InputError, match="too few"):
        splits_of(names[:2])


def test_corpus_without_motion_is_refused(corpus: Path, tmp_path: Path) -> None:
    (corpus / "motion" / "s00002.safetensors").unlink()
    with pytest.raises(InputError, match="s00002/000 has no motion yet"):
        tfhp_of_corpus(corpus, tmp_path / "set", to_flame)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]

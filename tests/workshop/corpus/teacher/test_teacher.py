"""The teacher: decoding and alignment of phones, the lip map, its file, and a corpus that it listened to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.geometry.curves import at_times
from diffposetalk.media import save_audio
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX, SYMBOLS
from diffposetalk.speech.whisper import WhisperEncoder, whisper_folder
from diffposetalk.workshop.corpus import listening
from diffposetalk.workshop.corpus.build import build_corpus
from diffposetalk.workshop.corpus.shards import load_shard
from diffposetalk.workshop.corpus.teacher.fit import fit_teacher
from diffposetalk.workshop.corpus.teacher.lips import LipMap, fit_lips
from diffposetalk.workshop.corpus.teacher.phones import PhoneClassifier, aligned, decoded, in_context
from diffposetalk.workshop.corpus.teacher.teacher import Ear, Heard, Teacher

WIDTH = 8


def posteriors(string: str, sure: float = 3.0) -> np.ndarray:
    """Log-probabilities that favour one symbol at each step: "aa aa b" is three steps."""
    scores = np.random.default_rng(0).normal(0, 0.3, (len(string.split()), len(SYMBOLS)))
    for step, symbol in enumerate(string.split()):
        scores[step, SYMBOL_INDEX[symbol]] += sure
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def test_unknown_phones_are_decoded_without_flicker() -> None:
    heard = posteriors("sil sil b b b aa aa t aa aa aa sil sil", sure=6.0)
    heard[7] = posteriors("t", sure=1.0)[0]  # one unsure step does not make a phone
    phones = decoded(heard)
    assert [phone.symbol for phone in phones] == ["sil", "b", "aa", "sil"]
    assert [phone.start for phone in phones] == pytest.approx([0, 0.04, 0.1, 0.22])


def test_known_phones_are_aligned_with_pauses() -> None:
    heard = posteriors("sil sil b b aa aa aa sil sil sil d d iy iy")
    found = aligned(heard, ["b", "aa", "sil", "d", "iy"])
    assert found is not None
    phones, fit = found
    assert [phone.symbol for phone in phones] == ["sil", "b", "aa", "sil", "d", "iy"]
    assert fit > -0.1
    wrong = aligned(heard, ["s", "uw", "m", "ow"])
    assert wrong is not None and wrong[1] < -1.1
    assert aligned(heard[:3], ["b", "aa", "d", "iy"]) is None


def test_a_linear_lip_map_is_recovered() -> None:
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(400, WIDTH)).astype(np.float32) for _ in range(6)]
    weight = rng.normal(size=WIDTH)
    gaps = [(0.1 * (feature @ weight) + 5).astype(np.float32) for feature in features]
    gaps[0][:50] = np.nan
    lips = LipMap(fit_lips([(features[:5], gaps[:5])]), 0.2, 0.1)
    assert np.corrcoef(lips.gap(features[5]), gaps[5])[0, 1] > 0.99
    assert lips.gap(np.concatenate(features)).std() == pytest.approx(0.1, rel=0.1)


def test_resampling_keeps_times() -> None:
    curve = np.arange(10.0)
    assert at_times(np.arange(10) / 50, curve, np.array([0.0, 0.02, 0.1, 9.0])) == pytest.approx([0, 1, 5, 9])


def test_context_repeats_the_ends() -> None:
    assert in_context(np.arange(3.0)[:, None], (-1, 0, 1)).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]


def teacher() -> Teacher:
    rng = np.random.default_rng(0)
    classifier = PhoneClassifier(
        rng.normal(size=(5 * WIDTH, 16)).astype(np.float32) * 0.3,
        np.zeros(16, np.float32),
        rng.normal(size=(16, len(SYMBOLS))).astype(np.float32),
        np.zeros(len(SYMBOLS), np.float32),
    )
    lips = LipMap(rng.normal(size=5 * WIDTH).astype(np.float32) * 0.2, 0.25, 0.5)
    return Teacher(np.zeros(WIDTH), np.ones(WIDTH), rng.normal(size=(WIDTH, 4)), classifier, lips)


def test_its_file(tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    teacher().save(path)
    features = np.random.default_rng(1).normal(size=(30, WIDTH))
    before, after = teacher().hear(features), Teacher.load(path).hear(features)
    for name, values in vars(before).items():
        np.testing.assert_allclose(getattr(after, name), values, atol=1e-4)
    with pytest.raises(InputError, match="features of 8 numbers, not 4"):
        teacher().hear(features[:, :4])
    with pytest.raises(InputError, match=r"no\.safetensors"):
        Teacher.load(tmp_path / "no.safetensors")


class Whisper:
    """Features that a test can make: loudness of bands, 50 a second."""

    def features(self, samples: np.ndarray) -> np.ndarray:
        frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
        if not len(frames):
            raise InputError("too short")
        bands = np.abs(np.fft.rfft(frames))[:, 1:65].reshape(len(frames), WIDTH, -1)
        return np.log(bands.mean(2) + 1e-3).astype(np.float32)


def test_a_corpus_of_any_language_that_was_listened_to(tmp_path: Path, sample_path: Path) -> None:
    speech = Speech.load(sample_path)
    for name, start in (("1", 0), ("2", 3), ("3", 6)):
        (tmp_path / "people" / "ann").mkdir(parents=True, exist_ok=True)
        save_audio(tmp_path / "people" / "ann" / f"{name}.wav", speech.slice(start, start + 2.5).samples, SAMPLE_RATE)
    (tmp_path / "people" / "ann" / "1.txt").write_text("кто это")
    report = build_corpus(
        tmp_path / "corpus",
        0,
        recordings=[tmp_path / "people"],
        jobs=1,
        ear=Ear(Whisper(), teacher()),  # type: ignore[arg-type]
    )
    heard = listening.load_recordings(tmp_path / "corpus", "r00000")
    assert report.clips <= 1 and all(isinstance(one, Heard) for one in heard.values())
    if report.clips:
        (clip,) = load_shard(tmp_path / "corpus", "r00000")
        kept = listening.load_clips(tmp_path / "corpus", "r00000")["000"]
        n_steps = round(clip.duration * 50)
        assert kept["features"].shape == (n_steps, 4) and kept["gap"].shape == (n_steps,)
        assert clip.motion is not None and np.isfinite(clip.motion.expression).all()


def test_fitting_needs_aligned_english(tmp_path: Path, sample_path: Path) -> None:
    (tmp_path / "people").mkdir()
    save_audio(tmp_path / "people" / "1.wav", Speech.load(sample_path).slice(0, 2).samples, SAMPLE_RATE)
    (tmp_path / "people" / "1.txt").write_text("qwrtzpl")
    np.savez(tmp_path / "people" / "tracks.npz", **{"1/gap": np.zeros(50)})
    with pytest.raises(InputError, match="cannot learn phones"):
        fit_teacher([tmp_path / "people"], [tmp_path / "people"], Whisper())  # type: ignore[arg-type]
    np.savez(tmp_path / "people" / "tracks.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="holds no lip gaps"):
        fit_teacher([tmp_path / "people"], [tmp_path / "people"], Whisper())  # type: ignore[arg-type]


def test_whisper_itself() -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    try:
        folder = whisper_folder(None)
    except DiffPoseTalkError as error:
        pytest.skip(str(error))
    features = WhisperEncoder(folder).features(np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32))
    assert features.shape == (100, 512) and np.isfinite(features).all()


def test_missing_whisper_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    with pytest.raises(InputError, match=r"no model\.bin"):
        WhisperEncoder(tmp_path)

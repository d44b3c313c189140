"""Generation: pieces equal the whole, seeds decide, scales touch what they name, any length at constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkWarning, InputError, ModelError, UsageError
from diffposetalk.generate.options import SamplingOptions
from diffposetalk.generate.talker import Talker
from diffposetalk.generate.window import continued, windows_of_features
from diffposetalk.model.checkpoint import Model
from diffposetalk.model.configs import SamplingDefaults
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.style import Style

QUICK = SamplingOptions(steps=2, non_speech="move")


@pytest.fixture(scope="module")
def tiny(tiny_model: Model) -> Talker:
    return Talker(tiny_model)


def noise(seconds: float, seed: int = 0) -> Speech:
    return Speech((np.random.default_rng(seed).normal(0, 0.05, round(16000 * seconds))).astype(np.float32))


@dataclass(frozen=True)
class Ragged:
    """Speech that arrives in blocks of odd lengths."""

    samples: np.ndarray
    cuts: tuple[int, ...]
    sample_rate: int = 16000

    def blocks(self, block_s: float = 1.0) -> Iterator[np.ndarray]:
        yield from np.split(self.samples, sorted(cut for cut in self.cuts if cut < len(self.samples)))


@given(cuts=st.lists(st.integers(0, 60_000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_encoding_in_pieces_equals_encoding_whole(tiny_model: Model, cuts: list[int]) -> None:
    encoder = tiny_model.speech_encoder
    samples = noise(3.7).samples
    padded = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
    with torch.no_grad():
        whole = encoder(torch.from_numpy(padded)[None])[0]
    pieces = torch.cat(list(encoder.stream(Ragged(samples, tuple(cuts)).blocks())))
    torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("n_frames", [1, 99, 100, 101, 250])
def test_windows_cover_every_frame_once(tiny: Talker, n_frames: int) -> None:
    samples = noise(10).samples[: n_frames * FRAME_SAMPLES]
    windows = list(windows_of_features(tiny.model.speech_encoder, Speech(samples).blocks(), 100))
    assert sum(n_valid for _, n_valid in windows) == n_frames
    assert all(len(features) == 100 for features, _ in windows)


def test_motion_is_as_long_as_the_speech(tiny: Talker) -> None:
    motion = tiny.generate(noise(5.03), options=QUICK)
    assert len(motion) == 126 and motion.fps == 25 and motion.expression_names == CHANNELS
    assert motion.expression.min() >= 0 and motion.expression.max() <= 1


def test_same_seed_same_bytes_other_seed_other_motion(tiny: Talker, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        tiny.generate(noise(4.5), seed=seed, options=QUICK).save(tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b and a != c


@pytest.mark.parametrize("sampler", ["dpmpp", "ddim", "ddpm"])
def test_takes_do_not_depend_on_their_company(tiny: Talker, sampler: str) -> None:
    together = tiny.generate_many(noise(4.5), 3, sampler=sampler, seed=5, non_speech="move")
    alone = tiny.generate(noise(4.5), sampler=sampler, seed=7, non_speech="move")
    np.testing.assert_allclose(together[2].expression, alone.expression, atol=1e-4)
    assert np.abs(together[0].expression - together[1].expression).max() > 1e-3


def test_every_window_has_fresh_noise(tiny: Talker) -> None:
    silence = Speech(np.zeros(16000 * 12, np.float32))
    motion = tiny.generate(silence, options=QUICK, speech_scale=0, style_scale=0)
    second, third = motion.slice(100, 200), motion.slice(200, 300)
    assert np.abs(second.expression - third.expression).max() > 1e-3


def test_head_scale_leaves_the_face_alone(tiny: Talker) -> None:
    moving, still = (tiny.generate(noise(5), options=QUICK, head_scale=scale) for scale in (1.0, 0.0))
    np.testing.assert_array_equal(moving.expression, still.expression)
    assert moving.head_pose.any() and not still.head_pose.any()


def test_scales_and_modes_change_the_motion(tiny: Talker) -> None:
    base = tiny.generate(noise(2), options=QUICK, style="lively")
    for change in (
        {"speech_scale": 3.0},
        {"style_scale": 5.0},
        {"guidance": "independent", "speech_scale": 2.0},
        {"threshold": (0.9, 0.1, 0.5)},
    ):
        other = tiny.generate(noise(2), options=QUICK, style="lively", **change)
        assert np.abs(other.expression - base.expression).max() > 1e-4, change


def test_a_window_goes_on_where_the_one_before_ended(tiny: Talker) -> None:
    rng = np.random.default_rng(0)
    window, previous = (rng.standard_normal((2, n, 55)).astype(np.float32) for n in (100, 10))
    joined = continued(window, previous, tiny._join)
    np.testing.assert_allclose(joined[:, 0], 1.9 * previous[:, -1] - 0.9 * previous[:, -2], atol=1e-5)
    np.testing.assert_allclose(joined[:, 30:], window[:, 30:], atol=1e-5)
    face = tiny.model.space.parts["expression"]
    np.testing.assert_allclose(joined[:, 5:, face], window[:, 5:, face], atol=1e-5)


def test_the_bundled_models_windows_join_unseen(talker: Talker, sample_path: Path) -> None:
    """Speed at the joins stays within the 99th percentile of the speed inside windows."""
    motion = talker.generate_many(Speech.load(sample_path), 4)
    speed = np.concatenate([np.linalg.norm(np.diff(take.head_pose, axis=0), axis=1) for take in motion])
    at_join = [np.linalg.norm(np.diff(take.head_pose, axis=0), axis=1)[99::100] for take in motion]
    assert np.mean(np.concatenate(at_join)) < np.percentile(speed, 99)


def test_initial_noise_is_wider_where_the_model_says(tiny_model: Model) -> None:
    sampling = SamplingDefaults(initial_noise={"eyeBlink": 0.0})
    config = replace(tiny_model.config, sampling=sampling)
    narrowed = Talker(Model(**{**tiny_model.__dict__, "config": config}))
    usual = Talker(tiny_model)
    a, b = (talker.generate(noise(2), steps=1, seed=1, non_speech="move") for talker in (usual, narrowed))
    assert np.abs(a.expression - b.expression).max() > 1e-4
    with pytest.raises(UsageError, match="initial_noise of eyeBlink"):
        SamplingDefaults(initial_noise={"eyeBlink": -1.0})


def test_styles_by_name_file_and_motion(tiny: Talker, tmp_path: Path) -> None:
    motion = tiny.generate(noise(6), options=QUICK)
    style = tiny.read_style(motion, "a take")
    style.save(tmp_path / "s.style.safetensors")
    motion.save(tmp_path / "m.npz")
    for given_style in (style, motion, tmp_path / "s.style.safetensors", str(tmp_path / "m.npz")):
        np.testing.assert_allclose(tiny.style(given_style).vector, style.vector, atol=1e-5)
    assert np.linalg.norm(style.vector) == pytest.approx(4.0, abs=1e-3)
    preset = tiny.presets[0]
    np.testing.assert_array_equal(tiny.style(preset).vector, tiny.model.presets[preset].vector)


def test_wrong_styles_are_refused(tiny: Talker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no style 'grumpy': the presets are"):
        tiny.style("grumpy")
    with pytest.raises(ModelError, match="another style encoder"):
        tiny.style(Style(np.zeros(16), "someone-else", "x"))
    with pytest.raises(InputError, match="too short"):
        tiny.style(tiny.generate(noise(0.5), options=QUICK))
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path))
    flame = Motion(np.zeros((50, 2)), ("exp_00", "exp_01"), np.zeros((50, 3)), 25.0, "flame")
    with pytest.raises(InputError, match="head 'flame' needs that head to become ARKit motion: there is no flame head"):
        tiny.style(flame)


def test_wrong_requests_are_refused(tiny: Talker) -> None:
    with pytest.raises(UsageError, match="no model 'huge'"):
        Talker.from_pretrained("huge")
    with pytest.raises(UsageError, match=r"unknown sampling option '\w+': choose from sampler, steps, seed"):
        tiny.generate(noise(1), loudness=3)
    with pytest.raises(UsageError, match="samples must be"):
        tiny.generate_many(noise(1), 0)


def test_the_bundled_model_closes_the_mouth_in_silence_and_stays_alive(talker: Talker) -> None:
    motion = talker.generate(Speech(np.zeros(16000 * 12, np.float32)))
    assert np.median(motion.channel("jawOpen")) < 0.05
    assert motion.channel("eyeBlinkLeft").max() > 0.5
    assert motion.head_pose.std(0).max() > 1e-3


def test_the_bundled_model_moves_lips_with_speech_alone(talker: Talker, sample_path: Path) -> None:
    speech = Speech.load(sample_path)
    mute = Speech(speech.samples * 0)
    spoken, silent = (talker.generate(source).channel("jawOpen").std() for source in (speech, mute))
    assert spoken > 4 * silent


def chords(duration_s: float) -> Speech:
    """Three notes at a time, struck twice a second."""
    time = np.arange(round(16000 * duration_s)) / 16000
    notes = sum(np.sin(2 * np.pi * hertz * time) for hertz in (262.0, 330.0, 392.0))
    return Speech((0.2 * notes * np.exp(-3 * (time % 0.5))).astype(np.float32))


def test_music_moves_the_mouth_with_a_warning_and_can_leave_it_at_rest(talker: Talker) -> None:
    """By default the mouth moves, with one warning; with ``rest`` it stays shut, with one warning, and the head goes on."""
    takes = {}
    for how, words, options in (("move", "moves there", {}), ("rest", "rests there", {"non_speech": "rest"})):
        with pytest.warns(DiffPoseTalkWarning, match=rf"speech: \d+\.\d of 8\.0 s .*{words}") as warned:
            takes[how] = talker.generate(chords(8), **options)
        assert len(warned) == 1
    takes["silence"] = talker.generate(Speech(np.zeros(8 * 16000, np.float32)))
    jaw = {name: take.channel("jawOpen").mean() for name, take in takes.items()}
    assert jaw["rest"] < jaw["silence"] + 0.01 < jaw["move"] / 3, jaw
    assert len(takes["rest"]) == 200 and takes["rest"].head_pose.std(0).max() > 1e-3


def test_a_whisper_moves_the_mouth_by_default(talker: Talker, shared: Path) -> None:
    """A whisper has no voice, so the detector takes much of it for noise; the mouth moves all the same."""
    whisper = Speech.load(shared / "speech" / "mfa_whisper.flac")
    with pytest.warns(DiffPoseTalkWarning, match="do not sound like speech"):
        usual, rest = (talker.generate(whisper, **how) for how in ({}, {"non_speech": "rest"}))
    jaw = {name: take.channel("jawOpen") for name, take in {"usual": usual, "rest": rest}.items()}
    assert np.abs(jaw["usual"] - jaw["rest"]).max() > 0.2 and jaw["usual"].std() > 0.1


def test_speech_is_left_as_it_is(talker: Talker, sample_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    rest, move = (talker.generate(sample_path, non_speech=how) for how in ("rest", "move"))
    np.testing.assert_array_equal(rest.expression, move.expression)
    assert not [warning for warning in recwarn if issubclass(warning.category, DiffPoseTalkWarning)]


@pytest.mark.parametrize("device", ["cuda:99", "no-such-device"])
def test_a_device_that_is_not_there_is_refused(tiny_model_path: Path, device: str) -> None:
    with pytest.raises(UsageError, match="cannot be used here") as caught:
        Talker.from_pretrained(tiny_model_path, device)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.gpu
def test_a_gpu_speaks_as_the_processor_does(tiny_model_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    here, there = (
        Talker.from_pretrained(tiny_model_path, device).generate(noise(6), seed=3) for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(here.expression, there.expression, atol=1e-3)

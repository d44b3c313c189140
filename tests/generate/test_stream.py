"""Streaming: the same frames however the sound is cut; saved and resumed; interrupted; never-ending."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import InputError, UsageError
from diffposetalk.generate.stream import EASE_FRAMES, Chunk, LookAhead, Stream
from diffposetalk.generate.talker import Talker
from diffposetalk.model.checkpoint import Model
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

QUICK = {"steps": 2}


@pytest.fixture(scope="module")
def tiny(tiny_model: Model) -> Talker:
    return Talker(tiny_model)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, round(16000 * seconds)).astype(np.float32)


def collected(stream: Stream, sound: np.ndarray, n: int = 517, rate: int | None = None) -> list[Chunk]:
    chunks = [stream.feed(sound[start : start + n], rate) for start in range(0, len(sound), n)]
    return [chunk for chunk in chunks if chunk is not None]


def joined(chunks: list[Chunk | None]) -> Motion:
    return Motion.joined([chunk.motion for chunk in chunks if chunk is not None])


def assert_same(a: Motion, b: Motion) -> None:
    np.testing.assert_array_equal(a.expression, b.expression)
    np.testing.assert_array_equal(a.head_pose, b.head_pose)


@pytest.mark.parametrize(("lookahead_ms", "hop_ms"), [(240, 80), (0, 40), (80, 120), (500, 160), ("offline", 80)])
def test_streamed_equals_fed_at_once_bit_for_bit(tiny: Talker, lookahead_ms: LookAhead, hop_ms: float) -> None:
    sound, how = noise(1.51), {"lookahead_ms": lookahead_ms, "hop_ms": hop_ms, **QUICK}
    stream = tiny.stream(**how)
    streamed = [*collected(stream, sound), stream.finish()]
    at_once = tiny.stream(**how)
    whole = joined([at_once.feed(sound), at_once.finish()])
    assert_same(joined(streamed), whole)
    assert len(whole) == 38  # every begun frame


def test_frames_come_as_soon_as_their_look_ahead_is_there(tiny: Talker) -> None:
    stream = tiny.stream(lookahead_ms=240, hop_ms=80, **QUICK)
    assert stream.delay_s == pytest.approx(0.32)
    assert stream.feed(noise(0.3199)) is None
    chunk = stream.feed(noise(0.0002))
    assert chunk is not None and len(chunk) == 2 and chunk.start_s == 0
    np.testing.assert_allclose(chunk.times, [0, 0.04])
    later = stream.feed(noise(0.24))
    assert later is not None and later.start_s == pytest.approx(0.08) and len(later) == 6


def test_a_frame_depends_on_nothing_after_its_look_ahead(tiny: Talker) -> None:
    a = noise(1.0)
    b = np.concatenate([a[:8000], noise(0.5, seed=1)])
    first, second = (joined(collected(tiny.stream(**QUICK), sound)) for sound in (a, b))
    n_same = int((0.5 - 0.24) * 25)
    np.testing.assert_array_equal(first.expression[:n_same], second.expression[:n_same])
    assert np.abs(first.expression - second.expression).max() > 0


def test_seed_and_style_count(tiny: Talker) -> None:
    base, again, other = (joined(collected(tiny.stream(seed=seed, **QUICK), noise(0.6))) for seed in (1, 1, 2))
    assert_same(base, again)
    assert np.abs(base.expression - other.expression).max() > 1e-4


def test_a_stream_takes_few_steps_unless_the_caller_chooses(tiny: Talker) -> None:
    from diffposetalk.generate.options import SamplingOptions

    sound = noise(0.6)
    usual, few, many = (joined(collected(tiny.stream(**how), sound)) for how in ({}, {"steps": 5}, {"steps": 9}))
    assert_same(usual, few)
    assert_same(many, joined(collected(tiny.stream(options=SamplingOptions(steps=9)), sound)))
    assert np.abs(usual.expression - many.expression).max() > 1e-5


@pytest.mark.parametrize("rate", [16000, 44100])
def test_saved_killed_and_resumed_equals_uninterrupted(tiny: Talker, tmp_path: Path, rate: int) -> None:
    sound = noise(1.6 * rate / 16000)
    uninterrupted = tiny.stream(**QUICK)
    expected = joined([*collected(uninterrupted, sound, 700, rate), uninterrupted.finish()])
    stream, chunks = tiny.stream(**QUICK), []
    for start in range(0, len(sound), 700):
        chunks.append(stream.feed(sound[start : start + 700], rate))
        if start % 2100 == 0:
            np.savez(tmp_path / "state.npz", **stream.state())
            del stream
            with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
                stream = tiny.stream(state=dict(state), **QUICK)
    assert_same(joined([*chunks, stream.finish()]), expected)


def test_a_state_of_other_arguments_or_a_damaged_one_is_refused(tiny: Talker) -> None:
    state = tiny.stream(**QUICK).state()
    for arguments in ({"hop_ms": 160}, {"lookahead_ms": 0}, {"seed": 5}):
        with pytest.raises(UsageError, match="saved with"):
            tiny.stream(state=state, **arguments, **QUICK)
    for name in state:
        with pytest.raises(InputError, match="state of a stream"):
            tiny.stream(state={key: value for key, value in state.items() if key != name}, **QUICK)
    with pytest.raises(InputError, match="newer"):
        tiny.stream(state=state | {"format_version": np.int64(99)}, **QUICK)
    for name, value in (("n_done", np.array(99)), ("features", np.zeros((5, 16))), ("mean_weight", np.array(0.0))):
        with pytest.raises(InputError, match="state of a stream"):
            tiny.stream(state=state | {f"hops.{name}": value}, **QUICK)
    with pytest.raises(InputError, match="mels"):
        tiny.stream(state=state | {"hops.mels": np.zeros((3, 4))}, **QUICK)


def test_reset_begins_again(tiny: Talker) -> None:
    stream = tiny.stream(**QUICK)
    first = joined([*collected(stream, noise(0.6)), stream.finish()])
    with pytest.raises(UsageError, match="reset"):
        stream.feed(noise(0.1))
    stream.reset()
    assert stream.position_s == 0
    assert_same(joined([*collected(stream, noise(0.6)), stream.finish()]), first)
    stream.reset(seed=9)
    assert np.abs(joined(collected(stream, noise(0.6))).expression - first.expression[:8]).max() > 1e-4


def test_interrupt_returns_the_position_and_forgets_what_was_not_said(tiny: Talker) -> None:
    stream = tiny.stream(**QUICK)
    said = joined(collected(stream, noise(1.0)))
    rest = stream.interrupt()
    assert rest.start_s == pytest.approx(len(said) / 25) and len(rest) == EASE_FRAMES
    assert stream.position_s == pytest.approx(rest.end_s)
    other = tiny.stream(**QUICK)
    collected(other, np.concatenate([noise(1.0)[: 640 * (len(said) + 6)], noise(0.03, seed=5)]))
    np.testing.assert_array_equal(other.interrupt().motion.expression, rest.motion.expression)
    chunk = stream.feed(noise(0.4))
    assert chunk is not None and chunk.start_s == pytest.approx(rest.end_s)


def test_interrupt_goes_back_to_the_frame_that_is_shown(tiny: Talker) -> None:
    stream = tiny.stream(**QUICK)
    said = stream.feed(noise(3.0))  # far ahead of playback
    assert said is not None
    rest = stream.interrupt(at_s=1.0)
    assert rest.start_s == pytest.approx(1.0)
    step = np.abs(rest.motion.expression[0] - said.motion.expression[24]).max()
    assert step <= 3 * np.abs(np.diff(said.motion.expression, axis=0)).max()
    for wrong in (-1, np.nan, "a"):
        with pytest.raises(UsageError):
            stream.interrupt(at_s=wrong)  # type: ignore[arg-type]
    early = tiny.stream(**QUICK)
    early.feed(noise(0.4))
    assert early.interrupt(at_s=0).start_s == 0


def test_lost_late_and_repeated_packets(tiny: Talker) -> None:
    sound, n = noise(1.2), 320
    packets = [(k * 0.02, sound[k * n : (k + 1) * n]) for k in range(60)]

    def streamed(order: list[int]) -> Motion:
        stream = tiny.stream(**QUICK)
        return joined([*(stream.feed(packets[k][1], at=packets[k][0]) for k in order), stream.finish()])

    expected = streamed(list(range(60)))
    assert_same(streamed([k for k in range(60) for _ in range(2)]), expected)
    swapped = list(range(60))
    swapped[3], swapped[4] = swapped[4], swapped[3]
    assert_same(streamed(swapped), expected)
    silent = sound.copy()
    silent[30 * n : 31 * n] = 0
    stream = tiny.stream(**QUICK)
    assert_same(streamed([k for k in range(60) if k != 30]), joined([stream.feed(silent), stream.finish()]))


def test_minutes_of_silence_stay_finite_and_small(tiny: Talker) -> None:
    stream = tiny.stream(hop_ms=1000, steps=1)
    stream.feed(noise(1))
    sizes = []
    for _ in range(10):
        chunk = stream.feed(np.zeros(16000 * 60, np.float32))
        assert chunk is not None and np.isfinite(chunk.motion.expression).all()
        sizes.append(sum(value.nbytes for value in stream.state().values()))
    assert len(set(sizes[1:])) == 1
    again = stream.feed(noise(2))
    assert again is not None and np.isfinite(again.motion.expression).all()


@pytest.mark.parametrize(
    "wrong",
    [{"lookahead_ms": -1}, {"lookahead_ms": 5000}, {"hop_ms": "a"}, {"hop_ms": 0}, {"non_speech": "rest"}, {"n": 1}],
)
def test_wrong_arguments_are_refused(tiny: Talker, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        tiny.stream(**wrong)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*do not sound like speech")
def test_a_hop_is_the_step_of_offline_generation(tiny: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the windows of offline and the same noise, hops make the motion of `Talker.generate`."""
    from diffposetalk.diffusion.samplers import generators_of, standard_normal
    from diffposetalk.generate import hops

    sound = noise(8.5)
    offline = tiny.generate(sound, sample_rate=16000, **QUICK, seed=3)
    generators = generators_of(3, 1)
    monkeypatch.setattr(hops, "frame_noise", lambda seed, first, n, dim: standard_normal((1, n, dim), generators)[0])
    chunks = collected(tiny.stream(lookahead_ms="offline", **QUICK, seed=3), sound)
    streamed = joined(chunks)
    assert [len(chunk) for chunk in chunks] == [100, 100]
    np.testing.assert_allclose(streamed.expression, offline.expression[:200], atol=1e-4)
    np.testing.assert_allclose(streamed.head_pose, offline.head_pose[:200], atol=1e-4)


def test_loudness_does_not_matter_once_it_is_known(talker: Talker, sample_path: Path) -> None:
    sound = Speech.load(sample_path).samples
    normal, quiet = (
        joined([talker.stream(steps=4, hop_ms=160).feed(gain * sound)]).channel("jawOpen")[50:] for gain in (1.0, 0.2)
    )
    assert np.corrcoef(normal, quiet)[0, 1] > 0.9
    assert quiet.std() == pytest.approx(normal.std(), rel=0.2)


@pytest.mark.slow
def test_an_hour_of_sound_neither_grows_nor_drifts(tiny: Talker) -> None:
    stream = tiny.stream(hop_ms=1000, steps=1)
    turn = np.concatenate([noise(20), np.zeros(16000 * 40, np.float32)])
    sizes, spreads = [], []
    for _ in range(60):
        chunk = stream.feed(turn)
        assert chunk is not None
        sizes.append(sum(value.nbytes for value in stream.state().values()))
        spreads.append(float(chunk.motion.expression.std()))
    assert stream.position_s == pytest.approx(3600, abs=2)
    assert len(set(sizes[2:])) == 1
    assert np.mean(spreads[-10:]) == pytest.approx(np.mean(spreads[5:15]), rel=0.05)


def test_the_bundled_model_speaks_and_rests(talker: Talker, speech: Speech) -> None:
    stream = talker.stream(steps=4, hop_ms=160)
    spoken = joined(collected(stream, speech.samples))
    assert np.abs(np.diff(spoken.channel("jawOpen"))).max() > 0.05
    rest = stream.interrupt().motion
    assert rest.channel("jawOpen")[-1] < 0.1
    silent = joined([stream.feed(np.zeros(16000 * 8, np.float32))])
    assert silent.channel("jawOpen")[25:].mean() < 0.05
    assert silent.head_pose[25:].std() > 1e-3

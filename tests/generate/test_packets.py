"""Packets of sound: any rate, any lengths, lost, late, repeated; the state is a plain value."""

from __future__ import annotations

import numpy as np
import pytest

from diffposetalk.errors import InputError
from diffposetalk.generate.packets import LONGEST_GAP_S, Packets, pcm_samples

RATE = 16000


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 1234 * t)).astype(np.float32)


def numbered(start: int, stop: int) -> np.ndarray:
    """Samples that say their number: sample n is n / 32768."""
    return np.arange(start, stop, dtype=np.int16)


def numbers(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32768).astype(int)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 16001, 22050, 44100, 48000, 96000])
def test_any_rate_becomes_16_khz_and_nothing_depends_on_the_cuts(rate: int) -> None:
    sound, rng = tone(rate), np.random.default_rng(rate)
    whole = Packets()
    whole.push(sound, rate)
    expected = whole.rest()
    pieces, taken, at = Packets(), [], 0
    while at < len(sound):
        n = int(rng.integers(1, rate // 20))
        pieces.push(sound[at : at + n], rate)
        at += n
        part = pieces.take(int(rng.integers(1, RATE // 20)))
        taken += [] if part is None else [part]
        if rng.random() < 0.3:
            pieces = Packets.of(pieces.arrays())  # saved and resumed
    np.testing.assert_array_equal(np.concatenate([*taken, pieces.rest()]), expected)
    assert len(expected) == RATE
    np.testing.assert_allclose(expected[200:-200], tone(RATE)[200:-200], atol=1e-4)


def test_what_a_low_rate_cannot_hold_is_filtered_out() -> None:
    high = np.sin(2 * np.pi * 11_000 * np.arange(48000) / 48000).astype(np.float32)
    packets = Packets()
    packets.push(high, 48000)
    assert np.abs(packets.rest()[200:-200]).max() < 1e-3


def test_a_lost_packet_becomes_silence() -> None:
    packets = Packets()
    packets.push(numbered(0, 320), RATE, at=7.0)
    packets.push(numbered(640, 960), RATE, at=7.04)
    result = numbers(packets.rest())
    assert len(result) == 960
    np.testing.assert_array_equal(result[320:640], 0)
    np.testing.assert_array_equal(result[640:], np.arange(640, 960))


def test_a_repeated_packet_is_ignored_also_in_part() -> None:
    packets = Packets()
    for start, stop in ((0, 320), (0, 320), (160, 480), (0, 320)):
        packets.push(numbered(start, stop), RATE, at=start / RATE)
    np.testing.assert_array_equal(numbers(packets.rest()), np.arange(480))


def test_a_late_packet_fills_its_gap_unless_that_was_taken() -> None:
    packets = Packets()
    packets.push(numbered(0, 320), RATE, at=0.0)
    packets.push(numbered(640, 960), RATE, at=0.04)
    assert len(packets.take(400)) == 400
    packets.push(numbered(320, 640), RATE, at=0.02)
    result = numbers(packets.rest())
    np.testing.assert_array_equal(result, np.arange(400, 960))


def test_times_that_are_a_little_off_make_no_gap() -> None:
    packets, rng = Packets(), np.random.default_rng(0)
    for k in range(200):
        packets.push(numbered(160 * k, 160 * (k + 1)), RATE, at=12.3 + k / 100 + rng.uniform(-0.002, 0.002))
    np.testing.assert_array_equal(numbers(packets.rest()), np.arange(32000))


def test_after_a_long_gap_the_clock_is_new() -> None:
    packets = Packets()
    packets.push(numbered(0, 160), RATE, at=0.0)
    packets.push(numbered(160, 320), RATE, at=LONGEST_GAP_S + 1)
    packets.push(numbered(320, 480), RATE, at=-1000.0)
    np.testing.assert_array_equal(numbers(packets.rest()), np.arange(480))


def test_the_rate_may_change() -> None:
    packets = Packets()
    packets.push(tone(48000, 0.5), 48000)
    packets.push(tone(8000, 0.5), 8000)
    packets.push(tone(16000, 0.5), 16000)
    assert abs(len(packets.rest()) - 24000) <= 2


def test_bytes_integers_and_channels() -> None:
    values = np.array([0, 16384, -32768], np.int16)
    for pcm in (values.tobytes(), values, np.stack([values, values], 1), values.astype(np.float32) / 32768):
        np.testing.assert_allclose(pcm_samples(pcm), [0, 0.5, -1])
    assert len(pcm_samples(b"")) == 0 and len(pcm_samples(np.zeros((0, 2)))) == 0
    np.testing.assert_allclose(pcm_samples(np.array([[0.2, 0.4]])), [0.3], rtol=1e-6)  # one sample of two channels


@pytest.mark.parametrize(
    ("pcm", "rate", "at"),
    [
        (b"abc", None, None),
        (np.array([np.nan]), None, None),
        (np.array([1e9]), None, None),
        (np.zeros(10), 0, None),
        (np.zeros(10), 10**9, None),
        (np.zeros(10), 44100.5, None),
        (np.zeros(10), None, np.inf),
        (np.array(["a"]), None, None),
        (np.zeros((50, 50, 2)), None, None),
    ],
)
def test_what_is_not_sound_is_refused_and_changes_nothing(pcm: object, rate: object, at: object) -> None:
    packets = Packets()
    packets.push(numbered(0, 100))
    with pytest.raises(InputError):
        packets.push(pcm, rate, at)  # type: ignore[arg-type]
    assert len(packets.rest()) == 100


def test_a_damaged_state_is_refused() -> None:
    arrays = Packets().arrays()
    for name, value in (("rate", 3), ("waiting", np.zeros((2, 2))), ("phase", 99), ("filled", np.zeros(7, bool))):
        with pytest.raises(InputError):
            Packets.of({**arrays, name: value})
    with pytest.raises(InputError):
        Packets.of({})

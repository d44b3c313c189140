"""Augmentation keeps length and time, and does what each function says."""

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.train.lite.augment import (
    AugmentOptions,
    add_noise,
    augment,
    babble,
    coloured_noise,
    companded,
    equalise,
    loud_level,
    overdrive,
    reverberate,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def bursts(n=32000):
    """Half a second of tone, half a second of silence, twice."""
    time = np.arange(n) / 16000
    return (0.3 * np.sin(2 * np.pi * 440 * time) * (time % 1.0 < 0.5)).astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 100, 70400])
def test_length_type_and_range(n, rng):
    for _ in range(10):
        out = augment(bursts(n), rng, others=[bursts(5000)])
        assert out.shape == (n,) and out.dtype == np.float32
        assert np.isfinite(out).all() and np.abs(out).max(initial=0) <= 1


def test_deterministic():
    one = augment(bursts(), np.random.default_rng(5))
    np.testing.assert_array_equal(one, augment(bursts(), np.random.default_rng(5)))
    assert not np.array_equal(one, augment(bursts(), np.random.default_rng(6)))


def test_nothing_asked_changes_nothing(rng):
    off = AugmentOptions(equaliser=0, band_limit=0, reverb=0, noise=0, codec=0, clipping=0, level_db=(0, 0))
    np.testing.assert_allclose(augment(bursts(), rng, off), bursts(), atol=1e-5)


def test_no_delay(rng):
    click = np.zeros(16000, np.float32)
    click[8000] = 0.5
    for out in (
        equalise(click, np.linspace(-8, 8, 9), 200.0, 4000.0),
        reverberate(click, 0.5, 6.0, rng),
        companded(click, 8),
    ):
        assert abs(int(np.argmax(np.abs(out))) - 8000) <= 1


def test_equaliser_and_band_limits(rng):
    noise = coloured_noise(32000, 0.0, rng)
    spectrum = np.abs(np.fft.rfft(equalise(noise, np.zeros(9), 300.0, 4000.0))) ** 2
    before = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(32000, 1 / 16000)
    ratio = lambda low, high: spectrum[(hz > low) & (hz < high)].sum() / before[(hz > low) & (hz < high)].sum()  # noqa: E731
    assert ratio(500, 3500) == pytest.approx(1.0, abs=0.05)
    assert ratio(50, 100) < 0.02 and ratio(7000, 8000) < 0.002


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_signal_to_noise_ratio(snr_db, rng):
    speech = bursts()
    added = add_noise(speech, coloured_noise(len(speech), 1.0, rng), snr_db) - speech
    assert 20 * np.log10(loud_level(speech) / added.std()) == pytest.approx(snr_db, abs=0.3)


def test_noise_in_silence_is_faint(rng):
    silent = np.zeros(16000, np.float32)
    assert add_noise(silent, coloured_noise(16000, 1.0, rng), 3.0).std() == pytest.approx(1e-3, rel=0.05)


def test_noise_colour_and_babble(rng):
    brown = np.abs(np.fft.rfft(coloured_noise(32000, 2.0, rng))) ** 2
    assert brown[200:400].sum() > 20 * brown[8000:16000].sum() / 40
    assert babble(16000, [bursts()], rng).std() == pytest.approx(1.0, abs=0.01)
    with pytest.raises(UsageError, match="babble needs"):
        babble(100, [], rng)


def test_overdrive_and_quantising():
    assert np.abs(overdrive(bursts(), 6.0)).max() == pytest.approx(0.3 * 10 ** (-6 / 20), rel=1e-3)
    assert len(np.unique(companded(bursts(), 6))) <= 64
    assert np.abs(companded(bursts(), 8) - bursts()).max() < 0.02


@pytest.mark.parametrize("wrong", [{"noise": 1.5}, {"reverb": -0.1}, {"snr_db": (10.0, 3.0)}])
def test_options_are_checked(wrong):
    with pytest.raises(UsageError, match="augment"):
        AugmentOptions(**wrong)

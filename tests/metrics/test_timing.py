"""Curves over time: shifts, closures, blinks, beats and joins with known answers."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

FPS = 25.0


def smooth(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.convolve(rng.normal(size=n + 10), np.hanning(9), "same")[5:-5]


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_a_later_generated_curve_has_a_positive_lag(shift):
    rng = np.random.default_rng(0)
    predicted, reference = [], []
    for n in (90, 140):
        base = smooth(rng, n + 20)
        reference.append(base[10 : 10 + n] * rng.uniform(0.1, 9) + rng.normal())
        predicted.append(base[10 - shift : 10 - shift + n + 3])
    found = metrics.lag_correlation(predicted, reference)
    assert found.best_lag == shift
    assert found.best_r == pytest.approx(1, abs=0.03)
    assert found.lags == tuple(range(-8, 9))


def test_lag_zero_is_pearson():
    rng = np.random.default_rng(1)
    a, b = smooth(rng, 100), smooth(rng, 100)
    assert metrics.lag_correlation([a], [b]).r0 == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_a_still_curve_correlates_with_nothing():
    found = metrics.lag_correlation([np.full(50, 0.3)], [np.sin(np.arange(50))])
    assert found.r == (0.0,) * 17


def test_lag_correlation_refuses_short_and_missing():
    for predicted, reference in (([], []), ([np.zeros(9)], [np.zeros(9)]), ([np.zeros(30)], [])):
        with pytest.raises(InputError):
            metrics.lag_correlation(predicted, reference)


def test_closures_by_hand():
    gap = np.ones(50)
    gap[10] = 0.0  # sealed at 0.40 s
    phones = [("b", 0.36, 0.39), ("p", 0.80, 0.90), ("aa", 1.0, 1.2), ("ah", 0.36, 0.44), ("s", 0.4, 0.41)]
    found = metrics.closures(gap, FPS, phones)
    assert (found.n_pressed, found.n_sealed, found.n_open, found.n_open_sealed) == (2, 1, 2, 1)
    assert metrics.closures(gap, FPS, phones, tolerance=0.0).n_sealed == 0
    assert metrics.closures(gap, FPS, [("b", 0.36, 0.38)]).n_sealed == 1  # reached only by the tolerance
    assert found.share == 0.5 and found.gap_ratio == pytest.approx(found.pressed_gap / found.open_gap)
    later = metrics.closures(gap, FPS, [("p", 5.0, 5.1)])
    assert later.n_pressed == 0 and np.isnan(later.share)


def test_pooled_closures_weigh_intervals():
    a = metrics.Closures(3, 3, 1, 0, 0.1, 1.0)
    b = metrics.Closures(1, 0, 0, 0, 0.5, float("nan"))
    both = metrics.Closures.pooled([a, b])
    assert both.share == 0.75
    assert both.pressed_gap == pytest.approx(0.2) and both.open_gap == 1.0


def test_closing_time():
    gap = np.array([1, 1, 1, 0.5, 0.2, 0.05, 0.0, 0.0])
    assert metrics.closing_time(gap, FPS, silent_from=3 / FPS, limit=0.1) == pytest.approx(2 / FPS)
    assert metrics.closing_time(gap, FPS, 0.28, 0.1) == 0
    assert metrics.closing_time(np.ones(5), FPS, 0, 0.1) == float("inf")


def test_blinks():
    lid = np.zeros(200)
    for centre in (20, 60, 61, 150):
        lid[centre - 2 : centre + 3] = np.maximum(lid[centre - 2 : centre + 3], [0.3, 0.7, 1, 0.7, 0.3])
    lid[199] = 0.9
    lid[100:110] = 0.4  # a half-lowered lid is no blink
    assert metrics.blink_frames(lid).tolist() == [20, 60, 150, 199]


def test_head_speed_is_the_angle_of_the_relative_turn():
    roma, torch = pytest.importorskip("roma"), pytest.importorskip("torch")
    pose = np.random.default_rng(2).normal(size=(30, 3)) * 0.7
    turns = roma.rotvec_to_rotmat(torch.tensor(pose))
    angle = roma.rotmat_to_rotvec(turns[:-1].mT @ turns[1:]).norm(dim=-1).numpy()
    assert metrics.head_angular_speed(pose, FPS) == pytest.approx(angle * FPS, abs=1e-9)
    assert metrics.head_angular_speed(np.zeros((4, 3)), FPS).tolist() == [0, 0, 0]


def test_head_beats_fall_where_a_nod_turns():
    t = np.arange(200) / FPS
    pose = np.zeros((200, 3))
    pose[:, 0] = 0.1 * np.sin(2 * np.pi * 0.5 * t)  # turns at 0.5, 1.5, 2.5... s
    beats = metrics.head_beats(pose, FPS)
    assert len(beats) == 8
    assert beats == pytest.approx(np.arange(8) + 0.5, abs=0.5 / FPS + 1e-9)


def test_speech_beats_fall_on_bursts():
    rng = np.random.default_rng(3)
    samples = rng.normal(size=32000) * 1e-3
    for start in (0.5, 1.0, 1.6):
        samples[int(start * 16000) :][:3000] += rng.normal(size=3000) * 0.2
    assert metrics.speech_beats(samples, 16000) == pytest.approx([0.5, 1.0, 1.6], abs=0.05)
    assert len(metrics.speech_beats(np.zeros(100), 16000)) == 0


def test_beat_alignment():
    reference = np.array([1.0, 2.0])
    assert metrics.beat_alignment(reference, reference, FPS) == 1
    off = metrics.beat_alignment(np.array([1.0 + 3 / FPS]), reference, FPS)
    assert off == pytest.approx(np.exp(-0.5))
    assert metrics.beat_alignment(np.zeros(0), reference, FPS) == 0


def test_seams_see_a_jump_at_the_join_and_only_there():
    rng = np.random.default_rng(4)
    values = np.cumsum(rng.normal(size=(400, 2)), axis=0)
    assert metrics.seams(values, FPS, 100).beyond == 0
    jumping = values + 30.0 * (np.arange(400) // 100)[:, None]
    found = metrics.seams(jumping, FPS, 100)
    assert found.beyond == 1 and found.at_joins > 5 * found.inside_p99 and found.acceleration_ratio > 5
    with pytest.raises(InputError):
        metrics.seams(values[:100], FPS, 100)

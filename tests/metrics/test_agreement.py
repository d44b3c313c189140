"""Errors, correlations and intensities: against torchmetrics, and by hand."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError, UsageError
from diffposetalk.metrics.agreement import MOUTH_CHANNELS


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.normal(size=120))
    return 0.7 * truth + rng.normal(size=120) + 2, truth


def test_agrees_with_torchmetrics(pair: tuple[np.ndarray, np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional")
    tensors = [torch.tensor(values) for values in pair]
    assert metrics.pearson_correlation(*pair) == pytest.approx(float(functional.pearson_corrcoef(*tensors)), rel=1e-6)
    theirs = float(functional.concordance_corrcoef(*tensors))
    assert metrics.concordance_correlation(*pair, ddof=1) == pytest.approx(theirs, rel=1e-6)
    error = float(functional.mean_squared_error(*tensors))
    assert metrics.mean_squared_error(*pair) == pytest.approx(error, rel=1e-6)


def test_concordance_by_hand() -> None:
    """Means 1 and 2, variances 2/3 and 2/3, covariance 2/3: 4/3 over 4/3 + 1."""
    truth = np.array([0.0, 1, 2])
    assert metrics.concordance_correlation(truth + 1, truth) == pytest.approx(4 / 7)
    assert metrics.pearson_correlation(truth + 1, truth) == pytest.approx(1)
    assert metrics.concordance_correlation(-truth, truth) == pytest.approx(-(4 / 3) / (4 / 3 + 4))


def test_still_curves(pair: tuple[np.ndarray, np.ndarray]) -> None:
    still = np.full(120, 0.3)
    for measure in (metrics.pearson_correlation, metrics.concordance_correlation):
        assert measure(still, pair[1]) == 0
        assert np.isnan(measure(pair[0], still))


def test_the_shorter_curve_sets_the_length(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = pair
    assert metrics.pearson_correlation(predicted[:50], truth) == metrics.pearson_correlation(predicted[:50], truth[:50])
    with pytest.raises(InputError, match="cannot be compared"):
        metrics.mean_squared_error(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(InputError, match="empty"):
        metrics.mean_squared_error(np.zeros((0, 2)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="cannot be compared"):
        metrics.pearson_correlation(np.zeros((3, 2)), np.zeros((3, 2)))


def test_the_error_of_channels_takes_those_of_the_mouth() -> None:
    assert len(MOUTH_CHANNELS) == 33
    truth = np.zeros((4, 52))
    predicted = truth.copy()
    predicted[:, CHANNELS.index("jawOpen")] = 0.33
    predicted[:, CHANNELS.index("eyeBlinkLeft")] = 9
    ours, real = (metrics.Curves(25.0, channels=x, channel_names=CHANNELS) for x in (predicted, truth))
    assert metrics.channel_error(ours, real) == pytest.approx(0.33**2 / 33)
    assert metrics.channel_error(ours, real, ["jawOpen"]) == pytest.approx(0.33**2)
    with pytest.raises(UsageError, match="no channel 'jawOpen'"):
        metrics.channel_error(metrics.Curves(25.0, gap=np.zeros(4)), real, ["jawOpen"])
    with pytest.raises(InputError, match="25 fps cannot be compared with curves at 30"):
        metrics.channel_error(ours, metrics.Curves(30.0, channels=truth, channel_names=CHANNELS))


def test_intensities_by_hand() -> None:
    curves = metrics.Curves(10.0, gap=np.array([0.0, 3, 3]), width=np.array([0.0, 4, 4]))
    assert metrics.lip_intensity(curves) == pytest.approx(np.sqrt((50**2 + 0) / 2))
    lips = np.zeros((3, 2, 3))
    lips[1:, 0, 0] = 6  # one of two vertices moves by 6: on average 3
    assert metrics.lip_intensity_of_vertices(lips, 10.0) == pytest.approx(np.sqrt(30**2 / 2))
    assert metrics.speech_intensity(np.array([3.0, -4, 0, 0])) == pytest.approx(2.5)
    for measure in (lambda: metrics.speech_intensity(np.zeros(0)), lambda: metrics.lip_intensity(curves.slice(0, 1))):
        with pytest.raises(InputError, match="too short"):
            measure()


def test_intensities_are_compared_within_groups() -> None:
    """Two speakers, the second with a hot microphone and lazy lips: within each, louder is livelier."""
    lips, speech = [1.0, 2, 3, 0.1, 0.2, 0.3], [1.0, 2, 3, 10, 20, 30]
    assert metrics.speech_lip_correlation(lips, speech) < 0
    assert metrics.speech_lip_correlation(lips, speech, list("aaabbb")) == pytest.approx(1)
    assert metrics.speech_lip_correlation([*lips, 9], [*speech, 0], list("aaabbbc")) == pytest.approx(1)  # c is alone
    assert np.isnan(metrics.speech_lip_correlation([1.0, 2, 3], [1.0, 1, 1]))  # speech that does not vary
    assert metrics.speech_lip_correlation([1.0, 1, 1], [1.0, 2, 3]) == 0  # lips that do not
    with pytest.raises(InputError):
        metrics.speech_lip_correlation(lips, speech[:-1])


def test_intensities_agree_with_pandas_like_standardising() -> None:
    rng = np.random.default_rng(3)
    lips, speech, groups = rng.normal(size=20), rng.normal(size=20), np.repeat([0, 1], 10)
    rows = [
        np.concatenate([(x[groups == g] - x[groups == g].mean()) / x[groups == g].std(ddof=1) for g in (0, 1)])
        for x in (lips, speech)
    ]
    assert metrics.speech_lip_correlation(lips, speech, groups.tolist()) == pytest.approx(np.corrcoef(*rows)[0, 1])

"""Mesh metrics against torchmetrics, against a second way of writing them, and on cases worked by hand."""

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.errors import InputError

LIPS = [3, 4, 7]


@pytest.fixture
def meshes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    rest = rng.normal(size=(12, 3)) * 0.05
    predicted, truth = (rest + rng.normal(size=(n, 12, 3)) * 0.004 for n in (40, 43))
    return predicted, truth, rest


def test_lip_vertex_error_agrees_with_torchmetrics(meshes):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.multimodal")
    if not hasattr(functional, "lip_vertex_error"):
        pytest.skip("this torchmetrics has no lip_vertex_error")
    predicted, truth, _ = meshes
    theirs = float(functional.lip_vertex_error(torch.tensor(predicted), torch.tensor(truth), LIPS))
    assert metrics.lip_vertex_error_squared(predicted, truth, LIPS) == pytest.approx(theirs, rel=1e-9)


def test_upper_face_deviation_agrees_with_torchmetrics(meshes):
    torch = pytest.importorskip("torch")
    fdd = pytest.importorskip(
        "torchmetrics.functional.multimodal.fdd", reason="this torchmetrics release has no FDD yet"
    )
    predicted, truth, rest = meshes
    theirs = float(fdd.upper_face_dynamics_deviation(*(torch.tensor(x) for x in (predicted, truth, rest)), LIPS))
    assert metrics.upper_face_deviation(predicted, truth, rest, LIPS).signed == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("squared", [True, False])
def test_upper_face_deviation_by_loops(meshes, squared):
    predicted, truth, rest = meshes
    differences = []
    for v in LIPS:
        spread = []
        for mesh in (truth[:40], predicted):
            distance = [np.dot(f[v] - rest[v], f[v] - rest[v]) ** (1 if squared else 0.5) for f in mesh]
            spread.append(np.sqrt(np.mean(np.square(distance)) - np.mean(distance) ** 2))
        differences.append(spread[0] - spread[1])
    ours = metrics.upper_face_deviation(predicted, truth, rest, LIPS, squared)
    assert ours.signed == pytest.approx(np.mean(differences), rel=1e-6)
    assert ours.absolute == pytest.approx(np.mean(np.abs(differences)), rel=1e-6)


def test_lip_vertex_error_variants_by_hand():
    truth = np.zeros((2, 5, 3))
    predicted = truth.copy()
    predicted[0, 3, 0], predicted[1, 4, 1], predicted[0, 0] = 0.003, 0.001, 9.0  # vertex 0 is no lip
    assert metrics.lip_vertex_error_max(predicted, truth, [3, 4]) == pytest.approx(2.0)
    assert metrics.lip_vertex_error_squared(predicted, truth, [3, 4]) == pytest.approx(5e-6)
    assert metrics.lip_vertex_error_root(predicted, truth, [3, 4]) == pytest.approx(np.sqrt(5.0))


def test_signed_deviation_cancels_and_absolute_does_not():
    rest = np.zeros((2, 3))
    wave = np.abs(np.sin(np.arange(50)))
    still, moving = np.zeros((50, 2, 3)), np.zeros((50, 2, 3))
    still[:, 0, 0] = moving[:, 1, 0] = wave
    deviation = metrics.upper_face_deviation(still, moving, rest, [0, 1])
    assert deviation.signed == pytest.approx(0, abs=1e-12) and deviation.absolute > 0.1
    assert metrics.upper_face_deviation(np.zeros_like(moving), moving, rest, [0, 1]).signed > 0  # moves too little


def test_mouth_opening():
    points = np.zeros((3, 4, 3))
    points[:, 0, 1], points[:, 1, 1] = [0, 0.01, 0.02], [0, 0.01, 0.04]
    gap = metrics.mean_gap(points, [0, 1], [2, 3])
    assert gap == pytest.approx([0, 0.01, 0.03])
    assert metrics.mouth_opening_difference(gap, np.zeros(5)) == pytest.approx(40 / 3)
    assert metrics.mouth_opening_difference_rms(gap, np.zeros(3)) == pytest.approx(np.sqrt(1000 / 3))


@pytest.mark.parametrize(
    ("predicted", "truth", "lips"),
    [
        (np.zeros((2, 5, 3)), np.zeros((2, 6, 3)), [0]),
        (np.zeros((2, 5, 3)), np.zeros((2, 5, 3)), [5]),
        (np.zeros((2, 5, 3)), np.zeros((2, 5, 3)), []),
        (np.zeros((0, 5, 3)), np.zeros((2, 5, 3)), [1]),
        (np.zeros((2, 5)), np.zeros((2, 5)), [1]),
    ],
)
def test_refuses_what_cannot_be_compared(predicted, truth, lips):
    with pytest.raises(InputError):
        metrics.lip_vertex_error_max(predicted, truth, lips)

"""The free head's lids meet in a blink, whoever the person is; its upper teeth show in an open mouth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.anny.lids import LOWER_LASHES, SIDES, UPPER_LASHES, Margins, meeting
from diffposetalk.head.anny.teeth import JAWS, placed
from diffposetalk.motion import Motion

Face = Callable[..., np.ndarray]
MM = 1e3
ALONG = slice(3, -4)
"""Points of the margins away from the corners."""


@pytest.fixture(scope="module")
def people(anny: AnnyHead) -> np.ndarray:
    """Sixty people and the presets, ``(P, I)``."""
    drawn = [anny.draw_identity(seed) for seed in range(60)]
    return np.array([*drawn, *anny.presets.values()], np.float32)


def openings(anny: AnnyHead, sign: float, vertices: np.ndarray) -> np.ndarray:
    """How far the lids are apart along the margin, ``(..., m)`` millimetres; negative where they cross."""
    eye = Margins.of(anny.data, sign)
    return -MM * eye.gap(vertices, eye.share[:, None])[..., 1]


@pytest.mark.parametrize(("side", "sign"), SIDES)
def test_a_blink_brings_everybodys_lids_together(
    anny: AnnyHead, face: Face, people: np.ndarray, side: str, sign: float
) -> None:
    still = openings(anny, sign, anny.vertices(np.zeros((len(people), 52), np.float32), identity=people))
    assert np.ptp(still[:, 6]) > 1.5, "eyes are open more and less wide"
    expression = np.tile(face(eyeBlink=1.0), (len(people), 1))
    shut = openings(anny, sign, anny.vertices(expression, identity=people))
    assert shut.max() < 0.25 and shut[:, ALONG].max() < 0
    assert shut.min() > -1.0
    half = openings(anny, sign, anny.vertices(0.5 * expression, identity=people))
    np.testing.assert_allclose(half, (still + shut) / 2, atol=1e-3)
    one = openings(anny, sign, anny.vertices(face(**{f"eyeBlink{side}": 1.0})))
    assert one[ALONG].max() < 0


@pytest.mark.parametrize("others", [{"eyeSquint": 0.5}, {"eyeLookDown": 0.4}, {"mouthSmile": 1.0, "cheekSquint": 0.5}])
def test_lids_stay_met_with_other_channels(anny: AnnyHead, face: Face, others: dict[str, float]) -> None:
    shut = openings(anny, 1.0, anny.vertices(face(eyeBlink=1.0, **others)))
    assert shut[ALONG].max() < 0.1
    assert shut.min() > -2.5


def test_upper_lid_rests_before_the_lower(anny: AnnyHead, face: Face) -> None:
    for _, sign in SIDES:
        eye = Margins.of(anny.data, sign)
        ahead = -MM * eye.gap(anny.vertices(face(eyeBlink=1.0)), eye.share[:, None])[:, 2]
        assert (ahead[1:-1] > -0.01).all() and 0.2 < ahead[6] < 1.5


def test_lashes_of_shut_eyes_point_down_and_do_not_cross_the_lid(anny: AnnyHead, face: Face) -> None:
    rest, shut = anny.vertices(face()), anny.vertices(face(eyeBlink=1.0))
    for side, _ in SIDES:
        lower, upper = (slice(*anny.data["parts"][rows[side]]) for rows in (LOWER_LASHES, UPPER_LASHES))
        assert np.ptp(shut[lower, 2]) < np.ptp(rest[lower, 2])
        lengths = [np.linalg.norm(place[lower] - place[lower].mean(0), axis=1)[:, None] for place in (rest, shut)]
        assert lengths[1].mean() < lengths[0].mean()
        front = [
            place[upper][np.argmax(place[upper, 2])] - place[upper][np.argmin(place[upper, 2])]
            for place in (rest, shut)
        ]
        assert front[0][1] > front[1][1]


def test_a_rig_shuts_the_eyes_of_its_person(anny: AnnyHead, face: Face, people: np.ndarray) -> None:
    """Morph targets of a person move vertices as the head does; those of the neutral person are the file's."""
    expression = face(eyeBlink=0.9, jawOpen=0.2)
    motion = Motion(expression[None], CHANNELS, np.zeros((1, 3), np.float32), 25.0)
    for identity in (people[1], people[-1]):
        rig = anny.rig(motion, identity)
        moved = rig.mesh.vertices + np.einsum("k,kvc->vc", rig.weights[0], rig.shapes)
        np.testing.assert_allclose(moved, anny.vertices(expression, identity=identity), atol=1e-6)
    assert np.array_equal(anny.rig(motion).shapes, anny.data["expression"])


def test_torch_closes_the_same_eyes(anny: AnnyHead, face: Face, people: np.ndarray) -> None:
    import torch

    expression = np.tile(face(eyeBlink=0.8), (len(people), 1))
    ours = anny.vertices(torch.tensor(expression), identity=torch.tensor(people))
    np.testing.assert_allclose(ours.numpy(), anny.vertices(expression, identity=people), atol=2e-6)


def test_upper_teeth_show_in_an_open_mouth_more_than_lower_ones(anny: AnnyHead, face: Face) -> None:
    def shown(**weights: float) -> tuple[float, float]:
        place = MM * anny.vertices(face(**weights))
        upper, lower = place[anny.data["lip_columns"][1], 1]
        teeth = [place[anny.regions[f"{jaw}_teeth"]] for jaw in JAWS]
        edges = [each[np.abs(each[:, 0]) < 5, 1] for each in teeth]
        return float(upper.min() - edges[0].min()), float(edges[1].max() - lower.max())

    assert 2 < shown()[0] < 4
    for jaw in (0.2, 0.3):
        above, below = shown(jawOpen=jaw)
        assert above > 2.0 and above > below
    assert shown(mouthUpperUp=0.6)[0] > 4
    assert shown(mouthSmile=1.0, jawOpen=0.2)[0] > 2


def test_upper_teeth_belong_to_the_skull_and_stay_behind_the_lips(
    anny: AnnyHead, face: Face, people: np.ndarray
) -> None:
    upper, rest = anny.regions["upper_teeth"], anny.vertices(face())
    moving = {name for name in CHANNELS if np.abs(anny.vertices(face(**{name: 1.0}))[upper] - rest[upper]).max() > 5e-5}
    assert moving == set()
    lips = anny.regions["lips"]
    placed_people = anny.vertices(np.zeros((len(people), 52), np.float32), identity=people)
    for place in placed_people:
        assert place[upper, 2].max() < place[lips][np.abs(place[lips, 0]) < 0.01, 2].min()
    lower = anny.regions["lower_teeth"]
    middle = [np.abs(rest[teeth, 0]) < 0.005 for teeth in (upper, lower)]
    overbite = rest[lower][middle[1], 1].max() - rest[upper][middle[0], 1].min()
    assert 1.5 < MM * overbite < 3


def test_mending_twice_changes_nothing(anny: AnnyHead, face: Face) -> None:
    again = placed(meeting(anny.data))
    assert set(again) == set(anny.data)
    for name in anny.data:
        if anny.data[name].dtype.kind == "f":
            np.testing.assert_allclose(again[name], anny.data[name], atol=1e-5, err_msg=name)
        else:
            assert np.array_equal(again[name], anny.data[name]), name


def test_mending_brings_crossing_lids_back(anny: AnnyHead, face: Face) -> None:
    """A blink that goes half as far again is brought back to where the lids meet."""
    expression = anny.data["expression"].copy()
    skin = slice(*anny.data["parts"][0])
    for side, _ in SIDES:
        expression[INDEX[f"eyeBlink{side}"], skin] *= 1.5
    crossing = replace(anny, data=anny.data | {"expression": expression})
    assert openings(crossing, 1.0, crossing.vertices(face(eyeBlink=1.0)))[ALONG].min() < -3
    mended = replace(anny, data=meeting(crossing.data))
    np.testing.assert_allclose(
        openings(mended, 1.0, mended.vertices(face(eyeBlink=1.0)))[ALONG],
        openings(anny, 1.0, anny.vertices(face(eyeBlink=1.0)))[ALONG],
        atol=0.15,
    )

"""Manners: vectors and names say the same, drawn speakers cover the ranges, presets stand apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.errors import UsageError
from diffposetalk.workshop.corpus.motion.manner import PRESETS, Manner

N = len(Manner.ranges())


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """``(2000, N)`` vectors of drawn speakers."""
    rng = np.random.default_rng(0)
    return np.array([Manner.sample(rng).vector() for _ in range(2000)])


@given(st.lists(st.floats(0, 1), min_size=N, max_size=N))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_vectors_come_back(shares):
    manner = Manner.from_vector(np.array(shares))
    assert np.allclose(manner.vector(), shares, atol=1e-5)
    assert Manner.from_dict(dataclasses.asdict(manner)) == manner


def test_vectors_follow_the_order_of_the_fields():
    for position, (name, (low, high)) in enumerate(Manner.ranges().items()):
        assert name == dataclasses.fields(Manner)[position].name
        raised = dataclasses.replace(Manner(), **{name: high}).vector() != Manner().vector()
        assert list(np.flatnonzero(raised)) == [position]
        assert dataclasses.replace(Manner(), **{name: low}).vector()[position] == pytest.approx(0, abs=1e-6)


def test_vectors_beyond_their_range_are_clipped():
    assert Manner.from_vector(np.full(N, 7.0)).vector() == pytest.approx(np.ones(N))
    assert Manner.from_vector(np.full(N, -7.0)).vector() == pytest.approx(np.zeros(N))


@pytest.mark.parametrize("name", Manner.ranges())
def test_values_out_of_range_are_refused_by_name(name):
    low, high = Manner.ranges()[name]
    for value in (low - 0.1 * (high - low), high + 0.1 * (high - low), float("nan"), float("inf")):
        with pytest.raises(UsageError, match=name):
            Manner(**{name: value})


def test_unknown_names_and_wrong_widths_are_refused():
    with pytest.raises(UsageError, match="grin"):
        Manner.from_dict({"grin": 1.0})
    for shape in ((N - 1,), (N + 1,), (1, N)):
        with pytest.raises(UsageError, match="numbers"):
            Manner.from_vector(np.zeros(shape))


def test_drawn_speakers_follow_from_the_generator():
    first, again, other = (Manner.sample(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert first == again != other


def test_drawn_speakers_reach_both_ends_of_every_parameter(drawn):
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert (drawn.min(0) < 0.08).all() and (drawn.max(0) > 0.92).all()


def test_smile_and_frown_exclude_each_other(drawn):
    names = list(Manner.ranges())
    smile, frown = drawn[:, names.index("smile")], drawn[:, names.index("frown")]
    assert (np.minimum(smile, frown) < 0.2).all()


def test_most_people_are_nearly_even_and_no_side_is_preferred(drawn):
    side = drawn[:, list(Manner.ranges()).index("asymmetry")] - 0.5
    assert np.median(np.abs(side)) < 0.2
    assert abs(side.mean()) < 0.02


def test_lively_heads_are_lively_in_every_axis(drawn):
    names = list(Manner.ranges())
    head = drawn[:, [names.index(f"head_{axis}") for axis in ("pitch", "yaw", "roll")]]
    others = drawn[:, [names.index(name) for name in ("mouth_opening", "rounding", "blink_rate")]]
    assert np.corrcoef(head.T)[np.triu_indices(3, 1)].min() > 0.5
    assert np.abs(np.corrcoef(others.T)[np.triu_indices(3, 1)]).max() < 0.1


def test_presets_are_manners_of_their_names():
    assert set(PRESETS) == {"neutral", "lively", "calm", "smiling", "serious", "expressive-head"}
    assert PRESETS["neutral"] == Manner()
    for preset in PRESETS.values():
        assert preset.vector().min() >= 0 and preset.vector().max() <= 1


def test_presets_stand_out_in_what_they_are_named_for():
    def most(name: str) -> str:
        return max(PRESETS, key=lambda preset: getattr(PRESETS[preset], name))

    def least(name: str) -> str:
        return min(PRESETS, key=lambda preset: getattr(PRESETS[preset], name))

    assert most("smile") == "smiling"
    assert most("frown") == "serious" and least("brow_raise") == "serious"
    assert most("mouth_opening") == most("brow_activity") == most("blink_rate") == "lively"
    assert least("mouth_opening") == least("nod_on_accent") == least("head_yaw") == least("blink_rate") == "calm"
    assert most("head_pitch") == most("head_yaw") == most("head_roll") == most("nod_on_accent") == "expressive-head"


def test_every_preset_is_nearest_to_itself_among_drawn_neighbours():
    """Small changes of a preset, as between takes of one speaker, leave it nearer to itself than to another."""
    rng = np.random.default_rng(0)
    names = list(PRESETS)
    vectors = np.array([PRESETS[name].vector() for name in names])
    for k in range(len(names)):
        near = np.clip(vectors[k] + rng.normal(0, 0.08, (200, N)), 0, 1)
        assert (np.linalg.norm(near[:, None] - vectors, axis=-1).argmin(1) == k).mean() > 0.95

"""One table of limits: warnings of tracking, verdicts on clips, and defaults of the command line read it."""

from __future__ import annotations

import pytest

from diffposetalk.track.limits import LIMITS, clip_limit, limit_on, warnings_of
from diffposetalk.workshop.footage.manifest import REASONS
from diffposetalk.workshop.footage.options import CutOptions

GOOD = {
    "seconds": 10.0, "fps": 25.0, "coverage": 1.0, "turned_deg": 5.0, "leaning_deg": 2.0, "eye_distance_px": 80.0,
    "sharpness": 0.5, "error_percent": 2.0, "jitter_percent": 0.5, "lip_spread": 0.03,
}  # fmt: skip


def test_a_good_track_has_no_warning() -> None:
    assert GOOD.keys() == {limit.value for limit in LIMITS}
    assert not list(warnings_of(GOOD))


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.value)
def test_each_limit_warns_on_its_bad_side_alone(limit) -> None:
    step = 0.01 if limit.is_minimum else -0.01
    just_good, just_bad = limit.warning * (1 + step), limit.warning * (1 - step)
    assert not list(warnings_of(GOOD | {limit.value: just_good}))
    (line,) = warnings_of(GOOD | {limit.value: just_bad})
    assert line == limit.text(just_bad, limit.warning, limit.advice) and "{" not in line
    assert not list(warnings_of(GOOD | {limit.value: float("nan")}))


def test_the_sentences_print_the_number() -> None:
    assert limit_on("coverage").text(0.71, 0.9) == "the face was detected in only 71 % of the frames"
    assert limit_on("fps").text(12.0, 20.0) == "12 frames per second are too few (at least 20)"


def test_clips_take_their_limits_from_the_table_unless_an_option_says_otherwise() -> None:
    table = {limit.value: limit.clip for limit in LIMITS if limit.clip is not None}
    assert CutOptions().limits() == table
    assert CutOptions(smallest_px=60.0).limits() == table | {"eye_distance_px": 60.0}
    assert {limit.kind for limit in LIMITS if limit.clip is not None} <= REASONS.keys()
    assert clip_limit("error_percent") == CutOptions.most_error_percent == 5.0
    with pytest.raises(KeyError):
        clip_limit("jitter_percent")

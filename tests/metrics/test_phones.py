"""Phones heard against phones said, with counts made by hand."""

import math

import numpy as np
import pytest

from diffposetalk.metrics import PhoneCounts, phone_counts
from diffposetalk.metrics.phones import Count
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX


def numbers(words: str) -> np.ndarray:
    return np.array([SYMBOL_INDEX[word] for word in words.split()])


def test_shares_of_steps() -> None:
    said = numbers("sil sil p p aa aa m m")
    heard = numbers("sil aa b p aa p m aa")
    counts = phone_counts(heard, said)
    assert counts.phones == Count(4, 8) and counts.spoken_phones == Count(3, 6)
    assert counts.bilabials_found == Count(3, 4)  # b for p is found, though the phone is wrong
    assert counts.bilabials_right == Count(3, 4)
    assert counts.shares["phones"] == pytest.approx(4 / 8) and counts.shares["false_closures"] == 0


@pytest.mark.parametrize(
    ("heard", "n_closures", "n_false"),
    [
        ("m aa aa aa aa aa aa aa aa aa aa aa", 0, 0),  # one step is no closure
        ("m b aa aa aa aa aa aa aa aa aa aa", 1, 1),  # three steps lie between it and the p
        ("aa m b aa aa aa aa aa aa aa aa aa", 1, 0),  # two steps
        ("aa aa aa aa aa aa aa aa aa aa m m", 1, 1),
        ("aa aa aa aa aa aa aa aa aa m m m", 1, 0),
        ("m m aa aa aa p p aa aa aa p p", 3, 2),
    ],
)
def test_false_closures(heard: str, n_closures: int, n_false: int) -> None:
    counts = phone_counts(numbers(heard), numbers("aa aa aa aa aa p p aa aa aa aa aa"))
    assert counts.false_closures == Count(n_false, n_closures)


def test_counts_add_up_and_nothing_gives_no_share() -> None:
    one = phone_counts(numbers("p p aa"), numbers("p p p"))
    other = phone_counts(numbers("aa aa"), numbers("aa sil"))
    both = PhoneCounts.pooled([one, other])
    assert both.phones == Count(3, 5) and both.bilabials_found == Count(2, 3) and both.false_closures.total == 1
    assert math.isnan(PhoneCounts.pooled([]).phones.share) and math.isnan(other.shares["bilabials_found"])

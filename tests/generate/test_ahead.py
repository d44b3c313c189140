"""Items made ahead are the same items, one ahead at most, errors and interruptions included."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from diffposetalk.generate.ahead import ahead


def test_items_come_in_order_and_one_ahead_at_most() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for k in range(20):
            made.append(k)
            yield k

    got = []
    for item in ahead(items()):
        time.sleep(0.002)
        got.append(item)
        assert len(made) <= len(got) + 1
    assert got == made == list(range(20))


def test_items_are_made_while_others_are_used() -> None:
    first_is_used = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert first_is_used.wait(10)
        yield 1

    for item in ahead(items()):
        if item == 0:
            first_is_used.set()


def test_errors_come_in_their_place() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("broken")

    got = []
    with pytest.raises(ValueError, match="broken"):
        for item in ahead(items()):
            got.append(item)
    assert got == [0]


def test_an_interruption_leaves_no_thread() -> None:
    before = threading.active_count()
    stream = ahead(iter(range(1000)))
    assert next(stream) == 0
    stream.close()
    assert threading.active_count() == before

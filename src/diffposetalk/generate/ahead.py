"""Work ahead in another thread: the encoder hears the next window while the denoiser samples this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items, each made in another thread while the one before is used.

    An exception while an item is made is raised here in its place. If the items are not used to the end, the one that is being
    made is the last.
    """
    end = object()
    with ThreadPoolExecutor(1, "ahead") as thread:
        waiting = thread.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = thread.submit(next, items, end)
            yield item  # type: ignore[misc]

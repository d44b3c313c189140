"""How long work reports its progress."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Called again and again by long work. An exception raised in it ends the work."""

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Report how far the work is.

        Args:
            done: amount done, in any unit.
            total: amount to do, in the same unit; None where it is unknown.
            what: what is being done now: "tracking", "style: loss 0.31".
        """


def silent(done: float, total: float | None = None, what: str | None = None) -> None:
    """Show nothing: stands for progress where nobody watches."""


def labelled(progress: Progress | None, label: str) -> Progress | None:
    """Return a progress that puts a label before ``what``: "style", or "style: loss 0.31"."""
    if progress is None:
        return None

    def report(done: float, total: float | None = None, what: str | None = None) -> None:
        progress(done, total, f"{label}: {what}" if what else label)

    return report


def with_total(progress: Progress | None, total: float | None, what: str | None = None) -> Progress | None:
    """Return a progress for work that does not know its total, or under another name than its own."""
    if progress is None:
        return None
    return lambda done, _total=None, own=None: progress(done, total, what or own)


def over(items: Collection[Item], progress: Progress | None, what: str | None = None) -> Iterator[Item]:
    """Yield the items; after each, report how many of them are done."""
    for done, item in enumerate(items, 1):
        yield item
        if progress is not None:
            progress(done, len(items), what)
